// One watch connection read to its end: events go to the sink, silence ends it, and how it ended is a value.
import type { ResourceApi } from '../client/api.ts'
import type { Cancel, Clock } from '../clock.ts'
import { wrongMember } from '../objects/object-shape.ts'
import type { KubeObject } from '../objects/objects.ts'
import { isNewer } from '../objects/resource-version.ts'
import type { Random } from '../random.ts'
import type { KnownSpecs } from './known-specs.ts'

interface WatchSink<T extends KubeObject> {
  upsert(object: T): void
  remove(object: T): void
  /** Everything is said up to this version, the last event included. */
  advance(resourceVersion: string): void
  /** A bookmark came, before `advance`. What it promises is awaited before the next event. */
  bookmark(resourceVersion: string, isEndOfInitialEvents: boolean): void | Promise<void>
  /** An event that cannot be used: of another kind or version than asked for, or no object at all. */
  skip(type: string, object: T): void
}

export interface WatchRequest {
  readonly namespace: string | undefined
  readonly labelSelector: string | undefined
  readonly fieldSelector: string | undefined
  readonly metadataOnly: boolean
  readonly withoutManagedFields: boolean
  readonly knownSpecs?: KnownSpecs | undefined
  readonly annotations?: readonly string[] | undefined
  readonly resourceVersion: string
  /** Ask for the present objects as events first. */
  readonly sendInitialEvents: boolean
  /** What objects must say they are; `undefined` = anything. */
  readonly kind: string | undefined
}

export interface WatchEnd {
  readonly kind: 'closed' | 'silent' | 'stalled' | 'failed'
  /** Why, where it failed. */
  readonly error: unknown
  readonly events: number
  readonly lastedMs: number
  /** The last version seen; that of the request when there was none. */
  readonly resourceVersion: string
}

/** Servers are asked to end watches after 5 to 10 minutes, each at its own time. */
const shortestWatchSeconds = 300
const watchSpreadSeconds = 300
/** No watch is asked to last longer. */
export const watchEndSeconds = shortestWatchSeconds + watchSpreadSeconds
/** How much longer than asked the connection may be silent. */
const graceMs = 10_000
/** With bookmarks about each minute three missed ones are silence. */
const bookmarkSpacingMs = 90_000
const bookmarkSilenceMs = 180_000
/** A server that does not know `sendInitialEvents` never sends the end of them. */
const initialSilenceMs = 30_000

const endOfInitialEvents = 'k8s.io/initial-events-end'

interface WatchSessionOptions<T extends KubeObject> {
  readonly api: ResourceApi<T>
  readonly clock: Clock
  readonly random: Random
  readonly request: WatchRequest
  readonly sink: WatchSink<T>
}

/** Reads one watch to its end. @throws `signal.reason` when aborted; nothing else. */
export async function readWatch<T extends KubeObject>(options: WatchSessionOptions<T>, signal: AbortSignal): Promise<WatchEnd> {
  const session = new WatchSession(options)
  return session.read(signal)
}

class WatchSession<T extends KubeObject> {
  readonly #options: WatchSessionOptions<T>
  readonly #silence = new AbortController()
  readonly #timeoutSeconds: number
  readonly #startMs: number
  #lastEventMs: number
  #limitMs: number
  #bookmarkMs: number | undefined
  #cancelGuard: Cancel = () => undefined
  #events = 0
  #resourceVersion: string
  /** At version `''` or `0` the present objects come first, in any order: their versions are not positions. */
  #isSynthetic: boolean

  constructor(options: WatchSessionOptions<T>) {
    this.#options = options
    this.#timeoutSeconds = Math.floor(shortestWatchSeconds + watchSpreadSeconds * options.random())
    this.#startMs = options.clock.elapsed()
    this.#lastEventMs = this.#startMs
    this.#limitMs = options.request.sendInitialEvents ? initialSilenceMs : this.#timeoutSeconds * 1000 + graceMs
    this.#resourceVersion = options.request.resourceVersion
    this.#isSynthetic = options.request.sendInitialEvents || ['', '0'].includes(options.request.resourceVersion)
  }

