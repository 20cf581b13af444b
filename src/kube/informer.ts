// Shared informers: one watch per resource and selection in a process, however many read it. A handler only enqueues.
import type { Api } from './api.ts'
import type { Clock } from './clock.ts'
import { type Log, messageOf, silentLog } from './log.ts'
import type { KubeObject } from './objects.ts'
import { SharedParts, sharingProjection } from './projection.ts'
import type { Random } from './random.ts'
import { Reflector, type ReflectorCounts, type ReflectorState } from './reflector.ts'
import { type GroupVersionResource, resourceKey } from './resource.ts'
import { type Change, type ObjectReader, Store } from './store.ts'
import { StreamingLists } from './streaming-lists.ts'
import { Turns } from './turns.ts'

interface InformerScope {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly metadataOnly?: boolean
  /** Its absence or denial (404, 403) does not hold up `allSynced`. */
  readonly optional?: boolean
}

export interface Informer<T extends KubeObject> {
  readonly resource: GroupVersionResource
  readonly store: ObjectReader<T>
  /** Resolves after the first list; never rejects. */
  readonly synced: Promise<void>
  readonly isSynced: boolean
  readonly state: ReflectorState
  /** Why it is not as it should be; `undefined` when it is. */
  readonly problem: string | undefined
  /** When the server was last heard, in milliseconds of the clock's `elapsed()`. */
  readonly lastEventElapsed: number
  readonly counts: ReflectorCounts
  /** Calls `handler` for each present object (`initial`) and then for each change, synchronously and in order. Returns what ends that. */
  onChange(handler: (change: Change<T>) => void): () => void
  /** Makes the answer of a write visible at once. */
  observe(object: T): void
  /** Tries again now where it waits. */
  retryNow(): void
}

interface InformersOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log?: Log
  /** `auto` tries streaming lists and falls back; `off` lists page by page. */
  readonly watchList?: 'auto' | 'off'
  readonly pageSize?: number
  /** Ends all watches. */
  readonly signal: AbortSignal
}

const defaultPageSize = 500
const firstListsAtOnce = 4
const syncPollMs = 200

/** What an informer is for its owner: the face for readers, and whether it may be absent. */
interface Entry {
  readonly informer: Informer<KubeObject>
  isOptional: boolean
}

export class Informers implements AsyncDisposable {
  readonly #api: Api
  readonly #options: InformersOptions
  readonly #log: Log
  readonly #streamingLists: StreamingLists
  readonly #turns = new Turns(firstListsAtOnce)
  readonly #informers = new Map<string, Entry>()
  readonly #running = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal

