// The cluster as the observer asks it: owners, siblings, nodes, permits. Read from the shared caches at the moment of asking.

import type { WorkloadReference } from '#cluster/cluster-state.ts'
import { kindKey, topmostController } from '#cluster/ownership.ts'
import type { OwnerLookup } from '#cluster/state-shapes.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import type { LedgerView } from '../permits/ledger-view.ts'
import { fieldsOf, recordOf } from './object-fields.ts'

export interface ObservedCluster extends OwnerLookup {
  pods(): Iterable<Pod>
  nodes(): Iterable<Node>
  /** Deployments, StatefulSets, DaemonSets, ReplicaSets, ReplicationControllers. */
  workloads(): Iterable<KubeObject>
  /** Pods by the UID of the controller right above them. */
  podsUnder(controllerUid: string): Iterable<Pod>
  /** ReplicaSets of a Deployment. */
  replicaSetsUnder(deploymentUid: string): Iterable<KubeObject>
  node(name: string): Node | undefined
  /** A ScaledObject targets it. */
  isScaled(workload: KubeObject): boolean
  ledger(): LedgerView
}

/** What stands above a workload, or itself: what disruptions are noted on. */
export function topOf(cluster: OwnerLookup, object: KubeObject): WorkloadReference {
  const { apiVersion, kind, metadata } = object
  const { name, namespace = '', uid = '' } = metadata
  return topmostController(cluster, object) ?? { apiVersion, kind, namespace, name, uid }
}

const workloadKinds = {
  Deployment: builtIn.deployments,
  StatefulSet: builtIn.statefulsets,
  DaemonSet: builtIn.daemonsets,
  ReplicaSet: builtIn.replicasets,
  ReplicationController: builtIn.replicationcontrollers,
} as const satisfies Record<string, GroupVersionResource>

const scaledObjects = { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects' } as const

/** An ObservedCluster over informers that others have started. */
export class InformedCluster implements ObservedCluster {
  readonly podInformer: Informer<Pod>
  readonly nodeInformer: Informer<Node>
  readonly workloadInformers: readonly Informer<KubeObject>[]
  readonly ledger: () => LedgerView
  readonly #replicaSets: Informer<KubeObject>
  readonly #scaledObjects: Informer<KubeObject>
  readonly #byKind: ReadonlyMap<string, Informer<KubeObject>>

  constructor(informers: Pick<Informers, 'of'>, ledger: () => LedgerView) {
    this.ledger = ledger
    this.podInformer = informers.of<Pod>(builtIn.pods)
    this.nodeInformer = informers.of<Node>(builtIn.nodes)
    this.#replicaSets = informers.of<KubeObject>(builtIn.replicasets)
    this.#scaledObjects = informers.of<KubeObject>(scaledObjects, { optional: true })
    const workloads = Object.entries(workloadKinds).map(([kind, resource]) => [kind, informers.of<KubeObject>(resource)] as const)
    this.workloadInformers = workloads.map(([, informer]) => informer)
    this.#byKind = new Map([
      ...workloads,
      ['Job', informers.of<KubeObject>(builtIn.jobs)],
      ['Namespace', informers.of<KubeObject>(builtIn.namespaces)],
    ])
  }

  pods(): Iterable<Pod> {
    return this.podInformer.store.list()
  }

  nodes(): Iterable<Node> {
    return this.nodeInformer.store.list()
  }

  *workloads(): Iterable<KubeObject> {
    for (const informer of this.workloadInformers) yield* informer.store.list()
  }

  pod(uid: string): Pod | undefined {
    return this.podInformer.store.byUid(uid)
  }

  podsUnder(controllerUid: string): Iterable<Pod> {
    return this.podInformer.store.byIndex('owner', controllerUid)
  }

  replicaSetsUnder(deploymentUid: string): Iterable<KubeObject> {
    return this.#replicaSets.store.byIndex('owner', deploymentUid)
  }

  node(name: string): Node | undefined {
    return this.nodeInformer.store.get(undefined, name)
  }

  /** `kind` as `kindKey` writes it; `undefined` for kinds that are not watched. */
  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#byKind.get(kind)?.store.get(namespace, name)
  }

  isScaled(workload: KubeObject): boolean {
    for (const scaler of this.#scaledObjects.store.list(workload.metadata.namespace)) {
      const target = recordOf(fieldsOf(scaler, 'spec')['scaleTargetRef'])
      const { apiVersion, kind = 'Deployment' } = target
      if (target['name'] !== workload.metadata.name || typeof kind !== 'string') continue
      const group = typeof apiVersion === 'string' ? apiVersion : 'apps/v1'
      if (kindKey(group, kind) === kindKey(workload.apiVersion, workload.kind)) return true
    }
    return false
  }
}
