// Time for tests in which real sockets and files of this process meet deadlines.
import { systemClock, VirtualClock } from '../clock.ts'

/**
 * A clock that goes on by itself, a millisecond at most for every turn in which the event loop had time for what came:
 * where the processor is busy elsewhere it stands still, so that nobody here is ever late because of that.
 */
export class UnhurriedClock extends VirtualClock implements AsyncDisposable {
  #isOver = false
  readonly #running: Promise<void>

  constructor(startMs = 1_750_000_000_000) {
    super(startMs)
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      await systemClock.after(1)
      await this.advance(1)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.#running
  }
}
