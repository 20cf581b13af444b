// The cluster as our watches know it: every kind that the model reads, as one state; and a bell that rings when something changed.
import { ClusterModel } from '#cluster/cluster-model.ts'
import type { ClusterReading, ClusterState, WorkloadReference } from '#cluster/cluster-state.ts'
import { podFields } from '#cluster/pod-fields.ts'
import type { Clock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { parseApiVersion } from '#kube/objects/resource.ts'
import { Bell } from '../arbiter/bell.ts'
import type { Need } from '../needs.ts'

/** What the arbiter's rules and those who watch what others do read of a pod, beside the model. */
const podFieldsOfRules = [
  'metadata.annotations[kubectl.kubernetes.io/restartedAt]',
  'status.reason',
  'status.message',
  'status.conditions.message',
  ...['PodScheduled', 'DisruptionTarget'].map(type => `status.conditions[type=${type}].lastTransitionTime`),
  'status.containerStatuses.state.terminated.finishedAt',
]

/** Fields of pods that are watched; there are too many pods to keep everything. */
export const podNeed: Need = {
  group: '',
  version: 'v1',
  resource: 'pods',
  kind: 'Pod',
  mode: 'projection',
  fields: [...podFields, ...podFieldsOfRules],
}

/** What the scheduler model and the arbiter's rules read. Whoever uses a ClusterView names these among its needs. */
export const clusterNeeds: readonly Need[] = [
  podNeed,
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
  ...[
    ['deviceclasses', 'DeviceClass'],
    ['resourceslices', 'ResourceSlice'],
    ['resourceclaims', 'ResourceClaim'],
    ['resourceclaimtemplates', 'ResourceClaimTemplate'],
  ].map(
    ([resource = '', kind = '']): Need => ({
      group: 'resource.k8s.io',
      version: 'v1',
      resource,
      kind,
      mode: 'full',
      optional: true,
    }),
  ),
  { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects', kind: 'ScaledObject', mode: 'full', optional: true },
  { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledjobs', kind: 'ScaledJob', mode: 'full', optional: true },
]

/** Whether `needs` name the kind. */
export function isNeeded(
  needs: readonly Need[],
  { apiVersion, kind }: { readonly apiVersion: string; readonly kind: string },
): boolean {
  const { group } = parseApiVersion(apiVersion)
  return needs.some(need => need.kind === kind && need.group === group)
}

/** Pieces of the model's work between two looks at the clock: a millisecond or two. */
const stepSize = 64
/** What is known of a kind whose watch fails counts for so long. */
const oldestMs = 60_000
/** After so much of it the event loop gets a turn. */
const sliceMs = 5

/**
 * Flow: each change of an informer goes to the model, which works it off when the event loop is idle; `state` does what is left of it.
 * Guarantees: a state is of one moment, has every change told until then, and never changes; asking costs what changed since.
 */
export class ClusterView implements Disposable {
  readonly #model = new ClusterModel()
  readonly #clock: Clock
  readonly #informers: readonly Informer<KubeObject>[]
  readonly #pods: Informer<Pod>
  readonly #bell: Bell
  readonly #needs: readonly Need[]
  readonly #unsubscribe: (() => void)[]
  #nextSlice: NodeJS.Immediate | undefined

  /** Starts (or joins) the watches of `needs`: those of `clusterNeeds`, or some of them. */
  constructor(informers: Pick<Informers, 'of'>, clock: Clock, needs: readonly Need[] = clusterNeeds) {
    this.#clock = clock
    this.#needs = needs
    this.#bell = new Bell(clock)
    this.#informers = needs.map(({ optional, fields, ...resource }) =>
      informers.of<KubeObject>(resource, {
        optional: optional === true,
        dispensable: optional === true,
        ...(fields === undefined ? {} : { fields }),
      }),
    )
    this.#pods = informers.of<Pod>(podNeed, { fields: podNeed.fields ?? [] })
    this.#unsubscribe = this.#informers.map(informer =>
      informer.onChange(({ type, object, previous }) => {
        this.#model.change(type === 'DELETED' ? { previous, object: undefined } : { previous, object })
        this.#nextSlice ??= setImmediate(() => this.#work())
        this.ring()
      }),
    )
  }

  /** The state of this moment, and what is wrong with it. The same value until something changes. */
  reading(): ClusterReading {
    return this.#model.reading()
  }

  state(): ClusterState {
    return this.reading().state
  }

  /** As `state`, but after a big list the event loop has its turns meanwhile. @throws `signal.reason` when aborted */
  async snapshot(signal: AbortSignal): Promise<ClusterState> {
    const breathe = breather(this.#clock)
    while (this.#model.step(stepSize)) {
      await breathe()
      signal.throwIfAborted()
    }
    return this.state()
  }

  /** What the model did so far: objects checked, pods derived, pods whose workload was looked up anew. */
  get counts(): ClusterModel['counts'] {
    return this.#model.counts
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
    const index = this.#needs.findIndex(need => need.kind === of.kind && need.group === group)
    return this.#informers[index]?.store.get(of.namespace, of.name)
  }

  /**
   * Why nothing may be decided by what is known here: a watch is refused, and was not heard of for a minute. `undefined`: what is known
   * holds. A server that is away altogether takes the Lease with it, and a watch that only looks whole is left by its reflector.
   */
  staleness(): string | undefined {
    const nowMs = this.#clock.elapsed()
    for (const { resource, state, lastEventElapsed, problem } of this.#informers) {
      const ageMs = nowMs - lastEventElapsed
      if (state !== 'failing' || ageMs <= oldestMs) continue
      return `what is known of ${resource.resource} is ${Math.round(ageMs / 1000)} s old${problem === undefined ? '' : `: ${problem}`}`
    }
    return undefined
  }

  /** Whether objects of a kind are known here: of others their absence says nothing. */
  watches({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): boolean {
    return isNeeded(this.#needs, { apiVersion, kind })
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
    clearImmediate(this.#nextSlice)
    this.ring()
  }

  #work(): void {
    this.#nextSlice = undefined
    const startMs = this.#clock.elapsed()
    while (this.#model.step(stepSize)) {
      if (this.#clock.elapsed() - startMs < sliceMs) continue
      this.#nextSlice = setImmediate(() => this.#work())
      return
    }
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
