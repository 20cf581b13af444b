// What the first start of reload would roll out: the plans that it would make, on what there is now. Contents are read as reload reads them,
// and only of what some template or an earlier baseline says something about.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { WorkloadBaseline } from '../baseline/baseline.ts'
import { baselineLabels, baselinesIn } from '../baseline/baseline-store.ts'
import { type ReloadConfig, reloadConfiguration } from '../config.ts'
import { writtenHash } from '../rollouts/template-change.ts'
import { type ReloadSettings, reloadSettings } from '../settings.ts'
import type { SourceContent } from '../sources/content-hash.ts'
import { matcherOf } from '../sources/matcher.ts'
import { mountOf } from '../sources/provider-classes.ts'
import { countingReport, type Rotation, withFoundReport } from '../sources/rotation.ts'
import { SourceIndex } from '../sources/source-index.ts'
import { resourceOfReadable, SourceReader } from '../sources/source-reader.ts'
import { type SourceReference, type SourceState, type SourceType, sourceAnnotations, sourceKey } from '../sources/source-state.ts'
import { sourceAnnotationKeys, sourceSelectors, watchedTypes } from '../sources/source-watch.ts'
import { namedNamespaces } from '../sources/watched-namespaces.ts'
import { freshGuard } from './rate-guard.ts'
import { watched } from './reload-pairs.ts'
import { type WorkloadFacts, workloadFacts, workloadKey } from './workload-facts.ts'
import { type PlannedAction, planWorkload } from './workload-plan.ts'
import { workloadKinds } from './workload-watch.ts'

const readsAtOnce = 8
const kindOfType = { configmap: 'ConfigMap', secret: 'Secret', secretproviderclass: 'SecretProviderClass' } as const
const resourceOfType = { configmap: builtIn.configmaps, secret: builtIn.secrets } as const

/** Where reload would start. */
interface Start {
  readonly api: Api
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Ballast's own, with what it remembers from before. */
  readonly namespace: string
}

interface Rollout {
  /** `Deployment shop/web`. */
  readonly workload: string
  /** `Secret shop/keys`: what is newer than its template says. */
  readonly by: readonly string[]
  /** So many run and are replaced; of a CronJob, which starts a Job, none. */
  readonly pods: number
}

/** What could not be compared, and why: more may be rolled out for it. */
interface Unknown {
  readonly what: string
  readonly why: string
}

interface Rollouts {
  readonly rollsOut: readonly Rollout[]
  readonly unknown: readonly Unknown[]
}

/** A source that is there. */
interface Found {
  readonly reference: SourceReference
  readonly metadata: KubeObject['metadata']
  content: SourceContent | 'unread' | 'absent'
}

interface Looked {
  readonly facts: WorkloadFacts
  readonly object: KubeObject
  readonly sources: readonly SourceReference[]
  readonly baseline: WorkloadBaseline | undefined
}

/** Where `section` starts for the first time. @throws ZodError for a section that a controller would refuse; `signal.reason` */
export async function firstRollouts(place: Start, section: unknown): Promise<Rollouts> {
  const config = reloadConfiguration.parse(section)
  // An update webhook is told, and nothing is rolled out.
  if (config.webhookUrl !== '') return { rollsOut: [], unknown: [] }
  const settings = reloadSettings(config)
  const cluster = new Cluster(place, config, settings)
  const looked = await cluster.read()
  const rollsOut: Rollout[] = []
  for (const { facts, object, sources, baseline } of looked) {
    const states = sources.map(reference => cluster.state(reference))
    const nowMs = place.clock.now()
    const plan = planWorkload({
      workload: facts,
      sources: states,
      baseline,
      guard: freshGuard,
      settings,
      nowMs,
      isFirstList: true,
    })
    const by = sourcesOf(plan.action)
    if (by.length > 0) rollsOut.push({ workload: named(facts), by: by.map(sourceName), pods: podsOf(object, facts) })
    for (const { source, code } of plan.sources) if (code === 'unread') cluster.untold(facts, source)
  }
  return { rollsOut, unknown: cluster.unknown }
}

class Cluster {
  readonly unknown: Unknown[] = []
  readonly #place: Start
  readonly #config: ReloadConfig
  readonly #settings: ReloadSettings
  /** Sources by `sourceKey`. */
  readonly #found = new Map<string, Found>()
  /** Types of which everything is known that is watched. */
  readonly #known = new Set<SourceType>()
  /** Why a source was not read, by `sourceKey`. */
  readonly #failed = new Map<string, string>()
  /** Sources that somebody's template or an earlier baseline says something about. */
  readonly #wanted = new Map<string, SourceReference>()
  #isWatched: (namespace: string) => boolean = () => false

