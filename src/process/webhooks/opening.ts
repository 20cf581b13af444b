// How long a process waits for the certificate that it serves with: whoever needs none goes on without, however long the Secret is away.
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'

const patienceMs = 30_000

interface OpeningOptions {
  readonly clock: Clock
  readonly log: Log
  /** `webhooks` */
  readonly what: string
  /** Ends the keeping. */
  readonly signal: AbortSignal
}

export class Opening {
  readonly #options: OpeningOptions
  readonly #opened = Promise.withResolvers<void>()
  #isWaitedFor = true

  constructor(options: OpeningOptions) {
    this.#options = options
    // What went wrong is told to whoever waits, or by `#failed`.
    this.#opened.promise.catch(() => undefined)
  }

  /** Calls are answered when `shown` is done. What it throws is told to whoever waits, and is nobody's later: a fault of the process. */
  by(shown: Promise<void>): void {
    void shown.then(this.#opened.resolve, this.#failed)
  }

  /** The end of `keeping`, which ends by the signal. */
  async ofKeeping(keeping: Promise<never>): Promise<void> {
    const { signal } = this.#options
    await keeping.catch((error: unknown) => {
      this.#opened.reject(error)
      if (!signal.aborted) throw error
    })
  }

  /** Resolves when calls are answered, or after 30 s. @throws what kept them from it; `signal.reason` */
  async waited(): Promise<void> {
    const { clock, log, what, signal } = this.#options
    const isOver = new AbortController()
    const patience = clock.after(patienceMs, AbortSignal.any([signal, isOver.signal])).then(() => true)
    try {
      const isLate = await Promise.race([this.#opened.promise.then(() => false), patience])
      if (isLate)
        log.warn({ what }, 'no certificate to serve with yet: all else goes on, and this follows as soon as there is one')
    } finally {
      this.#isWaitedFor = false
      // It ends by the abort below, which nobody waits for.
      patience.catch(() => undefined)
      isOver.abort()
    }
  }

  readonly #failed = (error: unknown): void => {
    this.#opened.reject(error)
    if (!this.#isWaitedFor && !this.#options.signal.aborted) throw error
  }
}
