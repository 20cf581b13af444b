// One reader of the stream, as the hub and whoever carries its bytes see each other.
import type { StreamEvents } from '../contract.ts'
import type { Viewing } from '../views/viewing.ts'

/** Where a reader's text goes. HTTP implements it over a response; it does nothing but pump bytes. */
export interface StreamSink {
  /**
   * Hands on UTF-8, at most `pieceBytes` at once, which others are sent too: it is never changed. False: enough for now, nothing more is
   * written until `drained` has resolved. Never throws.
   */
  write(bytes: Uint8Array): boolean
  /** Resolves when what was written is on its way and more is welcome; stays pending once the reader is gone. Never rejects. */
  drained(): Promise<void>
  /** Aborted when the reader is gone. */
  readonly ended: AbortSignal
  /** Called once after the last text of a stream that the hub ends (`bye` was written). */
  end(): void
}

export type ByeReason = StreamEvents['bye']['reason']

/** What a reader asked for and does not get, with what is said of it. */
export type Withheld = StreamEvents['gone']

/** What a reader is told, and as whom. */
export interface Told {
  /** Names of topics, checked here: `overview`, `plan:NAME`, ... At most `mostTopics`. */
  readonly topics: readonly string[]
  readonly viewing: Viewing
  /** Told once, right after `hello`. */
  readonly withheld?: readonly Withheld[]
}

export interface SubscribeOptions extends Told {
  /** Value of the header `Last-Event-ID`, whatever it is. It is about the same topics. */
  readonly lastEventId: string | undefined
  readonly sink: StreamSink
}

/** A reader that was let in. */
export interface Subscription extends Disposable {
  readonly accepted: true
  /** Says why and ends the stream; without a reason, as when the reader is gone, only the latter. More calls do nothing. */
  end(reason?: ByeReason): void
  /**
   * From now on it is told this, beginning anew; an event that was begun is sent to its end first. Without topics it is told what is
   * withheld, and ends.
   */
  change(told: Told): void
}

/** A reader that was not: 503 with `Retry-After`, or of `topics` 400. */
export interface StreamRefusal {
  readonly accepted: false
  readonly because: 'streams' | 'streams-per-viewer' | 'topics' | 'ended'
  readonly limit: number
  readonly retryAfterSeconds: number
}
