// Events as upstream's components write them: repeated ones are counted up instead of written anew.
import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects.ts'
import type { Random } from '#kube/random.ts'
import type { ClusterAccess, Writer } from '../access.ts'
import { microTimeText, timeText } from './pod-state.ts'

export interface EventText {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

/** Which component speaks, and on which node for kubelets. */
export interface EventSource {
  readonly component: string
  readonly host?: string
  readonly writer: Writer
}

/** Above this many remembered events the oldest are forgotten: repeats of those are written anew. */
const rememberedEvents = 4096

export class EventRecorder {
  readonly #access: ClusterAccess
  readonly #clock: Clock
  readonly #random: Random
  readonly #remembered = new Map<string, { namespace: string; name: string }>()

  constructor(access: ClusterAccess, clock: Clock, random: Random) {
    this.#access = access
    this.#clock = clock
    this.#random = random
  }

  /** Writes the event about `subject`; in namespace `default` for objects without one. */
  record(subject: KubeObject, source: EventSource, text: EventText): void {
    const namespace = subject.metadata.namespace ?? 'default'
    const sameness = JSON.stringify([source.component, source.host, subject.metadata.uid, text])
    if (this.#countUp(sameness, source.writer)) return
    const now = this.#clock.now()
    const name = `${subject.metadata.name}.${this.#suffix()}`
    this.#access.create(
      'events',
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace },
        involvedObject: {
          apiVersion: subject.apiVersion,
          kind: subject.kind,
          ...(subject.metadata.namespace === undefined ? {} : { namespace }),
          name: subject.metadata.name,
          ...(subject.metadata.uid === undefined ? {} : { uid: subject.metadata.uid }),
          ...(subject.metadata.resourceVersion === undefined ? {} : { resourceVersion: subject.metadata.resourceVersion }),
        },
        ...text,
        source: { component: source.component, ...(source.host === undefined ? {} : { host: source.host }) },
        reportingComponent: source.component,
        reportingInstance: source.host ?? '',
        firstTimestamp: timeText(now),
        lastTimestamp: timeText(now),
        count: 1,
      },
      source.writer,
    )
    this.#remembered.set(sameness, { namespace, name })
    if (this.#remembered.size > rememberedEvents) {
      const oldest = this.#remembered.keys().next().value
      if (oldest !== undefined) this.#remembered.delete(oldest)
    }
  }

  /** The scheduler's form (events.k8s.io): a time in microseconds, an action, no source. */
  recordAction(subject: KubeObject, source: EventSource, text: EventText & { readonly action: string }): void {
    const namespace = subject.metadata.namespace ?? 'default'
    const sameness = JSON.stringify([source.component, subject.metadata.uid, text])
    if (this.#countUp(sameness, source.writer)) return
    const name = `${subject.metadata.name}.${this.#suffix()}`
    this.#access.create(
      'events',
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace },
        involvedObject: {
          apiVersion: subject.apiVersion,
          kind: subject.kind,
          namespace,
          name: subject.metadata.name,
          ...(subject.metadata.uid === undefined ? {} : { uid: subject.metadata.uid }),
        },
        ...text,
        source: {},
        reportingComponent: source.component,
        reportingInstance: source.host ?? source.component,
        eventTime: microTimeText(this.#clock.now()),
        firstTimestamp: null,
        lastTimestamp: null,
      },
      source.writer,
    )
    this.#remembered.set(sameness, { namespace, name })
  }

  #countUp(sameness: string, writer: Writer): boolean {
    const known = this.#remembered.get(sameness)
    if (known === undefined) return false
    const event = this.#access.get('events', known.namespace, known.name)
    if (event === undefined) {
      this.#remembered.delete(sameness)
      return false
    }
    const now = this.#clock.now()
    if (event['eventTime'] !== undefined && event['eventTime'] !== null) {
      const series = event['series']
      const count =
        typeof series === 'object' && series !== null && 'count' in series && typeof series.count === 'number' ? series.count : 1
      this.#access.update('events', { ...event, series: { count: count + 1, lastObservedTime: microTimeText(now) } }, writer)
      return true
    }
    const count = typeof event['count'] === 'number' ? event['count'] : 1
    this.#access.update('events', { ...event, count: count + 1, lastTimestamp: timeText(now) }, writer)
    return true
  }

  #suffix(): string {
    return Array.from({ length: 16 }, () => Math.floor(this.#random() * 16).toString(16)).join('')
  }
}
