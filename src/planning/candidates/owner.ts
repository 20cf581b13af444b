// Who a pod belongs to as a policy sees it: the effective owner, with the policy's word on scalers and on pods without a label.

import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { effectiveOwner, type OwnerLabel, ownerKeysText } from '#cluster/ownership.ts'
import type { PlanPolicy } from '../goals/policy.ts'

interface PolicyOwner {
  /** `undefined`: no label anywhere, or one that means nothing. */
  readonly owner: keyof OwnerLabel['values'] | undefined
  /** Facts for sentences: the label, where it was found, what contradicts it. */
  readonly facts: Readonly<Record<string, string>>
}

/** The owner of `pod`. With `kedaPresence: ignore` a ScaledObject counts for nothing and the label stands. */
export function policyOwner(state: ClusterState, policy: PlanPolicy, pod: PodState): PolicyOwner {
  const { kedaPresence, ownerLabel } = policy.coordination
  const scalers = kedaPresence === 'ignore' ? 'ignore' : 'count'
  const { owner, source, contradicting, key } = effectiveOwner(state, pod, ownerLabel, scalers)
  return { owner, facts: { ...labelFacts(ownerLabel, key), source, ...(contradicting === undefined ? {} : { contradicting }) } }
}

/** What sentences say of the label: the key that was found (else all that would do), the one to write, what each value stands for. */
export function labelFacts(
  label: OwnerLabel,
  found?: string,
): Readonly<Record<'label' | 'write' | 'movable' | 'held' | 'scaled', string>> {
  const { key, values } = label
  return {
    label: found ?? ownerKeysText(label),
    write: found ?? key,
    movable: values.descheduler,
    held: values.none,
    scaled: values.keda,
  }
}
