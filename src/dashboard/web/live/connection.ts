// The connection of one tab to the stream, as a machine without a browser: time, chance and the wire are given. It keeps one stream open for
// the topics that somebody looks at, comes back after an end, asks in turns where streams do not last, and stops where nobody lets it in.
import type { ApiError, Topic } from '../../contract.ts'
import { contractSchema } from '../../contract-names.ts'
import { type LiveMessage, messageOf } from './message.ts'

/** Milliseconds from any start, and calls after a while. */
interface StreamClock {
  now(): number
  schedule(delayMs: number, callback: () => void): () => void
}

/** How a stream or a request ended. */
export type WireEnd =
  | { readonly kind: 'lost' }
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly retryAfterMs: number | undefined
      readonly error: ApiError['error'] | undefined
    }

export interface StreamListener {
  /** The server answered 200. */
  opened(): void
  event(name: string, data: string, id: string): void
  /** At most once; nothing is said afterwards. */
  ended(end: WireEnd): void
}

interface Polled {
  readonly revision: string
  readonly value: unknown
}

export interface Wire {
  /** Opens the stream. The returned function closes it, and then nothing more is said. */
  open(topics: readonly Topic[], lastEventId: string | undefined, listener: StreamListener): () => void
  /** One value by a request. Never rejects. */
  poll(topic: Topic): Promise<{ readonly kind: 'value'; readonly polled: Polled } | WireEnd>
}

export type LinkState =
  /** Nobody looks, or it is of the past. */
  | { readonly kind: 'idle' }
  /** For the first time. */
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'polling' }
  /** Cut off since `sinceMs`; the next attempt is due at `retryAtMs` (both of the clock). */
  | { readonly kind: 'waiting'; readonly sinceMs: number; readonly retryAtMs: number }
  | { readonly kind: 'signed-out'; readonly error: ApiError['error'] | undefined }
  /** The server is of another version. */
  | { readonly kind: 'outdated' }

interface ConnectionSink {
  message(message: LiveMessage): void
  link(state: LinkState): void
}

interface ConnectionOptions {
  readonly clock: StreamClock
  readonly wire: Wire
  /** A number in [0, 1). */
  readonly chance: () => number
  readonly sink: ConnectionSink
}

const healthyAfterMs = 30_000
const firstTickMs = 10_000
/** Without a word for so many ticks it is dead. */
const silentTicks = 2.5
/** Topics change together when a page is left and another comes. */
const gatherMs = 20
const shortStreamsBeforePolling = 3
const pollEveryMs = 10_000
const pollingBeforeRetryMs = 300_000
/** Between two snapshots that were asked for because a delta did not follow. */
const refreshEveryMs = 5_000

export class Connection {
  readonly #options: ConnectionOptions
  #topics: readonly Topic[] = []
  #isPaused = false
  /** Since streams do not last: values are asked for in turns until the clock says so much. */
  #pollingUntilMs: number | undefined
  #link: LinkState = { kind: 'idle' }
  #close: (() => void) | undefined
  /** Grows with each stream and each round of requests: what belongs to an older one is not listened to. */
  #generation = 0
  #lastEventId: string | undefined
  /** The topics that `#lastEventId` is about. */
  #openedFor = ''
  #attempt = 0
  #cutSinceMs: number | undefined
  #tickMs = firstTickMs
  #isTicked = false
  #isAnswered = false
  #shortStreams = 0
  #refreshedAtMs = Number.NEGATIVE_INFINITY
  readonly #timers = new Map<string, () => void>()

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  get link(): LinkState {
    return this.#link
  }

  /** What somebody looks at now. None: nothing is open. */
  setTopics(topics: Iterable<Topic>): void {
    const wanted = [...new Set(topics)].sort()
    if (wanted.join(' ') === this.#topics.join(' ')) return
    this.#topics = wanted
    this.#timer('gather', gatherMs, () => this.#begin())
  }

  /** Closes what is open until `resume`; what was missed comes then. */
  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#stop()
    if (!isFinal(this.#link)) this.#say({ kind: 'idle' })
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#attempt = 0
    this.#cutSinceMs = undefined
    this.#begin()
  }

  /** Tries at once: somebody pressed the button, or has signed in. */
  retry(): void {
    this.#attempt = 0
    if (isFinal(this.#link)) this.#say({ kind: 'connecting' })
    this.#begin()
  }

  /** Asks for snapshots of everything, because a delta did not follow on what is held. */
  refresh(): void {
    const { clock } = this.#options
    const dueMs = Math.max(0, this.#refreshedAtMs + refreshEveryMs - clock.now())
    this.#timer('refresh', dueMs, () => {
      this.#refreshedAtMs = clock.now()
      this.#lastEventId = undefined
      if (this.#close !== undefined) this.#begin()
    })
  }

  #begin(): void {
    this.#stop()
    if (this.#isPaused || isFinal(this.#link)) return
    if (this.#topics.length === 0) {
      this.#say({ kind: 'idle' })
      return
    }
    if (this.#pollingUntilMs === undefined) this.#open()
    else this.#polling(this.#pollingUntilMs)
  }

  #open(): void {
    const generation = ++this.#generation
    const isCurrent = () => generation === this.#generation
    this.#isTicked = false
    this.#isAnswered = false
    if (this.#link.kind === 'idle') this.#say({ kind: 'connecting' })
    this.#watch()
    const topics = this.#topics.join(' ')
    // Until it was closed the stream of other topics went on, and its ids are about those.
    if (topics !== this.#openedFor) this.#lastEventId = undefined
    this.#openedFor = topics
    this.#close = this.#options.wire.open(this.#topics, this.#lastEventId, {
      opened: () => {
        if (isCurrent()) this.#isAnswered = true
      },
      event: (name, data, id) => {
        if (isCurrent()) this.#event(name, data, id)
      },
      ended: end => {
        if (isCurrent()) this.#ended(end)
      },
    })
  }

  #event(name: string, data: string, id: string): void {
    this.#watch()
    if (id !== '') this.#lastEventId = id
    const message = messageOf(name, data)
    if (message === undefined) return
    if (message.event === 'hello') {
      this.#hello(message.data.schema, message.data.tickMs)
      if (this.#link.kind === 'outdated') return
    } else if (message.event === 'tick') {
      this.#isTicked = true
      this.#shortStreams = 0
    } else if (message.event === 'bye') {
      this.#bye(message.data.reason)
      return
    }
    this.#options.sink.message(message)
  }

  #hello(schema: number, tickMs: number): void {
    if (schema !== contractSchema) {
      this.#stop()
      this.#say({ kind: 'outdated' })
      return
    }
    this.#tickMs = tickMs
    this.#watch()
    this.#cutSinceMs = undefined
    this.#timer('health', healthyAfterMs, () => {
      this.#attempt = 0
    })
    this.#say({ kind: 'live' })
  }

  #bye(reason: string): void {
    if (reason === 'session-ended') {
      this.#stop()
      this.#say({ kind: 'signed-out', error: undefined })
    } else this.#ended({ kind: 'lost' })
  }

