// Keeps a store equal to a collection of the API server, for as long as it runs. It never gives up and never ends but by
// abort: whatever a server answers is a reason to wait, to watch again from where it was, or to list again.
//
// Flow: list (as a watch with initial events where the server knows that, else page by page), then watches one after
// another from the last version seen. Only an answer that the version is gone, three empty watches, or a line that cannot be
// read leads to another list.

import type { ResourceApi } from '../client/api.ts'
import { ConnectionError } from '../client/connection-error.ts'
import type { Clock } from '../clock.ts'
import { Backoff, reflectorBackoff } from '../controllers/backoff.ts'
import { breather } from '../controllers/breather.ts'
import { type Log, messageOf } from '../log.ts'
import { nameForMessages, wrongMember } from '../objects/object-shape.ts'
import type { KubeObject } from '../objects/objects.ts'
import { isNewer } from '../objects/resource-version.ts'
import {
  isExpired,
  isForbidden,
  isInternalError,
  isInvalid,
  isNotFound,
  isTooLargeResourceVersion,
  isTooManyRequests,
  StatusError,
} from '../objects/status.ts'
import type { Random } from '../random.ts'
import { DenialPace } from './denial-pace.ts'
import { InitialObjects } from './initial-objects.ts'
import { listNamespace } from './namespace-list.ts'
import type { Polling } from './polling.ts'
import type { ReflectorCounts, RelistReason } from './reflector-counts.ts'
import type { ReflectorScope } from './reflector-scope.ts'
import { RelistPace } from './relist-pace.ts'
import type { RoleNotes } from './role-notes.ts'
import type { Store } from './store.ts'
import type { StreamingLists } from './streaming-lists.ts'
import { readWatch, type WatchEnd, type WatchRequest } from './watch-session.ts'
import { WatchDecodeError } from './watch-stream.ts'

interface ReflectorOptions<T extends KubeObject> {
  readonly api: ResourceApi<T>
  readonly store: Store<T>
  readonly scope: ReflectorScope
  /** The version that the store has already; `''` where it is empty. What is listed is at least as new. */
  readonly from?: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly pageSize: number
  /** Who wants to know what is there, where it may not be watched; `undefined`: then it counts as denied. */
  readonly polling?: Polling | undefined
  /** Where refusals are expected: told there instead of warned of. */
  readonly roleNotes?: RoleNotes | undefined
  readonly streamingLists: StreamingLists
  /** Waits for a turn among the first lists of the process; dispose it when the list is in. */
  readonly firstListTurn: (signal: AbortSignal) => Promise<Disposable>
  /** The store holds the collection; called once, after the first list. */
  readonly onSynced: () => void
}

/** What a reflector is at: `denied` and `absent` (403 and 404) are tried again at most every 5 minutes. */
export type ReflectorState = 'starting' | 'synced' | 'denied' | 'absent' | 'failing'

