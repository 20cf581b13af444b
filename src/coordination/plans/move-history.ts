// When workloads were moved, as the plans that are kept tell it.

import type { KubeObject } from '#kube/objects/objects.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import { planKind, type RebalancePlan, rebalancePlanSpec, rebalancePlanStatus } from '../api.ts'

/** The plans among the objects of a dump; what has another shape is left aside. */
export function plansAmong(objects: readonly KubeObject[]): readonly Pick<RebalancePlan, 'spec' | 'status'>[] {
  return objects.flatMap(object => {
    if (object.kind !== planKind) return []
    const [spec, status] = [rebalancePlanSpec.safeParse(object['spec']), rebalancePlanStatus.safeParse(object['status'])]
    return spec.success && status.success ? [{ spec: spec.data, status: status.data }] : []
  })
}

/** Times in milliseconds since 1970 by `namespace/kind/name`, ascending; the moves of one plan are one. */
export function moveHistory(plans: readonly Pick<RebalancePlan, 'spec' | 'status'>[]): ReadonlyMap<string, readonly number[]> {
  const history = new Map<string, number[]>()
  for (const { spec, status } of plans) {
    const atMs = Date.parse(status?.finishedAt ?? status?.progressAt ?? status?.startedAt ?? '')
    if (!Number.isFinite(atMs)) continue
    const landed = new Set((status?.steps ?? []).filter(({ state }) => state === 'Landed').map(({ id }) => id))
    const moved = new Set(spec.moves.filter(({ id }) => landed.has(id)).map(({ workload }) => workloadKey(workload)))
    for (const workload of moved) history.set(workload, [...(history.get(workload) ?? []), atMs])
  }
  return new Map([...history].map(([workload, times]) => [workload, times.toSorted((a, b) => a - b)]))
}
