// Usage as the pods request it: the sum over the active pods of a node, terminating ones too, and `pods` as their number. Parts of a byte
// are rounded up for each pod, upstream rounds their sum.
import type { StrategyView } from '../contract.ts'
import { type Breath, breath } from '../pace.ts'
import type { Usage } from './usage.ts'

/** Usage by requests of the nodes of a cycle, read when it is made. */
export function* requestedUsage(view: StrategyView, resources: readonly string[]): Generator<Breath, Usage, unknown> {
  const nodes = new Map<string, ReadonlyMap<string, bigint>>()
  for (const { name } of view.nodes) {
    nodes.set(name, amountsOn(view, name, resources))
    if (view.pace.isDue(view.activePods(name).length)) yield breath
  }
  return {
    resources,
    node: name => nodes.get(name) ?? new Map(),
    pod(pod) {
      const requests = view.requests(pod)
      return { kind: 'known', amounts: new Map(resources.map(name => [name, BigInt(requests[name] ?? 0)])) }
    },
  }
}

function amountsOn(view: StrategyView, node: string, resources: readonly string[]): ReadonlyMap<string, bigint> {
  const pods = view.activePods(node)
  const sums = view.requestsOn(node)
  return new Map(
    resources.map(name => {
      if (name === 'pods') return [name, BigInt(pods.length)]
      const sum = sums[name] ?? 0
      // Requests are never negative: a sum that is safe was safe all along.
      if (Number.isSafeInteger(sum)) return [name, BigInt(sum)]
      return [name, pods.reduce((exact, pod) => exact + BigInt(view.requests(pod)[name] ?? 0), 0n)]
    }),
  )
}