const shortWatchMs = 1000
const shortWatchLimit = 3
const internalErrorMs = 60_000
const reportMs = 60_000
/** A watch that lasts so long was not refused. */
const heldWatchMs = 2_000

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>
  readonly #backoff: Backoff
  readonly #denials: DenialPace
  /** Why the next step is a list; `undefined` when it is a watch. */
  #relist: RelistReason | undefined = 'start'
  /** Where to go on: `0` at first, `''` when what was known is gone. */
  #position = '0'
  #kind: string | undefined
  #isPaged = false
  /** Version of the newest list of one namespace: what is listed afterwards is not older. */
  #partVersion = ''
  /** Among the first lists of the process, while one is under way. */
  #turn: Disposable | undefined
  #isSynced = false
  #shortWatches = 0
  #internalErrorsSinceMs: number | undefined
  readonly #pace: RelistPace
  #reportedSkipMs = Number.NEGATIVE_INFINITY
  #wake = new AbortController()

  readonly #relists = new Map<RelistReason, number>()
  #lists = 0
  readonly #restarts = new Map<string, number>()
  #events = 0
  #applyMs = 0
  #skipped = 0
  #state: ReflectorState = 'starting'
  #problem: string | undefined
  #lastHeardMs: number

  constructor(options: ReflectorOptions<T>) {
    this.#options = options
    if (options.from !== undefined && options.from !== '') this.#position = options.from
    this.#backoff = new Backoff(options.clock, options.random, reflectorBackoff)
    this.#pace = new RelistPace(options.clock, this.#backoff)
    this.#denials = new DenialPace(options.clock, options.random, { isExpected: options.roleNotes !== undefined })
    this.#lastHeardMs = options.clock.elapsed()
  }

  get state(): ReflectorState {
    return this.#state
  }

  /** Why it is not as it should be; `undefined` when it is. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** When the server last said anything, in milliseconds of the clock's `elapsed()`. */
  get lastHeardMs(): number {
    return this.#lastHeardMs
  }

  /** Counts since the start, for metrics. */
  get counts(): ReflectorCounts {
    return {
      events: this.#events,
      applyMs: this.#applyMs,
      skipped: this.#skipped,
      relists: Object.fromEntries(this.#relists),
      watchRestarts: Object.fromEntries(this.#restarts),
    }
  }

  /** Ends a wait now: what was in the way may be gone (a CRD has appeared). */
  wake(): void {
    this.#wake.abort()
    this.#wake = new AbortController()
  }

  /** Runs until `signal` is aborted, then returns. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#relist === undefined) await (this.#mayWatch ? this.#watch(signal) : this.#poll(signal))
        else await this.#list(this.#relist, signal)
      } catch (error) {
        if (signal.aborted) return
        this.#state = 'failing'
        this.#problem = messageOf(error)
        this.#relist = 'error'
        this.#options.log.error({ err: error, resource: this.#resource }, 'reflector met an unforeseen error')
        await this.#pause(this.#backoff.nextMs(), signal)
      }
    }
  }

  get #mayWatch(): boolean {
    return this.#options.polling?.mayWatch ?? true
  }

  get #resource(): string {
    return this.#options.api.resource.resource
  }

  async #list(reason: RelistReason, signal: AbortSignal): Promise<void> {
    const resource = this.#options.api.resource
    // While the first lists take turns; a watch that goes on after its initial events gives its turn back at their end.
    const turn = this.#isSynced ? new DisposableStack() : await this.#options.firstListTurn(signal)
    this.#turn = turn
    const { polling, clock } = this.#options
    const startMs = clock.elapsed()
    const wanted = polling?.take()
    const before = this.#lists
    try {
      if (this.#options.streamingLists.isTried(resource, this.#options.clock.elapsed())) {
        const isSettled = await this.#streamList(reason, turn, signal)
        if (isSettled) return
      }
      await this.#pagedList(reason, wanted === undefined ? this.#leastVersion : '', signal)
      polling?.listedAll(clock.elapsed() - startMs)
    } finally {
      turn[Symbol.dispose]()
      if (this.#lists > before) wanted?.told()
      else wanted?.again()
    }
  }

  /** True when it loaded the store, or failed in a way that another form of list would too; false: list page by page. */
  async #streamList(reason: RelistReason, turn: Disposable, signal: AbortSignal): Promise<boolean> {
    const resourceVersion = this.#position === '0' ? '' : this.#position
    const initial = new InitialObjects(this.#options.store)
    let isLoaded = false
    const sink = {
      upsert: (object: T) => (isLoaded ? this.#options.store.upsert(object) : initial.hold(object)),
      remove: (object: T) => (isLoaded ? this.#options.store.remove(object) : initial.letGo(object)),
      bookmark: async (version: string, isEnd: boolean) => {
        if (isLoaded || !isEnd) return
        isLoaded = true
        await this.#replace(initial.take(), version, reason)
        turn[Symbol.dispose]()
      },
    }
    try {
      const end = await this.#readWatch({ resourceVersion, sendInitialEvents: true }, signal, sink)
      if (!isLoaded) return await this.#afterFailedStream(end, resourceVersion, signal)
      this.#position = end.resourceVersion
      await this.#afterWatch(end, signal)
      return true
    } finally {
      initial.release()
    }
  }

  async #afterFailedStream(end: WatchEnd, resourceVersion: string, signal: AbortSignal): Promise<boolean> {
    const { streamingLists, api, clock, log } = this.#options
    if (end.kind === 'stalled') streamingLists.ignoredBy(api.resource)
    if (end.kind !== 'failed') return false
    const { error } = end
    if (isTooManyRequests(error) || isRefused(error)) {
      await this.#fail(error, signal)
      return true
    }
    if ((isExpired(error) || isTooLargeResourceVersion(error)) && resourceVersion !== '') {
      this.#position = ''
      return true
    }
    if (isInvalid(error)) streamingLists.refused(clock.elapsed())
    log.debug({ resource: this.#resource, why: messageOf(error) }, 'streaming list refused, listing page by page')
    return false
  }

  get #leastVersion(): string {
    const isPassed = this.#position !== '' && isNewer(this.#partVersion, this.#position)
    return isPassed ? this.#partVersion : this.#position
  }

  async #pagedList(reason: RelistReason, resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { api, scope, store, pageSize } = this.#options
    const isLimited = this.#isPaged || resourceVersion === '' || resourceVersion === '0'
    const objects: T[] = []
    let token: string | undefined
    let isComplete = false
    let limit = isLimited ? pageSize : undefined
    let pages = 0
    try {
      for (;;) {
        const from = token === undefined ? { resourceVersion: pages === 0 ? resourceVersion : '' } : { continue: token }
        let head: Awaited<ReturnType<typeof api.visit>>
        try {
          head = await api.visit({ ...scope, ...from, limit, signal }, object => {
            if (this.#isUsable(object)) objects.push(store.project(object))
          })
        } catch (error) {
          if (token === undefined || !isExpired(error)) throw error
          // The snapshot of the pages is gone: all at once, never pages of two snapshots.
          for (const object of objects.splice(0)) store.release(object)
          token = undefined
          limit = undefined
          continue
        }
        pages++
        this.#lastHeardMs = this.#options.clock.elapsed()
        this.#kind = scope.metadataOnly ? undefined : head.kind.replace(/List$/, '')
        token = head.metadata.continue === '' ? undefined : head.metadata.continue
        if (token !== undefined) continue
        if (pages > 1 && resourceVersion === '0') this.#isPaged = true
        isComplete = true
        await this.#replace(objects, head.metadata.resourceVersion ?? '', reason)
        return
      }
    } catch (error) {
      if (!isComplete) for (const object of objects.splice(0)) store.release(object)
      signal.throwIfAborted()
      if (isComplete) throw error
      await this.#afterFailedList(error, resourceVersion, signal)
    }
  }

  async #afterFailedList(error: unknown, resourceVersion: string, signal: AbortSignal): Promise<void> {
    const isGone = isExpired(error) || isTooLargeResourceVersion(error)
    if (isGone && resourceVersion !== '') {
      this.#position = ''
      this.#partVersion = ''
    } else await this.#fail(error, signal)
  }

  async #replace(objects: readonly T[], resourceVersion: string, reason: RelistReason): Promise<void> {
    const { store, log, clock } = this.#options
    count(this.#relists, reason)
    this.#lists++
    this.#pace.listed()
    if (isNewer(store.resourceVersion, resourceVersion)) {
      log.warn({ resource: this.#resource, from: store.resourceVersion, to: resourceVersion }, 'resourceVersion went backwards')
    }
    const breathe = breather(clock)
    for (const _ of store.replaceInSteps(objects, resourceVersion)) await breathe()
    this.#position = resourceVersion
    this.#relist = undefined
    this.#shortWatches = 0
    const isFirst = !this.#isSynced
    this.#isSynced = true
    this.#setWell()
    if (isFirst) this.#options.onSynced()
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { store, clock, polling } = this.#options
    const cancel = polling?.isOn === true ? clock.schedule(heldWatchMs, () => polling.end()) : () => undefined
    const end = await this.#readWatch({ resourceVersion: this.#position, sendInitialEvents: false }, signal, {
      upsert: object => store.upsert(object),
      remove: object => store.remove(object),
      bookmark: () => undefined,
    }).finally(cancel)
    this.#position = end.resourceVersion
    await this.#afterWatch(end, signal)
  }

  /** Reads one watch; the store's position follows its events. */
  #readWatch(
    request: Pick<WatchRequest, 'resourceVersion' | 'sendInitialEvents'>,
    signal: AbortSignal,
    sink: { upsert(object: T): void; remove(object: T): void; bookmark(version: string, isEnd: boolean): void | Promise<void> },
  ): Promise<WatchEnd> {
    const { api, clock, random, scope, store } = this.#options
    const heard = (object: T, apply: (object: T) => void) => {
      this.#events++
      this.#setWell()
      apply(object)
      this.#applyMs += clock.elapsed() - this.#lastHeardMs
    }
    const options = {
      api,
      clock,
      random,
      request: { ...scope, ...request, kind: this.#kind },
      sink: {
        upsert: (object: T) => heard(object, sink.upsert),
        remove: (object: T) => heard(object, sink.remove),
        bookmark: async (version: string, isEnd: boolean) => {
          this.#setWell()
          await sink.bookmark(version, isEnd)
        },
        // Before the end of the initial events the store is at what it was.
        advance: (version: string) => {
          if (this.#relist === undefined && isNewer(version, store.resourceVersion)) store.advance(version)
        },
        skip: (type: string, object: T) => this.#skip(type, object),
      },
    }
    return readWatch(options, signal)
  }

  /** One object that is none is set aside by name; the others of the list are as good as ever. */
  #isUsable(object: T): boolean {
    const isUsable = wrongMember(object) === undefined
    if (!isUsable) this.#skip('LISTED', object)
    return isUsable
  }

  #skip(type: string, object: T): void {
    this.#skipped++
    const nowMs = this.#options.clock.elapsed()
    if (nowMs - this.#reportedSkipMs < reportMs) return
    this.#reportedSkipMs = nowMs
    const facts = { resource: this.#resource, type, kind: object.kind, name: nameForMessages(object), why: wrongMember(object) }
    this.#options.log.warn({ ...facts, skipped: this.#skipped }, 'objects set aside that cannot be used')
  }

  /** What follows a watch: at once or later, from where it was or from a list. */
  async #afterWatch(end: WatchEnd, signal: AbortSignal): Promise<void> {
    count(this.#restarts, end.kind === 'silent' ? 'idle' : end.kind)
    const wasUseful = end.events > 0 || end.lastedMs >= shortWatchMs
    if (wasUseful) this.#shortWatches = 0
    // Not by a list that works: where only watching is denied each list would start the waits over.
    if (end.events > 0 || end.kind !== 'failed') this.#denials.reset()
    if (end.kind !== 'failed') {
      if (wasUseful) return
      this.#shortWatches++
      if (this.#shortWatches >= shortWatchLimit) {
        this.#shortWatches = 0
        this.#relist = 'empty_watch'
      } else await this.#pause(this.#backoff.nextMs(), signal)
      return
    }
    await this.#afterFailedWatch(end.error, wasUseful, signal)
  }

  async #afterFailedWatch(error: unknown, wasUseful: boolean, signal: AbortSignal): Promise<void> {
    const { polling } = this.#options
    if (polling !== undefined && this.#isSynced && isForbidden(error)) await this.#poll(signal)
    else if (isExpired(error)) await this.#listAnew('expired', signal)
    else if (isTooLargeResourceVersion(error)) await this.#listAnew('too_large', signal)
    else if (isInternalError(error)) await this.#afterInternalError(error, signal)
    else if (error instanceof WatchDecodeError) {
      this.#relist = 'decode'
      await this.#fail(error, signal)
    } else if (error instanceof StatusError) {
      // A version that a server does not take, or a kind that is gone, is not cured by asking again.
      if (error.code < 500 && error.code !== 401 && !isTooManyRequests(error)) this.#relist = 'error'
      await this.#fail(error, signal)
    } else if (!wasUseful || isRefused(error)) await this.#fail(error, signal)
  }

  async #listAnew(reason: RelistReason, signal: AbortSignal): Promise<void> {
    this.#relist = reason
    const delayMs = this.#pace.expired()
    if (delayMs > 0) await this.#pause(delayMs, signal)
  }

  /** Listing is allowed and watching is not: namespaces are listed when they are wanted, and everything after a while. */
  async #poll(signal: AbortSignal): Promise<void> {
    const { polling, roleNotes, clock } = this.#options
    if (polling === undefined) return
    if (this.#mayWatch && polling.begin()) roleNotes?.note('unwatched', this.#resource)
    for (;;) {
      const wanted = await polling.next((delayMs, until) => this.#pause(delayMs, until), signal)
      if (wanted?.namespaces === undefined) break
      const startMs = clock.elapsed()
      try {
        for (const namespace of wanted.namespaces) {
          const isUsable = (object: T) => this.#isUsable(object)
          const version = await listNamespace(this.#options, namespace, { isUsable, signal })
          if (this.#partVersion === '' || isNewer(version, this.#partVersion)) this.#partVersion = version
        }
        this.#setWell()
        wanted.told()
        polling.listedPart(clock.elapsed() - startMs)
      } catch (error) {
        wanted.again()
        signal.throwIfAborted()
        await this.#fail(error, signal)
      }
    }
    this.#relist = 'poll'
  }

  /** Tried again at once, but not more than once a second, for a minute; then with back-off. */
  async #afterInternalError(error: unknown, signal: AbortSignal): Promise<void> {
    const nowMs = this.#options.clock.elapsed()
    this.#internalErrorsSinceMs ??= nowMs
    if (nowMs - this.#internalErrorsSinceMs >= internalErrorMs) await this.#fail(error, signal)
    else await this.#pause(shortWatchMs, signal)
  }

  async #fail(error: unknown, signal: AbortSignal): Promise<void> {
    const { log, roleNotes } = this.#options
    const isDenied = isForbidden(error)
    const isAbsent = isNotFound(error)
    this.#state = isDenied ? 'denied' : isAbsent ? 'absent' : 'failing'
    const problem = messageOf(error)
    if (problem !== this.#problem) {
      const facts = { resource: this.#resource, state: this.#state, why: problem }
      // A kind that nobody serves is no trouble: most clusters lack some that are asked for.
      if (isAbsent) log.info(facts, 'kind is not served, looked for again now and then')
      else if (isDenied && roleNotes !== undefined) roleNotes.note('unread', this.#resource)
      else log.warn(facts, 'watch or list did not work')
    }
    this.#problem = problem
    // What may not be read is not there, and nobody waits for it.
    if (isDenied || isAbsent) this.#options.polling?.end()
    await this.#pause(isDenied || isAbsent ? this.#denials.nextMs() : this.#backoff.nextMs(), signal)
  }

  #setWell(): void {
    this.#lastHeardMs = this.#options.clock.elapsed()
    const state = this.#isSynced ? 'synced' : 'starting'
    if (this.#state === state && this.#problem === undefined) return
    this.#state = state
    this.#problem = undefined
    this.#internalErrorsSinceMs = undefined
  }

  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    // A waiting reflector does not list: kinds that are absent would keep the others from their first lists.
    this.#turn?.[Symbol.dispose]()
    const wake = this.#wake.signal
    try {
      await this.#options.clock.after(delayMs, AbortSignal.any([signal, wake]))
    } catch (error) {
      if (!wake.aborted || signal.aborted) throw error
    }
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof ConnectionError && error.code === 'ECONNREFUSED'
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
