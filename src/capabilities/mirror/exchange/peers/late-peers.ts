// Whether `mirrorResolveTimeout` is too short: first peers that were found after a request had been given up.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Router } from '../../contract.ts'

/** How long a look-up goes on after its request was given up. */
const longestLateMs = 500
/** Requests over which the share is taken. */
const counted = 100
/** From this share on it is told. */
const tolerable = 0.05
/** Look-ups that go on at a time. */
const mostWatched = 8

export class LateFirstPeers {
  readonly #clock: Clock
  readonly #log: Log
  #requests = 0
  #late = 0
  #watched = 0

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock
    this.#log = log
  }

  /** A peer was found in time. */
  found(): void {
    this.#count(0)
  }

  /** None was found in time: looks whether one would have been a little later. */
  missed(key: string, router: Pick<Router, 'lookup'>): void {
    if (this.#watched >= mostWatched) return
    this.#watched++
    const stop = new AbortController()
    const cancel = this.#clock.schedule(longestLateMs, () => stop.abort())
    this.#isThere(key, router, stop.signal).then(
      isThere => {
        this.#over(cancel)
        if (isThere) this.#count(1)
      },
      (error: unknown) => {
        this.#over(cancel)
        this.#log.debug({ key, error: messageOf(error) }, 'a look-up failed')
      },
    )
  }

  async #isThere(key: string, router: Pick<Router, 'lookup'>, signal: AbortSignal): Promise<boolean> {
    for await (const _peer of router.lookup(key, { count: 1, signal })) return true
    return false
  }

  #over(cancel: () => void): void {
    cancel()
    this.#watched--
  }

  #count(late: number): void {
    this.#requests++
    this.#late += late
    if (this.#requests < counted) return
    const share = this.#late / this.#requests
    if (share > tolerable)
      this.#log.warn({ late: this.#late, of: this.#requests }, 'peers are found too late: mirrorResolveTimeout is too short here')
    this.#requests = 0
    this.#late = 0
  }
}
