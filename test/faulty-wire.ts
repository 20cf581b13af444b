// A wire between a client and a server that loses, delays, repeats and garbles as told, and remembers what really arrived: an observer
// hears each watch event and each whole list at the moment the client gets its last byte, and again when the client asks for more.

import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Transport, TransportRequest, TransportResponse, TransportStream } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

export interface WireEvent {
  readonly type: string
  readonly object: KubeObject
}

interface WireList {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items: readonly KubeObject[]
}

/** Told of one collection's requests, in the order of what happens. */
export interface WireObserver {
  asked(query: Readonly<Record<string, string>>): void
  /** The client has all bytes of the event but has not worked on it yet. */
  arrived(stream: number, event: WireEvent): void
  /** The client has worked on everything that arrived by the stream. */
  consumed(stream: number): void
  /** The client has all bytes of the page. */
  listed(query: Readonly<Record<string, string>>, page: WireList): void
}

/** What happens to the next request. */
export type RequestFault =
  | { readonly kind: 'status'; readonly status: number; readonly reason: string; readonly retryAfter?: number }
  | { readonly kind: 'latency'; readonly ms: number }
  | { readonly kind: 'reset-before' }
  /** The connection breaks after so many bytes of the answer. */
  | { readonly kind: 'reset-after'; readonly bytes: number }
  /** Answered by nobody until the client gives up. */
  | { readonly kind: 'black-hole' }

/** What happens to all watches that are open. */
export type WatchFault =
  | { readonly kind: 'close' | 'break' | 'stall' | 'expire' | 'server-error' | 'garbage' | 'bookmark' }
  | { readonly kind: 'cut'; readonly share: number }
  | { readonly kind: 'repeat'; readonly count: number }
  | { readonly kind: 'delay'; readonly ms: number }
  /** From now on the bytes come in pieces of this size. */
  | { readonly kind: 'pieces'; readonly bytes: number }

export class FaultyWire implements Transport {
  readonly #inner: Transport
  readonly #clock: Clock
  readonly #revision: () => number
  readonly #observerOf: (request: TransportRequest) => WireObserver
  readonly #nextFaults: RequestFault[] = []
  readonly #watches = new Set<WatchLine>()
  #streams = 0

  /** `revision`: the version that the server is at; `observerOf`: who is told of a request. */
  constructor(
    inner: Transport,
    options: {
      readonly clock: Clock
      readonly revision: () => number
      readonly observerOf: (request: TransportRequest) => WireObserver
    },
  ) {
    this.#inner = inner
    this.#clock = options.clock
    this.#revision = options.revision
    this.#observerOf = options.observerOf
  }

  failNext(fault: RequestFault): void {
    this.#nextFaults.push(fault)
  }

