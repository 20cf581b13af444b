// Who listens to what, and what each is told: values of topics as snapshots and deltas, with resume.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf, silentLog } from '#kube/log.ts'
import type { StreamEvents } from '../contract.ts'
import { contractSchema } from '../contract-names.ts'
import type { Picture, PictureSource } from '../picture.ts'
import { speedOf } from '../views/twin-clock.ts'
import type { Viewing } from '../views/viewing.ts'
import { rfc3339 } from '../words/time.ts'
import type { Channel } from './channel.ts'
import { Channels } from './channels.ts'
import { Reader } from './reader.ts'
import type { RingLimits } from './ring.ts'
import { Rounds } from './rounds.ts'
import { eventBytes, eventIdOf } from './sse.ts'
import type { StreamMetrics } from './stream-metrics.ts'
import type { ByeReason, StreamRefusal, SubscribeOptions, Subscription, Told, Withheld } from './subscription.ts'
import { Ticks } from './ticks.ts'
import { prepareTopic, type TopicValues, topicKindOf, topicValue } from './topics.ts'

interface HubOptions {
  readonly source: PictureSource
  /** Real time: of rates, ticks and how long the ring remembers. Cluster time is the picture's. */
  readonly wallClock: Clock
  readonly log?: Log
  readonly metrics?: StreamMetrics | undefined
  /** Streams in all and of one viewer, and what can be told again. */
  readonly limits?: { readonly streams?: number; readonly streamsPerViewer?: number; readonly ring?: Partial<RingLimits> }
  /** By default `topicValue`. */
  readonly values?: TopicValues
}

const defaultLimits = { streams: 200, streamsPerViewer: 8 } as const
const defaultRing: RingLimits = { events: 10_000, bytes: 8_388_608, ageMs: 300_000 }
const mostTopics = 20
const retryAfterSeconds = 5

/** An open stream: who reads it, and what was promised to them. */
interface Stream {
  readonly reader: Reader
  readonly viewer: string
  viewing: Viewing
  channel: Channel
  withheld: readonly Withheld[]
}

/**
 * Flow: a change of the source makes topics due that somebody listens to; they are computed one after the other, the event loop having its
 * turns between, and what is different is written down once for all of equal rights.
 * Guarantees: each reader has, after the last event, what a fresh snapshot would say; while nobody listens nothing is computed, and no timer
 * is set.
 */
export class Hub implements Disposable {
  readonly #options: HubOptions
  readonly #limits: { readonly streams: number; readonly streamsPerViewer: number }
  readonly #ring: RingLimits
  readonly #log: Log
  readonly #streams = new Set<Stream>()
  readonly #rounds: Rounds
  readonly #ticks: Ticks
  #channels: Channels | undefined
  #unsubscribe: (() => void) | undefined
  #isDisposed = false

