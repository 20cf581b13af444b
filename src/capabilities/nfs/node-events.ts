// Events of a node part. It rarely has one, and what speaks to the API server takes a tenth of its memory: that is loaded for the first one.

import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Random } from '#kube/random.ts'

/** Events that wait while the API server is looked for; further ones are dropped, and told in the log. */
const mostWaiting = 64

type Emitted = Parameters<EventRecorder['emit']>[0]

interface NodeEventsOptions {
  /** How the API server is found. What it yields is closed with the events, unless it is somebody else's. */
  readonly open: () => Promise<{ readonly api: Api; readonly isOwn: boolean }>
  readonly controller: string
  readonly instance: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export class NodeEvents implements AsyncDisposable {
  readonly #options: NodeEventsOptions
  readonly #waiting: Emitted[] = []
  readonly #opened = new AsyncDisposableStack()
  #recorder: EventRecorder | undefined
  #opening: Promise<void> | undefined

  constructor(options: NodeEventsOptions) {
    this.#options = options
  }

  /** Returns at once. Where the API server cannot be found the log says so, and the next event looks for it again. */
  emit(event: Emitted): void {
    if (this.#opened.disposed) return
    if (this.#recorder !== undefined) {
      this.#recorder.emit(event)
      return
    }
    if (this.#waiting.length < mostWaiting) this.#waiting.push(event)
    else this.#options.log.warn({ reason: event.reason }, 'an event is dropped: too many wait for the API server to be found')
    this.#opening ??= this.#open()
  }

  /** Sends what was emitted, for two seconds at most. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opening
    await this.#opened.disposeAsync()
  }

  async #open(): Promise<void> {
    const { open, log, ...options } = this.#options
    try {
      const { api, isOwn } = await open()
      if (isOwn) this.#opened.defer(() => api.close())
      const { EventRecorder } = await import('#kube/events/events.ts')
      this.#recorder = this.#opened.use(new EventRecorder(api, { ...options, log }))
      for (const event of this.#waiting.splice(0)) this.#recorder.emit(event)
    } catch (error) {
      log.warn({ events: this.#waiting.length, why: messageOf(error) }, 'events are dropped: the API server is not found')
      this.#waiting.length = 0
    } finally {
      this.#opening = undefined
    }
  }
}
