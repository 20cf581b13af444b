// A dashboard that listens, with a twin as its API server, and a client that sends exactly what a test says.
import { type IncomingHttpHeaders, request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { Registry } from 'prom-client'
import { ballastKinds } from '#coordination/kinds.ts'
import { openApi } from '#kube/client/api.ts'
import { type Clock, hostClock, systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { openActions } from '../actions/actions.ts'
import type { Bundle } from '../build/bundle.ts'
import { type DashboardConfiguration, dashboardSchema } from '../configuration.ts'
import { type DashboardOptions, openDashboard } from '../dashboard.ts'
import type { Picture, PictureSource } from '../picture.ts'

const userAgent = 'ballast-test'

/** A bundle of one script. */
const testBundle: Bundle = {
  state: 'ready',
  problem: undefined,
  ready: Promise.resolve(),
  entry: () => ({ script: '/assets/main-a1.js', styles: ['/assets/main-b2.css'], preload: [] }),
  replayParts: () => ({ script: 'let a', styles: '' }),
  file: name =>
    name === 'main-a1.js'
      ? { type: 'text/javascript; charset=utf-8', body: Buffer.from('let a'), brotli: Buffer.from('br'), gzip: Buffer.from('gz') }
      : undefined,
  [Symbol.asyncDispose]: () => Promise.resolve(),
}

/** A source that a test sets. */
class SetSource implements PictureSource {
  readonly #listeners = new Set<() => void>()
  #picture: Picture

  constructor(picture: Picture) {
    this.#picture = picture
  }

  current(): Picture {
    return this.#picture
  }

  change(more: Partial<Picture>): void {
    this.#picture = { ...this.#picture, sequence: this.#picture.sequence + 1, ...more }
    for (const listener of [...this.#listeners]) listener()
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}

export interface TestDashboard extends AsyncDisposable {
  readonly twin: Twin
  readonly source: SetSource
  readonly url: string
  readonly port: number
  readonly registry: Registry
  show(source: PictureSource): void
  /** One request, one answer. */
  ask(path: string, options?: Sent): Promise<Received>
}

interface Setting {
  readonly picture: Picture
  readonly objects?: readonly KubeObject[]
  /** Fields of the section `dashboard`. */
  readonly section?: Readonly<Record<string, unknown>>
  /** By default twenty times as fast as ours: so many requests a second are let in. */
  readonly clock?: Clock
  readonly options?: Partial<DashboardOptions>
  readonly twin?: Twin
}

/** Ours and the kinds of Ballast; a twin without components. */
export async function startTestDashboard(setting: Setting): Promise<TestDashboard> {
  const { picture, objects = [], section = {}, clock = hostClock({ speed: 20 }), options = {} } = setting
  const definitions = ballastKinds.map(({ definition }) => definition).filter(definition => definition !== undefined)
  await using opening = new AsyncDisposableStack()
  const twin =
    setting.twin ??
    opening.use(await startTwin({ clock: systemClock, seed: 1, components: false, objects: [...definitions, ...objects] }))
  const source = new SetSource(picture)
  const registry = new Registry()
  const api = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent })
  opening.defer(() => api.close())
  const actions = opening.use(openActions({ random: seededRandom(1), twin: { reset: () => Promise.resolve() } }))
  const configuration: DashboardConfiguration = dashboardSchema.parse({ listen: '127.0.0.1:0', ...section })
  const dashboard = opening.use(
    await openDashboard({
      configuration,
      source,
      clock,
      random: seededRandom(1),
      log: silentLog,
      api,
      viewerApi: token => openApi(twin.transport({ token }), { clock: systemClock, userAgent }),
      actions,
      bundle: testBundle,
      terminalView: ({ cluster }) => `${cluster} as text\n`,
      metrics: registry,
      settings: [{ key: 'dashboard.listen', value: '127.0.0.1:0', origin: 'default' }],
      ...options,
    }),
  )
  const stack = opening.move()
  const { port, url } = dashboard
  return {
    twin,
    source,
    url,
    port,
    registry,
    show: next => dashboard.show(next),
    ask: (path, sent = {}) => ask(port, path, sent),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

export interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
  readonly tls?: { readonly cert?: string; readonly key?: string }
}

export interface Received {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
  readonly text: string
  /** The body parsed; undefined where it is no JSON. */
  readonly json: unknown
  /** Code of a refusal. */
  readonly code: unknown
}

/** One request to a port of this machine. @throws where the connection breaks before the answer */
export async function ask(port: number, path: string, { method = 'GET', headers = {}, body, tls }: Sent = {}): Promise<Received> {
  const { promise, resolve, reject } = Promise.withResolvers<Received>()
  const sent = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  )
  const options = { host: '127.0.0.1', port, path, method, headers: sent, agent: false as const }
  const request = tls === undefined ? plainRequest(options) : tlsRequest({ ...options, rejectUnauthorized: false, ...tls })
  request.on('error', reject)
  request.on('response', response => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('error', reject)
    response.on('end', () => {
      const bytes = Buffer.concat(chunks)
      const text = bytes.toString('utf8')
      const json = parsed(text)
      resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, text, json, code: codeOf(json) })
    })
  })
  request.end(body)
  return promise
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function codeOf(json: unknown): unknown {
  const error: unknown = typeof json === 'object' && json !== null ? Reflect.get(json, 'error') : undefined
  return typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
}

/** A stream whose events a test waits for. */
export class TestStream implements Disposable {
  readonly status: number
  readonly events: { readonly name: string; readonly data: unknown }[] = []
  readonly #stop: () => void
  /** Id of the newest event that had one. */
  lastId: string | undefined
  #text = ''
  #isEnded = false
  #waiting: (() => void)[] = []

  private constructor(status: number, stop: () => void) {
    this.status = status
    this.#stop = stop
  }

  static async open(port: number, path: string, headers: Readonly<Record<string, string>> = {}): Promise<TestStream> {
    const { promise, resolve, reject } = Promise.withResolvers<TestStream>()
    const request = plainRequest({ host: '127.0.0.1', port, path, headers, agent: false })
    request.on('error', reject)
    request.on('response', response => {
      const stream = new TestStream(response.statusCode ?? 0, () => request.destroy())
      response.on('data', (chunk: Buffer) => stream.#take(chunk.toString('utf8')))
      response.on('error', () => stream.#end())
      response.on('close', () => stream.#end())
      resolve(stream)
    })
    request.end()
    return promise
  }

  /** Resolves when an event that `fits` has come, before or after. @throws Error where the stream ended without */
  async until(fits: (event: { readonly name: string; readonly data: unknown }) => boolean): Promise<{ readonly data: unknown }> {
    for (;;) {
      const found = this.events.find(fits)
      if (found !== undefined) return found
      if (this.#isEnded) throw new Error(`the stream ended after ${this.events.map(({ name }) => name).join(', ')}`)
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
  }

  /** Resolves when the server has ended the stream. */
  async ended(): Promise<void> {
    while (!this.#isEnded) await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  [Symbol.dispose](): void {
    this.#stop()
  }

  #take(text: string): void {
    this.#text += text
    for (let end = this.#text.indexOf('\n\n'); end >= 0; end = this.#text.indexOf('\n\n')) {
      const block = this.#text.slice(0, end)
      this.#text = this.#text.slice(end + 2)
      const name = /^event: (.*)$/m.exec(block)?.[1]
      const data = /^data: (.*)$/m.exec(block)?.[1]
      this.lastId = /^id: (.*)$/m.exec(block)?.[1] ?? this.lastId
      if (name !== undefined && data !== undefined) this.events.push({ name, data: JSON.parse(data) })
    }
    this.#tell()
  }

  #end(): void {
    this.#isEnded = true
    this.#tell()
  }

  #tell(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
