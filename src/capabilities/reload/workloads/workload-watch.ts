// The workloads that can be reloaded, each as the facts that decisions look at: made anew only when something of them changed.
import { isDeepStrictEqual } from 'node:util'
import { type Clock, wallOf } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Change } from '#kube/informers/store.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { ignoredTypesOf, type ReloadConfig } from '../config.ts'
import type { ReloadSettings } from '../settings.ts'
import { type WorkloadFacts, workloadFacts, workloadKey } from './workload-facts.ts'

/** One kind that is watched. */
export interface WorkloadKind {
  readonly kind: string
  readonly resource: GroupVersionResource
  /** The cluster may be without it. */
  readonly isOptional: boolean
}

const apps: readonly WorkloadKind[] = [
  { kind: 'Deployment', resource: builtIn.deployments, isOptional: false },
  { kind: 'DaemonSet', resource: builtIn.daemonsets, isOptional: false },
  { kind: 'StatefulSet', resource: builtIn.statefulsets, isOptional: false },
]

/** What is watched of workloads that the configuration asks for. */
export function workloadKinds(config: ReloadConfig): readonly WorkloadKind[] {
  const ignored = ignoredTypesOf(config)
  return [
    ...apps,
    ...(ignored.includes('cronjobs') ? [] : [{ kind: 'CronJob', resource: builtIn.cronjobs, isOptional: true }]),
    ...(ignored.includes('jobs') ? [] : [{ kind: 'Job', resource: builtIn.jobs, isOptional: true }]),
    ...(config.argoRollouts
      ? [{ kind: 'Rollout', resource: { group: 'argoproj.io', version: 'v1alpha1', resource: 'rollouts' }, isOptional: true }]
      : []),
    ...config.customKinds.map(({ group, version, resource, kind }) => ({
      kind,
      resource: { group, version, resource },
      isOptional: true,
    })),
  ]
}

interface Known {
  readonly facts: WorkloadFacts
  readonly object: KubeObject
}

/** What a handler is told of a workload. */
export interface WorkloadChange {
  readonly key: string
  /** `undefined`: it is gone. */
  readonly facts: WorkloadFacts | undefined
  /** Only its status is another, or its version. */
  readonly isStatusOnly: boolean
  readonly initial: boolean
}

export class WorkloadWatch {
  readonly #settings: ReloadSettings
  readonly #informers: readonly { readonly of: WorkloadKind; readonly informer: Informer<KubeObject> }[]
  readonly #clock: Clock
  readonly #replicaSets: Informer<KubeObject>
  /** When another template was seen of a StatefulSet or DaemonSet. */
  /** By `elapsed()`: time may be set meanwhile. */
  readonly #templatesChangedMs = new Map<string, number>()
  readonly #known = new Map<string, Known>()

