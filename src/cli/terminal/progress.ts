// How far something is that takes long: on a terminal a line that changes, in a pipe or a file a line now and then.
import type { Clock } from '#kube/clock.ts'
import type { Terminal } from './terminal.ts'

/** What is done sooner is not told of. */
const quietMs = 1_000
const statusEveryMs = 100
const lineEveryMs = 5_000

export class Progress {
  readonly #terminal: Pick<Terminal, 'say' | 'status'>
  readonly #clock: Pick<Clock, 'elapsed'>
  readonly #startedMs: number
  #nextMs: number

  constructor(terminal: Pick<Terminal, 'say' | 'status'>, clock: Pick<Clock, 'elapsed'>) {
    this.#terminal = terminal
    this.#clock = clock
    this.#startedMs = clock.elapsed()
    this.#nextMs = this.#startedMs + quietMs
  }

  /** May be called as often as anything happens: `text` is made when it is shown. */
  note(text: () => string): void {
    const nowMs = this.#clock.elapsed()
    if (nowMs < this.#nextMs) return
    const { status } = this.#terminal
    this.#nextMs = nowMs + (status === undefined ? lineEveryMs : statusEveryMs)
    if (status === undefined) this.#terminal.say(text())
    else status(text())
  }

  /** Tells the end of what took long; of what did not it says nothing. */
  end(text: (seconds: string) => string): void {
    const tookMs = this.#clock.elapsed() - this.#startedMs
    if (tookMs >= quietMs) this.#terminal.say(text((tookMs / 1000).toFixed(1)))
  }
}
