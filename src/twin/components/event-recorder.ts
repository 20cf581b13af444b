// Events as upstream's components write them: repeated ones are counted up instead of written anew.
import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { StatusError } from '#kube/objects/status.ts'
import type { Random } from '#kube/random.ts'
import type { ClusterAccess, Writer } from '../access.ts'
import { microTimeText, timeText } from './workloads/pod-state.ts'

export interface EventText {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
  /** Set by the scheduler alone: its events have the form of events.k8s.io (microseconds, an action, no source). */
  readonly action?: string
}

/** Which component speaks, and on which node for kubelets. */
export interface EventSource {
  readonly component: string
  readonly host?: string
  readonly writer: Writer
}

/** Above this many remembered events the oldest are forgotten: repeats of those are written anew. */
const rememberedEvents = 4096

/** From this many different messages of one reason about one object on, the further ones are counted in one combined event. */
const similarEvents = 10
const similarForMs = 600_000
/** A source says this much about one object, and then one thing more every five minutes. */
const eventBurst = 25
const eventRefillMs = 300_000
const combinedPrefix = '(combined from similar events): '

interface Similar {
  readonly messages: Set<string>
  lastMs: number
}

interface Bucket {
  tokens: number
  atMs: number
}

/** Which components write events: all, the scheduler alone, or none. */
export type EventMode = 'full' | 'scheduling' | 'off'

export class EventRecorder {
  readonly #access: ClusterAccess
  readonly #clock: Clock
  readonly #random: Random
  readonly #mode: EventMode
  readonly #remembered = new Map<string, { readonly namespace: string; readonly name: string }>()
  readonly #similar = new Map<string, Similar>()
  readonly #buckets = new Map<string, Bucket>()

  constructor(access: ClusterAccess, options: { readonly clock: Clock; readonly random: Random; readonly mode: EventMode }) {
    const { clock, random, mode } = options
    this.#mode = mode
    this.#access = access
    this.#clock = clock
    this.#random = random
  }

  /** Writes the event about `subject`; in namespace `default` for objects without one. Never throws for what the server refuses. */
  record(subject: KubeObject, source: EventSource, text: EventText): void {
    if (this.#mode === 'off' || (this.#mode === 'scheduling' && source.component !== 'default-scheduler')) return
    try {
      // The scheduler's newer form of events knows neither combining nor a limit.
      const said = text.action === undefined ? this.#combined(subject, source, text) : text
      const about = [source.component, source.host, subject.metadata.uid]
      const isCombined = said !== text
      const sameness = JSON.stringify([...about, isCombined ? { ...text, message: combinedPrefix } : text])
      if (text.action === undefined && !this.#mayTell(JSON.stringify(about))) return
      if (!this.#countUp(sameness, source.writer, said.message)) this.#write(sameness, subject, source, said)
    } catch (error) {
      // An event is a courtesy: a namespace that is going, a quota or a full store must not stop the work it tells of.
      if (!(error instanceof StatusError)) throw error
    }
  }

  #combined(subject: KubeObject, source: EventSource, text: EventText): EventText {
    const key = JSON.stringify([source.component, source.host, subject.metadata.uid, text.type, text.reason])
    const now = this.#clock.now()
    const known = this.#similar.get(key)
    const similar =
      known === undefined || now - known.lastMs > similarForMs ? { messages: new Set<string>(), lastMs: now } : known
    similar.lastMs = now
    similar.messages.add(text.message)
    remember(this.#similar, key, similar)
    if (similar.messages.size < similarEvents) return text
    similar.messages.delete(text.message)
    return { ...text, message: `${combinedPrefix}${text.message}` }
  }

  #mayTell(key: string): boolean {
    const now = this.#clock.now()
    const bucket = this.#buckets.get(key) ?? { tokens: eventBurst, atMs: now }
    bucket.tokens = Math.min(eventBurst, bucket.tokens + (now - bucket.atMs) / eventRefillMs)
    bucket.atMs = now
    remember(this.#buckets, key, bucket)
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }

  #write(sameness: string, subject: KubeObject, source: EventSource, text: EventText): void {
    const namespace = subject.metadata.namespace ?? 'default'
    const name = `${subject.metadata.name}.${this.#suffix()}`
    const { uid, resourceVersion } = subject.metadata
    const involvedObject = {
      apiVersion: subject.apiVersion,
      kind: subject.kind,
      name: subject.metadata.name,
      ...(subject.metadata.namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    }
    const event: KubeObject = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject,
      ...text,
      ...this.#form(source, text),
    }
    this.#access.create('events', event, source.writer)
    remember(this.#remembered, sameness, { namespace, name })
  }

  #form(source: EventSource, text: EventText): Readonly<Record<string, unknown>> {
    const now = this.#clock.now()
    const reporting = { reportingComponent: source.component, reportingInstance: source.host ?? '' }
    if (text.action !== undefined)
      return { ...reporting, reportingInstance: source.component, source: {}, eventTime: microTimeText(now) }
    const host = source.host === undefined ? {} : { host: source.host }
    return {
      ...reporting,
      source: { component: source.component, ...host },
      firstTimestamp: timeText(now),
      lastTimestamp: timeText(now),
      count: 1,
    }
  }

  #countUp(sameness: string, writer: Writer, message: string): boolean {
    const known = this.#remembered.get(sameness)
    if (known === undefined) return false
    const event = this.#access.get('events', known.namespace, known.name)
    if (event === undefined) {
      this.#remembered.delete(sameness)
      return false
    }
    const now = this.#clock.now()
    if (typeof event['eventTime'] === 'string') {
      const series = event['series']
      const isCounted = typeof series === 'object' && series !== null && 'count' in series && typeof series.count === 'number'
      const count = isCounted ? Number(series.count) : 1
      this.#access.update('events', { ...event, series: { count: count + 1, lastObservedTime: microTimeText(now) } }, writer)
      return true
    }
    const count = typeof event['count'] === 'number' ? event['count'] : 1
    this.#access.update('events', { ...event, message, count: count + 1, lastTimestamp: timeText(now) }, writer)
    return true
  }

  #suffix(): string {
    return Array.from({ length: 16 }, () => Math.floor(this.#random() * 16).toString(16)).join('')
  }
}

/** Puts the entry last; the one that was longest not asked for is forgotten when there are too many. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= rememberedEvents) return
  const oldest = map.keys().next().value
  if (oldest !== undefined) map.delete(oldest)
}
