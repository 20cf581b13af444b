// What the policy's metrics providers know, fetched for one cycle at a time: node averages of metrics.k8s.io, sampled all the time, the
// usage of pods at the moment, and the answers to Prometheus queries. What cannot be had fails the plugin that wants it, nothing else.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { untilResolved } from '#kube/controllers/until-resolved.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { DeschedulerPolicy } from '../policy/args.ts'
import type { MeasuredFigures } from '../strategies/low-node-utilization.ts'
import { StrategyError } from '../strategy-error.ts'
import { type PodMetricsReading, podSampleOf } from './metrics-objects.ts'
import { NodeSampler } from './node-sampler.ts'
import { prometheusAccess } from './prometheus-access.ts'
import { PrometheusQueries } from './prometheus-query.ts'
import { wantedSources } from './wanted-sources.ts'

interface UsageSurroundings {
  readonly api: Api
  readonly clock: Clock
  readonly log: Log
  /** For proxies. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Folder of the pod's service account, with `token` and `ca.crt`. Only tests have it elsewhere. */
  readonly serviceAccountDirectory?: string
}

const ownDirectory = '/var/run/secrets/kubernetes.io/serviceaccount'
const podMetrics = { group: 'metrics.k8s.io', version: 'v1beta1', resource: 'pods' } as const
/** For all pods of a cluster. */
const podMetricsMs = 60_000

type MeasuredMetrics = NonNullable<MeasuredFigures['metrics']>
type PrometheusFigures = NonNullable<MeasuredFigures['prometheus']>

/** One for a process. Disposing of it ends sampling and connections. */
export class UsageProviders implements AsyncDisposable {
  readonly #around: UsageSurroundings
  readonly #prometheus: PrometheusQueries
  #policy: DeschedulerPolicy | undefined
  #sampler: NodeSampler | undefined

  constructor(around: UsageSurroundings) {
    this.#around = around
    this.#prometheus = new PrometheusQueries(around)
  }

  /**
   * From now on what `policy` wants is sampled: to be called at the start, and after each reload. Resolves when nodes were sampled once,
   * whether that brought figures or not. @throws `signal.reason`
   */
  async follow(policy: DeschedulerPolicy, signal: AbortSignal): Promise<void> {
    this.#policy = policy
    if (!wantedSources(policy).metrics) {
      this.#sampler?.[Symbol.dispose]()
      this.#sampler = undefined
      return
    }
    this.#sampler ??= new NodeSampler(this.#around)
    await untilResolved(this.#sampler.sampled, signal)
  }

  /** The figures for one cycle under the policy that is followed, for `strategyMaker`. @throws `signal.reason`, nothing else */
  async figures(signal: AbortSignal): Promise<MeasuredFigures> {
    const policy = this.#policy
    if (policy === undefined) return {}
    const sampler = this.#sampler
    const [metrics, prometheus] = await Promise.all([
      sampler === undefined ? undefined : this.#metrics(sampler, signal),
      policy.prometheus === undefined ? undefined : this.#answers(policy, signal),
    ])
    return { ...(metrics && { metrics }), ...(prometheus && { prometheus }) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sampler?.[Symbol.dispose]()
    this.#sampler = undefined
    await this.#prometheus[Symbol.asyncDispose]()
  }

  /** All pods by one list: a strategy asks for them one by one and cannot wait. */
  async #metrics(sampler: NodeSampler, signal: AbortSignal): Promise<MeasuredMetrics> {
    const { api, log } = this.#around
    const readings = new Map<string, PodMetricsReading>()
    let absent = 'it is not measured'
    const visit = (item: KubeObject) => {
      const sample = podSampleOf(item)
      if (sample !== undefined) readings.set(sample.key, sample.reading)
    }
    try {
      // As effects are: not tried again, for the cycle waits.
      await api.resource<KubeObject>(podMetrics).visit({ signal, timeoutMs: podMetricsMs, priority: 'effect' }, visit)
    } catch (error) {
      signal.throwIfAborted()
      // Half a list is none.
      readings.clear()
      absent = messageOf(error)
      log.error({ why: absent }, 'Error fetching metrics of pods')
    }
    return { averages: sampler.averages(), podSamples: pod => readings.get(pod.key) ?? { problem: absent } }
  }

  async #answers(policy: DeschedulerPolicy, signal: AbortSignal): Promise<PrometheusFigures> {
    const { prometheus } = policy
    const { queries } = wantedSources(policy)
    const answers = new Map<string, unknown>()
    const failures = new Map<string, string>()
    if (prometheus !== undefined && queries.length > 0) {
      const { log, api, serviceAccountDirectory = ownDirectory } = this.#around
      const access = prometheusAccess(prometheus, { api, log, serviceAccountDirectory }, signal)
      await Promise.all(
        queries.map(async query => {
          try {
            answers.set(query, await this.#prometheus.answer(await access, query, signal))
          } catch (error) {
            signal.throwIfAborted()
            failures.set(query, messageOf(error))
          }
        }),
      )
    }
    return query => {
      const failure = failures.get(query)
      if (failure !== undefined) throw new StrategyError(failure)
      return answers.get(query)
    }
  }
}
