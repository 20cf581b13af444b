// PodDisruptionBudgets for workloads that may not be moved for want of one.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject, LabelSelector } from '#kube/objects/objects.ts'
import type { Plan } from '../plan-record.ts'

const budgeted: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'ReplicaSet', 'ReplicationController'])

export interface BudgetProposal extends KubeObject {
  readonly spec: { readonly maxUnavailable: number; readonly selector: LabelSelector }
}

/** One budget a workload whose pods stay because no budget covers them, maxUnavailable 1, selecting as the workload itself does. */
export function budgetProposals(state: ClusterState, plan: Pick<Plan, 'unmovable'>): BudgetProposal[] {
  const workloads = new Map<string, KubeObject>()
  for (const one of plan.unmovable) {
    const wantsBudget = one.code === 'NoPDB' || one.also.some(reason => reason.code === 'NoPDB')
    if (!wantsBudget || one.workload === undefined) continue
    const { kind, namespace, name } = one.workload
    // The budget's arithmetic needs a scale; a DaemonSet's pods are not moved anyway.
    if (!budgeted.has(kind)) continue
    const object = state.object(kind, namespace, name)
    if (object !== undefined) workloads.set(`${namespace}/${name}`, object)
  }
  return [...workloads]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, workload]) => {
      const selector = (workload['spec'] as { readonly selector?: LabelSelector } | undefined)?.selector
      if (selector === undefined) return []
      const { name, namespace } = workload.metadata
      return [
        {
          apiVersion: 'policy/v1',
          kind: 'PodDisruptionBudget',
          metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
          spec: { maxUnavailable: 1, selector },
        },
      ]
    })
}