  harm(fault: WatchFault): void {
    for (const watch of [...this.#watches]) watch.harm(fault, this.#revision())
  }

  /** Nothing more goes wrong; what is stalled or broken stays so. */
  heal(): void {
    this.#nextFaults.length = 0
  }

  request(request: TransportRequest): Promise<TransportResponse> {
    return this.#inner.request(request)
  }

  async stream(request: TransportRequest): Promise<TransportStream> {
    const { query = {}, signal } = request
    const observer = this.#observerOf(request)
    observer.asked(query)
    const fault = this.#nextFaults.shift()
    if (fault?.kind === 'latency') await this.#clock.after(fault.ms, signal)
    else if (fault?.kind === 'reset-before') throw new ConnectionError('socket hang up', { code: 'ECONNRESET' })
    else if (fault?.kind === 'black-hole') return new Promise((_, reject) => rejectOnAbort(signal, reject))
    else if (fault?.kind === 'status') return refusal(fault)
    const answer = await this.#inner.stream(request)
    if (answer.status >= 400) return answer
    const breakAfter = fault?.kind === 'reset-after' ? fault.bytes : Number.POSITIVE_INFINITY
    if (query['watch'] !== 'true')
      return { ...answer, chunks: pageOf(answer.chunks, breakAfter, page => observer.listed(query, page)) }
    const watch = new WatchLine(this.#streams++, observer, signal, this.#clock)
    this.#watches.add(watch)
    watch.breakAfter(breakAfter)
    return { ...answer, chunks: watch.read(answer.chunks, () => this.#watches.delete(watch)) }
  }

  close(): Promise<void> {
    return this.#inner.close()
  }
}

function rejectOnAbort(signal: AbortSignal, reject: (error: unknown) => void): void {
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
}

function refusal({ status, reason, retryAfter }: Extract<RequestFault, { kind: 'status' }>): TransportStream {
  const body = statusText(status, reason)
  return {
    status,
    headers: { 'content-type': 'application/json', ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }) },
    chunks: (async function* () {
      yield Buffer.from(body)
    })(),
  }
}

function statusText(code: number, reason: string): string {
  return JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, reason, message: reason })
}

async function* pageOf(
  chunks: AsyncIterable<Uint8Array>,
  breakAfter: number,
  whole: (page: WireList) => void,
): AsyncGenerator<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const chunk of chunks) pieces.push(chunk)
  const body = Buffer.concat(pieces)
  if (body.length > breakAfter) {
    yield body.subarray(0, breakAfter)
    throw new ConnectionError('socket hang up', { code: 'ECONNRESET' })
  }
  whole(JSON.parse(body.toString()) as WireList)
  yield body
}

type Step = { readonly bytes: Buffer } | 'close' | 'break' | 'stall'

/** One watch: bytes of the server, and what was made of them, on their way to the client. */
class WatchLine {
  readonly #stream: number
  readonly #observer: WireObserver
  readonly #signal: AbortSignal
  readonly #clock: Clock
  readonly #steps: Step[] = []
  #wake: () => void = () => undefined
  #lastLines: string[] = []
  /** Bytes of a line that the client has not whole. */
  #open = ''
  #isNextGarbage = false
  #pieceBytes = Number.POSITIVE_INFINITY
  #leftBytes = Number.POSITIVE_INFINITY
  #heldUntilMs = 0
  #hasUnconsumed = false
  #isOver = false
  #kind: Pick<KubeObject, 'apiVersion' | 'kind'> | undefined

  constructor(stream: number, observer: WireObserver, signal: AbortSignal, clock: Clock) {
    this.#stream = stream
    this.#observer = observer
    this.#signal = signal
    this.#clock = clock
  }

  breakAfter(bytes: number): void {
    this.#leftBytes = bytes
  }

