// Disruption budgets by the verifier's own count (rebalancing 3.10).

import type { KubeObject, OwnerReference, PodDisruptionBudget } from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import { parseScaledValue } from '#kube/values/int-or-string.ts'
import type { StandingPod, World } from './world.ts'

interface BudgetCount {
  readonly name: string
  readonly expected: number
  readonly desired: number
  readonly healthy: number
  readonly allowed: number
  readonly unhealthyPolicy: string
}

/** The budgets that cover `pod`; `away` are keys of pods that are evicted and not yet replaced. */
export function budgetsFor(world: World, pod: StandingPod, away: ReadonlySet<string>): readonly BudgetCount[] {
  return world.objects('PodDisruptionBudget').flatMap(object => {
    // Listed by its kind; fields that are absent take their defaults.
    const budget = object as PodDisruptionBudget
    if ((budget.metadata.namespace ?? 'default') !== pod.namespace) return []
    const selector = labelSelectorOf(budget.spec.selector)
    if (!selector.ok || !selector.value.matches(pod.object.metadata.labels)) return []
    const pods = world
      .pods()
      .filter(each => each.namespace === pod.namespace && selector.value.matches(each.object.metadata.labels))
    return [countOf(world, budget, pods, away)]
  })
}

function countOf(
  world: World,
  { metadata, spec }: PodDisruptionBudget,
  pods: readonly StandingPod[],
  away: ReadonlySet<string>,
): BudgetCount {
  const { minAvailable, maxUnavailable } = spec
  const byCount = maxUnavailable === undefined && typeof minAvailable === 'number'
  const expected = byCount ? pods.length : scaleOf(world, pods)
  const part = (value: number | string) => {
    const parsed = parseScaledValue(value, expected, 'up')
    return parsed.ok ? parsed.value : expected
  }
  const desired = maxUnavailable === undefined ? part(minAvailable ?? 0) : Math.max(0, expected - part(maxUnavailable))
  const healthy = pods.filter(each => each.isReady && !each.isTerminating && !away.has(each.key)).length
  const allowed = expected > 0 ? Math.max(0, healthy - desired) : 0
  return {
    name: metadata.name,
    expected,
    desired,
    healthy,
    allowed,
    unhealthyPolicy: spec.unhealthyPodEvictionPolicy ?? 'IfHealthyBudget',
  }
}

/** Replicas of the distinct controllers of the pods, the Deployment's in place of its ReplicaSets'. */
function scaleOf(world: World, pods: readonly StandingPod[]): number {
  const scales = new Map<string, number>()
  for (const pod of pods) {
    const owner = controller(pod.object)
    const found = owner && world.object(owner.kind, pod.namespace, owner.name)
    const above = found?.kind === 'ReplicaSet' ? controller(found) : undefined
    const scaled = (above?.kind === 'Deployment' ? world.object('Deployment', pod.namespace, above.name) : undefined) ?? found
    if (scaled === undefined) continue
    const spec = scaled['spec']
    const replicas = typeof spec === 'object' && spec !== null && 'replicas' in spec ? spec.replicas : 1
    scales.set(`${scaled.kind} ${scaled.metadata.name}`, typeof replicas === 'number' ? replicas : 1)
  }
  return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0)
}

export function controller(object: KubeObject): OwnerReference | undefined {
  return (object.metadata.ownerReferences ?? []).find(owner => owner.controller === true)
}
