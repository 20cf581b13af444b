// Reload as a running part: watches, hashes, index, baseline and loop, put together; and what each change sets going.
import type { ControllerContext, Leading, Running } from '#coordination/capability.ts'
import type { Target } from '#coordination/intent.ts'
import { untilResolved } from '#kube/controllers/until-resolved.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { resourceKey } from '#kube/objects/resource.ts'
import type { BaselineStore } from './baseline/baseline-store.ts'
import type { FirstStart } from './baseline/first-start.ts'
import { type Records, recordsOf } from './baseline/records.ts'
import type { ReloadConfig } from './config.ts'
import { describeSource } from './rollouts/deed.ts'
import { JobKeeper } from './rollouts/job-keeper.ts'
import { PauseKeeper } from './rollouts/pause-keeper.ts'
import { resumePaused } from './rollouts/resumption.ts'
import { RolloutFollower } from './rollouts/rollout-follower.ts'
import { customTemplateOf, reloadSettings } from './settings.ts'
import { matcherOf } from './sources/matcher.ts'
import { ProviderClasses } from './sources/provider-classes.ts'
import { type ContentNews, SourceBook } from './sources/source-book.ts'
import { SourceIndex } from './sources/source-index.ts'
import { SourceReader } from './sources/source-reader.ts'
import { type SourceReference, type SourceState, sourceAnnotations, sourceKey } from './sources/source-state.ts'
import { type SourceChange, SourceWatch, sourceAnnotationKeys, watchedTypes } from './sources/source-watch.ts'
import { WatchedNamespaces } from './sources/watched-namespaces.ts'
import { Telling } from './telling/reload-telling.ts'
import { SeenEvents } from './telling/seen-events.ts'
import type { ReceivedResource } from './telling/telling.ts'
import { UpdateNotifier } from './telling/update-notifier.ts'
import { FreshWorkloads } from './workloads/fresh-workloads.ts'
import { WorkloadLoop } from './workloads/workload-loop.ts'
import type { WorkloadChange } from './workloads/workload-watch.ts'
import { WorkloadWatch } from './workloads/workload-watch.ts'

const lookIntervalMs = 30_000
const startLookMs = 1_000
const tidyEvery = 10
const lastFlushMs = 2_000
const jobEventIntervalMs = 600_000

const plurals = {
  configmap: 'configmaps',
  secret: 'secrets',
  secretproviderclass: 'secretproviderclasspodstatuses',
} as const satisfies Record<SourceReference['type'], ReceivedResource>

/** Starts reloading. The returned part ends it, writes what is not written of the baseline, and waits for that. */
export async function startReload(
  context: ControllerContext,
  config: ReloadConfig,
  outer: AbortSignal,
): Promise<Running<ReloadConfig>> {
  const { leading } = context
  if (leading === undefined) throw new Error('reload acts only where it leads')
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  const records = recordsOf(context, leading)
  // Before the first look: what changes after it is ours.
  if (config.webhookUrl === '') await records.start.begin(signal)
  const reloading = new Reloading(context, { leading, config, records }, signal)
  await reloading.prepare(signal)
  const running = reloading.run(signal).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  return {
    health: () => reloading.health(),
    reconfigure: async () => 'restart-part',
    async [Symbol.asyncDispose]() {
      stop.abort(new DOMException('reload is stopped', 'AbortError'))
      await running
      await reloading.end()
    },
  }
}

interface Asked {
  readonly leading: Leading
  readonly config: ReloadConfig
  readonly records: Records
}

class Reloading {
  readonly #context: ControllerContext
  readonly #config: ReloadConfig
  readonly #telling: Telling
  readonly #seen: SeenEvents
  readonly #namespaces: WatchedNamespaces
  readonly #sources: SourceWatch
  readonly #classes: ProviderClasses | undefined
  readonly #workloads: WorkloadWatch
  readonly #index: SourceIndex
  readonly #book: SourceBook
  readonly #baseline: BaselineStore
  readonly #start: FirstStart
  readonly #fresh: FreshWorkloads
  readonly #follower: RolloutFollower
  readonly #pauses: PauseKeeper
  readonly #loop: WorkloadLoop
  /** Where an update webhook is told instead of reloading. */
  readonly #notifier: UpdateNotifier | undefined
  readonly #ends: (() => void)[] = []
  /** What the first lists held of sources, until workloads are known, too. */
  readonly #initial: SourceChange[] = []
  /** What a first list holds that was refused until now is looked at as it comes. */
  #isPrepared = false
  readonly #jobToldMs = new Map<string, number>()

