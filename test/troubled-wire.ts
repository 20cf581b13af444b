// A wire that does one kind of wrong to one kind of request, from a moment on: so often, or until it is told to stop.
import { ConnectionError, RequestTimeoutError } from '#kube/client/connection-error.ts'
import type { Transport, TransportRequest, TransportResponse, TransportStream } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import type { Random } from '#kube/random.ts'

/** What may become of a request: no answer, half of one, a refusal, or an answer that is something else. */
export const troubleKinds = [
  'no answer in time',
  'no answer in time, and done',
  'reset',
  'reset, and done',
  'half an answer',
  'half an answer that ends',
  '401',
  '403',
  '403 that comes and goes',
  '404',
  '409',
  '410',
  '422',
  '429',
  '429 with Retry-After',
  '500',
  '503',
  '503 with Retry-After',
  'a page of HTML',
  'nothing',
  'null',
  'a number',
  'a list without an object',
  'an empty object',
  'a Status of success',
  'no metadata',
  'metadata of texts',
  'an item that is null',
  'an item without a name',
  'an item whose labels are a number',
  'an item whose spec is a text',
  'items that are an object',
] as const
export type TroubleKind = (typeof troubleKinds)[number]

export interface Trouble {
  readonly kind: TroubleKind
  /** As `requestKey` calls it, or a whole path for one object's alone; `*`: any. */
  readonly key: string
  /** How often; absent: until `end`. */
  readonly count?: number
}

/** `PATCH deployments.apps`, `LIST configmaps`, `GET configmaps ballast-reload-baseline-#`: what requests of one kind have in common. */
export function requestKey({ verb, path, query = {} }: TransportRequest): string {
  const parts = path.split('/').filter(part => part !== '')
  const [root, ...rest] = parts
  if (root !== 'api' && root !== 'apis') return `${verb} ${path}`
  const group = root === 'apis' ? rest[0] : undefined
  const tail = rest.slice(root === 'apis' ? 2 : 1)
  const own = tail[0] === 'namespaces' && tail.length > 2 ? tail.slice(2) : tail
  const [plural = '', name, subresource] = own
  const resource = [plural, subresource].filter(part => part !== undefined).join('/')
  const isOurs = name?.startsWith('ballast') === true
  const what = `${resource}${group === undefined ? '' : `.${group}`}${isOurs ? ` ${name.replace(/\d+/g, '#')}` : ''}`
  if (verb !== 'GET') return `${verb} ${what}`
  if (query['watch'] === 'true') return `WATCH ${what}`
  return `${name === undefined ? 'LIST' : 'GET'} ${what}`
}

export class TroubledWire implements Transport {
  readonly #inner: Transport
  readonly #clock: Clock
  readonly #scene: WireScene

  constructor(inner: Transport, clock: Clock, scene: WireScene) {
    this.#inner = inner
    this.#clock = clock
    this.#scene = scene
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const kind = this.#scene.meets(request)
    if (kind === undefined) return this.#inner.request(request)
    const refusal = await this.#before(kind, request, () => this.#inner.request(request))
    if (refusal !== undefined) return { ...refusal, body: Buffer.from(refusal.body) }
    const answer = await this.#inner.request(request)
    if (answer.status >= 400) return answer
    const { body, isBroken } = changed(kind, Buffer.from(answer.body).toString())
    if (isBroken) throw new ConnectionError('other side closed', { code: 'UND_ERR_SOCKET' })
    return { ...answer, body: Buffer.from(body) }
  }

