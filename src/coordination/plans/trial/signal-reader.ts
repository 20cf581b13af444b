// Asks for the signals that a policy names: Prometheus over HTTP, readiness from the cluster as it is watched.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { queriedReading, type Reading, type ReadyCount, readyNow, readyReading, type Signal } from './signals.ts'

/** From the first byte of a query to the last of its answer. */
const answerMs = 10_000
const largestAnswerBytes = 1024 * 1024

interface Readings {
  readonly readings: readonly Reading[]
  /** What readiness is held against from now on: what was given, with what is watched for the first time. */
  readonly ready: readonly ReadyCount[]
}

/**
 * Addresses are not guarded: policies are the administrator's, and the server lies on the cluster's own network. No credentials are sent,
 * and redirects are not followed.
 */
export class SignalReader implements AsyncDisposable {
  readonly #http: OutgoingHttp

  constructor({ clock }: { readonly clock: Clock }) {
    this.#http = new OutgoingHttp({ clock, answerMs, environment: {} })
  }

  /** Each of `signals` as it is now. A server that does not answer makes its signal unknown. @throws `signal.reason` */
  async read(
    signals: readonly Signal[],
    given: { readonly state: ClusterState; readonly ready: readonly ReadyCount[] },
    signal: AbortSignal,
  ): Promise<Readings> {
    const known = new Set(given.ready.map(one => one.signal))
    const fresh = signals.filter(one => one.kind === 'ready' && !known.has(one.name)).flatMap(one => readyNow(one, given.state))
    const ready = fresh.length === 0 ? given.ready : [...given.ready, ...fresh]
    const readings = await Promise.all(
      signals.map(one => (one.kind === 'ready' ? readyReading(one, ready, given.state) : this.#ask(one, signal))),
    )
    return { readings, ready }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]()
  }

  async #ask(one: Signal, signal: AbortSignal): Promise<Reading> {
    const { name, serverAddress = '', query = '' } = one
    try {
      const server = new URL(serverAddress)
      const url = new URL(`${server.pathname.replace(/\/$/, '')}/api/v1/query`, server)
      const { status, body } = await this.#http.ask({
        url,
        method: 'POST',
        headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ query }).toString(),
        mostBytes: largestAnswerBytes,
        signal,
      })
      const answer = jsonOf(body.toString('utf8'))
      // Prometheus tells its own errors in a body of its own, with a status beside it.
      if (answer === undefined) return { name, state: 'unknown', message: `${server.host} answered ${status} without JSON` }
      return queriedReading(one, answer)
    } catch (error) {
      signal.throwIfAborted()
      return { name, state: 'unknown', message: messageOf(error).slice(0, 512) }
    }
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
