// One question to one kubelet: what it measured, or why that could not be had.

import { type Dial, OutgoingHttp } from '#kube/client/outgoing-http.ts'
import type { Clock } from '#kube/clock.ts'
import { TurnOrder } from '#kube/controllers/turn-order.ts'
import { readExposition } from '../decode/exposition-text.ts'
import type { KnownContainers } from '../decode/known-containers.ts'
import { readFamilies } from '../decode/metric-families.ts'
import type { NodeReading } from '../decode/reading.ts'
import { failureOf, type ScrapeFailure, statusFailure } from './scrape-failure.ts'

/** PEM; how a kubelet is believed, and how it is told who asks. */
export interface KubeletTrust {
  readonly authority: string | undefined
  readonly isInsecure: boolean
  readonly certificate?: string | undefined
  readonly key?: string | undefined
}

interface KubeletClientOptions {
  readonly clock: Clock
  /** Asked before each scrape where it may change: another object than before is another trust, and connections begin anew. */
  readonly trust: KubeletTrust | (() => Promise<KubeletTrust>)
  /** The bearer token of now; undefined where none is sent. */
  readonly token: () => Promise<string | undefined>
  readonly timeoutMs: number
  readonly format: 'text' | 'protobuf'
  /** Where kubelets are in truth, for nodes whose addresses nobody can reach, as those of a twin. */
  readonly dial?: Dial | undefined
}

const largestBody = 64 * 1024 * 1024
/** Longer than the time between two scrapes, so that a connection serves all of them. */
const keepAliveMs = 150_000

const accepted = {
  text: 'text/plain;version=0.0.4',
  protobuf: 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
} as const

export class KubeletClient implements AsyncDisposable {
  readonly #options: KubeletClientOptions
  readonly #turns = new TurnOrder()
  #http: { readonly trust: KubeletTrust; readonly http: OutgoingHttp } | undefined

  constructor(options: KubeletClientOptions) {
    this.#options = options
  }

  /** What a kubelet says. @throws `signal.reason`, nothing else */
  async scrape(url: string, known: KnownContainers, signal: AbortSignal): Promise<NodeReading | ScrapeFailure> {
    const { clock, token, format } = this.#options
    const sentMs = clock.now()
    try {
      const http = await this.#current()
      const bearer = await token()
      const { status, body, contentType } = await http.ask({
        url,
        headers: { accept: accepted[format], ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) },
        mostBytes: largestBody,
        signal,
      })
      if (status !== 200) return statusFailure(status)
      const read = contentType.includes('application/vnd.google.protobuf') ? readFamilies : readExposition
      // Answers of many come at once: each is read in a turn of its own.
      await this.#turns.next()
      return await read(body, { known, sentMs, signal, nextTurn: this.#turns.next })
    } catch (error) {
      if (signal.aborted) throw signal.reason
      return failureOf(error, new URL(url).hostname)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http?.http[Symbol.asyncDispose]()
  }

  async #current(): Promise<OutgoingHttp> {
    const { clock, trust: given, timeoutMs, dial } = this.#options
    const trust = typeof given === 'function' ? await given() : given
    if (this.#http?.trust === trust) return this.#http.http
    const old = this.#http
    const http = new OutgoingHttp({
      clock,
      connectMs: timeoutMs,
      // The whole request has one limit; that of connecting is within it.
      answerMs: 0,
      mostConnections: 1,
      keepAliveMs,
      tls: trust,
      dial,
    })
    this.#http = { trust, http }
    // What is under way ends as it began.
    void old?.http.close()
    return http
  }
}

export function isFailure(answer: NodeReading | ScrapeFailure): answer is ScrapeFailure {
  return 'reason' in answer
}
