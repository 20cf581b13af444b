// Upstream's metrics under upstream's names, fed by the steps of a cycle, and Ballast's own of the policy file.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { PodState } from '#cluster/cluster-state.ts'
import type { Clock } from '#kube/clock.ts'
import type { EvictionWish } from '../contract.ts'
import type { CycleStep } from '../cycle.ts'
import type { EvictionOutcome } from '../eviction.ts'
import type { BackgroundEnd } from '../eviction-in-background.ts'
import type { CycleListener } from './cycle-listener.ts'

const evictedLabels = ['result', 'strategy', 'profile', 'namespace', 'node'] as const
const strategyLabels = ['strategy', 'profile'] as const
/** Seconds. */
const strategyBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100]
const loopBuckets = [...strategyBuckets, 250, 500]

/** What the process is, as `descheduler_build_info` says it. */
interface BuildFacts {
  /** Ballast's own, such as `0.1.0`. */
  readonly version: string
  readonly gitBranch?: string
  readonly gitSha1?: string
}

export class DeschedulerMetrics implements CycleListener {
  readonly #clock: Clock
  readonly #evicted: readonly Counter<(typeof evictedLabels)[number]>[]
  readonly #loops: readonly Histogram[]
  readonly #strategies: readonly Histogram<(typeof strategyLabels)[number]>[]
  readonly #unknownFields: Gauge
  readonly #reloads: Counter<'result'>
  readonly #isRefused: Gauge
  #cycleMs = 0
  #strategyMs = 0

  /** Once for each registry: its names are taken then. */
  constructor(registry: Registry, { clock, build }: { readonly clock: Clock; readonly build: BuildFacts }) {
    const registers = [registry]
    this.#clock = clock
    const evicted = (name: string, note: string) =>
      new Counter({ name, help: `${note}Pods evicted or not, by result`, labelNames: evictedLabels, registers })
    this.#evicted = [
      evicted('descheduler_pods_evicted_total', ''),
      evicted('descheduler_pods_evicted', '(Deprecated since 0.34.0) '),
    ]
    const loop = (name: string, note: string) =>
      new Histogram({ name, help: `${note}Seconds of a whole cycle`, buckets: loopBuckets, registers })
    this.#loops = [
      loop('descheduler_loop_duration_seconds', ''),
      loop('descheduler_descheduler_loop_duration_seconds', '(Deprecated since 0.34.0) '),
    ]
    const strategy = (name: string, note: string) =>
      new Histogram({
        name,
        help: `${note}Seconds of one strategy in a cycle`,
        labelNames: strategyLabels,
        buckets: strategyBuckets,
        registers,
      })
    this.#strategies = [
      strategy('descheduler_strategy_duration_seconds', ''),
      strategy('descheduler_descheduler_strategy_duration_seconds', '(Deprecated since 0.34.0) '),
    ]
    new Gauge({
      name: 'descheduler_build_info',
      help: '1 for the version that runs; GoVersion is that of Node.js',
      labelNames: ['GoVersion', 'AppVersion', 'DeschedulerVersion', 'GitBranch', 'GitSha1'],
      registers,
    }).set(
      {
        GoVersion: process.version,
        AppVersion: build.version.split('.').slice(0, 2).join('.'),
        DeschedulerVersion: `v${build.version}`,
        GitBranch: build.gitBranch ?? '',
        GitSha1: build.gitSha1 ?? '',
      },
      1,
    )
    this.#unknownFields = new Gauge({
      name: 'ballast_policy_unknown_fields',
      help: 'Fields of the policy in force that nobody reads',
      registers,
    })
    this.#reloads = new Counter({
      name: 'ballast_policy_reloads_total',
      help: 'Changed policy files, by whether they hold now',
      labelNames: ['result'],
      registers,
    })
    for (const result of ['applied', 'refused']) this.#reloads.inc({ result }, 0)
    this.#isRefused = new Gauge({
      name: 'ballast_policy_refused',
      help: '1 while the policy file is refused and an older policy is in force',
      registers,
    })
  }

  /** The policy of the start is in force. */
  policyRead(unknownFields: number): void {
    this.#unknownFields.set(unknownFields)
  }

  /** A changed policy file is in force, or is not: then the older one still is. */
  policyReloaded(reload: { readonly kind: 'applied'; readonly unknownFields: number } | { readonly kind: 'refused' }): void {
    this.#reloads.inc({ result: reload.kind })
    this.#isRefused.set(reload.kind === 'refused' ? 1 : 0)
    if (reload.kind === 'applied') this.#unknownFields.set(reload.unknownFields)
  }

  cycleBegan(): void {
    this.#cycleMs = this.#clock.elapsed()
  }

  step(step: CycleStep): void {
    switch (step.kind) {
      case 'begin':
        this.#strategyMs = this.#clock.elapsed()
        break
      case 'end': {
        const { strategy, profile } = step.plugin
        const seconds = this.#secondsSince(this.#strategyMs)
        for (const histogram of this.#strategies) histogram.observe({ strategy, profile }, seconds)
        break
      }
      case 'limit':
        this.#count(step.wish, step.refusal.result)
        break
      case 'evict':
      case 'breath':
        break
    }
  }

  answered(wish: EvictionWish, { kind }: EvictionOutcome): void {
    if (kind === 'ignored') return
    this.#count(wish, kind === 'evicted' ? 'success' : kind === 'background' ? 'background' : 'error')
  }

  backgroundEnded(end: BackgroundEnd): void {
    this.#count(end, end.result)
  }

  cycleEnded(): void {
    for (const histogram of this.#loops) histogram.observe(this.#secondsSince(this.#cycleMs))
  }

  #count(of: { readonly pod: PodState; readonly strategy: string; readonly profile: string }, result: string): void {
    const { pod, strategy, profile } = of
    const labels = { result, strategy, profile, namespace: pod.namespace, node: pod.nodeName ?? '' }
    for (const counter of this.#evicted) counter.inc(labels)
  }

  #secondsSince(startMs: number): number {
    return (this.#clock.elapsed() - startMs) / 1000
  }
}
