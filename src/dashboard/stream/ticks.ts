// What time it is, told to all who listen even when nothing changes: a stream without ticks is dead.
import type { Cancel, Clock } from '#kube/clock.ts'
import type { Picture } from '../picture.ts'
import { speedOf } from '../views/twin-clock.ts'

/** Where time runs as ours, and where it does not. */
const tickMs = { slow: 10_000, fast: 1_000 } as const

/** Guarantees: ticks come as often as those were promised who are here, or sooner. */
export class Ticks {
  readonly #wallClock: Clock
  readonly #tick: () => void
  #everyMs: number = tickMs.slow
  #cancel: Cancel | undefined

  /** `tick` has to bear whatever happens: it is called by a timer. */
  constructor(wallClock: Clock, tick: () => void) {
    this.#wallClock = wallClock
    this.#tick = tick
  }

  /** What a reader that comes now is promised. */
  get everyMs(): number {
    return this.#everyMs
  }

  /** Somebody comes; `isFirst`: nobody else is here. */
  begin(picture: Picture, isFirst: boolean): void {
    const wanted = wantedMs(picture)
    if (isFirst) this.#everyMs = wanted
    if (wanted >= this.#everyMs && this.#cancel !== undefined) return
    this.#everyMs = Math.min(wanted, this.#everyMs)
    this.#cancel?.()
    this.#later()
  }

  /** The speed of the cluster's time may be another. */
  heed(picture: Picture): void {
    this.#everyMs = Math.min(this.#everyMs, wantedMs(picture))
  }

  /** Nobody is here any more. */
  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #later(): void {
    this.#cancel = this.#wallClock.schedule(this.#everyMs, () => {
      this.#later()
      this.#tick()
    })
  }
}

function wantedMs(picture: Picture): number {
  return picture.mode === 'cluster' || speedOf(picture) === 1 ? tickMs.slow : tickMs.fast
}