  /** Rearmed by each word of the server. */
  #watch(): void {
    this.#timer('silence', this.#tickMs * silentTicks, () => {
      // A proxy that holds everything back answers nothing at all: such a stream has ended before its first tick too.
      this.#isAnswered = true
      this.#ended({ kind: 'lost' })
    })
  }

  #ended(end: WireEnd): void {
    const wasShort = this.#isAnswered && !this.#isTicked
    this.#stop()
    if (end.kind === 'refused' && (end.status === 401 || end.status === 403)) {
      this.#say({ kind: 'signed-out', error: end.error })
      return
    }
    if (wasShort) this.#shortStreams++
    this.#cutSinceMs ??= this.#options.clock.now()
    const isFull = end.kind === 'refused' && end.status === 503 && end.retryAfterMs !== undefined
    if (isFull || this.#shortStreams >= shortStreamsBeforePolling) {
      this.#polling(this.#options.clock.now() + pollingBeforeRetryMs)
      return
    }
    this.#wait(() => this.#open())
  }

  #wait(attempt: () => void): void {
    const { clock, chance } = this.#options
    const delayMs = backoffMs(this.#attempt++, chance())
    const nowMs = clock.now()
    this.#say({ kind: 'waiting', sinceMs: this.#cutSinceMs ?? nowMs, retryAtMs: nowMs + delayMs })
    this.#timer('retry', delayMs, attempt)
  }

  #polling(untilMs: number): void {
    this.#pollingUntilMs = untilMs
    this.#timer('stream-again', untilMs - this.#options.clock.now(), () => {
      this.#stop()
      this.#pollingUntilMs = undefined
      // One more that does not last is enough to go back.
      this.#shortStreams = shortStreamsBeforePolling - 1
      this.#open()
    })
    void this.#poll()
  }

  async #poll(): Promise<void> {
    const generation = ++this.#generation
    const { wire, sink } = this.#options
    const answers = await Promise.all(this.#topics.map(async topic => ({ topic, answer: await wire.poll(topic) })))
    if (generation !== this.#generation) return
    let isLost = false
    for (const { topic, answer } of answers) {
      if (answer.kind === 'value') {
        const { revision, value } = answer.polled
        sink.message({ event: 'snapshot', data: { topic, revision, value } })
      } else if (answer.kind === 'lost' || answer.status >= 500 || answer.status === 429) isLost = true
      else if (answer.status === 401) {
        this.#stop()
        this.#say({ kind: 'signed-out', error: answer.error })
        return
      } else if (answer.error !== undefined) sink.message({ event: 'gone', data: { topic, error: answer.error } })
    }
    if (isLost) {
      this.#cutSinceMs ??= this.#options.clock.now()
      this.#wait(() => void this.#poll())
      return
    }
    this.#attempt = 0
    this.#cutSinceMs = undefined
    this.#say({ kind: 'polling' })
    this.#timer('retry', pollEveryMs, () => void this.#poll())
  }

  #stop(): void {
    this.#generation++
    this.#close?.()
    this.#close = undefined
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
  }

  #timer(name: string, delayMs: number, callback: () => void): void {
    this.#timers.get(name)?.()
    this.#timers.set(name, this.#options.clock.schedule(delayMs, callback))
  }

  #say(state: LinkState): void {
    this.#link = state
    this.#options.sink.link(state)
  }
}

/** States that only the viewer ends. */
const isFinal = (state: LinkState): boolean => state.kind === 'signed-out' || state.kind === 'outdated'

const stepsMs: readonly number[] = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000]
const spread = 0.2

/** Before attempt `attempt` (0 is the first after an end), with ±20 % by `chance` of [0, 1). */
function backoffMs(attempt: number, chance: number): number {
  const step = stepsMs[Math.min(attempt, stepsMs.length - 1)] ?? 0
  return Math.round(step * (1 + spread * (2 * chance - 1)))
}
