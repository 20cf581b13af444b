// When topics are computed: soon after a change, none more than four times a second, one after the other.

import type { Cancel, Clock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Topic } from '../contract.ts'
import type { Picture, PictureSource } from '../picture.ts'
import type { Channels } from './channels.ts'

interface RoundsOptions {
  readonly source: PictureSource
  readonly wallClock: Clock
  readonly log: Log
  /** The channels of now; `undefined` before anybody came. */
  readonly channels: () => Channels | undefined
  /** Those of the picture's life of the cluster. */
  readonly follow: (picture: Picture) => Channels
  /** Does what a topic needs in pieces, before it is computed in one. */
  readonly prepare: (source: PictureSource, topic: Topic, breathe: () => Promise<void>) => Promise<void>
}

/** A topic is computed so often at most. */
const everyMs = 250
/** What failed is tried again after so long. */
const afterFailureMs = 1_000

/** Flow: `wake` after whatever may make a topic due. Guarantees: no timer is set while nothing is due. */
export class Rounds {
  readonly #options: RoundsOptions
  #timer: { readonly dueMs: number; readonly cancel: Cancel } | undefined
  #isWorking = false
  #notBeforeMs = 0

  constructor(options: RoundsOptions) {
    this.#options = options
  }

  /** Sees to it that what is due is computed when it may be. */
  wake(): void {
    if (this.#isWorking) return
    const nextMs = this.#options.channels()?.nextDueMs(everyMs)
    if (nextMs === undefined) return
    const dueMs = Math.max(nextMs, this.#notBeforeMs)
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return
    this.#timer?.cancel()
    const { wallClock } = this.#options
    const cancel = wallClock.schedule(Math.max(0, dueMs - wallClock.elapsed()), () => {
      this.#timer = undefined
      void this.#work()
    })
    this.#timer = { dueMs, cancel }
  }

  /** Until the next `wake`. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  async #work(): Promise<void> {
    if (this.#isWorking) return
    this.#isWorking = true
    const { wallClock, source, log, follow, prepare } = this.#options
    const breathe = breather(wallClock)
    try {
      const channels = follow(source.current())
      const sinceMs = wallClock.elapsed() - everyMs
      for (const channel of channels) {
        for (const topic of channel.due(sinceMs)) {
          await prepare(source, topic, breathe)
          // The cluster may have changed since the last topic; where another came, what is left here is nobody's.
          const picture = source.current()
          if (follow(picture) !== channels) return
          channel.refresh(topic, picture, wallClock.elapsed())
          await breathe()
        }
      }
    } catch (error) {
      log.error({ why: messageOf(error) }, 'the streams could not be told of a change')
      this.#notBeforeMs = wallClock.elapsed() + afterFailureMs
    } finally {
      this.#isWorking = false
      this.wake()
    }
  }
}
