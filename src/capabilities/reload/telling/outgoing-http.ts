// POST to an address that a user configured: with deadlines, without redirects, its answer never read further than its status.
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici'
import type { Clock } from '#kube/clock.ts'
import type { Parsed } from '#kube/problem.ts'

const connectTimeoutMs = 5_000
const answerTimeoutMs = 10_000
const mostConnections = 4
const longestUrl = 4_096
const answerLimitBytes = 16 * 1024

export interface Message {
  readonly body: string
  readonly contentType: string
}

/** An absolute http or https address. What it looks like is told up to its host only: paths of such addresses are often the secret. */
export function readHttpUrl(text: string, where: string): Parsed<URL> {
  const url = text.length > longestUrl ? null : URL.parse(text.trim())
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== '')
    return { ok: true, value: url }
  const found = url === null ? `a text of ${text.length} characters that is no URL` : `an address of ${url.protocol}//`
  return {
    ok: false,
    problem: { code: 'http-url', where, found, expected: `http://HOST or https://HOST, at most ${longestUrl} characters` },
  }
}

/** Scheme and host of an address, for logs. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}`
}

/** Connections to one receiver. */
export class OutgoingHttp implements AsyncDisposable {
  readonly #clock: Clock
  readonly #dispatcher: Dispatcher

  constructor(options: { readonly clock: Clock; readonly proxy?: URL | undefined }) {
    this.#clock = options.clock
    const limits = {
      connections: mostConnections,
      headersTimeout: answerTimeoutMs,
      bodyTimeout: answerTimeoutMs,
      connect: { timeout: connectTimeoutMs },
    }
    this.#dispatcher = options.proxy === undefined ? new Agent(limits) : new ProxyAgent({ ...limits, uri: options.proxy.href })
  }

  /** The status of the answer, whatever it is. @throws when there is none in time */
  async post(url: URL, { body, contentType }: Message, signal?: AbortSignal): Promise<number> {
    const deadline = new AbortController()
    const cancel = this.#clock.schedule(connectTimeoutMs + answerTimeoutMs, () =>
      deadline.abort(new DOMException(`no answer in ${(connectTimeoutMs + answerTimeoutMs) / 1000} s`, 'TimeoutError')),
    )
    // What a receiver does is nothing a virtual clock can see.
    using _ = this.#clock.hold()
    try {
      const until = signal === undefined ? deadline.signal : AbortSignal.any([deadline.signal, signal])
      const answer = await request(bareUrl(url), {
        method: 'POST',
        headers: { 'content-type': contentType, 'user-agent': 'ballast', ...authorization(url) },
        body,
        dispatcher: this.#dispatcher,
        signal: until,
      })
      await answer.body.dump({ limit: answerLimitBytes, signal: until })
      return answer.statusCode
    } finally {
      cancel()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispatcher.destroy()
  }
}

function bareUrl(url: URL): URL {
  const bare = new URL(url)
  bare.username = ''
  bare.password = ''
  return bare
}

/** User and password of the address, as Basic authentication. */
function authorization({ username, password }: URL): { readonly authorization?: string } {
  if (username === '' && password === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}
