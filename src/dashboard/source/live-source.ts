// The picture of a running cluster: the shared watches as one value that is kept up change by change.
import type { OwnerLabel } from '#cluster/ownership.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { Asker } from '#coordination/account/asker.ts'
import { disruptionPermits, rebalancePlans, rebalancePolicies } from '#coordination/api.ts'
import { ClusterView, clusterNeeds } from '#coordination/facts/cluster-view.ts'
import { ClusterObserver } from '#coordination/observed/cluster-observer.ts'
import { nothingObserved, type Observations } from '#coordination/observed/observation.ts'
import type { ArbiterPolicy } from '#coordination/policy/arbiter-policy.ts'
import type { Gateways } from '#coordination/ports/gateway-door.ts'
import type { UsageSource } from '#coordination/ports/usage.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Change } from '#kube/informers/store.ts'
import type { Lease } from '#kube/leases/lease-record.ts'
import { type Log, messageOf, silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, resourceKey } from '#kube/objects/resource.ts'
import type { Random } from '#kube/random.ts'
import type { MirrorsPicture, Picture, PictureSource, TwinPicture } from '../picture.ts'
import { BookWork } from './book-work.ts'
import { ClusterTime } from './cluster-time.ts'
import { newEpoch } from './epoch.ts'
import { GatewayPoll } from './gateway-poll.ts'
import { MirrorPoll, type ReadMetrics } from './mirror-poll.ts'
import { dispensableKinds, eventFields, leaseNamespaces, shownNeeds, shownNotes, twinClocks, twinFaults } from './needs.ts'
import { nothingRead } from './nothing-read.ts'
import { withoutOwn } from './own-losses.ts'
import { PlacementKeeper } from './placement-keeper.ts'
import { SourceStates } from './source-states.ts'
import { UsagePoll } from './usage-poll.ts'
import { UtilisationKeeper } from './utilisation-keeper.ts'
import { AddedObjects } from './wider-state.ts'

/** What a picture says of Ballast itself. */
export interface PictureSettings {
  readonly arbiter: ArbiterPolicy
  readonly ownerLabel: OwnerLabel
  readonly scheduler: SchedulerSettings
  readonly ownNamespace: string
  /** Names of the capabilities that are on. */
  readonly capabilities: readonly string[]
  /** All that this program has, on or off. */
  readonly askers: readonly Asker[]
}

/** The watches of a process: what `Informers` offers to those who share them. */
export interface SharedInformers {
  share(options: Parameters<Informers['share']>[0]): Pick<Informers, 'of' | 'all'> & AsyncDisposable
}

interface LiveSourceOptions {
  /** The watches of the process. No other is opened; where one of them may not be read the page says so. */
  readonly informers: SharedInformers
  /** For what cannot be watched: usage. With the rights of the process. */
  readonly api: Api
  /** The cluster's: a twin's own; of a live cluster the host's, which the server's marks correct. */
  readonly clock: Clock
  /** Real time: between two readings of usage. */
  readonly wallClock: Clock
  /** The host's, also in a twin: of the epoch. */
  readonly random: Random
  readonly mode: 'twin' | 'cluster'
  /** How the cluster is called. */
  readonly cluster: string
  /** All that is watched of what lies in namespaces; absent: all namespaces. */
  readonly onlyNamespaces?: readonly string[]
  /** Asked again with each picture that is made anew. */
  readonly settings: () => PictureSettings
  /** What this process measures by itself; where it does nothing, or absent, metrics.k8s.io is asked. */
  readonly measured?: () => UsageSource | undefined
  /** The gateways that this process hears of, or may ask; absent: nobody is asked. */
  readonly gateways?: () => Gateways | undefined
  /** In a twin: what was loaded, and what was pulled since. */
  readonly twin?: { readonly source: string; readonly seed: number; readonly pulls?: () => MirrorsPicture['pulls'] }
  /** In a cluster: how its image mirrors' figures are read, and on which port; absent: they are not. */
  readonly mirrors?: { readonly read: ReadMetrics; readonly port: () => number }
  readonly log?: Log
  readonly signal: AbortSignal
}

