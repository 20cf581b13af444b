// The watches of a process: one for each resource and selection, as long as somebody uses it.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { ObjectPlace } from '../client/absence.ts'
import type { Api } from '../client/api.ts'
import type { Clock } from '../clock.ts'
import { Turns } from '../controllers/turns.ts'
import { type Log, silentLog } from '../log.ts'
import type { KubeObject } from '../objects/objects.ts'
import { type GroupVersionResource, resourceKey } from '../objects/resource.ts'
import type { Random } from '../random.ts'
import type { HandlerFault } from './informer-handlers.ts'
import { type InformerScope, watchKey } from './informer-scope.ts'
import { RoleNotes } from './role-notes.ts'
import { SharedWatch } from './shared-watch.ts'
import { StreamingLists } from './streaming-lists.ts'
import { type FieldNeed, type Want, wantOf, widest } from './watch-want.ts'

export interface WatchPoolOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log?: Log
  /** `auto` tries streaming lists and falls back; `off` lists page by page. */
  readonly watchList?: 'auto' | 'off'
  readonly pageSize?: number
  /** What may be listed and not watched is listed so often, in milliseconds; absent: ever more rarely, and counts as denied. */
  readonly pollMs?: number
  /** No kind is waited for that may not be read: it counts as absent until it may. For roles that are not ours. */
  readonly isAllOptional?: boolean
  /** Only these namespaces are watched, one by one, and nothing that lies in none; empty or absent: the cluster. */
  readonly namespaces?: readonly string[]
  /** By the key of a resource: what is watched of it wherever nothing else is said. */
  readonly selections?: ReadonlyMap<string, WatchSelection>
  /** Told what a handler threw, in the asynchronous context of whoever registered it. The others are called all the same. */
  readonly onHandlerFault?: HandlerFault
  /** Ends all watches. */
  readonly signal: AbortSignal
}

export interface WatchSelection {
  readonly labelSelector?: string
  /** The whole cluster, also where a process watches some namespaces: its objects lie in none. */
  readonly isClusterWide?: boolean
}

/** One kind that somebody is going to watch, and what of it. */
export interface WatchNeed extends GroupVersionResource, FieldNeed {
  readonly namespace?: string
  /** These, watched one by one. */
  readonly namespaces?: readonly string[]
  readonly labelSelector?: string
  readonly fieldSelector?: string
}

const defaultPageSize = 500
const firstListsAtOnce = 4

interface Entry {
  readonly watch: SharedWatch<KubeObject>
  readonly users: Set<object>
}

export class WatchPool {
  readonly #api: Api
  readonly #options: WatchPoolOptions
  readonly #entries = new Map<string, Entry>()
  /** Watches that are ending, by key: the next of the key waits for them. */
  readonly #ending = new Map<string, Promise<void>>()
  readonly #declared = new Map<string, Map<object, Want>>()
  readonly #streamingLists: StreamingLists
  readonly #turns = new Turns(firstListsAtOnce)
  readonly #roleNotes: RoleNotes | undefined
  /** A watch belongs to all: it runs in the asynchronous context of its maker, not of whoever asked first. */
  readonly #asMaker = AsyncLocalStorage.snapshot()

  constructor(api: Api, options: WatchPoolOptions) {
    this.#api = api
    this.#options = options
    const { clock, log = silentLog, signal } = options
    this.#roleNotes = options.isAllOptional === true ? new RoleNotes({ clock, log, signal }) : undefined
    this.#streamingLists = new StreamingLists(options.watchList ?? 'auto')
    api.witnessedBy(place => this.#holds(place), signal)
  }

  get clock(): Clock {
    return this.#options.clock
  }

  /** What `user` is going to read: whoever asks for an informer without naming fields gets what all have declared. */
  declare(user: object, need: WatchNeed): void {
    const key = watchKey(need, scopeOf(need))
    const wants = this.#declared.get(key) ?? new Map<object, Want>()
    this.#declared.set(key, wants)
    const own = wants.get(user)
    const want = own === undefined ? wantOf(need) : widest(own, wantOf(need))
    wants.set(user, want)
    this.#entries.get(key)?.watch.widen(want)
  }

  /** The watch of a resource: begun by the first to use it. */
  use(user: object, resource: GroupVersionResource, scope: InformerScope): SharedWatch<KubeObject> {
    const key = watchKey(resource, scope)
    const known = this.#entries.get(key)
    if (known !== undefined) {
      known.users.add(user)
      if (scope.fields !== undefined) known.watch.widen(wantOf(scope))
      else if (scope.metadataOnly === true) known.watch.widen('metadata')
      else if (!this.#declared.has(key)) known.watch.widen('whole')
      return known.watch
    }
    const { clock, random, log, pageSize, pollMs, onHandlerFault, signal } = this.#options
    const watch = new SharedWatch<KubeObject>(resource, scope, {
      api: this.#api,
      clock,
      random,
      log: log ?? silentLog,
      pageSize: pageSize ?? defaultPageSize,
      pollMs,
      streamingLists: this.#streamingLists,
      turns: this.#turns,
      roleNotes: this.#roleNotes,
      onHandlerFault,
      asMaker: this.#asMaker,
      want: this.#wantFor(key, scope),
      after: this.#ending.get(key) ?? Promise.resolve(),
      signal,
    })
    this.#entries.set(key, { watch, users: new Set([user]) })
    return watch
  }

  /** Every watch of a resource, whatever its selection. */
  *watchesOf(resource: GroupVersionResource): Iterable<SharedWatch<KubeObject>> {
    for (const { watch } of this.#entries.values()) if (resourceKey(watch.resource) === resourceKey(resource)) yield watch
  }

  /** `user` needs nothing any more; what nobody else uses ends. Resolves when it has. */
  async leave(user: object): Promise<void> {
    for (const [key, wants] of this.#declared) if (wants.delete(user) && wants.size === 0) this.#declared.delete(key)
    for (const [key, { watch, users }] of [...this.#entries]) {
      if (!users.delete(user) || users.size > 0) continue
      this.#entries.delete(key)
      const ended = watch.end(new DOMException('nobody reads it any more', 'AbortError')).finally(() => {
        if (this.#ending.get(key) === ended) this.#ending.delete(key)
      })
      this.#ending.set(key, ended)
    }
    await Promise.all(this.#ending.values())
  }

  /** Whether a watch has the object. One that was refused hears nothing any more, a list of now and then is older than any answer. */
  #holds({ resource, namespace, name }: ObjectPlace): boolean {
    for (const { store, reflector, isPolled } of this.watchesOf(resource)) {
      const isDeaf = isPolled || reflector.state === 'denied' || reflector.state === 'absent'
      if (!isDeaf && store.get(namespace, name) !== undefined) return true
    }
    return false
  }

  #wantFor(key: string, scope: InformerScope): Want {
    const wants = [
      ...(this.#declared.get(key)?.values() ?? []),
      ...(scope.fields === undefined ? [] : [wantOf(scope)]),
      ...(scope.metadataOnly === true ? ['metadata' as const] : []),
    ]
    const [first, ...others] = wants
    return first === undefined ? 'whole' : others.reduce(widest, first)
  }
}

function scopeOf({ namespace, labelSelector, fieldSelector }: WatchNeed): InformerScope {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  }
}
