// Usage as metrics.k8s.io measures it: a moving average for each node, and what each pod uses at the moment. Samples in, figures out;
// who fetches them, and when, is another matter.
import type { PodState } from '#cluster/cluster-state.ts'
import { parseMilli, parseWhole } from '#kube/values/quantity.ts'
import type { StrategyView } from '../contract.ts'
import { StrategyError } from '../strategy-error.ts'
import type { Amounts, PodUsage, Usage } from './usage.ts'

/** The `usage` of a NodeMetrics or of a container in PodMetrics, as the wire has it. */
type UsageSample = Readonly<Record<string, string | number>>

/** Averages of cpu and memory by node. */
export type NodeAverages = ReadonlyMap<string, Amounts>

/** How much of the average the past keeps. */
const weightOfPast = 0.9

/**
 * The averages after another round of samples. A node's first sample counts as it is; later ones weigh a tenth; a node without a sample
 * keeps what it has. @throws RangeError where a quantity does not parse
 */
export function nextAverages(averages: NodeAverages, samples: ReadonlyMap<string, UsageSample>): NodeAverages {
  const next = new Map(averages)
  for (const [node, sample] of samples) {
    const [past, now] = [averages.get(node), amountsOf(sample, ['cpu', 'memory'])]
    next.set(
      node,
      past === undefined ? now : new Map(Array.from(now, ([name, value]) => [name, weighted(past.get(name) ?? 0n, value)])),
    )
  }
  return next
}

/** Halves are rounded up: usage is never negative. */
function weighted(past: bigint, now: bigint): bigint {
  return BigInt(Math.round(weightOfPast * Number(past) + (1 - weightOfPast) * Number(now)))
}

/** What each container of a pod uses, or why nobody knows. */
export type PodSamples = (
  pod: PodState,
) => { readonly containers: readonly { readonly name: string; readonly usage: UsageSample }[] } | { readonly problem: string }

/**
 * Usage by what was measured. @throws StrategyError with upstream's text where a node was never sampled, or a resource is not measured
 */
export function measuredUsage(
  view: StrategyView,
  resources: readonly string[],
  { averages, podSamples }: { readonly averages: NodeAverages; readonly podSamples: PodSamples },
): Usage {
  const nodes = new Map(
    view.nodes.map(({ name: node }) => {
      const average = averages.get(node)
      if (average === undefined) throw new StrategyError(`unable to find node "${node}" in the collected metrics`)
      const amounts = new Map([...average, ['pods', BigInt(view.activePods(node).length)]])
      for (const name of resources)
        if (!amounts.has(name)) throw new StrategyError(`unable to find "${name}" resource for collected "${node}" node metric`)
      return [node, new Map(resources.map(name => [name, amounts.get(name) ?? 0n]))]
    }),
  )
  const measured = resources.filter(name => name !== 'pods')
  return {
    resources,
    node: name => nodes.get(name) ?? new Map(),
    pod: pod => podUsage(pod, podSamples(pod), measured),
  }
}

function podUsage(pod: PodState, samples: ReturnType<PodSamples>, resources: readonly string[]): PodUsage {
  if ('problem' in samples)
    return { kind: 'unknown', reason: `unable to get podmetrics for "${pod.namespace}"/"${pod.name}": ${samples.problem}` }
  if (samples.containers.length === 0) return { kind: 'unknown', reason: `pod ${pod.key}: no container was measured` }
  const sum = new Map(resources.map(name => [name, 0n]))
  for (const { name: container, usage } of samples.containers) {
    const missing = resources.find(name => !Object.hasOwn(usage, name))
    if (missing !== undefined)
      return { kind: 'unknown', reason: `pod ${pod.key}: container "${container}" is missing "${missing}" resource` }
    for (const [name, amount] of amountsOf(usage, resources)) sum.set(name, (sum.get(name) ?? 0n) + amount)
  }
  return { kind: 'known', amounts: sum }
}

function amountsOf(sample: UsageSample, resources: readonly string[]): Amounts {
  return new Map(
    resources.map(name => {
      const text = Object.hasOwn(sample, name) ? sample[name] : undefined
      return [name, text === undefined ? 0n : BigInt(name === 'cpu' ? parseMilli(text) : parseWhole(text))]
    }),
  )
}
