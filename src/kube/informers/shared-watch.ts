// One watch of the process and what it brings: a store, those who are told of changes, and the reflector that keeps the store, which is
// begun anew when somebody needs more of the objects.
import type { Api } from '../client/api.ts'
import type { Clock } from '../clock.ts'
import type { Turns } from '../controllers/turns.ts'
import { type Log, messageOf } from '../log.ts'
import type { KubeObject } from '../objects/objects.ts'
import type { GroupVersionResource } from '../objects/resource.ts'
import type { Random } from '../random.ts'
import { type HandlerFault, Handlers } from './informer-handlers.ts'
import { type InformerScope, inScope } from './informer-scope.ts'
import { KnownSpecs } from './known-specs.ts'
import { Polling } from './polling.ts'
import { estimatedBytes, SharedParts } from './projection.ts'
import { Reflector } from './reflector.ts'
import type { ReflectorCounts } from './reflector-counts.ts'
import type { RoleNotes } from './role-notes.ts'
import { Store } from './store.ts'
import type { StreamingLists } from './streaming-lists.ts'
import { isEnough, projectionOf, type Want, widest } from './watch-want.ts'

interface SharedWatchOptions {
  readonly api: Api
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly pageSize: number
  readonly pollMs: number | undefined
  readonly streamingLists: StreamingLists
  readonly turns: Turns
  /** Where refusals are expected. */
  readonly roleNotes: RoleNotes | undefined
  readonly onHandlerFault: HandlerFault | undefined
  /** Runs work that belongs to nobody in particular. */
  readonly asMaker: (work: () => void) => void
  /** Ends it. */
  readonly signal: AbortSignal
}

export class SharedWatch<T extends KubeObject> {
  readonly resource: GroupVersionResource
  readonly store: Store<T>
  readonly handlers: Handlers<T>
  readonly #options: SharedWatchOptions
  readonly #scope: InformerScope
  readonly #isInScope: (object: KubeObject) => boolean
  readonly #parts = new SharedParts()
  readonly #over = new AbortController()
  readonly #polling: Polling | undefined
  #want: Want
  /** As they are kept for what is wanted now. */
  #knownSpecs = new KnownSpecs()
  #reflector: Reflector<T>
  /** Ends the reflector of the moment. */
  #stop: AbortController
  #running: Promise<void>
  #synced = Promise.withResolvers<void>()
  #isSynced = false
  readonly #before: ReflectorCounts[] = []