  constructor(place: Start, config: ReloadConfig, settings: ReloadSettings) {
    this.#place = place
    this.#config = config
    this.#settings = settings
  }

  /** Every workload with what it may take. */
  async read(): Promise<readonly Looked[]> {
    const config = this.#config
    const namespaces =
      config.namespaceSelector === '' ? [] : await this.#list(builtIn.namespaces, { kind: 'Namespace', metadataOnly: true })
    this.#isWatched = watched(config, namespaces ?? [])
    for (const type of namespaces === undefined ? [] : watchedTypes(config)) await this.#listSources(type)
    if (config.csiIntegration) await this.#listClasses()
    const baselines = await this.#baselines()
    const index = new SourceIndex((type, namespace) =>
      [...this.#found.values()].flatMap(({ reference }) =>
        reference.type === type && reference.namespace === namespace ? [reference.name] : [],
      ),
    )
    const looked: Looked[] = []
    for (const { kind, resource } of workloadKinds(config))
      for (const object of (await this.#list(resource, { kind })) ?? []) {
        const facts = workloadFacts(object, this.#settings)
        const key = workloadKey(facts)
        const baseline = baselines.get(key)
        index.set(key, facts.namespace, matcherOf(facts))
        const sources = index.sourcesOf(key)
        for (const source of sources) if (this.#isSaid(facts, baseline, source)) this.#wanted.set(sourceKey(source), source)
        looked.push({ facts, object, sources, baseline })
      }
    await this.#readContents()
    return looked
  }

  /** A source as the first look of reload would find it. */
  state(reference: SourceReference): SourceState {
    const found = this.#found.get(sourceKey(reference))
    const absent = this.#known.has(reference.type) && this.#isWatched(reference.namespace) ? 'absent' : 'unread'
    return {
      reference,
      annotations: sourceAnnotations(found?.metadata.annotations, this.#settings.keys),
      content: found?.content ?? absent,
      resourceVersion: found?.metadata.resourceVersion ?? '',
      uid: found?.metadata.uid ?? '',
      changedAtMs: this.#place.clock.now(),
    }
  }

  /** The workload may be rolled out for it, where its mark could not be compared. */
  untold(workload: WorkloadFacts, source: SourceReference): void {
    const key = sourceKey(source)
    const why = this.#failed.get(key) ?? this.#failed.get(source.type)
    if (this.#wanted.has(key) && why !== undefined)
      this.unknown.push({ what: `${named(workload)} by ${sourceName(source)}`, why })
  }

  /** Does the first start decide by its content? */
  #isSaid(facts: WorkloadFacts, baseline: WorkloadBaseline | undefined, source: SourceReference): boolean {
    const { strategy, reloadOnCreate, syncAfterRestart } = this.#settings
    if ((reloadOnCreate && syncAfterRestart) || baseline?.marks.has(sourceKey(source)) === true) return true
    return facts.pod.containers.some(({ name }) => writtenHash(facts, { source, container: name }, strategy) !== undefined)
  }

  async #listSources(type: 'configmap' | 'secret'): Promise<void> {
    const config = this.#config
    for (const namespace of namedNamespaces(config) ?? [undefined]) {
      const scope = { ...sourceSelectors(type, config), ...(namespace === undefined ? {} : { namespace }), metadataOnly: true }
      const found = await this.#list(resourceOfType[type], { kind: kindOfType[type], type, ...scope })
      if (found === undefined) return
      for (const { metadata } of found)
        this.#add({ type, namespace: metadata.namespace ?? 'default', name: metadata.name }, metadata)
    }
    this.#known.add(type)
  }

  /** SecretProviderClasses by what pods have mounted of them. */
  async #listClasses(): Promise<void> {
    const type = 'secretproviderclass'
    const { SecretProviderClass, SecretProviderClassPodStatus } = resourceOfReadable
    const classes = await this.#list(SecretProviderClass, { kind: 'SecretProviderClass', type, metadataOnly: true })
    const mounts = await this.#list(SecretProviderClassPodStatus, { kind: 'SecretProviderClassPodStatus', type })
    if (classes === undefined || mounts === undefined) return
    const nowMs = this.#place.clock.elapsed()
    const rotations = new Map<string, { readonly reference: SourceReference; rotation: Rotation }>()
    for (const object of mounts) {
      const { namespace = 'default' } = object.metadata
      const mount = mountOf(object)
      if (mount === undefined) continue
      const reference = { type, namespace, name: mount.className } as const
      const known = rotations.get(sourceKey(reference))?.rotation ?? []
      rotations.set(sourceKey(reference), { reference, rotation: withFoundReport(known, mount.report, nowMs) })
    }
    for (const { reference, rotation } of rotations.values()) {
      const counting = countingReport(rotation, { nowMs, windowMs: this.#settings.rotationWindowMs })
      const { namespace, name } = reference
      const one = classes.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)
      if (counting !== undefined) this.#add(reference, one?.metadata ?? { namespace, name }, counting.report.content)
    }
  }

  #add(reference: SourceReference, metadata: KubeObject['metadata'], content: Found['content'] = 'unread'): void {
    if (this.#isWatched(reference.namespace)) this.#found.set(sourceKey(reference), { reference, metadata, content })
  }

  /** What ours remembers from before, where it has been here. */
  async #baselines(): Promise<ReadonlyMap<string, WorkloadBaseline>> {
    const { namespace } = this.#place
    const labelSelector = Object.entries(baselineLabels)
      .map(pair => pair.join('='))
      .join(',')
    const shards = (await this.#list(builtIn.configmaps, { kind: 'ConfigMap', namespace, labelSelector })) ?? []
    return new Map(shards.flatMap(shard => [...baselinesIn(shard)]))
  }

  async #readContents(): Promise<void> {
    const { api, clock, signal } = this.#place
    const reader = new SourceReader({ api, clock, annotations: sourceAnnotationKeys(this.#config) })
    const wanted = [...this.#wanted.values()].values()
    const work = async () => {
      for (const { type, namespace, name } of wanted) {
        const key = sourceKey({ type, namespace, name })
        const found = this.#found.get(key)
        if (found === undefined || found.content !== 'unread') continue
        try {
          const reading = await reader.read({ kind: kindOfType[type], namespace, name }, signal)
          found.content = reading?.content ?? 'absent'
        } catch (error) {
          signal.throwIfAborted()
          if (!isOutside(error)) throw error
          this.#failed.set(key, messageOf(error))
        }
      }
    }
    await Promise.all(Array.from({ length: readsAtOnce }, work))
  }

  /** All of a kind; none where it is not served, and `undefined`, which is told, where it cannot be read. */
  async #list(
    resource: GroupVersionResource,
    {
      kind,
      type,
      ...wish
    }: { readonly kind: string; readonly type?: SourceType } & Omit<
      Parameters<ReturnType<Api['resource']>['pages']>[0],
      'signal'
    >,
  ): Promise<readonly KubeObject[] | undefined> {
    const { api, signal } = this.#place
    const { group, version } = resource
    const apiVersion = group === '' ? version : `${group}/${version}`
    const found: KubeObject[] = []
    try {
      for await (const { items } of api.resource<KubeObject>(resource).pages({ ...wish, signal }))
        for (const item of items) found.push({ ...item, apiVersion, kind })
    } catch (error) {
      signal.throwIfAborted()
      if (isNotFound(error)) return []
      if (!isOutside(error)) throw error
      this.unknown.push({
        what: `each ${kind}${wish.namespace === undefined ? '' : ` of ${wish.namespace}`}`,
        why: messageOf(error),
      })
      if (type !== undefined) this.#failed.set(type, messageOf(error))
      return undefined
    }
    return found
  }
}

/** What it acts for, now or once it has waited. */
function sourcesOf(action: PlannedAction): readonly SourceReference[] {
  return action.kind === 'act' || action.kind === 'wait' ? action.sources : []
}

const named = ({ kind, namespace, name }: WorkloadFacts) => `${kind} ${namespace}/${name}`
const sourceName = ({ type, namespace, name }: SourceReference) => `${kindOfType[type]} ${namespace}/${name}`

/** Pods that another template replaces: none where somebody else decides when. */
function podsOf(object: KubeObject, { kind, isPaused }: WorkloadFacts): number {
  const isByHand = textAt(object, 'spec', 'updateStrategy', 'type') === 'OnDelete'
  if (isPaused || isByHand || kind === 'CronJob') return 0
  if (kind === 'DaemonSet') return numberAt(object, 'status', 'currentNumberScheduled') ?? 0
  if (kind === 'Job') return numberAt(object, 'status', 'active') ?? 0
  return numberAt(object, 'status', 'replicas') ?? numberAt(object, 'spec', 'replicas') ?? 0
}