  async stream(request: TransportRequest): Promise<TransportStream> {
    const kind = this.#scene.meets(request)
    if (kind !== undefined) {
      const refusal = await this.#before(kind, request, async () => undefined)
      if (refusal !== undefined) return { ...refusal, chunks: chunksOf(refusal.body) }
    }
    const cut = new AbortController()
    const answer = await this.#inner.stream({ ...request, signal: AbortSignal.any([request.signal, cut.signal]) })
    if (answer.status >= 400) return answer
    if (request.query?.['watch'] === 'true') return { ...answer, chunks: this.#watched(answer.chunks, cut, kind) }
    return kind === undefined ? answer : { ...answer, chunks: spoiled(answer.chunks, kind) }
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  /** The answer in place of the server's; `undefined`: the server is asked. */
  async #before(kind: TroubleKind, request: TransportRequest, perform: () => Promise<unknown>): Promise<Refusal | undefined> {
    switch (kind) {
      case 'no answer in time':
      case 'no answer in time, and done':
        if (kind === 'no answer in time, and done') await perform()
        await this.#clock.after(request.timeoutMs ?? 30_000, request.signal)
        throw new RequestTimeoutError(`${request.verb} ${request.path}: no answer within ${request.timeoutMs} ms`)
      case 'reset, and done':
        await perform()
        throw new ConnectionError('socket hang up', { code: 'ECONNRESET' })
      case 'reset':
        throw new ConnectionError('socket hang up', { code: 'ECONNRESET' })
      case '429 with Retry-After':
        return refused(429, { 'retry-after': '2' })
      case '503 with Retry-After':
        return refused(503, { 'retry-after': '2' })
      case '403 that comes and goes':
        return refused(403)
      default:
        return /^\d{3}$/.test(kind) ? refused(Number(kind)) : undefined
    }
  }

  /** A watch that is open when the trouble begins is broken by it; one that is opened under it says something wrong first. */
  async *#watched(
    chunks: AsyncIterable<Uint8Array>,
    cut: AbortController,
    kind: TroubleKind | undefined,
  ): AsyncGenerator<Uint8Array> {
    const line = kind === undefined ? undefined : wrongLine(kind)
    if (line !== undefined) yield Buffer.from(line)
    const reset = new ConnectionError('socket hang up', { code: 'ECONNRESET' })
    const end = () => cut.abort(reset)
    if (kind === 'half an answer' || kind === 'half an answer that ends') end()
    if (kind === 'half an answer that ends') return
    using _ = this.#scene.onBegin(end)
    yield* chunks
  }
}

/** What is wrong now, of all wires of a run, and which requests there were. */
export class WireScene {
  readonly seen = new Map<string, Set<string>>()
  #trouble: Trouble | undefined
  #chaos: () => TroubleKind | undefined = () => undefined
  #left = 0
  #met = 0
  #fired = 0
  readonly #watches = new Set<() => void>()

  /** How many requests it met. */
  get fired(): number {
    return this.#fired
  }

  /** Whether it has done all that it was to do. */
  get isOver(): boolean {
    return this.#trouble === undefined || this.#left <= 0
  }

