// A small client of a real API server for recorders and checks: JSON requests and watches with a client certificate.
// It shares nothing with src/kube, so that what is recorded does not depend on what is tested.
import { Agent, request } from 'undici'
import type { Certificates } from './certificates.ts'

export interface ApiObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly resourceVersion?: string
    readonly [field: string]: unknown
  }
  readonly [field: string]: unknown
}

export interface ApiAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The parsed body, or the text where it is not JSON. */
  readonly body: unknown
}

export class ApiClient {
  readonly #agent: Agent
  readonly #server: string

  constructor(server: string, certificates: Certificates) {
    this.#server = server
    this.#agent = new Agent({
      bodyTimeout: 0,
      connect: {
        ca: certificates.authority,
        cert: certificates.admin.certificate,
        key: certificates.admin.key,
      },
    })
  }

  /** Sends one request and yields the answer whatever its status is. */
  async send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
    accept = 'application/json',
  ): Promise<ApiAnswer> {
    const response = await request(`${this.#server}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: { accept, 'content-type': contentType },
      headersTimeout: 30_000,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.body.text()
    let parsed: unknown = text
    if (text.startsWith('{')) parsed = JSON.parse(text)
    return { status: response.statusCode, headers: response.headers, body: parsed }
  }

  /** Like {@link send}, for requests that must succeed: yields the object, throws with the server's message otherwise. */
  async want(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<ApiObject> {
    const answer = await this.send(method, path, body)
    if (answer.status >= 200 && answer.status < 300) return answer.body as ApiObject
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }

  /** Watch events of a collection, from now on or from `resourceVersion`, until `signal` aborts. */
  async *watch(
    path: string,
    resourceVersion: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly type: string; readonly object: ApiObject }> {
    const query = new URLSearchParams({ watch: '1', resourceVersion })
    const response = await request(`${this.#server}${path}?${query}`, { dispatcher: this.#agent, signal })
    if (response.statusCode !== 200) {
      throw new Error(`watch of ${path}: ${response.statusCode} ${await response.body.text()}`)
    }
    let rest = ''
    for await (const chunk of response.body.setEncoding('utf8')) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line !== '') yield JSON.parse(line)
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }
}

/** The path of a kind's collection, or of one object with `name`; empty namespace for kinds without one. */
export function apiPath(object: { readonly apiVersion: string; readonly kind: string }, namespace = '', name = ''): string {
  const root = object.apiVersion.includes('/') ? `/apis/${object.apiVersion}` : `/api/${object.apiVersion}`
  const lower = object.kind.toLowerCase()
  const plural = lower.endsWith('s') ? `${lower}es` : lower.endsWith('y') ? `${lower.slice(0, -1)}ies` : `${lower}s`
  return [root, ...(namespace === '' ? [] : ['namespaces', namespace]), plural, ...(name === '' ? [] : [name])].join('/')
}
