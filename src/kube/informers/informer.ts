// Shared informers: one watch per resource and selection in a process, however many read it. A handler only enqueues.

import type { Api } from '../client/api.ts'
import type { KubeObject } from '../objects/objects.ts'
import { type GroupVersionResource, isClusterScoped, resourceKey } from '../objects/resource.ts'
import type { InformerScope } from './informer-scope.ts'
import { watchKey } from './informer-scope.ts'
import type { Informer } from './informer-view.ts'
import { JoinedInformer } from './joined-informer.ts'
import type { SharedWatch } from './shared-watch.ts'
import { type WatchNeed, WatchPool, type WatchPoolOptions } from './watch-pool.ts'

interface ShareOptions {
  /** What the holder is going to read. */
  readonly needs?: readonly WatchNeed[]
  /** Ends the holder's part in the watches. */
  readonly signal?: AbortSignal
}

const syncPollMs = 200
/** A kind that can be done without is waited for so long while the server does not answer about it. */
const doneWithoutMs = 60_000

/** What an informer is for its owner: the face for readers, and what it may be done without. */
interface Entry {
  readonly informer: Informer<KubeObject>
  readonly watch: SharedWatch<KubeObject>
  /** The kind may be absent, or denied. */
  isOptional: boolean
  /** It may also fail: whoever needs the others goes on. */
  mayFail: boolean
}

/**
 * One holder's part in the watches of a process. Watches are shared by all holders; a watch that none uses any more ends.
 * Guarantees: a kind is listed once, whoever comes and goes, unless somebody needs more of its fields.
 */
export class Informers implements AsyncDisposable {
  readonly #pool: WatchPool
  readonly #options: WatchPoolOptions
  readonly #entries = new Map<string, Entry>()
  readonly #joined = new Map<string, JoinedInformer<KubeObject>>()
  readonly #unsubscribe = new Set<() => void>()
  readonly #holders = new Set<Informers>()
  #sharedBy: Informers | undefined
  #ended: Promise<void> | undefined
  readonly #onAbort = () => void this.#end()

