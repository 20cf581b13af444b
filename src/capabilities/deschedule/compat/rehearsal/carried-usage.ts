// Measured usage on a copy of a cluster: what NodeMetrics and PodMetrics said when it was read, carried along with the pods that move. A
// node uses what its pods use and what it used beside them at the start.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { parseMilli, parseWhole } from '#kube/values/quantity.ts'
import type { DeschedulerPolicy } from '../policy/args.ts'
import type { MeasuredFigures } from '../strategies/low-node-utilization.ts'
import { type NodeAverages, nextAverages } from '../strategies/measured-usage.ts'
import type { Amounts } from '../strategies/usage.ts'
import { StrategyError } from '../strategy-error.ts'
import { nodeSampleOf, type PodMetricsReading, podSampleOf } from '../usage/metrics-objects.ts'
import { wantedSources } from '../usage/wanted-sources.ts'

const measuredResources = ['cpu', 'memory'] as const

export class CarriedUsage {
  readonly #pods = new Map<string, PodMetricsReading>()
  /** What nodes used beside their measured pods; may be below nothing, where samples are of different moments. */
  readonly #besides: NodeAverages

  constructor(state: ClusterState) {
    for (const object of state.objects('PodMetrics')) {
      const sample = podSampleOf(object)
      if (sample !== undefined) this.#pods.set(sample.key, sample.reading)
    }
    const samples = state.objects('NodeMetrics').flatMap(object => nodeSampleOf(object) ?? [])
    const measured = nextAverages(new Map(), new Map(samples.map(({ node, usage }) => [node, usage])))
    this.#besides = new Map(Array.from(measured, ([node, amounts]) => [node, sum(amounts, this.#onNode(state, node), -1n)]))
  }

  /** A pod stands in the place of another one and will use what that did. Keys are `namespace/name`. */
  replaced(previous: string, next: string): void {
    const reading = this.#pods.get(previous)
    if (reading === undefined || previous === next) return
    this.#pods.delete(previous)
    this.#pods.set(next, reading)
  }

  /** The figures of a cycle under `policy`. Prometheus is nowhere near a copy: whoever asks it is told so. */
  figures(state: ClusterState, policy: DeschedulerPolicy): MeasuredFigures {
    const metrics = wantedSources(policy).metrics
      ? {
          averages: new Map(
            Array.from(this.#besides, ([node, amounts]) => [node, notBelowZero(sum(amounts, this.#onNode(state, node), 1n))]),
          ),
          podSamples: ({ key }: { readonly key: string }) => this.#pods.get(key) ?? { problem: 'it is not measured' },
        }
      : undefined
    return {
      ...(metrics && { metrics }),
      ...(policy.prometheus && {
        prometheus: (): never => {
          throw new StrategyError('no Prometheus is asked about a copy of a cluster')
        },
      }),
    }
  }

  /** What the measured pods of a node use together. */
  #onNode(state: ClusterState, node: string): Amounts {
    const totals = new Map<string, bigint>(measuredResources.map(name => [name, 0n]))
    for (const { key } of state.podsOn(node)) {
      const reading = this.#pods.get(key)
      if (reading === undefined || 'problem' in reading) continue
      for (const { usage } of reading.containers) {
        totals.set('cpu', (totals.get('cpu') ?? 0n) + BigInt(parseMilli(usage['cpu'] ?? 0)))
        totals.set('memory', (totals.get('memory') ?? 0n) + BigInt(parseWhole(usage['memory'] ?? 0)))
      }
    }
    return totals
  }
}

function sum(amounts: Amounts, more: Amounts, times: bigint): Amounts {
  return new Map(Array.from(amounts, ([name, amount]) => [name, amount + times * (more.get(name) ?? 0n)]))
}

function notBelowZero(amounts: Amounts): Amounts {
  return new Map(Array.from(amounts, ([name, amount]) => [name, amount < 0n ? 0n : amount]))
}
