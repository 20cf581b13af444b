// Who is told what happens to ScaledObjects, ScaledJobs and authentications: CloudEventSources and ClusterCloudEventSources, each with a
// receiver of its own. Told with the Kubernetes events, where those are emitted.
import type { Api } from '#kube/client/api.ts'
import { removeFinalizer } from '#kube/client/finalizers.ts'
import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Log } from '#kube/log.ts'
import { messageOf } from '#kube/log.ts'
import { type Random, randomUuid } from '#kube/random.ts'
import type { KedaMetrics } from '../counts/keda-metrics.ts'
import type { CloudEventSource } from '../kinds/cloud-event-source.ts'
import type { ScalerCondition } from '../kinds/triggers.ts'
import { cloudEventSources, clusterCloudEventSources, kedaFinalizer } from '../names.ts'
import { fieldManager } from '../operator/held-object.ts'
import { keyOf, ObjectQueue, type ObjectWork } from '../operator/object-queue.ts'
import { withConditions, writeStatus } from '../operator/status-writes.ts'
import { type Outgoing, urlOf } from '../scalers/outgoing.ts'
import { isWanted, type Notice, type NoticePlace, noticeOf } from './cloud-event.ts'
import { destinationProblem } from './destination.ts'
import { Sink } from './sink.ts'

/** Receivers of one kind of source that are told: each has its own queue and connections. */
const mostSinks = 256
/** How many events were dropped is written anew so often, and whether there is place for one more. */
const rewriteMs = 60_000
/** How long one request may take, unless sources have longer. */
const sinkTimeoutMs = 10_000

interface NoticesOptions {
  readonly informers: Pick<Informers, 'of'>
  readonly api: Api
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly outgoing: Outgoing
  /** Where a source names no cluster of its own. */
  readonly place: NoticePlace
  readonly metrics: KedaMetrics | undefined
  /** Milliseconds of one request; default: 10 s, or that of sources where it is longer. */
  readonly timeoutMs?: number
}

export class Notices implements AsyncDisposable {
  readonly #options: NoticesOptions
  readonly #queues: readonly ObjectQueue<SourceWork>[]

  constructor(options: NoticesOptions) {
    const { informers, clock, log } = options
    this.#options = options
    this.#queues = [cloudEventSources, clusterCloudEventSources].map(resource => {
      const objects = informers.of<CloudEventSource>(resource)
      return new ObjectQueue({ name: resource.resource, objects, clock, log }, wake => new SourceWork(options, objects, wake))
    })
  }

  /** `events`, with each of them told to those who want it. */
  beside(events: Pick<EventRecorder, 'emit'>): Pick<EventRecorder, 'emit'> {
    const { random, clock } = this.#options
    return {
      emit: event => {
        events.emit(event)
        const notice = noticeOf(event, { id: randomUuid(random), atMs: clock.now() })
        if (notice !== undefined) for (const { work } of this.#queues) work.tell(notice)
      },
    }
  }

  /** Keeps the statuses until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#queues.map(queue => queue.run(signal)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#queues.map(queue => queue[Symbol.asyncDispose]()))
  }
}

interface HeldSink {
  readonly uid: string | undefined
  readonly generation: number | undefined
  /** Or why there is none. */
  readonly sink: Sink | string
}

class SourceWork implements ObjectWork {
  readonly #options: NoticesOptions
  readonly #sources: Informer<CloudEventSource>
  readonly #wake: (key: string) => void
  readonly #held = new Map<string, HeldSink>()
  /** Sinks that are being closed. */
  readonly #closing = new Set<Promise<void>>()
  #isClosed = false

  constructor(options: NoticesOptions, sources: Informer<CloudEventSource>, wake: (key: string) => void) {
    this.#options = options
    this.#sources = sources
    this.#wake = wake
  }

