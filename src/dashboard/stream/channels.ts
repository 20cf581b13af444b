// The channels of one life of the cluster, and the ring that they share. A new life begins with empty ones.
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { Viewing } from '../views/viewing.ts'
import { Channel } from './channel.ts'
import { Ring, type RingLimits } from './ring.ts'
import type { TopicValues } from './topics.ts'

interface ChannelsOptions {
  readonly epoch: string
  readonly wallClock: Clock
  /** What can be told again. */
  readonly ring: RingLimits
  readonly values: TopicValues
  readonly log: Log
}

/** Kinds of rights whose last reader left, kept for those who come back. */
const mostIdleChannels = 32

export class Channels {
  readonly epoch: string
  readonly #options: ChannelsOptions
  readonly #ring: Ring
  readonly #byKey = new Map<string, Channel>()

  constructor(options: ChannelsOptions) {
    this.epoch = options.epoch
    this.#options = options
    this.#ring = new Ring(options.ring)
  }

  [Symbol.iterator](): Iterator<Channel> {
    return this.#byKey.values()
  }

  /** Where those of these rights read. */
  of(viewing: Viewing): Channel {
    this.prune()
    const known = this.#byKey.get(viewing.key)
    if (known !== undefined) {
      known.viewing = viewing
      return known
    }
    const { epoch, values, log } = this.#options
    const channel = new Channel({ key: viewing.key, epoch, ring: this.#ring, values, log }, viewing)
    this.#byKey.set(viewing.key, channel)
    return channel
  }

  /** Forgets what nobody can come back to. */
  prune(): void {
    const nowMs = this.#options.wallClock.elapsed()
    this.#ring.expire(nowMs)
    const beforeMs = nowMs - this.#options.ring.ageMs
    const idle = [...this.#byKey.values()].filter(({ readers }) => readers.size === 0).sort((a, b) => b.leftMs - a.leftMs)
    for (const [at, channel] of idle.entries()) {
      if (at < mostIdleChannels && channel.leftMs >= beforeMs) continue
      this.#byKey.delete(channel.key)
      this.#ring.close(channel.key)
    }
    for (const channel of this.#byKey.values()) channel.prune(beforeMs)
  }

  /** Something changed of which any topic may speak. */
  soil(): void {
    for (const channel of this.#byKey.values()) channel.soil()
  }

  /** When the next topic may be computed that has to, each once in `everyMs`; `undefined`: none has to. */
  nextDueMs(everyMs: number): number | undefined {
    let dueMs: number | undefined
    for (const channel of this.#byKey.values()) {
      const next = channel.nextDueMs(everyMs)
      if (next !== undefined && (dueMs === undefined || next < dueMs)) dueMs = next
    }
    return dueMs
  }
}