  constructor(options: HubOptions) {
    const { source, wallClock, log = silentLog, limits } = options
    this.#options = options
    this.#limits = { ...defaultLimits, ...limits }
    this.#ring = { ...defaultRing, ...limits?.ring }
    this.#log = log
    this.#ticks = new Ticks(wallClock, () => this.#tick())
    this.#rounds = new Rounds({
      ...{ source, wallClock, log },
      channels: () => this.#channels,
      follow: picture => this.#follow(picture),
      prepare: prepareTopic,
    })
  }

  /** How many streams are open. */
  get size(): number {
    return this.#streams.size
  }

  /** Lets a reader in, and writes what it can be told at once before it returns. */
  subscribe(options: SubscribeOptions): Subscription | StreamRefusal {
    const refusal = this.#refusal(options)
    if (refusal !== undefined) return refusal
    const { viewing, sink, withheld = [], lastEventId } = options
    const picture = this.#options.source.current()
    const channel = this.#follow(picture).of(viewing)
    const topics = new Set(options.topics)
    const reader = new Reader({ topics, sink, feed: channel, metrics: this.#options.metrics })
    const stream: Stream = { reader, viewer: viewing.viewer, viewing, channel, withheld }
    const resumeAt = resumeAtOf(channel, topics, lastEventId)
    this.#streams.add(stream)
    channel.add(reader)
    this.#options.metrics?.streams(this.#streams.size)
    const leave = () => this.#remove(stream)
    sink.ended.addEventListener('abort', leave, { once: true })
    this.#ticks.begin(picture, this.#streams.size === 1)
    this.#unsubscribe ??= this.#options.source.onChange(() => this.#changed())
    if (resumeAt === undefined) {
      const wasLost = lastEventId !== undefined && lastEventId !== ''
      reader.begin(channel, { hello: this.#hello(picture, false), withheld }, wasLost ? 'gap' : undefined)
    } else reader.resume(channel, { hello: this.#hello(picture, true), withheld }, resumeAt)
    if (sink.ended.aborted) leave()
    this.#rounds.wake()
    const end = (reason?: ByeReason) => {
      sink.ended.removeEventListener('abort', leave)
      reader.end(reason)
      this.#remove(stream)
    }
    return { accepted: true, end, change: told => this.#change(stream, told), [Symbol.dispose]: () => end() }
  }

  /** Ends the streams of one viewer (signed out), or all (shutdown, the Lease is lost). */
  end(reason: ByeReason, viewer?: string): void {
    for (const stream of [...this.#streams]) {
      if (viewer !== undefined && stream.viewer !== viewer) continue
      stream.reader.end(reason)
      this.#remove(stream)
    }
  }

  /** Ends all streams with `shutdown`, and lets nobody in any more. */
  [Symbol.dispose](): void {
    this.#isDisposed = true
    this.end('shutdown')
    this.#channels = undefined
  }

  #refusal({ topics, viewing, withheld = [] }: SubscribeOptions): StreamRefusal | undefined {
    const refused = (because: StreamRefusal['because'], limit: number): StreamRefusal => ({
      accepted: false,
      because,
      limit,
      retryAfterSeconds,
    })
    if (this.#isDisposed) return refused('ended', 0)
    const hasNothing = topics.length === 0 && withheld.length === 0
    if (hasNothing || topics.length > mostTopics || topics.some(topic => topicKindOf(topic) === undefined))
      return refused('topics', mostTopics)
    const { streams, streamsPerViewer } = this.#limits
    if (this.#streams.size >= streams) return refused('streams', streams)
    let own = 0
    for (const { viewer } of this.#streams) if (viewer === viewing.viewer) own++
    return own >= streamsPerViewer ? refused('streams-per-viewer', streamsPerViewer) : undefined
  }

  /** Another view of the same reader: what it had read is another channel's. */
  #change(stream: Stream, { topics, viewing, withheld = [] }: Told): void {
    if (!this.#streams.has(stream)) return
    const { reader } = stream
    if (topics.length === 0) {
      reader.close(withheld)
      this.#remove(stream)
      return
    }
    const picture = this.#options.source.current()
    const channels = this.#follow(picture)
    stream.channel.remove(reader, this.#options.wallClock.elapsed())
    reader.topics = new Set(topics)
    stream.viewing = viewing
    stream.withheld = withheld
    stream.channel = channels.of(viewing)
    stream.channel.add(reader)
    reader.begin(stream.channel, { hello: this.#hello(picture, false), withheld })
    this.#rounds.wake()
  }

  #remove(stream: Stream): void {
    if (!this.#streams.delete(stream)) return
    stream.reader.end(undefined)
    stream.channel.remove(stream.reader, this.#options.wallClock.elapsed())
    this.#options.metrics?.streams(this.#streams.size)
    if (this.#streams.size > 0) return
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    this.#rounds.stop()
    this.#ticks.stop()
  }

  #changed(): void {
    this.#channels?.soil()
    this.#rounds.wake()
  }

  /** The channels of the picture's life of the cluster. Where that is another one all begin anew. */
  #follow(picture: Picture): Channels {
    if (this.#channels?.epoch === picture.epoch) return this.#channels
    const { wallClock, values = topicValue } = this.#options
    const { epoch } = picture
    const channels = new Channels({ epoch, wallClock, ring: this.#ring, values, log: this.#log })
    this.#channels = channels
    for (const stream of this.#streams) {
      stream.channel = channels.of(stream.viewing)
      stream.channel.add(stream.reader)
    }
    for (const { reader, channel, withheld } of [...this.#streams])
      reader.begin(channel, { hello: this.#hello(picture, false), withheld })
    return channels
  }

  #tick(): void {
    try {
      const picture = this.#options.source.current()
      const channels = this.#follow(picture)
      channels.prune()
      this.#ticks.heed(picture)
      const data = { now: rfc3339(picture.nowMs), speed: speedOf(picture), sources: picture.sources }
      for (const channel of channels) {
        if (channel.readers.size === 0) continue
        const bytes = eventBytes('tick', { epoch: channel.epoch, sequence: channel.head }, data)
        for (const reader of [...channel.readers]) reader.tick(bytes)
      }
    } catch (error) {
      this.#log.error({ why: messageOf(error) }, 'the streams could not be told the time')
    }
    // Ages are said in words, too.
    this.#changed()
  }

  #hello(picture: Picture, resumed: boolean): StreamEvents['hello'] {
    return {
      epoch: picture.epoch,
      mode: picture.mode,
      schema: contractSchema,
      now: rfc3339(picture.nowMs),
      speed: speedOf(picture),
      tickMs: this.#ticks.everyMs,
      resumed,
    }
  }
}

function resumeAtOf(channel: Channel, topics: ReadonlySet<string>, lastEventId: string | undefined): number | undefined {
  const last = eventIdOf(lastEventId)
  if (last === undefined || last.epoch !== channel.epoch) return undefined
  return channel.canResume(topics, last.sequence) ? last.sequence : undefined
}
