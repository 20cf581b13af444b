// Owner labels that workloads lack where a policy demands them, as changes to their manifests.

import type { ClusterState } from '#cluster/cluster-state.ts'
import { kindKey, type OwnerLabel } from '#cluster/ownership.ts'
import { workloadKey } from '../goals/policy.ts'
import type { Unmovable } from '../plan-record.ts'
import type { Wish } from './manifest-edits.ts'

/**
 * A label for each workload that stays for want of one, or of one and a budget: with it the next plan may move it. What something else holds
 * gets none, since it would win nothing.
 */
export function ownerLabelWishes(
  state: Pick<ClusterState, 'object'>,
  unmovable: readonly Unmovable[],
  { key, values }: OwnerLabel,
): readonly Wish[] {
  const waiting = unmovable.filter(({ code, also }) => code === 'Unlabelled' && also.every(reason => reason.code === 'NoPDB'))
  const workloads = new Map(
    waiting.flatMap(({ workload }) => (workload === undefined ? [] : [[workloadKey(workload), workload]])),
  )
  return [...workloads]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, { apiVersion, kind, namespace, name }]) => {
      const live = state.object(kindKey(apiVersion, kind), namespace, name)
      return live === undefined ? [] : [{ live, path: ['metadata', 'labels', key], value: () => values.descheduler }]
    })
}
