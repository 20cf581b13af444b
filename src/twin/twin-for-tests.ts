// A twin without simulated components, and a plain client for it: what the wire tests of this room stand on.

import type { HttpVerb, Transport } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { fieldsAt, itemsAt, textAt } from './json-value.ts'
import { startTwin, type Twin, type TwinOptions } from './twin.ts'

const testStartMs = Date.parse('2026-01-01T00:00:00Z')

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The body parsed; undefined where it is no JSON. */
  readonly body: unknown
  readonly text: string
  /** `message` of a Status. */
  readonly message: string | undefined
}

interface CallOptions {
  readonly body?: unknown
  /** The body as it is sent. */
  readonly bytes?: Uint8Array
  readonly contentType?: string
  readonly accept?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

export class TestClient {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** One request, one answer. `path` may carry a query. */
  async call(verb: HttpVerb, path: string, options: CallOptions = {}): Promise<Answer> {
    const answer = await this.#transport.request({ ...requestOf(verb, path, options), signal: AbortSignal.timeout(120_000) })
    return answerOf(answer.status, answer.headers, new TextDecoder().decode(answer.body))
  }

  get(path: string, options?: CallOptions): Promise<Answer> {
    return this.call('GET', path, options)
  }

  post(path: string, body: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.call('POST', path, { ...options, body })
  }

  put(path: string, body: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.call('PUT', path, { ...options, body })
  }

  patch(path: string, kind: 'json' | 'merge' | 'strategic', body: unknown, options: CallOptions = {}): Promise<Answer> {
    const prefix = { json: 'json', merge: 'merge', strategic: 'strategic-merge' }[kind]
    return this.call('PATCH', path, { ...options, body, contentType: `application/${prefix}-patch+json` })
  }

  apply(path: string, manager: string, body: unknown, options: { readonly force?: boolean } = {}): Promise<Answer> {
    const query = { fieldManager: manager, ...(options.force === true ? { force: 'true' } : {}) }
    return this.call('PATCH', path, { body, contentType: 'application/apply-patch+yaml', query })
  }

  /** Opens a watch; `next(n)` resolves with the next n events. */
  async watch(path: string, query: Readonly<Record<string, string>>): Promise<TestWatch> {
    const stop = new AbortController()
    const stream = await this.#transport.stream({
      ...requestOf('GET', path, { query: { watch: 'true', ...query } }),
      signal: stop.signal,
    })
    return new TestWatch(stream.chunks, stop)
  }
}

class TestWatch implements Disposable {
  readonly #chunks: AsyncIterator<Uint8Array>
  readonly #stop: AbortController
  #text = ''

  constructor(chunks: AsyncIterable<Uint8Array>, stop: AbortController) {
    this.#chunks = chunks[Symbol.asyncIterator]()
    this.#stop = stop
  }

  /** The next `count` events; fewer where the stream ends. */
  async next(count: number): Promise<readonly { readonly type: string; readonly object: unknown }[]> {
    const events: { readonly type: string; readonly object: unknown }[] = []
    while (events.length < count) {
      const end = this.#text.indexOf('\n')
      if (end >= 0) {
        const event: unknown = JSON.parse(this.#text.slice(0, end))
        this.#text = this.#text.slice(end + 1)
        events.push({ type: textAt(event, 'type') ?? '', object: fieldsAt(event, 'object') })
        continue
      }
      const { done, value } = await this.#chunks.next()
      if (done === true) break
      this.#text += new TextDecoder().decode(value)
    }
    return events
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
  }
}

function requestOf(verb: HttpVerb, path: string, options: CallOptions) {
  const question = path.indexOf('?')
  const query = question < 0 ? {} : Object.fromEntries(new URLSearchParams(path.slice(question + 1)))
  const body =
    options.bytes ??
    (options.body === undefined ? undefined : typeof options.body === 'string' ? options.body : JSON.stringify(options.body))
  return {
    verb,
    path: question < 0 ? path : path.slice(0, question),
    query: { ...query, ...options.query },
    headers: {
      'user-agent': 'test-client/1.0',
      ...(options.contentType === undefined ? {} : { 'content-type': options.contentType }),
      ...(options.accept === undefined ? {} : { accept: options.accept }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body }),
  }
}

function answerOf(status: number, headers: Readonly<Record<string, string>>, text: string): Answer {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return { status, headers, body, text, message: textAt(body, 'message') }
}

interface TestTwin extends AsyncDisposable {
  readonly twin: Twin
  readonly clock: VirtualClock
  readonly client: TestClient
}

/** A twin on a virtual clock, with the administrator's client. */
export async function startTestTwin(objects: readonly KubeObject[] = [], options: Partial<TwinOptions> = {}): Promise<TestTwin> {
  const clock = new VirtualClock(testStartMs)
  const twin = await startTwin({ clock, seed: 1, objects, components: false, ...options })
  return { twin, clock, client: new TestClient(twin.transport({ admin: true })), [Symbol.asyncDispose]: () => twin.stop() }
}

export function testPod(
  name: string,
  options: {
    readonly labels?: Readonly<Record<string, string>>
    readonly node?: string
    readonly isReady?: boolean
    readonly phase?: string
  } = {},
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: options.labels ?? { app: 'web' } },
    spec: { containers: [{ name: 'c', image: 'nginx:1.27' }], nodeName: options.node ?? 'n1' },
    status: {
      phase: options.phase ?? 'Running',
      conditions: [{ type: 'Ready', status: options.isReady === false ? 'False' : 'True' }],
    },
  }
}

export function testDeployment(name: string, replicas = 1): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'nginx:1.27' }] } },
    },
  }
}

export function testConfigMap(name: string, data: Readonly<Record<string, string>> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data }
}

/** Names of a list's items, in order. */
export function itemNames(list: unknown): readonly string[] {
  return itemsAt(list, 'items').map(item => textAt(item, 'metadata', 'name') ?? '')
}
