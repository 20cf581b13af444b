// Effects take turns; what they did is told when those beside them are done, or after a while: Events take as many requests.
import type { Cancel, Clock } from '#kube/clock.ts'
import { Turns } from '#kube/controllers/turns.ts'

const effectsAtOnce = 16
const mostUntold = 1_000
const tellMs = 2_000

export class EffectTurns {
  readonly #clock: Clock
  readonly #turns = new Turns(effectsAtOnce)
  /** Effects that wait for their turn or have it. */
  #effects = 0
  #untold: (() => void)[] = []
  #cancelTelling: Cancel = () => undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A turn; after the last one what was done is told. @throws `signal.reason` */
  async take(signal: AbortSignal): Promise<Disposable> {
    this.#effects++
    const ended = new DisposableStack()
    ended.defer(() => {
      this.#effects--
      if (this.#effects === 0) this.tellAll()
    })
    try {
      ended.use(await this.#turns.take(signal))
    } catch (error) {
      ended[Symbol.dispose]()
      throw error
    }
    return ended
  }

  tellLater(tell: () => void): void {
    if (this.#untold.length === 0) this.#cancelTelling = this.#clock.schedule(tellMs, () => this.tellAll())
    this.#untold.push(tell)
    if (this.#effects === 0 || this.#untold.length >= mostUntold) this.tellAll()
  }

  tellAll(): void {
    this.#cancelTelling()
    const told = this.#untold
    this.#untold = []
    for (const tell of told) tell()
  }
}
