// Makes what viewers may see and do: asks for rights, lets views run, and asks again for what they missed.
import type { Clock } from '#kube/clock.ts'
import type { Picture } from '../picture.ts'
import { type Right, rightKey } from './rights.ts'
import type { Viewer } from './viewer.ts'
import { mostMissed, type Seen, seenBy, usualRights } from './viewing-of.ts'

/** Views ask for what they need while they run: the second round knows what the first one missed. */
const rounds = 3
/** Namespaces of viewers that may not list all pods, remembered from one request to the next. */
const mostViewers = 1_000

interface AccessBookOptions {
  readonly clock: Clock
  /** Whether there are actions at all, on such a cluster. */
  readonly isActing: (picture: Picture) => boolean
  readonly displayZone: string | undefined
}

export class AccessBook {
  readonly #options: AccessBookOptions
  /** What the views of each viewer asked for last, by key of the right. */
  readonly #wanted = new Map<string, ReadonlyMap<string, Right>>()
  /** Who wants to know what views miss, by key of what they see. */
  readonly #listeners = new Map<string, Set<(right: Right) => void>>()

  constructor(options: AccessBookOptions) {
    this.#options = options
  }

  /** What `viewer` may see of `picture`, with `more` rights known beyond the usual. Asks for what is too old; never rejects. */
  async seen(viewer: Viewer, picture: Picture, more: readonly Right[] = []): Promise<Seen> {
    const { isActing, displayZone } = this.#options
    const acting = isActing(picture)
    const wanted = [...(this.#wanted.get(viewer.id)?.values() ?? []), ...more]
    await viewer.rights.learn([...usualRights(picture, viewer, acting), ...wanted])
    const onMiss = (key: string, right: Right) => {
      for (const listener of this.#listeners.get(key) ?? []) listener(right)
    }
    return seenBy(viewer, picture, { isActing: acting, displayZone, more: wanted, onMiss })
  }

  /** `view` as `viewer` may see it: run again where it asked for rights that were not known. */
  async viewed<Value>(viewer: Viewer, picture: Picture, view: (seen: Seen) => Value): Promise<Value> {
    for (let round = 1, more: readonly Right[] = []; ; round++) {
      const seen = await this.seen(viewer, picture, more)
      const value = view(seen)
      const missed = seen.missed()
      if (missed.length === 0 || round === rounds) return value
      more = [...more, ...missed]
      this.want(viewer, missed)
    }
  }

  /** Remembers what a viewer's views read, so that it is known from the start the next time; rights to single objects are not kept. */
  want(viewer: Viewer, missed: readonly Right[]): void {
    const read = missed.filter(({ verb }) => verb === 'list')
    if (read.length === 0) return
    const wanted = new Map(this.#wanted.get(viewer.id))
    for (const right of read) wanted.set(rightKey(right), right)
    this.#wanted.delete(viewer.id)
    this.#wanted.set(viewer.id, new Map([...wanted].slice(-mostMissed)))
    for (const oldest of this.#wanted.keys()) {
      if (this.#wanted.size <= mostViewers) break
      this.#wanted.delete(oldest)
    }
  }

  /** Tells of each right that views with `key` miss, whoever's they are: a value that was computed for one is shown to all of that key. */
  onMiss(key: string, listener: (right: Right) => void): Disposable {
    const listeners = this.#listeners.get(key) ?? new Set()
    this.#listeners.set(key, listeners.add(listener))
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener)
        if (listeners.size === 0) this.#listeners.delete(key)
      },
    }
  }
}
