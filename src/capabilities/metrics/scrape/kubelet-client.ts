// One question to one kubelet: what it measured, or why that could not be had.

import type { X509Certificate } from 'node:crypto'
import type { Dial } from '#kube/client/dispatcher.ts'
import { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import type { Clock } from '#kube/clock.ts'
import { TurnOrder } from '#kube/controllers/turn-order.ts'
import { readExposition } from '../decode/exposition-text.ts'
import type { KnownContainers } from '../decode/known-containers.ts'
import { readFamilies } from '../decode/metric-families.ts'
import type { NodeReading } from '../decode/reading.ts'
import { readStorage, type StorageReading } from '../decode/storage-summary.ts'
import { type KubeletPins, PinRefused } from '../pins/kubelet-pins.ts'
import type { PinnedNode } from '../pins/pin-rules.ts'
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
  /** Whether answers may be compressed. */
  readonly gzip: boolean
  /** Nobody is believed but by these, in place of authorities and names. */
  readonly pins?: KubeletPins | undefined
  /** Where kubelets are in truth, for nodes whose addresses nobody can reach, as those of a twin. */
  readonly dial?: Dial | undefined
}

const largestBody = 64 * 1024 * 1024
const largestSummary = 16 * 1024 * 1024
/** Longer than the time between two scrapes, so that a connection serves all of them. */
const keepAliveMs = 150_000
/** Kubelets beyond are connected to anew for each scrape. */
const mostKeptConnections = 1_000

const accepted = {
  text: 'text/plain;version=0.0.4',
  protobuf: 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
} as const

interface Question {
  readonly accept: string
  /** The subresource of nodes that it takes the right to read. */
  readonly right: string
  readonly mostBytes: number
  readonly signal: AbortSignal
  readonly node: PinnedNode | undefined
}

interface Open {
  readonly trust: KubeletTrust
  readonly http: OutgoingHttp
}

export class KubeletClient implements AsyncDisposable {
  readonly #options: KubeletClientOptions
  readonly #turns = new TurnOrder()
  #http: Open | undefined
  /** With pins each node has connections of its own, so that none is believed by what another showed. */
  readonly #ofNodes = new Map<string, Open & { readonly uid: string }>()

  constructor(options: KubeletClientOptions) {
    this.#options = options
    options.pins?.onDoubt(node => this.#close(node))
  }

  /** A node is gone. */
  forget(node: string): void {
    this.#close(node)
    this.#options.pins?.forget(node)
  }

  /** What a kubelet says. @throws `signal.reason`, nothing else */
  async scrape(
    url: string,
    known: KnownContainers,
    signal: AbortSignal,
    node?: PinnedNode,
  ): Promise<NodeReading | ScrapeFailure> {
    const { clock, format } = this.#options
    const sentMs = clock.now()
    return await this.#asked(
      url,
      { accept: accepted[format], right: 'nodes/metrics', mostBytes: largestBody, signal, node },
      answer => {
        const read = answer.contentType.includes('application/vnd.google.protobuf') ? readFamilies : readExposition
        return read(answer.body, { known, sentMs, signal, nextTurn: this.#turns.next })
      },
    )
  }

  /** What a kubelet says of local disks. @throws `signal.reason`, nothing else */
  async storage(url: string, signal: AbortSignal, node?: PinnedNode): Promise<StorageReading | ScrapeFailure> {
    const question = { accept: 'application/json', right: 'nodes/stats', mostBytes: largestSummary, signal, node } as const
    return await this.#asked(url, question, ({ body }) => readStorage(body, this.#turns.next))
  }

  async #asked<Reading>(
    url: string,
    { accept, right, mostBytes, signal, node }: Question,
    read: (answer: { readonly body: Buffer; readonly contentType: string }) => Promise<Reading>,
  ): Promise<Reading | ScrapeFailure> {
    const { token, gzip } = this.#options
    try {
      const http = await this.#current(node)
      const bearer = await token()
      const answer = await http.ask({
        url,
        headers: { accept, ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) },
        mostBytes,
        readsGzip: gzip,
        signal,
      })
      if (answer.status !== 200) return statusFailure(answer.status, right)
      // Answers of many come at once: each is read in a turn of its own.
      await this.#turns.next()
      const reading = await read(answer)
      giveBack(answer.body)
      return reading
    } catch (error) {
      if (signal.aborted) throw signal.reason
      return failureOf(error, new URL(url).hostname)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#ofNodes.values(), ...(this.#http === undefined ? [] : [this.#http])]
    this.#ofNodes.clear()
    await Promise.all(all.map(({ http }) => http[Symbol.asyncDispose]()))
  }

  async #current(node: PinnedNode | undefined): Promise<OutgoingHttp> {
    const { trust: given, pins } = this.#options
    const trust = typeof given === 'function' ? await given() : given
    if (pins !== undefined) return this.#currentOf(pins, node, trust)
    if (this.#http?.trust === trust) return this.#http.http
    const old = this.#http
    const http = this.#open(trust)
    this.#http = { trust, http }
    // What is under way ends as it began.
    void old?.http.close()
    return http
  }

  #currentOf(pins: KubeletPins, node: PinnedNode | undefined, trust: KubeletTrust): OutgoingHttp {
    if (node === undefined) throw new PinRefused('it is not known of which node this kubelet is')
    const known = this.#ofNodes.get(node.name)
    if (known?.trust === trust && known.uid === node.uid) return known.http
    this.#close(node.name)
    const http = this.#open({ ...trust, isInsecure: true }, certificate => pins.judge(node, certificate))
    this.#ofNodes.set(node.name, { trust, http, uid: node.uid })
    return http
  }

  #open(trust: KubeletTrust, judge?: (certificate: X509Certificate) => Promise<void>): OutgoingHttp {
    const { clock, timeoutMs, dial } = this.#options
    return new OutgoingHttp({
      clock,
      connectMs: timeoutMs,
      // The whole request has one limit; that of connecting is within it.
      answerMs: 0,
      mostConnections: 1,
      keepAliveMs,
      mostKept: mostKeptConnections,
      tls: { ...trust, judge },
      dial,
    })
  }

  #close(node: string): void {
    void this.#ofNodes.get(node)?.http.close()
    this.#ofNodes.delete(node)
  }
}

/** The memory of a body that nobody reads any more. Thousands of them would lie about until the collector of garbage sees to the whole heap. */
function giveBack({ buffer, byteLength }: Buffer): void {
  // One that lies in a pool, or is a part of more, is others' too.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}

export function isFailure(answer: object): answer is ScrapeFailure {
  return 'reason' in answer
}
