// What was received: the values of topics, kept up by snapshots and deltas. Pure; the tab that holds the stream has one and each that follows it too.
import type { ApiError, Delta, Source, Topic } from '../../contract.ts'
import { applied } from '../../delta.ts'
import type { LiveMessage } from './message.ts'
import { kindOf } from './topic-paths.ts'

interface ReceiverSink {
  value(topic: Topic, value: unknown, revision: string): void
  gone(topic: Topic, error: ApiError['error']): void
  clock(now: string, speed: number | null): void
  sources(sources: readonly Source[]): void
  /** A delta did not follow on what is held: a snapshot is needed. Called once until one has come. */
  gap(topic: Topic): void
}

interface Held {
  readonly revision: string
  readonly value: unknown
}

export class Receiver {
  readonly #sink: ReceiverSink
  readonly #held = new Map<Topic, Held>()
  /** Whose next snapshot was asked for. */
  readonly #wanted = new Set<Topic>()

  constructor(sink: ReceiverSink) {
    this.#sink = sink
  }

  /** What is held of a topic. */
  held(topic: Topic): Held | undefined {
    return this.#held.get(topic)
  }

  /** Forgets topics that nobody looks at. */
  forget(topic: Topic): void {
    this.#held.delete(topic)
    this.#wanted.delete(topic)
  }

  receive({ event, data }: LiveMessage): void {
    switch (event) {
      case 'hello':
      case 'tick':
        this.#sink.clock(data.now, data.speed)
        if (event === 'tick') this.#sink.sources(data.sources)
        return
      case 'snapshot':
        this.snapshot(data.topic, data)
        return
      case 'delta':
        this.#delta(data)
        return
      case 'gone':
        this.forget(data.topic)
        this.#sink.gone(data.topic, data.error)
        return
      case 'resync':
      case 'bye':
        return
    }
  }

  snapshot(topic: Topic, { revision, value }: Held): void {
    this.#wanted.delete(topic)
    this.#held.set(topic, { revision, value })
    this.#sink.value(topic, value, revision)
  }

  #delta(delta: Delta): void {
    const { topic } = delta
    const held = this.#held.get(topic)
    // One that was held already: a reconnection replays from the last id that we were sure of.
    if (held !== undefined && held.revision === delta.revision) return
    if (held === undefined || held.revision !== delta.from) {
      if (this.#wanted.has(topic)) return
      this.#wanted.add(topic)
      this.#sink.gap(topic)
      return
    }
    const value = applied(kindOf(topic), held.value, delta)
    this.#held.set(topic, { revision: delta.revision, value })
    this.#sink.value(topic, value, delta.revision)
  }
}