  /** Begins to watch when `after` has resolved. */
  constructor(
    resource: GroupVersionResource,
    scope: InformerScope,
    options: SharedWatchOptions & { readonly want: Want; readonly after: Promise<void> },
  ) {
    this.resource = resource
    this.#options = options
    this.#scope = scope
    const { clock, random, pollMs } = options
    this.#polling = pollMs === undefined ? undefined : new Polling({ clock, random, pollMs })
    this.#isInScope = inScope(scope)
    this.#want = options.want
    this.handlers = new Handlers<T>(options.log, resource, options.onHandlerFault)
    this.store = new Store<T>({
      clock: options.clock,
      projection: projectionOf(this.#want, this.#parts, this.#knownSpecs),
      onChange: change => this.handlers.tell(change),
    })
    this.#reflector = this.#openReflector()
    this.#stop = new AbortController()
    this.#running = this.#run(options.after)
  }

  get synced(): Promise<void> {
    return this.#synced.promise
  }

  /** The store has all objects, with all fields that were asked for so far. */
  get isSynced(): boolean {
    return this.#isSynced
  }

  get reflector(): Pick<Reflector<T>, 'state' | 'problem' | 'lastHeardMs' | 'wake'> {
    return this.#reflector
  }

  get counts(): ReflectorCounts {
    return [...this.#before, this.#reflector.counts].reduce(sumOf)
  }

  /** From now on objects are kept with these fields, too: where that is more, all are listed again, and readers keep what they have meanwhile. */
  widen(want: Want): void {
    if (isEnough(this.#want, want)) return
    this.#want = widest(this.#want, want)
    this.#knownSpecs = new KnownSpecs()
    this.store.widen(projectionOf(this.#want, this.#parts, this.#knownSpecs))
    this.#before.push(this.#reflector.counts)
    this.#stop.abort(new DOMException('more fields are needed', 'AbortError'))
    if (this.#isSynced) this.#synced = Promise.withResolvers()
    this.#isSynced = false
    this.#stop = new AbortController()
    this.#reflector = this.#openReflector()
    this.#running = this.#run(this.#running)
  }

  /** Bytes that the objects take, judged by some of them. */
  get estimatedBytes(): number {
    return estimatedBytes(this.store, this.#parts)
  }

  /** It may be listed and not watched. */
  get isPolled(): boolean {
    return this.#polling?.isOn ?? false
  }

  /** Resolves when what is in `namespace` (`undefined`: everywhere) after the call is in the store: at once where a watch tells of it. */
  async freshen(namespace: string | undefined): Promise<void> {
    const own = this.#scope.namespace
    if (own === undefined || namespace === undefined) await this.#polling?.want(namespace)
    else if (own === namespace) await this.#polling?.want(undefined)
  }

  observe(object: T): void {
    // What left a selection by our own write is told by the watch, as its last state inside. Where only the metadata is held, an answer is
    // another form.
    if (this.#want !== 'metadata' && this.#isInScope(object)) this.store.observe(object)
  }

  /** Ends the watch; resolves when its connection is closed. */
  end(reason: unknown): Promise<void> {
    this.#over.abort(reason)
    return this.#running
  }

  #openReflector(): Reflector<T> {
    const { api, clock, random, log, pageSize, streamingLists, turns, roleNotes } = this.#options
    const { namespace, labelSelector, fieldSelector, annotations } = this.#scope
    // Somebody needs more than metadata: what is read then has no place to be cut.
    const only = this.#want === 'metadata' ? annotations : undefined
    const reflector: Reflector<T> = new Reflector<T>({
      api: api.resource<T>(this.resource),
      store: this.store,
      scope: {
        namespace,
        labelSelector,
        fieldSelector,
        metadataOnly: this.#want === 'metadata',
        // Nobody knows what else is in custom resources, but where their metadata is all that comes.
        withoutManagedFields: only !== undefined || (typeof this.#want !== 'string' && isBuiltInGroup(this.resource.group)),
        annotations: only,
        knownSpecs: typeof this.#want === 'string' ? undefined : this.#knownSpecs,
      },
      from: this.store.resourceVersion,
      clock,
      random,
      log,
      pageSize,
      polling: this.#polling,
      roleNotes,
      streamingLists,
      firstListTurn: signal => turns.take(signal),
      onSynced: () => {
        if (reflector !== this.#reflector) return
        this.#isSynced = true
        this.#synced.resolve()
      },
    })
    return reflector
  }

  async #run(after: Promise<void>): Promise<void> {
    const reflector = this.#reflector
    const signal = AbortSignal.any([this.#options.signal, this.#over.signal, this.#stop.signal])
    const { log, asMaker } = this.#options
    // Two watches of one kind at a time would be one too many.
    await after
    if (signal.aborted) return
    const ended = Promise.withResolvers<void>()
    asMaker(() => {
      reflector
        .run(signal)
        .catch(error => signal.aborted || log.error({ why: messageOf(error) }, 'reflector ended'))
        .finally(() => ended.resolve())
    })
    await ended.promise
  }
}

function isBuiltInGroup(group: string): boolean {
  return !group.includes('.') || group.endsWith('.k8s.io')
}

function sumOf(one: ReflectorCounts, other: ReflectorCounts): ReflectorCounts {
  return {
    events: one.events + other.events,
    applyMs: one.applyMs + other.applyMs,
    skipped: one.skipped + other.skipped,
    relists: summed(one.relists, other.relists),
    watchRestarts: summed(one.watchRestarts, other.watchRestarts),
  }
}

function summed<K extends string>(
  one: Readonly<Partial<Record<K, number>>>,
  other: Readonly<Partial<Record<K, number>>>,
): Record<K, number> {
  const sum: Partial<Record<string, number>> = { ...one }
  for (const [key, count] of Object.entries<number | undefined>(other)) sum[key] = (sum[key] ?? 0) + (count ?? 0)
  // Its keys are those of the two.
  return sum as Record<K, number>
}