  /** The first holder of a process; `share` makes the others. */
  constructor(source: Api | WatchPool, options: WatchPoolOptions) {
    this.#pool = source instanceof WatchPool ? source : new WatchPool(source, options)
    this.#options = options
    if (options.signal.aborted) void this.#end()
    else options.signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Another holder's part in the same watches. It ends with this one, with its signal, or when it is disposed. @throws RangeError for a path of `needs` that is none */
  share(options: ShareOptions = {}): Informers {
    const signal = options.signal === undefined ? this.#options.signal : AbortSignal.any([this.#options.signal, options.signal])
    const holder = new Informers(this.#pool, { ...this.#options, signal })
    for (const { namespaces, ...need } of options.needs ?? []) {
      const places = this.#placesOf(need, { ...need, ...(namespaces === undefined ? {} : { namespaces }) })
      if (places === undefined) this.#pool.declare(holder, need)
      else for (const namespace of places) this.#pool.declare(holder, { ...need, namespace })
    }
    holder.#sharedBy = this
    this.#holders.add(holder)
    return holder
  }

  /**
   * The informer of a resource: started by the first to ask, shared by all later ones of the same selection. Without `fields` its objects
   * have what holders declared to need, and everything where nobody did. @throws AbortError for another one after the end
   */
  of<T extends KubeObject>(resource: GroupVersionResource, given: InformerScope = {}): Informer<T> {
    const labelSelector = this.#options.selections?.get(resourceKey(resource))?.labelSelector
    const scope = labelSelector === undefined ? given : { labelSelector, ...given }
    const places = this.#placesOf(resource, scope)
    if (places !== undefined) return this.#joinedOf(resource, scope, places)
    const key = watchKey(resource, scope)
    const mayFail = scope.dispensable === true
    const isOptional = scope.optional === true || this.#options.isAllOptional === true
    const known = this.#entries.get(key)
    if (this.#ended !== undefined) {
      if (known === undefined) throw new DOMException('the informers are ended', 'AbortError')
      return known.informer as Informer<T>
    }
    const watch = this.#pool.use(this, resource, scope)
    if (known !== undefined && known.watch === watch) {
      known.isOptional &&= isOptional
      known.mayFail &&= mayFail
      // One key is one resource, and one resource has one type.
      return known.informer as Informer<T>
    }
    const informer = this.#faceOf(watch)
    this.#entries.set(key, { informer, watch, isOptional, mayFail })
    return informer as Informer<T>
  }

  /** Namespaces to be watched one by one; `undefined` where one watch is all. */
  #placesOf(resource: GroupVersionResource, { namespace, namespaces }: Pick<InformerScope, 'namespace' | 'namespaces'>) {
    const { namespaces: ofProcess = [] } = this.#options
    if (namespace !== undefined) return undefined
    if (namespaces === undefined && ofProcess.length === 0) return undefined
    if (this.#options.selections?.get(resourceKey(resource))?.isClusterWide === true) return undefined
    if (isClusterScoped(resource)) return ofProcess.length === 0 ? undefined : []
    return [...new Set(namespaces ?? ofProcess)]
  }

  #joinedOf<T extends KubeObject>(resource: GroupVersionResource, scope: InformerScope, places: readonly string[]): Informer<T> {
    const { namespaces: _, ...rest } = scope
    const key = JSON.stringify([watchKey(resource, rest), places])
    const known = this.#joined.get(key)
    const parts = places.map(namespace => [namespace, this.of<KubeObject>(resource, { ...rest, namespace })] as const)
    const joined = known ?? new JoinedInformer(resource, new Map(parts))
    this.#joined.set(key, joined)
    // One key is one resource, and one resource has one type.
    return joined as Informer<KubeObject> as Informer<T>
  }

  /** All informers asked for so far, here and by those who share. */
  all(): readonly Informer<KubeObject>[] {
    const all = new Map([...this.#entries.values()].map(entry => [entry.watch, entry.informer]))
    for (const holder of this.#holders)
      for (const { watch, informer } of holder.#entries.values()) if (!all.has(watch)) all.set(watch, informer)
    return [...all.values()]
  }

  /** Whether an informer has what it can have: its first list or, where it may be absent, the answer that it is. */
  isSettled(informer: Informer<KubeObject>): boolean {
    if (informer instanceof JoinedInformer) return informer.parts.every(part => this.isSettled(part))
    const holders = [this, ...this.#holders]
    const nowMs = this.#pool.clock.elapsed()
    return holders.some(holder =>
      [...holder.#entries.values()].some(entry => entry.informer === informer && isSettled(entry, nowMs)),
    )
  }

  /** Resolves when every informer asked for so far has its first list; optional ones may also be absent or denied, dispensable ones fail for a minute. @throws `signal.reason` */
  async allSynced(signal: AbortSignal): Promise<void> {
    for (const { informer } of [...this.#entries.values()]) await this.settled(informer, signal)
  }

  /** Resolves when `informer` has what it can have, as `isSettled` says. @throws `signal.reason` */
  async settled(informer: Informer<KubeObject>, signal: AbortSignal): Promise<void> {
    while (!this.isSettled(informer)) await this.#syncedOrPolled(informer, signal)
  }

  /** Offers the answer of a write to every informer of its resource: the next decision sees it. */
  observe(resource: GroupVersionResource, object: KubeObject): void {
    for (const watch of this.#pool.watchesOf(resource)) watch.observe(object)
  }

  /** Handlers are told nothing any more, and watches that nobody else uses end; waits for their end. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#end()
  }

  #end(): Promise<void> {
    this.#ended ??= this.#leave()
    return this.#ended
  }

  async #leave(): Promise<void> {
    // A signal that outlives this holder would keep it, and all that it has read.
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    if (this.#sharedBy !== undefined) this.#sharedBy.#holders.delete(this)
    const ends = [...this.#holders].map(holder => holder.#end())
    await Promise.all([...ends, this.#pool.leave(this)])
  }

  async #syncedOrPolled(informer: Informer<KubeObject>, signal: AbortSignal): Promise<void> {
    const isOver = new AbortController()
    const poll = this.#pool.clock.after(syncPollMs, AbortSignal.any([signal, isOver.signal]))
    try {
      await Promise.race([informer.synced, poll])
    } finally {
      // It ends by the abort below, which nobody waits for.
      poll.catch(() => undefined)
      isOver.abort()
    }
    signal.throwIfAborted()
  }

  #faceOf(watch: SharedWatch<KubeObject>): Informer<KubeObject> {
    return {
      resource: watch.resource,
      store: watch.store,
      get synced() {
        return watch.synced
      },
      get isSynced() {
        return watch.isSynced
      },
      get state() {
        return watch.reflector.state
      },
      get problem() {
        return watch.reflector.problem
      },
      get lastEventElapsed() {
        return watch.reflector.lastHeardMs
      },
      get counts() {
        return watch.counts
      },
      get estimatedBytes() {
        return watch.estimatedBytes
      },
      onChange: handler => {
        if (this.#ended !== undefined) return () => undefined
        const unsubscribe = watch.handlers.add(handler, watch.store)
        this.#unsubscribe.add(unsubscribe)
        return () => {
          this.#unsubscribe.delete(unsubscribe)
          unsubscribe()
        }
      },
      observe: object => watch.observe(object),
      retryNow: () => watch.reflector.wake(),
      get isPolled() {
        return watch.isPolled
      },
      freshen: namespace => watch.freshen(namespace),
    }
  }
}

function isSettled({ informer, isOptional, mayFail }: Entry, nowMs: number): boolean {
  const { isSynced, state, lastEventElapsed } = informer
  if (isSynced || (isOptional && (state === 'absent' || state === 'denied'))) return true
  return mayFail && state === 'failing' && nowMs - lastEventElapsed >= doneWithoutMs
}