  /** Hands it to the receivers of all sources that want it. Returns at once. */
  tell(notice: Notice): void {
    if (this.#isClosed) return
    for (const source of this.#sources.store.list()) {
      if (source.metadata.deletionTimestamp !== undefined || !isWanted(notice, source)) continue
      const { sink } = this.#heldOf(source)
      if (typeof sink === 'string') continue
      sink.offer(notice)
      this.#countQueued(source.metadata.namespace)
    }
  }

  async reconcile(key: string, signal: AbortSignal): Promise<number | undefined> {
    const { api } = this.#options
    const [namespace = '', name = ''] = key.split('/')
    const source = this.#sources.store.get(namespace === '' ? undefined : namespace, name)
    if (source === undefined || source.metadata.deletionTimestamp !== undefined) {
      this.#forget(key)
      this.#countQueued(namespace === '' ? undefined : namespace)
      this.#options.metrics?.sourceGone(this.#countedAs(key))
      // Ours sets none: nothing is to be done at its end.
      if (source !== undefined)
        await removeFinalizer(api.resource<CloudEventSource>(this.#sources.resource), source, kedaFinalizer, {
          fieldManager,
          signal,
        })
      return undefined
    }
    const { sink } = this.#heldOf(source)
    const change = (status: Readonly<Record<string, unknown>>) => ({
      ...status,
      conditions: withConditions(source.status?.conditions, [conditionOf(sink)]),
    })
    await writeStatus(api, this.#sources, source, change, signal)
    return typeof sink === 'string' || sink.failure !== undefined ? rewriteMs : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    for (const key of [...this.#held.keys()]) this.#forget(key)
    await Promise.all(this.#closing)
  }

  #heldOf(source: CloudEventSource): HeldSink {
    const key = keyOf(source)
    const { uid, generation } = source.metadata
    const known = this.#held.get(key)
    if (known !== undefined && known.uid === uid && known.generation === generation) return known
    this.#forget(key)
    const isFull = this.#held.size >= mostSinks
    const sink = isFull ? `more than ${mostSinks} sources of this kind` : this.#sinkOf(key, source)
    const held = { uid, generation, sink }
    // One that found no place looks for one again.
    if (!isFull) this.#held.set(key, held)
    return held
  }

  #sinkOf(key: string, source: CloudEventSource): Sink | string {
    const { metadata, spec } = source
    const { outgoing, clock, place, metrics, timeoutMs = Math.max(sinkTimeoutMs, outgoing.timeoutMs) } = this.#options
    const problem = destinationProblem(source)
    if (problem !== undefined) return problem
    const uri = spec.destination.http?.uri ?? ''
    try {
      urlOf(uri)
    } catch (error) {
      return `spec.destination.http.uri: ${messageOf(error)}`
    }
    const { namespace, name } = metadata
    let saidFailing = false
    const sink: Sink = new Sink({
      uri,
      place: { ...place, ...(spec.clusterName === undefined || spec.clusterName === '' ? {} : { cluster: spec.clusterName }) },
      http: outgoing.http({}, timeoutMs),
      clock,
      onSent: (notice, state) => {
        metrics?.eventSent(this.#countedAs(key), {
          ...{ namespace: notice.namespace, cloudeventsource: name, eventsink: 'http', state },
        })
        this.#countQueued(namespace)
      },
      onChange: () => {
        const isFailing = sink.failure !== undefined
        // How many more were dropped is written now and then only.
        if (isFailing !== saidFailing) this.#wake(key)
        saidFailing = isFailing
      },
    })
    return sink
  }

  #countQueued(namespace: string | undefined): void {
    let queued: number | undefined
    for (const source of this.#sources.store.list(namespace)) {
      const sink = this.#held.get(keyOf(source))?.sink
      if (sink !== undefined && typeof sink !== 'string') queued = (queued ?? 0) + sink.queued
    }
    this.#options.metrics?.eventsQueued(namespace ?? '', queued)
  }

  #countedAs(key: string): string {
    return `${this.#sources.resource.resource} ${key}`
  }

  #forget(key: string): void {
    const held = this.#held.get(key)
    this.#held.delete(key)
    if (held === undefined || typeof held.sink === 'string') return
    const closing = held.sink[Symbol.asyncDispose]().finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }
}

/** In upstream's words, and why. */
function conditionOf(sink: Sink | string): ScalerCondition {
  const failure = typeof sink === 'string' ? sink : sink.failure
  if (failure === undefined)
    return {
      type: 'Active',
      status: 'True',
      reason: 'CloudEventSourceActive',
      message: 'Is configured to send events to the configured destination',
    }
  const dropped = typeof sink === 'string' ? '' : ` (dropped so far: ${sink.dropped})`
  const message = `Failed to send events to the configured destination: ${failure}${dropped}`
  return { type: 'Active', status: 'False', reason: 'CloudEventSourceFailed', message }
}