  constructor(context: ControllerContext, { leading, config, records }: Asked, signal: AbortSignal) {
    const { api, clock, log, informers, events, identity, metrics } = context
    const settings = reloadSettings(config)
    const { namespace } = identity
    this.#context = context
    this.#config = config
    this.#telling = new Telling({ settings: config, events, metrics, namespace, clock, log })
    this.#seen = new SeenEvents(config, this.#telling)
    this.#namespaces = new WatchedNamespaces(config, informers)
    this.#sources = new SourceWatch(config, this.#namespaces, informers)
    const onContent = (news: ContentNews) => this.#contentCame(news)
    this.#classes = config.csiIntegration
      ? new ProviderClasses({ config, settings, namespaces: this.#namespaces, informers, clock, log, onContent })
      : undefined
    this.#workloads = new WorkloadWatch({ config, settings, clock }, informers)
    this.#index = new SourceIndex((type, place) =>
      type === 'secretproviderclass' ? (this.#classes?.names(place) ?? []) : this.#sources.names(type, place),
    )
    this.#notifier = config.webhookUrl === '' ? undefined : new UpdateNotifier({ telling: this.#telling, clock, log })
    this.#book = new SourceBook({
      watch: this.#sources,
      reader: new SourceReader({ api, clock, annotations: sourceAnnotationKeys(config) }),
      keys: settings.keys,
      clock,
      log,
      telling: this.#telling,
      unreadable: (reference, why) => this.#sourceUnreadable(reference, why),
      isWanted: reference => this.#notifier !== undefined || this.#index.has(reference),
      asksBack: () => this.#notifier === undefined,
      untold: (reference, why) => this.#changeUntold(reference, why),
      onContent,
    })
    this.#baseline = records.baseline
    this.#start = records.start
    this.#fresh = new FreshWorkloads({
      api,
      clock,
      settings,
      workloads: this.#workloads,
      index: this.#index,
      baselineOf: key => this.#baseline.get(key),
      lookAt: (reference, kind) => this.#lookAt(reference, kind),
      untold: (reference, why) => this.#changeUntold(reference, why),
      signal,
    })
    this.#follower = new RolloutFollower({ arbiter: leading.arbiter, workloads: this.#workloads, clock, log, signal })
    const deeds = {
      leading,
      clock,
      jobs: new JobKeeper(api, namespace),
      pauseTimeKey: settings.keys.pauseTime,
      customOf: (workload: Target) => customTemplateOf(settings, workload),
      jobRefused: (job: { readonly namespace?: string; readonly name: string; readonly uid?: string }, message: string) =>
        this.#jobRefused(job, message),
    }
    this.#loop = new WorkloadLoop({
      leading,
      clock,
      log,
      telling: this.#telling,
      settings,
      bucket: { perSecond: config.reloadsPerSecond, burst: config.reloadBurst },
      workloads: this.#workloads,
      index: this.#index,
      stateOf: (reference, kind) => this.#stateFor(reference, kind),
      overtaken: (workload, known) => this.#fresh.overtaken(workload, known),
      changedKeys: (reference, sinceMs) => this.#book.changedKeys(reference, sinceMs),
      baseline: this.#baseline,
      follower: this.#follower,
      deeds,
    })
    const observe = (written: KubeObject) => this.#workloads.observe(written)
    const resumption = { leading, clock, log, follower: this.#follower, deeds, observe }
    this.#pauses = new PauseKeeper({
      clock,
      settings,
      factsOf: key => this.#workloads.get(key),
      resume: (facts, pausedAt) => resumePaused(resumption, { facts, pausedAt }, signal),
    })
  }

  /** Waits for the watches and for most of the baseline, then takes in what is there. */
  async prepare(signal: AbortSignal): Promise<void> {
    const { informers } = this.#context
    for (const informer of this.#informers()) await informers.settled(informer, signal)
    // While another process led, nobody asked for what may be listed and not watched.
    for (const informer of this.#workloads.informers) await untilResolved(informer.freshen(undefined), signal)
    await this.#baseline.load(signal, () => this.#baselineCame())
    this.#ends.push(
      this.#sources.onChange(
        change => this.#sourceChanged(change),
        ({ reference, type }) => (this.#isOurs(reference) ? undefined : this.#seen.passedOver(type, plurals[reference.type])),
      ),
      this.#classes?.start(
        reference => this.#lookAt(reference),
        (type, isWatched) => this.#seen.mounted(type, isWatched),
      ) ?? (() => undefined),
      this.#workloads.onChange(change => this.#workloadChanged(change)),
      this.#namespaces.onChange(
        namespace => this.#namespaceChanged(namespace),
        type => this.#seen.namespace(type),
      ),
    )
    this.#isPrepared = true
    for (const change of this.#initial.splice(0)) this.#lookBack(change)
    this.#loop.recall()
    this.#forgetGone()
  }

  /** A part of it that could not be read until now: its workloads are decided on. */
  #baselineCame(): void {
    this.#loop.recall()
    this.#forgetGone()
    for (const key of this.#workloads.keys()) this.#loop.add(key)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#context
    const looks = async () => {
      for (let look = 1; ; look++) {
        this.#tellDenied()
        if (look % tidyEvery === 0) {
          this.#book.forgetUnwanted()
          this.#loop.tidy()
        }
        await clock.after(lookIntervalMs, signal)
      }
    }
    await Promise.all([
      this.#book.run(signal),
      this.#baseline.run(signal),
      this.#notifier === undefined ? this.#loop.run(signal) : this.#notifier.run(signal),
      looks(),
      this.#completeStart(signal),
    ])
  }

  health() {
    const { deferred, failing } = this.#loop.counts
    const { problem } = this.#baseline
    return [
      {
        name: 'reload-loop',
        ok: true,
        message: `${deferred} wait for the arbiter, ${failing} were refused, ${this.#pauses.size} are paused`,
      },
      { name: 'reload-baseline', ok: true, message: problem ?? 'written' },
    ]
  }

  /** What is left to do when everything has stopped. */
  async end(): Promise<void> {
    const { clock, log } = this.#context
    for (const end of this.#ends) end()
    this.#pauses[Symbol.dispose]()
    this.#book[Symbol.dispose]()
    await this.#follower.end()
    const limit = new AbortController()
    const cancel = clock.schedule(lastFlushMs, () => limit.abort(new DOMException('it took too long', 'TimeoutError')))
    try {
      await this.#baseline.flush(limit.signal)
    } catch (error) {
      // The next leader finds in the templates what was done.
      log.debug({ why: messageOf(error) }, 'the last changes of the baseline are not written')
    } finally {
      cancel()
    }
    await this.#telling[Symbol.asyncDispose]()
  }

  #informers(): readonly Informer<KubeObject>[] {
    const { informer } = this.#namespaces
    return [
      ...(informer === undefined ? [] : [informer]),
      ...this.#sources.informers,
      ...(this.#classes?.informers ?? []),
      ...this.#workloads.informers,
    ]
  }

  #stateOf(reference: SourceReference): SourceState {
    if (reference.type !== 'secretproviderclass') return this.#book.state(reference)
    if (this.#classes !== undefined) return this.#classes.state(reference)
    const annotations = sourceAnnotations(undefined, this.#config.annotations)
    // Nobody watches them: what was remembered stays.
    return { reference, annotations, content: 'unread', resourceVersion: '', uid: '', changedAtMs: this.#context.clock.now() }
  }

  /** Not decided on before workloads were listed after its change, where nothing else tells of them. */
  #stateFor(reference: SourceReference, kind: string): SourceState {
    const state = this.#stateOf(reference)
    return this.#fresh.isPending(reference, kind) ? { ...state, content: 'unread' } : state
  }

  #sourceChanged(change: SourceChange): void {
    const { reference, type, initial, isMarkedAnew, version, previousVersion } = change
    const isOurs = this.#isOurs(reference)
    if (this.#notifier !== undefined && isOurs) return
    const received = plurals[reference.type]
    if (type === 'add') this.#index.add(reference)
    if (initial) {
      if (!isOurs) this.#seen.passedOver(type, received)
      if (this.#notifier !== undefined) this.#book.read(reference)
      else if (!this.#isPrepared) this.#initial.push(change)
      else {
        this.#lookBack(change)
        this.#lookAt(reference)
      }
      return
    }
    if (!isOurs) this.#telling.eventReceived(type, received)
    if (this.#notifier !== undefined) this.#notify(reference, type)
    else if (!this.#index.has(reference) && (isOurs || !this.#mayBeTakenByUnknown(type))) {
      if (!isOurs) this.#telling.eventProcessed(received, 'success')
      return
    }
    this.#book.heard(reference, previousVersion === undefined ? undefined : { before: previousVersion, after: version })
    // What was only updated is looked at when its content is known.
    if (type !== 'update') this.#changed(reference, type === 'add' ? 'create' : 'delete', version)
    else if (isMarkedAnew) this.#lookAt(reference)
    if (type === 'delete') this.#telling.eventProcessed(received, 'success')
  }

  /**
   * It changed since somebody last was there, who may not have come to remember it for each workload that takes it, or to list that: its
   * content is compared with what it was then, and both must have been there then.
   */
  #lookBack({ reference, version }: SourceChange): void {
    const then = this.#start.before(version)
    if (then === undefined || !this.#index.has(reference)) return
    if (!this.#workloads.isPolled && this.#isRememberedByAll(reference)) return
    this.#book.heard(reference, { before: then, after: then })
  }

  #isRememberedByAll(reference: SourceReference): boolean {
    const key = sourceKey(reference)
    return [...this.#index.workloadsOf(reference)].every(workload => this.#baseline.get(workload)?.marks.has(key) === true)
  }

  /** Once every workload was looked at and that is remembered, the first start is over. */
  async #completeStart(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    while (this.#start.isUnderWay) {
      await clock.after(startLookMs, signal)
      if (!this.#loop.isLookedThrough) continue
      try {
        await this.#start.end(signal)
      } catch (error) {
        signal.throwIfAborted()
        log.info({ why: messageOf(error) }, 'that the first start is over is not written yet: tried again')
      }
    }
  }

  /** By workloads that are not listed yet. */
  #mayBeTakenByUnknown(type: SourceChange['type']): boolean {
    const { reloadOnCreate, reloadOnDelete } = this.#config
    return this.#workloads.isPolled && (type === 'update' || (type === 'add' ? reloadOnCreate : reloadOnDelete))
  }

  /** `isFirst`: nobody had read it before, so that nothing is remembered of it. */
  #changed(
    reference: SourceReference,
    event: 'create' | 'update' | 'delete',
    version: string | undefined,
    isFirst = false,
  ): void {
    const { reloadOnCreate, reloadOnDelete } = this.#config
    const counts = event === 'update' || (event === 'create' ? reloadOnCreate : reloadOnDelete)
    // Who takes it and was not planned since the start would take what it holds now as known.
    const isUnseen = isFirst || !this.#isRememberedByAll(reference)
    if (!counts || !(this.#workloads.isPolled || isUnseen)) this.#lookAt(reference)
    else this.#fresh.changed({ reference, annotations: this.#stateOf(reference).annotations, event, version, isFirst: isUnseen })
  }

  /** What Ballast writes down itself changes all the time, and nobody waits to be told of it. */
  #isOurs({ namespace, name }: SourceReference): boolean {
    return namespace === this.#context.identity.namespace && name.startsWith('ballast-')
  }

  #notify(reference: SourceReference, type: SourceChange['type']): void {
    const { reloadOnCreate, reloadOnDelete } = this.#config
    if ((type === 'add' && reloadOnCreate) || (type === 'delete' && reloadOnDelete)) this.#notifier?.changed(reference)
  }

  #contentCame({ reference, isChanged, isFirst, version }: ContentNews): void {
    this.#telling.eventProcessed(plurals[reference.type], 'success')
    if (isChanged === false) {
      this.#telling.skipped('no_data_change')
      this.#telling.reconciled('skipped', 0)
      return
    }
    if (this.#notifier !== undefined) {
      if (isChanged === true) this.#notifier.changed(reference)
      return
    }
    if (reference.type === 'secretproviderclass') this.#index.add(reference)
    if (isChanged === true) this.#changed(reference, 'update', version, isFirst)
    else this.#lookAt(reference)
  }

  /** Every workload that may take it, or those of one kind, is planned anew. */
  #lookAt(reference: SourceReference, only?: string): void {
    const scanned = new Map<string, number>()
    for (const key of this.#index.workloadsOf(reference)) {
      const kind = this.#workloads.get(key)?.kind
      if (only !== undefined && kind !== only) continue
      if (kind !== undefined) scanned.set(kind, (scanned.get(kind) ?? 0) + 1)
      this.#loop.add(key)
    }
    for (const [kind, count] of scanned) this.#telling.scanned(kind, count)
  }

  #workloadChanged({ key, facts, isStatusOnly, initial }: WorkloadChange): void {
    this.#follower.look(key)
    this.#pauses.look(key)
    if (isStatusOnly) return
    if (facts === undefined) this.#index.delete(key)
    else this.#index.set(key, facts.namespace, matcherOf(facts))
    if (initial) this.#loop.addFirst(key)
    else this.#loop.add(key)
  }

  /** It came in or fell out: what is in it has come, or is not watched any more. */
  #namespaceChanged(namespace: string): void {
    for (const type of watchedTypes(this.#config))
      for (const name of this.#sources.names(type, namespace)) {
        const reference = { type, namespace, name }
        this.#index.add(reference)
        if (!this.#index.has(reference)) continue
        this.#book.heard(reference)
        this.#lookAt(reference)
      }
  }

  /** Baselines of workloads that are gone since. */
  #forgetGone(): void {
    const synced = this.#workloads.syncedKinds
    for (const key of [...this.#baseline.workloads()]) {
      const [kind = ''] = key.split('/')
      if (synced.has(kind) && this.#workloads.get(key) === undefined) this.#baseline.delete(key)
    }
  }

  #tellDenied(): void {
    for (const { state, problem, resource } of this.#informers())
      if (state === 'denied') this.#telling.forbidden(resourceKey(resource), problem ?? 'it is denied')
  }

  #sourceUnreadable(reference: SourceReference, why: string): void {
    const { log, events } = this.#context
    log.warn({ source: describeSource(reference), why }, 'a source cannot be hashed: it reloads nothing')
    events.emit({
      type: 'Warning',
      reason: 'ReloadSourceUnreadable',
      action: 'Reload',
      regarding: {
        apiVersion: 'v1',
        kind: reference.type === 'secret' ? 'Secret' : 'ConfigMap',
        namespace: reference.namespace,
        name: reference.name,
      },
      note: `${why}. It reloads nothing until it changes`,
    })
  }

  /** Nobody can say any more whether it changed under those who take it. */
  #changeUntold({ type, namespace, name }: SourceReference, why: string): void {
    const { log, events } = this.#context
    log.warn({ source: `${type} ${namespace}/${name}`, why }, 'a source changed, and what it held before cannot be told')
    events.emit({
      type: 'Warning',
      reason: 'ReloadChangeUnknown',
      action: 'Reload',
      regarding: { apiVersion: 'v1', kind: type === 'secret' ? 'Secret' : 'ConfigMap', namespace, name },
      note: 'It changed while nobody remembered it, and the API server has forgotten what it held: what takes it was not rolled out for that',
    })
  }

  /** Told every ten minutes while it lasts. */
  #jobRefused(job: { readonly namespace?: string; readonly name: string; readonly uid?: string }, message: string): void {
    const { clock } = this.#context
    const { namespace = '', name, uid = '' } = job
    const told = this.#jobToldMs.get(uid)
    if (told !== undefined && clock.elapsed() - told < jobEventIntervalMs) return
    this.#jobToldMs.set(uid, clock.elapsed())
    const workload = { apiVersion: 'batch/v1', kind: 'Job', namespace, name, uid }
    const words = `the Job is deleted and its successor is not there, tried again: ${message}`
    this.#telling.acted({ workload, sources: [], result: 'error', seconds: 0, message: words })
  }
}
