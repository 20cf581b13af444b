// Events: what happened to an object, for people. Emitting never waits, never throws and never delays an
// effect; what repeats becomes a series, and what floods is dropped, counted and told with the next one.
import type { Api, ResourceApi } from '../client/api.ts'
import type { Cancel, Clock } from '../clock.ts'
import { type Log, messageOf, silentLog } from '../log.ts'
import type { KubeObject, ObjectReference } from '../objects/objects.ts'
import { builtIn } from '../objects/resource.ts'
import { isNotFound, isTooManyRequests, StatusError } from '../objects/status.ts'
import type { Random } from '../random.ts'
import { coreEvents, type EmittedEvent, eventObject, seriesPart } from './event-object.ts'
import { SpamFilter } from './spam-filter.ts'

/** How many events went which way since the start. */
interface EventCounts {
  readonly sent: number
  readonly merged: number
  readonly dropped: number
  readonly failed: number
}

interface EventRecorderOptions {
  readonly clock: Clock
  readonly random: Random
  /** `ballast.dev/<capability>` of events that do not say. */
  readonly controller: string
  /** `<controller>-<host>` */
  readonly instance: string
  readonly log?: Log
  /** Off only in tests. */
  readonly spamFilter?: boolean
}

interface Series {
  readonly event: EmittedEvent
  /** The object's name and namespace on the server. */
  readonly name: string
  readonly namespace: string
  count: number
  writtenCount: number
  lastMs: number
  cancel: Cancel
  /** The last request of this series: the next waits for it, or a patch could come before its event. */
  sent: Promise<void>
}

const seriesQuietMs = 6 * 60_000
const seriesWriteMs = 30 * 60_000
const nameLimit = 253
const queueLimit = 1000
const atOnce = 8
const retryLimit = 12
const retryMs = 10_000
const retryJitter = 0.25

export class EventRecorder implements AsyncDisposable {
  readonly #events: ResourceApi<KubeObject>
  readonly #coreEvents: ResourceApi<KubeObject>
  readonly #options: EventRecorderOptions
  readonly #log: Log
  readonly #filter: SpamFilter | undefined
  readonly #series = new Map<string, Series>()
  readonly #queue: (() => Promise<void>)[] = []
  readonly #sending = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  readonly #counts = { sent: 0, merged: 0, dropped: 0, failed: 0 }
  #isFlushing = false

  constructor(api: Api, options: EventRecorderOptions) {
    this.#events = api.resource<KubeObject>(builtIn.events)
    this.#coreEvents = api.resource<KubeObject>(coreEvents)
    this.#options = options
    this.#log = options.log ?? silentLog
    this.#filter = options.spamFilter === false ? undefined : new SpamFilter(options.clock)
  }

