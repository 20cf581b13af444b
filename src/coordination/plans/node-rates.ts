// What nodes draw or cost, as a policy says it: watts by name, prices by selector.

import type { NodeState } from '#cluster/cluster-state.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import type { Parsed } from '#kube/problem.ts'
import type { NodeRate, UseMeasure } from '#planning/goals/policy.ts'
import type { RebalancePolicy } from '../api.ts'

/** A rate for each of `nodes` that the policy knows; watts, or the price an hour. Problem: the first selector that does not parse; `place` is whose policy it is. */
export function ratesOf(
  measure: UseMeasure,
  { energy, prices }: Pick<RebalancePolicy['spec'], 'energy' | 'prices'>,
  nodes: readonly NodeState[],
  place: string,
): Parsed<readonly NodeRate[]> {
  if (measure === 'watts') {
    const watts = new Map((energy?.nodes ?? []).map(node => [node.name, node]))
    const rates = nodes.flatMap(({ name }): readonly NodeRate[] => {
      const known = watts.get(name)
      if (known === undefined) return []
      const { standbyWatts: unused, idleWatts: idle, maxWatts: full } = known
      return [{ node: name, unused, idle, full }]
    })
    return { ok: true, value: rates }
  }
  const rates = new Map<string, NodeRate>()
  for (const [at, { selector, perHour }] of prices.entries()) {
    const parsed = selector === undefined ? undefined : labelSelectorOf(selector, `${place}: spec.prices[${at}].selector`)
    if (parsed?.ok === false) return parsed
    for (const { name, object } of nodes) {
      const isMeant = parsed === undefined || parsed.value.matches(object.metadata.labels ?? {})
      if (isMeant && !rates.has(name)) rates.set(name, { node: name, unused: 0, idle: perHour, full: perHour })
    }
  }
  return { ok: true, value: nodes.flatMap(({ name }) => rates.get(name) ?? []) }
}