  constructor(
    { config, settings, clock }: { readonly config: ReloadConfig; readonly settings: ReloadSettings; readonly clock: Clock },
    informers: Pick<Informers, 'of'>,
  ) {
    this.#clock = clock
    this.#settings = settings
    this.#informers = workloadKinds(config).map(of => ({
      of,
      informer: informers.of<KubeObject>(of.resource, { optional: of.isOptional }),
    }))
    this.#replicaSets = informers.of<KubeObject>(builtIn.replicasets)
  }

  get informers(): readonly Informer<KubeObject>[] {
    return this.#informers.map(({ informer }) => informer)
  }

  /** Each kind with its informer. */
  get kinds(): readonly { readonly of: WorkloadKind; readonly informer: Informer<KubeObject> }[] {
    return this.#informers
  }

  /** Some may be listed and not watched: what is known of them is as old as the last list. */
  get isPolled(): boolean {
    return this.#informers.some(({ informer }) => informer.isPolled)
  }

  /** Kinds of which all are known. */
  get syncedKinds(): ReadonlySet<string> {
    return new Set(this.#informers.filter(({ informer }) => informer.isSynced).map(({ of }) => of.kind))
  }

  keys(): Iterable<string> {
    return this.#known.keys()
  }

  get(key: string): WorkloadFacts | undefined {
    return this.#known.get(key)?.facts
  }

  /** The object behind the facts. */
  object(key: string): KubeObject | undefined {
    return this.#known.get(key)?.object
  }

  all(): Iterable<WorkloadFacts> {
    return Iterator.from(this.#known.values()).map(({ facts }) => facts)
  }

  /**
   * Creation of a Deployment's newest ReplicaSet, in milliseconds since 1970. Of a StatefulSet or DaemonSet, whose revisions nobody watches,
   * what was seen since the start; `undefined` for other kinds.
   */
  templateChangedAtMs(facts: WorkloadFacts): number | undefined {
    const { kind, uid } = facts
    if (kind !== 'Deployment') {
      const changedMs = this.#templatesChangedMs.get(workloadKey(facts))
      return changedMs === undefined ? undefined : wallOf(this.#clock, changedMs)
    }
    // The server's time and ours may differ: what has not been yet says nothing of what came first.
    const soonMs = this.#clock.now() + toleratedSkewMs
    let newest: number | undefined
    for (const { metadata } of this.#replicaSets.store.byIndex('owner', uid)) {
      const createdMs = Date.parse(metadata.creationTimestamp ?? '')
      if (createdMs <= soonMs && (newest === undefined || createdMs > newest)) newest = createdMs
    }
    return newest
  }

  /**
   * A write of ours was answered with `object`: the next plan sees it, though the watch has not brought it yet. A template of before the write
   * would look like somebody's who wrote something else.
   */
  observe(object: KubeObject): void {
    this.#informers.find(({ of }) => of.kind === object.kind)?.informer.observe(object)
  }

  /** Calls `changed` with what is there and with each change. Returns what ends that. */
  onChange(changed: (change: WorkloadChange) => void): () => void {
    const ends = this.#informers.map(({ informer }) =>
      informer.onChange(change => {
        const told = this.#take(change)
        if (told !== undefined) changed(told)
      }),
    )
    return () => {
      for (const end of ends) end()
    }
  }

  #take({ type, object, initial }: Change<KubeObject>): WorkloadChange | undefined {
    const { namespace = '', name } = object.metadata
    const key = workloadKey({ kind: object.kind, namespace, name })
    if (type === 'DELETED') {
      const isKnown = this.#known.delete(key)
      this.#templatesChangedMs.delete(key)
      return isKnown ? { key, facts: undefined, isStatusOnly: false, initial } : undefined
    }
    const known = this.#known.get(key)
    const isSame = known !== undefined && isSameTo(known.object, object)
    const facts = isSame
      ? { ...known.facts, resourceVersion: object.metadata.resourceVersion ?? '' }
      : workloadFacts(object, this.#settings)
    if (known !== undefined && rollsByItself.has(object.kind) && !isDeepStrictEqual(templateIn(known.object), templateIn(object)))
      this.#templatesChangedMs.set(key, this.#clock.elapsed() - watchDelayMs)
    this.#known.set(key, { facts, object })
    return { key, facts, isStatusOnly: isSame && facts.kind !== 'Job', initial }
  }
}

const rollsByItself: ReadonlySet<string> = new Set(['StatefulSet', 'DaemonSet'])
/** What is seen was written earlier; better one roll-out too many than one too few. */
const watchDelayMs = 1_000
/** Creation times are whole seconds, and clocks of machines that follow NTP differ by less. */
const toleratedSkewMs = 5_000

function templateIn(object: KubeObject): unknown {
  return specOf(object).template
}

interface Looked {
  readonly template?: unknown
  readonly paused?: unknown
  readonly suspend?: unknown
}

function specOf(object: KubeObject): Looked {
  return typeof object['spec'] === 'object' && object['spec'] !== null ? object['spec'] : {}
}

/** Parts that many objects have in common are one object in a store: what is the same object is the same. */
function isSameTo(before: KubeObject, now: KubeObject): boolean {
  const [one, other] = [specOf(before), specOf(now)]
  return (
    now.kind !== 'Job' &&
    before.metadata.uid === now.metadata.uid &&
    before.metadata.deletionTimestamp === now.metadata.deletionTimestamp &&
    before.metadata.annotations === now.metadata.annotations &&
    one.template === other.template &&
    one.template !== undefined &&
    one.paused === other.paused &&
    one.suspend === other.suspend
  )
}