export interface LiveSource extends PictureSource, AsyncDisposable {
  /** Resolves when every kind was read once, or was refused: from then on pictures are whole. Never rejects; pending after an abort. */
  readonly ready: Promise<void>
}

/** Begins to follow the cluster; does not wait for anything. Ends with `signal` or when disposed. */
export function openLiveSource(options: LiveSourceOptions): LiveSource {
  return new FollowedCluster(options)
}

/** Changes in one turn of the event loop after which a picture is only made in the next: more of them are coming. */
const mostAtOnce = 2_000
/** A kind that fails is not waited for any longer. */
const longestFirstReadMs = 15_000
const readyPollMs = 50

class FollowedCluster implements LiveSource {
  readonly ready: Promise<void>
  readonly #options: LiveSourceOptions
  readonly #log: Log
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #informers: ReturnType<SharedInformers['share']>
  readonly #view: ClusterView
  readonly #all: readonly Informer<KubeObject>[]
  readonly #permits: Informer<KubeObject>
  readonly #clocks: Informer<KubeObject> | undefined
  readonly #faults: Informer<KubeObject> | undefined
  readonly #books: BookWork
  readonly #added = new AddedObjects()
  readonly #time: ClusterTime
  readonly #states: SourceStates
  readonly #usage: UsagePoll
  readonly #placements: PlacementKeeper
  readonly #mirrors: MirrorPoll | undefined
  readonly #gateways: GatewayPoll
  readonly #utilisation: UtilisationKeeper
  readonly #listeners = new Set<() => void>()
  readonly #epoch: string
  #observer: ClusterObserver | undefined
  #isReady = false
  #changes = 1
  /** Those of this turn of the event loop. */
  #atOnce = 0
  #sequence = 0
  #picture: Omit<Picture, 'nowMs'> | undefined
  #telling: NodeJS.Immediate | undefined

