// Which taints a pod puts up with, as upstream counts: Gt and Lt compare numbers. Two places differ from the scheduler and are kept:
// `toleratesSome` wants as many tolerations as the node has taints (one `operator: Exists` fails against two taints), and looks at
// taints of every effect, PreferNoSchedule too.
import type { PodState } from '#cluster/cluster-state.ts'
import type { Taint, Toleration } from '#kube/objects/objects.ts'
import { tolerates } from '#kube/objects/tolerations.ts'

/** The first of `taints` that counts and that no toleration covers. */
export function firstUntolerated(
  tolerations: readonly Toleration[] | undefined,
  taints: readonly Taint[] | undefined,
  counts: (taint: Taint) => boolean = () => true,
): Taint | undefined {
  return taints?.find(
    taint => counts(taint) && !(tolerations ?? []).some(toleration => tolerates(toleration, taint, { comparisons: true })),
  )
}

/** Taints that keep new pods away. */
export function forbidsScheduling({ effect }: Taint): boolean {
  return effect === 'NoSchedule' || effect === 'NoExecute'
}

/** Whether the pod tolerates all taints of one of these lists, and has no fewer tolerations than that list has taints. */
export function toleratesSome({ object }: PodState, taintsOfNodes: Iterable<readonly Taint[]>): boolean {
  const tolerations = object.spec.tolerations ?? []
  for (const taints of taintsOfNodes)
    if (tolerations.length >= taints.length && firstUntolerated(tolerations, taints) === undefined) return true
  return false
}

/** Equal for lists that say the same in whatever order and however often. Seconds do not count; `Equal` and none are two things. */
export function tolerationsIdentity(tolerations: readonly Toleration[] | undefined): string {
  if (tolerations === undefined || tolerations.length === 0) return ''
  const said = tolerations.map(({ key = '', value = '', effect = '', operator = '' }) =>
    JSON.stringify([key, value, effect, operator]),
  )
  return [...new Set(said)].sort().join()
}