  constructor(api: Api, options: InformersOptions) {
    this.#api = api
    this.#options = options
    this.#log = options.log ?? silentLog
    this.#streamingLists = new StreamingLists(options.watchList ?? 'auto')
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal])
  }

  /** The informer of a resource: started by the first call, shared by all later ones of the same scope. */
  of<T extends KubeObject>(resource: GroupVersionResource, scope: InformerScope = {}): Informer<T> {
    const { namespace, labelSelector, fieldSelector, metadataOnly } = scope
    const key = JSON.stringify([
      resourceKey(resource),
      resource.version,
      namespace,
      labelSelector,
      fieldSelector,
      metadataOnly === true,
    ])
    const isOptional = scope.optional === true
    const known = this.#informers.get(key)
    if (known !== undefined) {
      known.isOptional &&= isOptional
      // One key is one resource, and one resource has one type.
      return known.informer as Informer<T>
    }
    const informer = this.#start<T>(resource, scope)
    this.#informers.set(key, { informer, isOptional })
    return informer
  }

  /** All informers asked for so far. */
  all(): readonly Informer<KubeObject>[] {
    return [...this.#informers.values()].map(entry => entry.informer)
  }

  /** Resolves when every informer asked for so far has its first list; optional ones may also be absent or denied. @throws `signal.reason` */
  async allSynced(signal: AbortSignal): Promise<void> {
    for (const entry of [...this.#informers.values()]) {
      while (!isSettled(entry)) await this.#syncedOrPolled(entry.informer, signal)
    }
  }

  /** Offers the answer of a write to every informer of its resource: the next decision sees it. */
  observe(resource: GroupVersionResource, object: KubeObject): void {
    for (const { informer } of this.#informers.values()) {
      if (resourceKey(informer.resource) === resourceKey(resource)) informer.observe(object)
    }
  }

  /** Ends all watches and waits for their end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('informers are stopped', 'AbortError'))
    await Promise.all(this.#running)
  }

  async #syncedOrPolled(informer: Informer<KubeObject>, signal: AbortSignal): Promise<void> {
    const isOver = new AbortController()
    const poll = this.#options.clock.after(syncPollMs, AbortSignal.any([signal, isOver.signal]))
    try {
      await Promise.race([informer.synced, poll])
    } finally {
      // It ends by the abort below, which nobody waits for.
      poll.catch(() => undefined)
      isOver.abort()
    }
    signal.throwIfAborted()
  }

  #start<T extends KubeObject>(resource: GroupVersionResource, scope: InformerScope): Informer<T> {
    const { clock, random, pageSize } = this.#options
    const handlers = new Handlers<T>(this.#log, resource)
    const synced = Promise.withResolvers<void>()
    const store = new Store<T>({
      clock,
      projection: sharingProjection(new SharedParts()),
      onChange: change => handlers.tell(change),
    })
    const state = { isSynced: false }
    const reflector = new Reflector<T>({
      api: this.#api.resource<T>(resource),
      store,
      scope: {
        namespace: scope.namespace,
        labelSelector: scope.labelSelector,
        fieldSelector: scope.fieldSelector,
        metadataOnly: scope.metadataOnly === true,
      },
      clock,
      random,
      log: this.#log,
      pageSize: pageSize ?? defaultPageSize,
      streamingLists: this.#streamingLists,
      firstListTurn: signal => this.#turns.take(signal),
      onSynced: () => {
        state.isSynced = true
        synced.resolve()
      },
    })
    this.#run(reflector.run(this.#signal))
    const isHeld = (object: T) =>
      // Of objects of which only the metadata is held, an answer is another form.
      scope.metadataOnly !== true &&
      (scope.namespace === undefined || object.metadata.namespace === scope.namespace) &&
      // Whether a selector takes it only the server says: an object that is held is, others come by the watch.
      ((scope.labelSelector === undefined && scope.fieldSelector === undefined) ||
        store.get(object.metadata.namespace, object.metadata.name) !== undefined)
    return {
      resource,
      store,
      synced: synced.promise,
      get isSynced() {
        return state.isSynced
      },
      get state() {
        return reflector.state
      },
      get problem() {
        return reflector.problem
      },
      get lastEventElapsed() {
        return reflector.lastHeardMs
      },
      get counts() {
        return reflector.counts
      },
      onChange: handler => handlers.add(handler, store),
      observe: object => {
        if (isHeld(object)) store.observe(object)
      },
      retryNow: () => reflector.wake(),
    }
  }

  #run(running: Promise<void>): void {
    const tracked = running
      .catch(error => this.#log.error({ why: messageOf(error) }, 'reflector ended'))
      .finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
  }
}

function isSettled(entry: Entry): boolean {
  const { informer, isOptional } = entry
  return informer.isSynced || (isOptional && (informer.state === 'absent' || informer.state === 'denied'))
}

/** Tells changes to each handler; one that throws does not stop the others. */
class Handlers<T extends KubeObject> {
  readonly #handlers = new Set<(change: Change<T>) => void>()
  readonly #log: Log
  readonly #resource: GroupVersionResource

  constructor(log: Log, resource: GroupVersionResource) {
    this.#log = log
    this.#resource = resource
  }

  add(handler: (change: Change<T>) => void, store: ObjectReader<T>): () => void {
    for (const object of [...store.list()]) {
      this.#call(handler, { type: 'ADDED', object, previous: undefined, initial: true, finalStateUnknown: false })
    }
    this.#handlers.add(handler)
    return () => this.#handlers.delete(handler)
  }

  tell(change: Change<T>): void {
    for (const handler of this.#handlers) this.#call(handler, change)
  }

  #call(handler: (change: Change<T>) => void, change: Change<T>): void {
    try {
      handler(change)
    } catch (error) {
      this.#log.error(
        { err: error, resource: resourceKey(this.#resource), name: change.object.metadata.name },
        'informer handler threw',
      )
    }
  }
}
