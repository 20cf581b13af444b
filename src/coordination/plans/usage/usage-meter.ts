// Reads metrics.k8s.io while a policy has goals of usage, and not otherwise. One list of nodes and one of pods, every half minute.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Measurements } from '#planning/goals/goals.ts'
import { type Measured, measuredBy } from '#planning/goals/measurements.ts'
import { Bell } from '../../arbiter/bell.ts'
import type { Permission } from '../../needs.ts'
import { FreshUsage } from './fresh-usage.ts'

const metricsGroup = 'metrics.k8s.io'
const nodeMetrics = { group: metricsGroup, version: 'v1beta1', resource: 'nodes' } as const
const podMetrics = { group: metricsGroup, version: 'v1beta1', resource: 'pods' } as const

export const usagePermission: Permission = {
  groups: [metricsGroup],
  resources: ['nodes', 'pods'],
  verbs: ['get', 'list'],
  because: 'measures what goals of usage are about',
}

const intervals = {
  /** metrics-server has a new figure every 15 s. */
  readMs: 30_000,
  /** A metrics server that does not answer is no reason to wait longer. */
  requestMs: 20_000,
  idleMs: 3_600_000,
} as const

interface UsageMeterOptions {
  readonly api: Api
  readonly clock: Clock
  readonly log: Log
}

export class UsageMeter {
  readonly #options: UsageMeterOptions
  readonly #bell: Bell
  readonly #usage = new FreshUsage()
  #isWanted = false
  #wantedSinceMs = 0
  #readings = 0
  #problem: string | undefined

  constructor(options: UsageMeterOptions) {
    this.#options = options
    this.#bell = new Bell(options.clock)
  }

  /** Whether anybody needs figures: they are read only then. */
  want(isWanted: boolean): void {
    if (isWanted && !this.#isWanted) {
      this.#wantedSinceMs = this.#elapsedMs
      this.#readings = 0
    }
    const isNew = isWanted !== this.#isWanted
    this.#isWanted = isWanted
    if (isNew) this.#bell.ring()
  }

  /** What was measured within the last two minutes; who is not in it is not known. */
  measurements(): Measurements {
    return this.#usage.measurements(this.#elapsedMs)
  }

  /** Age of the newest figures in milliseconds: while there are none, how long they are wanted; `undefined`: nobody wants any. */
  ageMs(): number | undefined {
    if (!this.#isWanted) return undefined
    return this.#usage.ageMs(this.#elapsedMs) ?? this.#elapsedMs - this.#wantedSinceMs
  }

  /** Why the last reading brought nothing; `undefined`: it did, or there was none. */
  problem(): string | undefined {
    return this.#problem
  }

  /** Waits for the first reading since figures are wanted, however it ended. */
  async first(signal: AbortSignal): Promise<void> {
    if (!this.#isWanted) return
    await this.#bell.until(() => (this.#readings > 0 ? true : undefined), { limitMs: intervals.requestMs, signal })
  }

  /** Waits until each of `nodes` was measured after this moment, at most `limitMs`. @returns whether all were */
  async renewed(
    nodes: readonly string[],
    { limitMs, signal }: { readonly limitMs: number; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const sinceMs = this.#elapsedMs
    const isRenewed = () => {
      const measured = this.#usage.measuredSince(sinceMs)
      return nodes.every(node => measured.has(node)) ? true : undefined
    }
    return (await this.#bell.until(isRenewed, { limitMs, signal })) === true
  }

  /** Reads until `signal` aborts; then it returns. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#isWanted) await this.#read(signal)
        const wasWanted = this.#isWanted
        const isOther = () => (this.#isWanted === wasWanted ? undefined : true)
        await this.#bell.until(isOther, { limitMs: wasWanted ? intervals.readMs : intervals.idleMs, signal })
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  }

  get #elapsedMs(): number {
    return this.#options.clock.elapsed()
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { api, clock, log } = this.#options
    const found: Measured[] = []
    const take = (object: KubeObject) => {
      const one = measuredBy(object)
      if (one !== undefined) found.push(one)
    }
    const before = this.#problem
    try {
      const options = { signal, timeoutMs: intervals.requestMs }
      await api.resource<KubeObject>(nodeMetrics).visit(options, object => take({ ...object, kind: 'NodeMetrics' }))
      await api.resource<KubeObject>(podMetrics).visit(options, object => take({ ...object, kind: 'PodMetrics' }))
      this.#usage.take(found, { elapsedMs: this.#elapsedMs, nowMs: clock.now() })
      this.#problem = undefined
    } catch (error) {
      if (signal.aborted) throw error
      // Not served, not allowed, away: what was measured before grows old, and goals of usage stand still with it.
      this.#problem = messageOf(error)
      if (before === undefined) log.warn({ why: this.#problem }, 'usage could not be measured: goals of usage stand still')
    }
    this.#readings++
    this.#bell.ring()
  }
}
