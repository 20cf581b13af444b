// Which pod took the place of the one that went, and whether it stands. Pure over the pods of the workload.

import type { Pod } from '#kube/objects/objects.ts'
import type { PlanMove, RebalancePlan } from '../../api.ts'
import type { PermitRecord } from '../../permits/permit-record.ts'

/** Server clocks of one control plane differ by less than this, in milliseconds. */
const clockSkewMs = 5_000

/**
 * The replacement among `pods` (all pods under the workload): one that came after the permit, was no sibling then, and is no other
 * step's replacement. The earliest of several, by creation and name. A pod on its way out, or finished, replaces nobody.
 */
export function replacementAmong(
  pods: readonly Pod[],
  choice: { readonly move: PlanMove; readonly permit: PermitRecord; readonly claimed: ReadonlySet<string> },
): Pod | undefined {
  const { move, permit, claimed } = choice
  const siblings = new Set([move.pod.uid, ...permit.siblings])
  const isNew = ({ metadata, status }: Pod) =>
    metadata.uid !== undefined &&
    !siblings.has(metadata.uid) &&
    !claimed.has(metadata.uid) &&
    metadata.deletionTimestamp === undefined &&
    status?.phase !== 'Failed' &&
    status?.phase !== 'Succeeded' &&
    createdMs(metadata.creationTimestamp) >= permit.createdMs - clockSkewMs
  return pods
    .filter(isNew)
    .toSorted(
      (a, b) =>
        createdMs(a.metadata.creationTimestamp) - createdMs(b.metadata.creationTimestamp) ||
        (a.metadata.name < b.metadata.name ? -1 : 1),
    )[0]
}

/** UIDs of pods that are other steps' replacements. */
export function claimedBy(plan: RebalancePlan, except: string): ReadonlySet<string> {
  return new Set(
    (plan.status?.steps ?? []).flatMap(step =>
      step.id === except || step.replacement === undefined ? [] : [step.replacement.uid],
    ),
  )
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True') === true
}

function createdMs(text: string | undefined): number {
  return text === undefined ? 0 : Date.parse(text)
}
