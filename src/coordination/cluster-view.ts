// The cluster as our watches know it: every kind that the model reads, as one state; and a bell that rings when something changed.
import { buildClusterState, type ClusterReading, type ClusterState, type WorkloadReference } from '#cluster/cluster-state.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informer, Informers } from '#kube/informer.ts'
import type { KubeObject, Pod } from '#kube/objects.ts'
import { parseApiVersion } from '#kube/resource.ts'
import { Bell } from './bell.ts'
import type { Need } from './capability.ts'

/** What the scheduler model and the arbiter's rules read. Whoever uses a ClusterView names these among its needs. */
export const clusterNeeds: readonly Need[] = [
  { group: '', version: 'v1', resource: 'pods', kind: 'Pod', mode: 'full' },
  { group: '', version: 'v1', resource: 'nodes', kind: 'Node', mode: 'full' },
  { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', mode: 'full' },
  { group: '', version: 'v1', resource: 'services', kind: 'Service', mode: 'full' },
  { group: '', version: 'v1', resource: 'persistentvolumes', kind: 'PersistentVolume', mode: 'full' },
  { group: '', version: 'v1', resource: 'persistentvolumeclaims', kind: 'PersistentVolumeClaim', mode: 'full' },
  { group: '', version: 'v1', resource: 'replicationcontrollers', kind: 'ReplicationController', mode: 'full' },
  { group: 'apps', version: 'v1', resource: 'deployments', kind: 'Deployment', mode: 'full' },
  { group: 'apps', version: 'v1', resource: 'replicasets', kind: 'ReplicaSet', mode: 'full' },
  { group: 'apps', version: 'v1', resource: 'statefulsets', kind: 'StatefulSet', mode: 'full' },
  { group: 'apps', version: 'v1', resource: 'daemonsets', kind: 'DaemonSet', mode: 'full' },
  { group: 'batch', version: 'v1', resource: 'jobs', kind: 'Job', mode: 'full' },
  { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets', kind: 'PodDisruptionBudget', mode: 'full' },
  { group: 'storage.k8s.io', version: 'v1', resource: 'storageclasses', kind: 'StorageClass', mode: 'full' },
  { group: 'storage.k8s.io', version: 'v1', resource: 'csinodes', kind: 'CSINode', mode: 'full' },
  { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses', kind: 'PriorityClass', mode: 'full' },
  { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects', kind: 'ScaledObject', mode: 'full', optional: true },
  { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledjobs', kind: 'ScaledJob', mode: 'full', optional: true },
]

export class ClusterView implements Disposable {
  readonly #informers: readonly Informer<KubeObject>[]
  readonly #pods: Informer<Pod>
  readonly #bell: Bell
  readonly #unsubscribe: (() => void)[]
  #reading: ClusterReading | undefined

  /** Starts (or joins) the watches of `clusterNeeds`. */
  constructor(informers: Informers, clock: Clock) {
    this.#bell = new Bell(clock)
    this.#informers = clusterNeeds.map(need => informers.of<KubeObject>(need, { optional: need.optional === true }))
    this.#pods = informers.of<Pod>({ group: '', version: 'v1', resource: 'pods' })
    this.#unsubscribe = this.#informers.map(informer => informer.onChange(() => this.ring()))
  }

  /** The state of this moment, and what is wrong with it. The same value until something changes. */
  reading(): ClusterReading {
    this.#reading ??= buildClusterState(this.#objects())
    return this.#reading
  }

  state(): ClusterState {
    return this.reading().state
  }

  /** The pods under a workload at this moment: those it controls, and those of what it controls. Costs what there is to find, not the cluster. */
  podsUnder(workload: Pick<WorkloadReference, 'uid'>): readonly Pod[] {
    const found: Pod[] = []
    const seen = new Set<string>()
    const open = [workload.uid]
    for (let uid = open.pop(); uid !== undefined; uid = open.pop()) {
      if (seen.has(uid)) continue
      seen.add(uid)
      found.push(...this.#pods.store.byIndex('owner', uid))
      for (const informer of this.#informers) {
        if (!controllers.has(informer.resource.resource)) continue
        for (const object of informer.store.byIndex('owner', uid))
          if (object.metadata.uid !== undefined) open.push(object.metadata.uid)
      }
    }
    return found
  }

  /** One object of a kind that the view watches, without building the whole state. */
  object(of: {
    readonly apiVersion: string
    readonly kind: string
    readonly namespace?: string
    readonly name: string
  }): KubeObject | undefined {
    const { group } = parseApiVersion(of.apiVersion)
    const index = clusterNeeds.findIndex(need => need.kind === of.kind && need.group === group)
    return this.#informers[index]?.store.get(of.namespace, of.name)
  }

  /** Every pod, in the order of arrival. */
  pods(): Iterable<Pod> {
    return this.#pods.store.list()
  }

  /** The pod of this name, whatever its UID. */
  pod(namespace: string, name: string): Pod | undefined {
    return this.#pods.store.get(namespace, name)
  }

  /** Says that something outside of the view changed that waiters look at. */
  ring(): void {
    this.#reading = undefined
    this.#bell.ring()
  }

  /** What `look` finds, asked now and after each change. As `Bell.until`. */
  until<T>(
    look: () => T | undefined,
    options: { readonly limitMs: number; readonly signal: AbortSignal },
  ): Promise<T | undefined> {
    return this.#bell.until(look, options)
  }

  [Symbol.dispose](): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.ring()
  }

  *#objects(): Iterable<KubeObject> {
    for (const informer of this.#informers) yield* informer.store.list()
  }
}

const controllers: ReadonlySet<string> = new Set([
  'replicasets',
  'deployments',
  'statefulsets',
  'jobs',
  'daemonsets',
  'replicationcontrollers',
])
