// Samples what nodes use, every 5 s as upstream does, by one list of metrics.k8s.io.
import type { Api } from '#kube/client/api.ts'
import type { Cancel, Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type NodeAverages, nextAverages } from '../strategies/measured-usage.ts'
import { nodeSampleOf } from './metrics-objects.ts'

const everyMs = 5_000
/** For one round. */
const longestMs = 10_000
/** An average that nothing was added to for so long says nothing of today. */
const staleMs = 120_000
/** That it goes on failing is said again so often. */
const sayAgainMs = 300_000

const nodeMetrics = { group: 'metrics.k8s.io', version: 'v1beta1', resource: 'nodes' } as const

/** Samples from its making until disposed of. */
export class NodeSampler implements Disposable {
  readonly #api: Api
  readonly #clock: Clock
  readonly #log: Log
  readonly #over = new AbortController()
  readonly #first = Promise.withResolvers<void>()
  readonly #sampledMs = new Map<string, number>()
  #averages: NodeAverages = new Map()
  #cancel: Cancel
  #isSampling = false
  #failureMs = Number.NEGATIVE_INFINITY

  constructor(around: { readonly api: Api; readonly clock: Clock; readonly log: Log }) {
    this.#api = around.api
    this.#clock = around.clock
    this.#log = around.log
    const tick = () => {
      // By the clock, however long a round takes; one at a time.
      this.#cancel = this.#clock.schedule(everyMs, tick)
      void this.#round()
    }
    this.#cancel = this.#clock.schedule(0, tick)
  }

  /** Resolves after the first round, whether it brought figures or not; also where it is disposed of before. */
  get sampled(): Promise<void> {
    return this.#first.promise
  }

  /** The averages of all nodes that were sampled within two minutes. */
  averages(): NodeAverages {
    const oldestMs = this.#clock.elapsed() - staleMs
    return new Map([...this.#averages].filter(([node]) => (this.#sampledMs.get(node) ?? Number.NEGATIVE_INFINITY) >= oldestMs))
  }

  [Symbol.dispose](): void {
    this.#over.abort()
    this.#cancel()
    this.#first.resolve()
  }

  async #round(): Promise<void> {
    if (this.#isSampling) return
    this.#isSampling = true
    const deadline = new AbortController()
    const cancel = this.#clock.schedule(longestMs, () => deadline.abort(new Error(`no answer in ${longestMs / 1000} s`)))
    try {
      await this.#sample(AbortSignal.any([deadline.signal, this.#over.signal]))
      this.#failureMs = Number.NEGATIVE_INFINITY
    } catch (error) {
      // The averages stay as they are until they are too old.
      if (!this.#over.signal.aborted) this.#sayFailure(error)
    } finally {
      cancel()
      this.#isSampling = false
      this.#first.resolve()
    }
  }

  async #sample(signal: AbortSignal): Promise<void> {
    const samples = new Map<string, NonNullable<ReturnType<typeof nodeSampleOf>>['usage']>()
    const broken: string[] = []
    const visit = (item: KubeObject) => {
      const sample = nodeSampleOf(item)
      if (sample === undefined) broken.push(item.metadata?.name ?? '')
      else samples.set(sample.node, sample.usage)
    }
    await this.#api.resource<KubeObject>(nodeMetrics).visit({ signal, timeoutMs: longestMs }, visit)
    if (broken.length > 0) this.#log.warn({ nodes: broken.slice(0, 10) }, 'metrics of nodes without cpu and memory are left out')
    // A node that was away for long begins anew.
    this.#averages = nextAverages(this.averages(), samples)
    const nowMs = this.#clock.elapsed()
    for (const node of samples.keys()) this.#sampledMs.set(node, nowMs)
    for (const node of this.#sampledMs.keys()) if (!this.#averages.has(node)) this.#sampledMs.delete(node)
  }

  #sayFailure(error: unknown): void {
    const nowMs = this.#clock.elapsed()
    if (nowMs - this.#failureMs < sayAgainMs) return
    this.#failureMs = nowMs
    this.#log.error({ why: messageOf(error) }, 'Error fetching metrics of nodes')
  }
}