  begin(trouble: Trouble): void {
    this.#trouble = trouble
    this.#left = trouble.count ?? Number.POSITIVE_INFINITY
    // What is asked for then is asked for under it.
    for (const end of [...this.#watches]) end()
  }

  /** From now on so large a share of all requests meets some trouble. */
  beginChaos(share: number, random: Random): void {
    this.#chaos = () => (random() < share ? troubleKinds[Math.floor(random() * troubleKinds.length)] : undefined)
    for (const end of [...this.#watches]) end()
  }

  end(): void {
    this.#trouble = undefined
    this.#chaos = () => undefined
  }

  meets(request: TransportRequest): TroubleKind | undefined {
    const key = requestKey(request)
    const paths = this.seen.get(key) ?? new Set()
    this.seen.set(key, paths.add(request.path))
    const chaotic = this.#chaos()
    if (chaotic !== undefined) {
      this.#fired++
      return chaotic
    }
    const trouble = this.#trouble
    if (trouble === undefined || this.#left === 0 || !['*', key, `${request.verb} ${request.path}`].includes(trouble.key))
      return undefined
    if (trouble.kind === '403 that comes and goes' && this.#met++ % 2 === 1) return undefined
    this.#left--
    this.#fired++
    return trouble.kind
  }

  /** Called when a trouble begins, until disposed of. */
  onBegin(end: () => void): Disposable {
    this.#watches.add(end)
    return { [Symbol.dispose]: () => this.#watches.delete(end) }
  }
}

interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

function refused(code: number, headers: Readonly<Record<string, string>> = {}): Refusal {
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, message: `trouble ${code}` }
  return { status: code, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(status) }
}

async function* chunksOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

async function* spoiled(chunks: AsyncIterable<Uint8Array>, kind: TroubleKind): AsyncGenerator<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const chunk of chunks) pieces.push(Uint8Array.from(chunk))
  const { body, isBroken } = changed(kind, Buffer.concat(pieces).toString())
  yield Buffer.from(body)
  if (isBroken) throw new ConnectionError('other side closed', { code: 'UND_ERR_SOCKET' })
}

const plain: Readonly<Partial<Record<TroubleKind, string>>> = {
  'a page of HTML': '<html><body>502 Bad Gateway</body></html>',
  nothing: '',
  null: 'null',
  'a number': '5',
  'a list without an object': '[null]',
  'an empty object': '{}',
  'a Status of success': '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}',
}

function changed(kind: TroubleKind, text: string): { readonly body: string; readonly isBroken: boolean } {
  const whole = plain[kind]
  if (whole !== undefined) return { body: whole, isBroken: false }
  if (kind === 'half an answer' || kind === 'half an answer that ends')
    return { body: text.slice(0, Math.floor(text.length / 2)), isBroken: kind === 'half an answer' }
  const value = JSON.parse(text) as { metadata?: unknown; items?: unknown; spec?: unknown }
  return { body: JSON.stringify(bent(kind, value)), isBroken: false }
}

function bent(kind: TroubleKind, value: { metadata?: unknown; items?: unknown; spec?: unknown }): unknown {
  if (kind === 'no metadata') return { ...value, metadata: null }
  if (kind === 'metadata of texts')
    return { ...value, metadata: { name: 5, resourceVersion: 7, labels: 'none', annotations: [] } }
  if (!Array.isArray(value.items)) return kind === 'an item whose spec is a text' ? { ...value, spec: 'none' } : value
  const [first, ...others] = value.items as { metadata?: object }[]
  const items = (one: unknown) => ({ ...value, items: first === undefined ? [one] : [...others, first, one] })
  const stranger = { name: 'stranger', namespace: 'shop', resourceVersion: '1', uid: 'stranger' }
  switch (kind) {
    case 'an item that is null':
      return items(null)
    case 'an item without a name':
      return items({ ...first, metadata: { resourceVersion: '1' } })
    case 'an item whose labels are a number':
      return items({ ...first, metadata: { ...stranger, labels: 5 } })
    case 'an item whose spec is a text':
      return items({ ...first, metadata: stranger, spec: 'none', status: 'none' })
    case 'items that are an object':
      return { ...value, items: { a: 1 } }
    default:
      return value
  }
}

function wrongLine(kind: TroubleKind): string | undefined {
  const event = (object: unknown, type = 'ADDED') => `${JSON.stringify({ type, object })}\n`
  const stranger = { name: 'stranger', namespace: 'shop', resourceVersion: '1', uid: 'stranger' }
  switch (kind) {
    case 'half an answer':
    case 'half an answer that ends':
      return '{"type":"ADDED","object":{"kind":"P'
    case 'an item that is null':
      return event(null)
    case 'no metadata':
      return event({ kind: 'Pod', apiVersion: 'v1', metadata: null })
    case 'metadata of texts':
      return event({ kind: 'Pod', apiVersion: 'v1', metadata: { name: 5, resourceVersion: 7, labels: 'none' } })
    case 'an item without a name':
      return event({ kind: 'Pod', apiVersion: 'v1', metadata: { resourceVersion: '1' } })
    case 'an item whose labels are a number':
      return event({ kind: 'Pod', apiVersion: 'v1', metadata: { ...stranger, labels: 5 } })
    case 'an item whose spec is a text':
      return event({ kind: 'Pod', apiVersion: 'v1', metadata: stranger, spec: 'none', status: 'none' })
    case 'items that are an object':
      return event({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 410, reason: 'Expired' }, 'ERROR')
    default: {
      const whole = plain[kind]
      return whole === undefined ? undefined : `${whole}\n`
    }
  }
}
