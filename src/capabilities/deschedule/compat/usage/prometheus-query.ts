// Instant queries to a Prometheus server (or what speaks like one), with limits on time and size, without redirects.
import { rootCertificates } from 'node:tls'
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici'
import { isFields } from '#cluster/loose-fields.ts'
import { proxyFor } from '#kube/client/proxy.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { StrategyError } from '../strategy-error.ts'

const connectMs = 5_000
/** Time of one query, from its first byte to the last of its answer. */
const answerMs = 30_000
const mostConnections = 4
const largestAnswerBytes = 16 * 1024 * 1024
/** Characters of a text that are shown; what a gateway says in HTML helps nobody. */
const longestShown = 200

/** How a server is reached at the moment. */
export interface PrometheusAccess {
  readonly url: string
  /** Sent as `Authorization: Bearer`; absent: user and password of the address, where it has such. */
  readonly token?: string
  /** PEM; trusted besides the system's. */
  readonly authority?: string
}

interface Surroundings {
  readonly clock: Clock
  readonly log: Log
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Connections are kept while address and authority stay the same. */
export class PrometheusQueries implements AsyncDisposable {
  readonly #around: Surroundings
  #dispatcher: { readonly for: string; readonly dispatcher: Dispatcher } | undefined

  constructor(around: Surroundings) {
    this.#around = around
  }

  /**
   * The body of the answer, of Prometheus' own errors too. Never tells the token or a password.
   * @throws StrategyError where there is no answer that could be one of Prometheus; `signal.reason`
   */
  async answer(access: PrometheusAccess, query: string, signal: AbortSignal): Promise<unknown> {
    const deadline = new AbortController()
    const cancel = this.#around.clock.schedule(answerMs, () =>
      deadline.abort(new DOMException(`no answer in ${answerMs / 1000} s`, 'TimeoutError')),
    )
    // What a server does is nothing a virtual clock can see.
    using _ = this.#around.clock.hold()
    try {
      const until = AbortSignal.any([deadline.signal, signal])
      const posted = await this.#ask(access, { method: 'POST', query }, until)
      // Gateways that take no POST: the query goes into the address.
      const isRefused = posted.status === 405 || posted.status === 501
      return bodyOf(isRefused ? await this.#ask(access, { method: 'GET', query }, until) : posted)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof StrategyError) throw error
      throw failed(deadline.signal.aborted ? messageOf(deadline.signal.reason) : messageOf(error))
    } finally {
      cancel()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispatcher?.dispatcher.destroy()
    this.#dispatcher = undefined
  }

  async #ask(access: PrometheusAccess, asked: { method: 'GET' | 'POST'; query: string }, signal: AbortSignal): Promise<Answer> {
    const url = new URL(access.url)
    const form = new URLSearchParams({ query: asked.query }).toString()
    const path = `${url.pathname.replace(/\/$/, '')}/api/v1/query${asked.method === 'GET' ? `?${form}` : ''}`
    const answer = await request(`${url.origin}${path}`, {
      method: asked.method,
      headers: {
        accept: 'application/json',
        'user-agent': 'ballast',
        ...(asked.method === 'POST' && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...authorization(url, access.token),
      },
      body: asked.method === 'POST' ? form : null,
      dispatcher: this.#dispatcherFor(access, url),
      signal,
    })
    return { status: answer.statusCode, text: await limitedText(answer.body) }
  }

  #dispatcherFor({ authority }: PrometheusAccess, url: URL): Dispatcher {
    const key = `${url.origin} ${authority ?? ''}`
    if (this.#dispatcher?.for === key) return this.#dispatcher.dispatcher
    const { environment, log } = this.#around
    this.#dispatcher?.dispatcher
      .destroy()
      .catch((error: unknown) => log.debug({ why: messageOf(error) }, 'old connections to Prometheus'))
    const tls = authority === undefined ? {} : { ca: [...rootCertificates, authority] }
    const limits = { connections: mostConnections, headersTimeout: answerMs, bodyTimeout: answerMs }
    const proxy = proxyFor({ server: url.origin, proxyUrl: undefined, environment })
    const dispatcher =
      proxy === undefined
        ? new Agent({ ...limits, connect: { timeout: connectMs, ...tls } })
        : new ProxyAgent({ ...limits, uri: proxy, requestTls: { timeout: connectMs, ...tls } })
    this.#dispatcher = { for: key, dispatcher }
    return dispatcher
  }
}

interface Answer {
  readonly status: number
  readonly text: string
}

function authorization({ username, password }: URL, token: string | undefined): { readonly authorization?: string } {
  if (token !== undefined) return { authorization: `Bearer ${token}` }
  if (username === '' && password === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

/** @throws StrategyError where it is longer than the limit; then the connection is closed */
async function limitedText(body: Dispatcher.ResponseData['body']): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of body) {
    const chunk: Uint8Array = piece
    pieces.push(chunk)
    bytes += chunk.length
    if (bytes > largestAnswerBytes) throw failed(`the answer is larger than ${largestAnswerBytes} bytes`)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** What the answer says, where it is one of Prometheus: its errors come with a status and a body that tells them. */
function bodyOf({ status, text }: Answer): unknown {
  const body = jsonOf(text)
  if (isFields(body) && (body['status'] === 'success' || body['status'] === 'error')) return body
  if (status >= 200 && status < 300) throw failed('the answer is none of Prometheus')
  throw failed(`server answered ${status}: ${text.trim().slice(0, longestShown)}`)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function failed(why: string): StrategyError {
  return new StrategyError(`unable to capture prometheus metrics: ${why}`)
}
