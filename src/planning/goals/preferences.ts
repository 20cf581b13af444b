// Where a policy would rather have a pod.
import type { PodState } from '#cluster/cluster-state.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import type { PlanPolicy } from './policy.ts'

/** Where the first preference that speaks of the pod wants it. */
export function preferredNames(policy: PlanPolicy, pod: PodState): readonly string[] | undefined {
  const preference = policy.preferences.find(each => {
    if (each.namespaces.length > 0 && !each.namespaces.includes(pod.namespace)) return false
    if (each.labelSelector === undefined) return true
    const selector = labelSelectorOf(each.labelSelector)
    return selector.ok && selector.value.matches(pod.object.metadata.labels)
  })
  return preference?.nodes
}
