// Sees every pod that is taken away, whoever does it: the count that permits, plans and logs are held against. It reads the twin's
// store and shares no code with what it judges.
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { StoreEvent } from '#twin/access.ts'
import type { Twin } from '#twin/twin.ts'

export interface Disruption {
  /** Milliseconds since 1970. */
  readonly atMs: number
  /** `namespace/Kind/name` of the topmost controller; of the pod where it has none. */
  readonly workload: string
  readonly pod: string
  readonly uid: string
  readonly node: string
  /** By the eviction sub-resource, by a new pod template, by fewer replicas, or otherwise (a deletion). */
  readonly cause: 'eviction' | 'rollout' | 'scale-down' | 'deletion'
  /** The pod came to be after the witness began to look: it replaced another, or was started since. */
  readonly isReplacement: boolean
}

interface Controlled {
  readonly replicas?: number
  readonly template?: unknown
}

export class DisruptionWitness implements Disposable {
  readonly #twin: Twin
  readonly #clock: { now(): number }
  readonly #known: ReadonlySet<string>
  readonly #gone = new Set<string>()
  readonly #disruptions: Disruption[] = []
  readonly #unsubscribe: () => void

  /** Begins to look. */
  constructor(twin: Twin, clock: { now(): number }) {
    this.#twin = twin
    this.#clock = clock
    this.#known = new Set(twin.access.list('pods').map(pod => pod.metadata.uid ?? ''))
    this.#unsubscribe = twin.access.subscribe('pods', event => this.#see(event))
  }

  /** Pods that were taken away, in order of time. Those of Jobs that ended are not. */
  get disruptions(): readonly Disruption[] {
    return this.#disruptions
  }

  /** Pods taken away, by workload. */
  byWorkload(): ReadonlyMap<string, readonly Disruption[]> {
    return Map.groupBy(this.#disruptions, one => one.workload)
  }

  [Symbol.dispose](): void {
    this.#unsubscribe()
  }

  #see({ type, object }: StoreEvent): void {
    const uid = object.metadata.uid ?? ''
    const isGoing = type === 'DELETED' || object.metadata.deletionTimestamp !== undefined
    if (!isGoing || this.#gone.has(uid)) return
    this.#gone.add(uid)
    // What a pods key holds is a Pod.
    const pod = object as Pod
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return
    const top = this.#topOf(pod)
    this.#disruptions.push({
      atMs: this.#clock.now(),
      workload: `${pod.metadata.namespace}/${top.kind}/${top.metadata.name}`,
      pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
      uid,
      node: pod.spec.nodeName ?? '',
      cause: this.#causeOf(pod, top),
      isReplacement: !this.#known.has(uid),
    })
  }

  #topOf(object: KubeObject): KubeObject {
    const owner = object.metadata.ownerReferences?.find(one => one.controller === true)
    if (owner === undefined) return object
    const resource = resourceOfKind[owner.kind]
    const above = resource === undefined ? undefined : this.#twin.access.get(resource, object.metadata.namespace, owner.name)
    return above === undefined ? object : this.#topOf(above)
  }

  #causeOf(pod: Pod, top: KubeObject): Disruption['cause'] {
    // The server marks what it evicts before it deletes it.
    if (pod.status?.conditions?.some(({ type, reason }) => type === 'DisruptionTarget' && reason === 'EvictionByEvictionAPI'))
      return 'eviction'
    const spec = (top['spec'] ?? {}) as Controlled
    if (spec.replicas === 0) return 'scale-down'
    return this.#isOutdated(pod, top)
      ? 'rollout'
      : spec.replicas === undefined
        ? 'deletion'
        : this.#fewerOr(pod, top, spec.replicas)
  }

  /** Whether a newer set of the same workload than the pod's is there. */
  #isOutdated(pod: Pod, top: KubeObject): boolean {
    const owner = pod.metadata.ownerReferences?.find(one => one.controller === true)
    if (owner?.kind !== 'ReplicaSet') {
      const hash = pod.metadata.labels?.['controller-revision-hash']
      const status = (top['status'] ?? {}) as { readonly updateRevision?: string }
      return hash !== undefined && status.updateRevision !== undefined && status.updateRevision !== hash
    }
    const revision = (set: KubeObject) => Number(set.metadata.annotations?.['deployment.kubernetes.io/revision'] ?? '0')
    const sets = this.#twin.access
      .list('replicasets.apps', pod.metadata.namespace)
      .filter(set => set.metadata.ownerReferences?.some(one => one.uid === top.metadata.uid))
    const own = sets.find(set => set.metadata.name === owner.name)
    return own !== undefined && sets.some(set => revision(set) > revision(own))
  }

  #fewerOr(pod: Pod, top: KubeObject, replicas: number): 'scale-down' | 'deletion' {
    const others = this.#twin.access
      .list('pods', pod.metadata.namespace)
      .filter(
        other =>
          other.metadata.uid !== pod.metadata.uid &&
          other.metadata.deletionTimestamp === undefined &&
          this.#topOf(other).metadata.uid === top.metadata.uid,
      )
    return others.length >= replicas ? 'scale-down' : 'deletion'
  }
}

const resourceOfKind: Readonly<Record<string, string>> = {
  ReplicaSet: 'replicasets.apps',
  Deployment: 'deployments.apps',
  StatefulSet: 'statefulsets.apps',
  DaemonSet: 'daemonsets.apps',
  Job: 'jobs.batch',
  CronJob: 'cronjobs.batch',
}
