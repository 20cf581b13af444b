// How many workloads belong to KEDA, to the rebalancer and to nobody.
import type { ClusterState, WorkloadReference } from '#cluster/cluster-state.ts'
import { type OwnerLabel, workloadOwner } from '#cluster/ownership.ts'
import { fieldsOf, recordOf } from '#coordination/observed/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Counts } from '../../contract.ts'
import type { Picture } from '../../picture.ts'

const kinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const
const scalerKinds = ['ScaledObject.keda.sh', 'ScaledJob.keda.sh'] as const

type Owner = keyof Counts['owners']

interface Known {
  readonly namespace: KubeObject | undefined
  readonly targets: string
  readonly label: OwnerLabel
  readonly owner: Owner
}

const ownerOf = new WeakMap<KubeObject, Known>()

/** Deployments, StatefulSets and DaemonSets by owner. One that is not labelled is nobody's: it is left alone like one that says so. */
export function ownerCounts({ state, ownerLabel }: Picture): Counts['owners'] {
  const counts = { keda: 0, descheduler: 0, none: 0 }
  const targets = scalersOf(state)
  for (const kind of kinds)
    for (const workload of state.objects(kind)) counts[known(state, workload, { targets, label: ownerLabel })]++
  return counts
}

function known(state: ClusterState, workload: KubeObject, given: Pick<Known, 'targets' | 'label'>): Owner {
  const namespace = state.object('Namespace', undefined, workload.metadata.namespace ?? '')
  const before = ownerOf.get(workload)
  if (before?.namespace === namespace && before?.targets === given.targets && before.label === given.label) return before.owner
  const owner = workloadOwner(state, referenceOf(workload), given.label).owner ?? 'none'
  ownerOf.set(workload, { namespace, ...given, owner })
  return owner
}

function referenceOf({ apiVersion, kind, metadata }: KubeObject): WorkloadReference {
  return { apiVersion, kind, namespace: metadata.namespace ?? '', name: metadata.name, uid: metadata.uid ?? '' }
}

/** What scalers target, as a text that changes when that does, and not with each of their statuses. */
function scalersOf(state: ClusterState): string {
  return scalerKinds
    .flatMap(kind => state.objects(kind))
    .map(({ kind, metadata, ...object }) => {
      const ref = recordOf(fieldsOf({ ...object, kind, metadata }, 'spec')['scaleTargetRef'])
      return `${kind} ${metadata.namespace}/${metadata.name} ${String(ref['apiVersion'])} ${String(ref['kind'])} ${String(ref['name'])}`
    })
    .join('\n')
}
