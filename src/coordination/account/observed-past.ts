// What others did, read out of a cluster that was not watched: the observer's own reading of ages, writers and Events, over a state.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { controllerOf, kindKey } from '#cluster/ownership.ts'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { lookBack } from '../observed/look-back.ts'
import { fieldsOf, recordOf } from '../observed/object-fields.ts'
import type { Observations } from '../observed/observation.ts'
import { ObservationBook } from '../observed/observation-book.ts'
import type { ObservedCluster } from '../observed/observed-cluster.ts'
import { pastEvent } from '../observed/past-events.ts'
import type { LedgerView } from '../permits/ledger-view.ts'
import { inNewForm } from './cluster-events.ts'

interface Past {
  readonly state: ClusterState
  readonly events: readonly KubeObject[]
  readonly ledger: LedgerView
  readonly nowMs: number
}

/** Less than an observer that watched would know, and what a new leader would know: the last day by ages and writers, and what Events are kept. */
export function observedPast({ state, events, ledger, nowMs }: Past): Observations {
  const byUid = new Map(Array.from(state.pods.values(), pod => [pod.uid, pod.object]))
  const cluster = { ...observedCluster(state, ledger), pod: (uid: string) => byUid.get(uid) }
  const past = events.flatMap(event => pastEvent(inNewForm(event)) ?? []).filter(({ atMs }) => atMs <= nowMs)
  const book = new ObservationBook()
  const steps = lookBack(book, { cluster, events: past, nowMs })
  while (steps.next().done !== true);
  return book
}

const workloadKinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'ReplicationController']

/** The state as the observer asks its caches. */
function observedCluster(state: ClusterState, ledger: LedgerView): ObservedCluster {
  const underOf = <T extends KubeObject>(objects: Iterable<T>) =>
    Map.groupBy(objects, object => controllerOf(object.metadata)?.uid ?? '')
  const pods = underOf<Pod>(Array.from(state.pods.values(), pod => pod.object))
  const replicaSets = underOf(state.objects('ReplicaSet'))
  const scaled = new Set(
    state.objects('ScaledObject.keda.sh').flatMap(scaler => {
      const { apiVersion, kind = 'Deployment', name } = recordOf(fieldsOf(scaler, 'spec')['scaleTargetRef'])
      const group = typeof apiVersion === 'string' ? apiVersion : 'apps/v1'
      return typeof kind === 'string' && typeof name === 'string'
        ? [`${kindKey(group, kind)} ${scaler.metadata.namespace ?? ''}/${name}`]
        : []
    }),
  )
  return {
    object: (kind, namespace, name) => state.object(kind, namespace, name),
    pods: () => Array.from(state.pods.values(), pod => pod.object),
    nodes: () => Array.from(state.nodes.values(), (node): Node => node.object),
    workloads: () => workloadKinds.flatMap(kind => state.objects(kind)),
    podsUnder: uid => pods.get(uid) ?? [],
    replicaSetsUnder: uid => replicaSets.get(uid) ?? [],
    node: name => state.nodes.get(name)?.object,
    isScaled: ({ apiVersion, kind, metadata }) =>
      scaled.has(`${kindKey(apiVersion, kind)} ${metadata.namespace ?? ''}/${metadata.name}`),
    ledger: () => ledger,
  }
}