  harm(fault: WatchFault, revision: number): void {
    switch (fault.kind) {
      case 'close':
      case 'break':
      case 'stall':
        this.#add(fault.kind)
        break
      case 'expire':
        this.#say(`{"type":"ERROR","object":${statusText(410, 'Expired')}}\n`)
        this.#add('close')
        break
      case 'server-error':
        this.#say(`{"type":"ERROR","object":${statusText(500, 'InternalError')}}\n`)
        this.#add('close')
        break
      case 'garbage':
        this.#isNextGarbage = true
        break
      case 'bookmark':
        // All up to the server's version is on its way already: what the server commits is queued at once.
        if (this.#kind !== undefined) this.#say(bookmarkLine(this.#kind, revision))
        break
      case 'cut': {
        const line = this.#lastLines.at(-1) ?? bookmarkLine({ apiVersion: 'v1', kind: 'Pod' }, revision)
        this.#say(line.slice(0, Math.floor((line.length - 2) * fault.share)))
        this.#add('close')
        break
      }
      case 'repeat':
        for (const line of this.#lastLines.slice(-fault.count)) this.#say(line)
        break
      case 'delay':
        this.#heldUntilMs = this.#clock.elapsed() + fault.ms
        break
      case 'pieces':
        this.#pieceBytes = fault.bytes
    }
  }

  async *read(chunks: AsyncIterable<Uint8Array>, onEnd: () => void): AsyncGenerator<Uint8Array> {
    const source = chunks[Symbol.asyncIterator]()
    const pumped = this.#pump(source)
    const onAbort = () => this.#wake()
    this.#signal.addEventListener('abort', onAbort)
    try {
      for (;;) {
        this.#settle()
        this.#signal.throwIfAborted()
        if (this.#heldUntilMs > this.#clock.elapsed()) {
          await this.#clock.after(this.#heldUntilMs - this.#clock.elapsed(), this.#signal)
          continue
        }
        const step = this.#steps.shift()
        if (step === 'close') return
        if (step === 'break') throw new ConnectionError('socket hang up', { code: 'ECONNRESET' })
        if (step === 'stall') await new Promise((_, reject) => rejectOnAbort(this.#signal, reject))
        if (step !== undefined && typeof step !== 'string') yield* this.#deliver(step.bytes)
        else await new Promise<void>(resolve => (this.#wake = resolve))
      }
    } finally {
      this.#settle()
      this.#isOver = true
      onEnd()
      this.#signal.removeEventListener('abort', onAbort)
      await source.return?.()
      await pumped
    }
  }

  async #pump(source: AsyncIterator<Uint8Array>): Promise<void> {
    let open = ''
    try {
      for (let next = await source.next(); next.done !== true && !this.#isOver; next = await source.next()) {
        const lines = (open + Buffer.from(next.value).toString()).split(/(?<=\n)/)
        open = lines.at(-1)?.endsWith('\n') === true ? '' : (lines.pop() ?? '')
        for (const line of lines) {
          const event = JSON.parse(line) as WireEvent
          this.#kind ??= event.object
          if (event.type !== 'BOOKMARK' && event.type !== 'ERROR') this.#lastLines = [...this.#lastLines.slice(-9), line]
          this.#say(this.#isNextGarbage ? `${line.slice(0, line.length / 2)}\n` : line)
          this.#isNextGarbage = false
        }
      }
      if (open !== '') this.#say(open)
      this.#add('close')
    } catch (error) {
      // The client went away: so does the server's half.
      if (this.#signal.aborted) return
      if (!(error instanceof ConnectionError)) throw error
      if (open !== '') this.#say(open)
      this.#add('break')
    }
  }

  *#deliver(bytes: Buffer): Generator<Uint8Array> {
    for (let start = 0; start < bytes.length; start += this.#pieceBytes) {
      const piece = bytes.subarray(start, Math.min(bytes.length, start + this.#pieceBytes, start + this.#leftBytes))
      this.#leftBytes -= piece.length
      this.#note(piece.toString('latin1'))
      yield piece
      this.#settle()
      if (this.#leftBytes <= 0) throw new ConnectionError('socket hang up', { code: 'ECONNRESET' })
    }
  }

  /** What is whole with these bytes has arrived. Objects of these tests are plain ASCII. */
  #note(text: string): void {
    this.#open += text
    for (let end = this.#open.indexOf('\n'); end >= 0; end = this.#open.indexOf('\n')) {
      const line = this.#open.slice(0, end)
      this.#open = this.#open.slice(end + 1)
      const event = parsedEvent(line)
      if (event === undefined) continue
      this.#hasUnconsumed = true
      this.#observer.arrived(this.#stream, event)
    }
  }

  #settle(): void {
    if (!this.#hasUnconsumed) return
    this.#hasUnconsumed = false
    this.#observer.consumed(this.#stream)
  }

  #say(line: string): void {
    this.#add({ bytes: Buffer.from(line) })
  }

  #add(step: Step): void {
    this.#steps.push(step)
    this.#wake()
  }
}

function bookmarkLine({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>, revision: number): string {
  return `${JSON.stringify({ type: 'BOOKMARK', object: { kind, apiVersion, metadata: { resourceVersion: String(revision) } } })}\n`
}

function parsedEvent(line: string): WireEvent | undefined {
  try {
    return JSON.parse(line) as WireEvent
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