  constructor(options: LiveSourceOptions) {
    const { informers, clock, wallClock, api, random, mode, log = silentLog, settings } = options
    this.#options = options
    this.#log = log
    this.#epoch = newEpoch(random)
    this.#time = new ClusterTime(clock)
    this.#books = new BookWork(clock)
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal])
    this.#utilisation = new UtilisationKeeper({
      wallClock,
      mode,
      picture: () => this.#now(),
      askUsage: () => this.#usage.ask(),
      log,
      signal: this.#signal,
    })
    const { ownNamespace } = settings()
    this.#informers = informers.share({ needs: [...clusterNeeds, ...shownNeeds(ownNamespace)], signal: this.#signal })
    const of = (resource: Parameters<Informers['of']>[0], scope: Parameters<Informers['of']>[1] = {}) =>
      this.#informers.of<KubeObject>(resource, { optional: true, ...scope })
    this.#view = new ClusterView(this.#informers, clock)
    this.#permits = of(disruptionPermits)
    const books = [this.#permits, of(rebalancePlans), of(rebalancePolicies), of(builtIn.events, { fields: eventFields })]
    const leases = this.#informers.of<Lease>(builtIn.leases, { optional: true, namespaces: leaseNamespaces(ownNamespace) })
    // Whose right to them is another's, where there is one.
    const dispensable = dispensableKinds.map(kind => of(kind, { dispensable: true }))
    const notes = of(shownNotes.resource, { fieldSelector: shownNotes.fieldSelector, dispensable: true })
    const added = [of(builtIn.horizontalpodautoscalers), leases, ...dispensable, notes]
    this.#clocks = mode === 'twin' ? of(twinClocks) : undefined
    this.#faults = mode === 'twin' ? of(twinFaults) : undefined
    for (const informer of books) informer.onChange(change => this.#books.heed(change))
    for (const informer of added) informer.onChange(({ type, object }) => this.#add({ isGone: type === 'DELETED', object }))
    this.#all = this.#informers.all()
    for (const informer of this.#all) informer.onChange(change => this.#onChange(change))
    this.#usage = new UsagePoll({
      api,
      clock,
      wallClock,
      pods: () => this.#view.state().pods.size,
      ...(options.measured === undefined ? {} : { measured: options.measured }),
      onChange: change => this.#add(change),
      onRound: () => this.#changed(),
      signal: this.#signal,
    })
    this.#states = new SourceStates({
      clock,
      mode,
      informers: this.#all,
      permits: this.#permits,
      leases,
      ownNamespace,
      onlyNamespaces: options.onlyNamespaces,
      usage: () => this.#usage.answer,
    })
    this.#placements = new PlacementKeeper({
      wallClock,
      state: () => this.current().state,
      settings: () => settings().scheduler,
      nowMs: () => this.#time.now(),
      onRenewed: () => this.#changed(),
      log,
      signal: this.#signal,
    })
    this.#mirrors =
      options.mirrors === undefined
        ? undefined
        : new MirrorPoll({
            ...options.mirrors,
            state: () => this.current().state,
            wallClock,
            onRound: () => this.#changed(),
            signal: this.#signal,
          })
    this.#gateways = new GatewayPoll({
      gateways: () => options.gateways?.(),
      wallClock,
      onRound: () => this.#changed(),
      signal: this.#signal,
    })
    this.ready = this.#begin()
  }

  current(): Picture {
    if (this.#isReady && this.#options.signal.aborted === false) {
      void this.#usage.ask()
      void this.#gateways.ask()
    }
    // A gateway that fell silent since is told so now, whether anything else changed or not.
    return { ...this.#now(), gateways: this.#options.gateways?.()?.standing() }
  }

  /** The picture without asking what pods use. */
  #now(): Picture {
    const nowMs = this.#time.now()
    const sources = this.#states.now(nowMs, this.#twin())
    const isLate = this.#atOnce > mostAtOnce || this.#books.book.pending > mostAtOnce
    if (this.#picture === undefined || !this.#isReady || (this.#changes > 0 && !isLate)) this.#picture = this.#made()
    if (this.#picture.sources !== sources) this.#picture = { ...this.#picture, sources, sequence: ++this.#sequence }
    return { ...this.#picture, nowMs }
  }

  onChange(listener: () => void): () => void {
    // The same function may listen twice.
    const own = () => listener()
    this.#listeners.add(own)
    if (this.#listeners.size === 1 && this.#isReady) this.#follow(true)
    return () => {
      this.#listeners.delete(own)
      if (this.#listeners.size === 0) this.#follow(false)
    }
  }

  prepare(): Promise<void> {
    return this.#placements.prepare()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('the source is closed', 'AbortError'))
    this.#usage[Symbol.dispose]()
    this.#mirrors?.[Symbol.dispose]()
    this.#gateways[Symbol.dispose]()
    this.#utilisation[Symbol.dispose]()
    this.#observer?.[Symbol.dispose]()
    this.#view[Symbol.dispose]()
    this.#books[Symbol.dispose]()
    clearImmediate(this.#telling)
    this.#listeners.clear()
    await this.#informers[Symbol.asyncDispose]()
  }

  /** Waits for the first lists, then makes ready whom they are needed by. */
  async #begin(): Promise<void> {
    const { wallClock, clock, api } = this.#options
    const limitMs = wallClock.elapsed() + longestFirstReadMs
    try {
      while (this.#all.some(informer => !isRead(informer, wallClock.elapsed() > limitMs)))
        await wallClock.after(readyPollMs, this.#signal)
      await this.#view.snapshot(this.#signal)
      await this.#books.done()
      const informers = this.#informers
      const ledger = () => this.#books.book.ledger
      this.#observer = new ClusterObserver({ informers, view: this.#view, clock, ledger, log: this.#log })
      void this.#learn(this.#observer, api)
      await this.#usage.ask()
    } catch (error) {
      if (this.#signal.aborted) return await new Promise<never>(() => undefined)
      this.#log.error({ why: messageOf(error) }, 'the cluster could not be read for the page')
    }
    this.#isReady = true
    this.#utilisation.start()
    this.#changed()
    if (this.#listeners.size > 0) this.#follow(true)
  }

  /** What others did before only adds to the picture: nobody waits for it. */
  async #learn(observer: ClusterObserver, api: Api): Promise<void> {
    try {
      await observer.learnFrom(api, this.#signal)
      this.#changed()
    } catch (error) {
      if (!this.#signal.aborted) this.#log.error({ why: messageOf(error) }, 'what others did before is not known')
    }
  }

  #add({ isGone, object }: { readonly isGone: boolean; readonly object: KubeObject }): void {
    if (isGone) this.#added.remove(object)
    else this.#added.set(object)
    this.#changed()
  }

  #onChange(change: Change<KubeObject>): void {
    if (this.#options.mode === 'cluster') this.#time.heed(change)
    this.#changed()
  }

  #changed(): void {
    this.#changes++
    if (++this.#atOnce === 1)
      setImmediate(() => {
        this.#atOnce = 0
      })
    this.#utilisation.heed(this.#time.now())
    if (this.#listeners.size === 0) return
    this.#telling ??= setImmediate(() => {
      this.#telling = undefined
      for (const listener of [...this.#listeners]) listener()
    })
  }

  #made(): Omit<Picture, 'nowMs'> {
    const { mode, cluster, settings } = this.#options
    this.#changes = 0
    const read = this.#isReady
      ? { state: this.#added.state(this.#view.state()), book: this.#books.book.book(), loading: undefined }
      : { ...nothingRead, loading: { shown: cluster, loaded: this.#count(), total: undefined } }
    return {
      ...settings(),
      ...read,
      sequence: ++this.#sequence,
      epoch: this.#epoch,
      mode,
      cluster,
      observed: this.#observed(),
      sources: this.#states.last,
      denied: deniedOf(this.#all),
      placed: this.#placements.current(),
      mirrors: this.#mirrorsNow(),
      utilisation: this.#utilisation.history,
      measured: this.#usage.answer.measured,
      twin: this.#twin(),
    }
  }

  /** Asks what cannot be watched, while somebody looks. */
  #follow(isOn: boolean): void {
    this.#usage.follow(isOn)
    this.#mirrors?.follow(isOn)
    this.#gateways.follow(isOn)
  }

  #mirrorsNow(): MirrorsPicture | undefined {
    const pulls = this.#options.twin?.pulls?.()
    return pulls === undefined ? this.#mirrors?.current : { readings: new Map(), pulls }
  }

  /** What others did belongs to this picture only in name: it is written down as it comes, and only its newest is asked for. */
  #observed(): Observations {
    const observed = this.#observer?.observations()
    if (observed === undefined) return nothingObserved
    return withoutOwn(observed, () => this.#books.book.ledger)
  }

  #twin(): TwinPicture | undefined {
    const { mode, twin, cluster } = this.#options
    if (mode === 'cluster') return undefined
    const [clock] = this.#clocks?.store.list() ?? []
    const faults = [...(this.#faults?.store.list() ?? [])]
    return {
      source: twin?.source ?? cluster,
      seed: twin?.seed ?? 1,
      clock,
      faults: faults.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)),
    }
  }

  #count(): number {
    return this.#all.reduce((sum, { store }) => sum + store.size, 0)
  }
}

/** The kinds of which no watch may read anything. */
function deniedOf(informers: readonly Informer<KubeObject>[]): ReadonlySet<string> {
  const byKind = Map.groupBy(informers, ({ resource }) => resourceKey(resource))
  return new Set([...byKind].filter(([, all]) => all.every(({ state }) => state === 'denied')).map(([key]) => key))
}

/** It has its first list, or never will for now. */
function isRead({ isSynced, state }: Informer<KubeObject>, isLate: boolean): boolean {
  return isSynced || state === 'absent' || state === 'denied' || (isLate && state === 'failing')
}
