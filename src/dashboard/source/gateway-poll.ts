// How routes stand at the gateways, asked for every two seconds while somebody looks, and once where a page is read without staying: nobody
// else needs it, and each asking is a request to each of them.
import type { Gateways } from '#coordination/ports/gateway-door.ts'
import type { Cancel, Clock } from '#kube/clock.ts'

interface GatewayPollOptions {
  /** Where the capability is on. */
  readonly gateways: () => Gateways | undefined
  readonly wallClock: Clock
  /** Told after each round. */
  readonly onRound: () => void
  readonly signal: AbortSignal
}

const everyMs = 2_000

export class GatewayPoll implements Disposable {
  readonly #options: GatewayPollOptions
  #timer: Cancel | undefined
  #isFollowed = false
  #round: Promise<void> | undefined
  #askedMs = Number.NEGATIVE_INFINITY

  constructor(options: GatewayPollOptions) {
    this.#options = options
  }

  /** While somebody looks. */
  follow(isOn: boolean): void {
    this.#isFollowed = isOn
    this.#timer?.()
    this.#timer = undefined
    if (isOn) this.#look()
  }

  /** One round, or the one under way; none where the last is young. Never rejects. */
  ask(): Promise<void> {
    const { gateways, wallClock, onRound, signal } = this.#options
    const asked = gateways()
    const isYoung = wallClock.elapsed() - this.#askedMs < everyMs
    if (this.#round !== undefined || asked?.ask === undefined || isYoung || signal.aborted)
      return this.#round ?? Promise.resolve()
    this.#askedMs = wallClock.elapsed()
    this.#round = asked.ask(signal).finally(() => {
      this.#round = undefined
      if (!signal.aborted) onRound()
    })
    return this.#round
  }

  [Symbol.dispose](): void {
    this.follow(false)
  }

  #look(): void {
    void this.ask().then(() => {
      const { wallClock, signal } = this.#options
      if (!this.#isFollowed || signal.aborted) return
      this.#timer?.()
      this.#timer = wallClock.schedule(everyMs, () => this.#look())
    })
  }
}
