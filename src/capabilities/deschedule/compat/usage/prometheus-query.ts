// Instant queries to a Prometheus server (or what speaks like one), with limits on time and size, without redirects.

import { rootCertificates } from 'node:tls'
import { isFields } from '#cluster/loose-fields.ts'
import { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { StrategyError } from '../strategy-error.ts'

/** Time of one query, from its first byte to the last of its answer. */
const answerMs = 30_000
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

/**
 * Connections are kept while address and authority stay the same. Without a guard of addresses: the policy, which is the administrator's,
 * names the server, and it mostly lies on the cluster's own network.
 */
export class PrometheusQueries implements AsyncDisposable {
  readonly #around: Surroundings
  #http: { readonly for: string; readonly http: OutgoingHttp } | undefined

  constructor(around: Surroundings) {
    this.#around = around
  }

  /**
   * The body of the answer, of Prometheus' own errors too. Never tells the token or a password.
   * @throws StrategyError where there is no answer that could be one of Prometheus; `signal.reason`
   */
  async answer(access: PrometheusAccess, query: string, signal: AbortSignal): Promise<unknown> {
    try {
      const posted = await this.#ask(access, { method: 'POST', query }, signal)
      // Gateways that take no POST: the query goes into the address.
      const isRefused = posted.status === 405 || posted.status === 501
      return bodyOf(isRefused ? await this.#ask(access, { method: 'GET', query }, signal) : posted)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof StrategyError) throw error
      throw failed(messageOf(error))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http?.http[Symbol.asyncDispose]()
    this.#http = undefined
  }

  async #ask(access: PrometheusAccess, asked: { method: 'GET' | 'POST'; query: string }, signal: AbortSignal): Promise<Answer> {
    const url = new URL(access.url)
    const form = new URLSearchParams({ query: asked.query }).toString()
    const path = `${url.pathname.replace(/\/$/, '')}/api/v1/query${asked.method === 'GET' ? `?${form}` : ''}`
    const { status, body } = await this.#httpFor(access, url).ask({
      url: new URL(path, url),
      method: asked.method,
      headers: {
        accept: 'application/json',
        ...(asked.method === 'POST' && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...(access.token !== undefined && { authorization: `Bearer ${access.token}` }),
      },
      ...(asked.method === 'POST' && { body: form }),
      mostBytes: largestAnswerBytes,
      signal,
    })
    return { status, text: body.toString('utf8') }
  }

  #httpFor({ authority }: PrometheusAccess, url: URL): OutgoingHttp {
    const key = `${url.origin} ${authority ?? ''}`
    if (this.#http?.for === key) return this.#http.http
    const { clock, environment, log } = this.#around
    this.#http?.http[Symbol.asyncDispose]().catch((error: unknown) =>
      log.debug({ why: messageOf(error) }, 'old connections to Prometheus'),
    )
    const tls = authority === undefined ? {} : { authority: [...rootCertificates, authority] }
    const http = new OutgoingHttp({ clock, environment, answerMs, tls })
    this.#http = { for: key, http }
    return http
  }
}

interface Answer {
  readonly status: number
  readonly text: string
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