  get counts(): EventCounts {
    return { ...this.#counts }
  }

  /** Records an event. Returns at once; what becomes of it is in `counts`. */
  emit(event: EmittedEvent): void {
    if (this.#stop.signal.aborted) return
    const controller = event.controller ?? this.#options.controller
    const verdict = this.#filter?.take(`${event.component ?? controller} ${referenceKey(event.regarding)} ${event.type}`)
    if (verdict?.isAccepted === false) {
      this.#counts.dropped++
      return
    }
    const suppressed = verdict?.suppressed ?? 0
    const note = suppressed === 0 ? event.note : `${event.note} (${suppressed} similar suppressed)`
    this.#take({ ...event, controller, note })
  }

  /** Waits until all that was emitted has been sent or given up, for at most `limitMs`, then ends the recorder. */
  async flush(limitMs = 2000): Promise<void> {
    this.#isFlushing = true
    for (const series of this.#series.values()) {
      series.cancel()
      this.#writeSeries(series)
    }
    const limit = this.#options.clock.schedule(limitMs, () =>
      this.#stop.abort(new DOMException('events are given up', 'AbortError')),
    )
    while (this.#sending.size > 0) await Promise.race(this.#sending)
    limit()
    this.#stop.abort(new DOMException('the recorder has ended', 'AbortError'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#stop.signal.aborted) await this.flush()
  }

  #take(event: EmittedEvent): void {
    const nowMs = this.#options.clock.elapsed()
    const key = seriesKey(event)
    const series = this.#series.get(key)
    if (series === undefined) {
      this.#begin(key, event)
      return
    }
    series.count++
    series.lastMs = nowMs
    this.#counts.merged++
    // Readers of core Events look at their last time and count, which is to be true.
    if (series.count === 2 || event.component !== undefined) this.#writeSeries(series)
  }

  #begin(key: string, event: EmittedEvent): void {
    const { clock, random } = this.#options
    const suffix = Array.from({ length: 16 }, () => Math.floor(random() * 16).toString(16)).join('')
    const series: Series = {
      event,
      name: `${event.regarding.name.slice(0, nameLimit - suffix.length - 1)}.${suffix}`,
      namespace: event.regarding.namespace ?? 'default',
      count: 1,
      writtenCount: 1,
      lastMs: clock.elapsed(),
      cancel: () => undefined,
      sent: Promise.resolve(),
    }
    this.#series.set(key, series)
    this.#watchOver(key, series, clock.elapsed())
    const object = this.#objectOf(series)
    this.#send(series, async signal => {
      await this.#resourceOf(series).create(object, { signal, namespace: series.namespace, priority: 'event' })
    })
  }

  /** Writes a series that goes on every 30 minutes, and forgets one that was quiet for 6. */
  #watchOver(key: string, series: Series, writtenMs: number): void {
    const { clock } = this.#options
    const quietAtMs = series.lastMs + seriesQuietMs
    const dueMs = Math.min(quietAtMs, writtenMs + seriesWriteMs)
    series.cancel = clock.schedule(dueMs - clock.elapsed(), () => {
      const nowMs = clock.elapsed()
      const isQuiet = nowMs >= series.lastMs + seriesQuietMs
      const isDue = nowMs >= writtenMs + seriesWriteMs
      if (isQuiet) this.#series.delete(key)
      if (isQuiet || isDue) this.#writeSeries(series)
      if (!isQuiet) this.#watchOver(key, series, isDue ? nowMs : writtenMs)
    })
  }

  #writeSeries(series: Series): void {
    const { clock } = this.#options
    if (series.count === series.writtenCount) return
    series.writtenCount = series.count
    const body = seriesPart(series.event, { count: series.count, lastMs: clock.now() - (clock.elapsed() - series.lastMs) })
    const events = this.#resourceOf(series)
    this.#send(series, async signal => {
      const options = { signal, namespace: series.namespace, priority: 'event' as const }
      try {
        await events.patch(series.name, { type: 'merge', body }, options)
      } catch (error) {
        if (!isNotFound(error)) throw error
        await events.create({ ...this.#objectOf(series), ...body }, options)
      }
    })
  }

  #objectOf(series: Series): KubeObject {
    const { clock, controller, instance } = this.#options
    return eventObject(series.event, { ...series, nowMs: clock.now(), controller, instance })
  }

  #resourceOf({ event }: Series): ResourceApi<KubeObject> {
    return event.component === undefined ? this.#events : this.#coreEvents
  }

  #send(series: Series, request: (signal: AbortSignal) => Promise<void>): void {
    if (this.#queue.length >= queueLimit) {
      this.#counts.dropped++
      return
    }
    const before = series.sent
    const { promise, resolve } = Promise.withResolvers<void>()
    series.sent = promise
    this.#queue.push(async () => {
      await before
      await this.#attempt(request)
      resolve()
    })
    this.#pump()
  }

  #pump(): void {
    while (this.#sending.size < atOnce) {
      const next = this.#queue.shift()
      if (next === undefined) return
      const sending = next().finally(() => {
        this.#sending.delete(sending)
        this.#pump()
      })
      this.#sending.add(sending)
    }
  }

  /** Never rejects: an event that cannot be sent is counted. */
  async #attempt(request: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { clock, random } = this.#options
    for (let attempt = 0; ; attempt++) {
      try {
        await request(this.#stop.signal)
        this.#counts.sent++
        return
      } catch (error) {
        const isOver = this.#stop.signal.aborted || this.#isFlushing || attempt >= retryLimit
        if (isOver || !isWorthRetrying(error)) {
          this.#counts.failed++
          this.#log.debug({ why: messageOf(error), attempt }, 'event not sent')
          return
        }
      }
      await clock.after(retryMs * (1 + retryJitter * random()), this.#stop.signal).catch(error => {
        if (!this.#stop.signal.aborted) throw error
      })
    }
  }
}

/** A broken connection, a server in trouble, too many requests; other answers would be the same again. */
function isWorthRetrying(error: unknown): boolean {
  return !(error instanceof StatusError) || error.code >= 500 || isTooManyRequests(error)
}

function referenceKey(reference: ObjectReference | undefined): string {
  if (reference === undefined) return ''
  return JSON.stringify([reference.apiVersion, reference.kind, reference.namespace, reference.name, reference.uid])
}

/** Events alike in all but note and annotations are one series. */
function seriesKey(event: EmittedEvent): string {
  return [
    event.type,
    event.action,
    event.reason,
    event.distinction ?? '',
    event.component ?? '',
    event.controller,
    referenceKey(event.regarding),
    referenceKey(event.related),
  ].join('\n')
}