  async read(signal: AbortSignal): Promise<WatchEnd> {
    const { kind, ...request } = this.#options.request
    const { sendInitialEvents, annotations, ...plain } = request
    this.#armGuard()
    try {
      const events = this.#options.api.watch({
        ...plain,
        // Where only some annotations are read, the server's own word is among them.
        ...(annotations === undefined ? {} : { annotations: [...annotations, endOfInitialEvents] }),
        ...(sendInitialEvents ? { sendInitialEvents, resourceVersionMatch: 'NotOlderThan' as const } : {}),
        timeoutSeconds: this.#timeoutSeconds,
        signal: AbortSignal.any([signal, this.#silence.signal]),
      })
      for await (const { type, object } of events) {
        // What was parsed for readers of fewer fields than are wanted now is told by the next watch.
        signal.throwIfAborted()
        const more = this.#take(type, object)
        if (more !== undefined) await more
      }
      signal.throwIfAborted()
      return this.#end('closed', undefined)
    } catch (error) {
      signal.throwIfAborted()
      if (!this.#silence.signal.aborted) return this.#end('failed', error)
      return this.#end(sendInitialEvents && this.#events === 0 ? 'stalled' : 'silent', undefined)
    } finally {
      this.#cancelGuard()
    }
  }

  #end(kind: WatchEnd['kind'], error: unknown): WatchEnd {
    const lastedMs = this.#options.clock.elapsed() - this.#startMs
    return { kind, error, events: this.#events, lastedMs, resourceVersion: this.#resourceVersion }
  }

  /** A promise only where there is something to wait for: events are many. */
  #take(type: string, object: T): Promise<void> | undefined {
    const nowMs = this.#options.clock.elapsed()
    this.#lastEventMs = nowMs
    const isFirst = this.#events === 0
    this.#events++
    if (isFirst && this.#options.request.sendInitialEvents) this.#limit(this.#timeoutSeconds * 1000 + graceMs)
    const version = object.metadata?.resourceVersion
    const { kind } = this.#options.request
    const isOurs = kind === undefined || object.kind === kind || object.kind === 'PartialObjectMetadata'
    const isUsable = type === 'BOOKMARK' || wrongMember(object) === undefined
    if (typeof version !== 'string' || version === '' || !isOurs || !isUsable) {
      this.#options.sink.skip(type, object)
      return undefined
    }
    switch (type) {
      case 'ADDED':
      case 'MODIFIED':
        if (type === 'MODIFIED') this.#isSynthetic = false
        this.#options.sink.upsert(object)
        break
      case 'DELETED':
        this.#isSynthetic = false
        this.#options.sink.remove(object)
        break
      case 'BOOKMARK':
        this.#isSynthetic = false
        this.#noteBookmark(nowMs)
        break
      default:
        this.#options.sink.skip(type, object)
        return undefined
    }
    if (type === 'BOOKMARK') return this.#takeBookmark(object, version)
    this.#advance(version)
    return undefined
  }

  async #takeBookmark(object: T, version: string): Promise<void> {
    await this.#options.sink.bookmark(version, object.metadata.annotations?.[endOfInitialEvents] === 'true')
    this.#advance(version)
  }

  #advance(version: string): void {
    // An event that is told again is no way back.
    if (this.#isSynthetic || isNewer(this.#resourceVersion, version)) return
    this.#resourceVersion = version
    this.#options.sink.advance(version)
  }

  #noteBookmark(nowMs: number): void {
    const areFrequent = this.#bookmarkMs !== undefined && nowMs - this.#bookmarkMs <= bookmarkSpacingMs
    this.#bookmarkMs = nowMs
    if (areFrequent) this.#limit(bookmarkSilenceMs)
  }

  #limit(limitMs: number): void {
    if (this.#limitMs === limitMs) return
    this.#limitMs = limitMs
    this.#cancelGuard()
    this.#armGuard()
  }

  /** One timer, set again for what is left when it fires: events only note their time. */
  #armGuard(): void {
    const leftMs = this.#lastEventMs + this.#limitMs - this.#options.clock.elapsed()
    this.#cancelGuard = this.#options.clock.schedule(Math.max(0, leftMs), () => {
      const silentMs = this.#options.clock.elapsed() - this.#lastEventMs
      if (silentMs >= this.#limitMs - 0.5) this.#silence.abort(new DOMException('the watch is silent', 'AbortError'))
      else this.#armGuard()
    })
  }
}
