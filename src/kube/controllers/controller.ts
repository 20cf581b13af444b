// Workers that take keys from a queue and reconcile them, one after another each. What throws comes again later, alone.
import type { Clock } from '../clock.ts'
import { type Log, messageOf } from '../log.ts'
import type { WorkQueue } from './queue.ts'

export type ReconcileResult =
  | { readonly kind: 'done' }
  /** Again at a time of its own. */
  | { readonly kind: 'after'; readonly delayMs: number }
  /** Again with back-off. */
  | { readonly kind: 'again' }

/** Done: nothing more to do for the key until something changes. */
export const reconciled: ReconcileResult = { kind: 'done' }

/** Wrong in a way that trying again does not cure. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError'
}

interface WorkersOptions<K extends string> {
  readonly name: string
  readonly queue: WorkQueue<K>
  readonly reconcile: (key: K, signal: AbortSignal) => Promise<ReconcileResult>
  readonly clock: Clock
  readonly log: Log
  /** How many keys at once. */
  readonly concurrency?: number
  /** For one key. */
  readonly timeLimitMs?: number
  /** Told the outcome of each reconciliation, for metrics. */
  readonly onResult?: (
    key: K,
    result: 'success' | 'requeue' | 'requeue_after' | 'error' | 'terminal_error',
    tookMs: number,
  ) => void
}

const defaultTimeLimitMs = 300_000
const errorLogMs = 10_000

/**
 * Works until `signal` is aborted or the queue is shut down and empty; what is being worked on then gets the signal and is
 * awaited. Flow: take, reconcile under a time limit, then forget, delay or back off, then give the key back.
 */
export async function runWorkers<K extends string>(options: WorkersOptions<K>, signal: AbortSignal): Promise<void> {
  const worker = new Worker(options)
  await Promise.all(Array.from({ length: options.concurrency ?? 1 }, () => worker.run(signal)))
}

class Worker<K extends string> {
  readonly #options: WorkersOptions<K>
  readonly #loggedMs = new Map<K, number>()

  constructor(options: WorkersOptions<K>) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    const { queue } = this.#options
    for (;;) {
      let key: K | undefined
      try {
        key = await queue.take(signal)
      } catch (error) {
        if (signal.aborted) return
        throw error
      }
      if (key === undefined) return
      try {
        await this.#reconcile(key, signal)
      } finally {
        queue.done(key)
      }
    }
  }

  async #reconcile(key: K, signal: AbortSignal): Promise<void> {
    const { queue, clock, reconcile, timeLimitMs = defaultTimeLimitMs, onResult } = this.#options
    const startMs = clock.elapsed()
    const limit = new AbortController()
    const cancel = clock.schedule(timeLimitMs, () => limit.abort(new Error(`not reconciled within ${timeLimitMs} ms`)))
    const tell = (result: Parameters<NonNullable<typeof onResult>>[1]) => onResult?.(key, result, clock.elapsed() - startMs)
    try {
      const result = await reconcile(key, AbortSignal.any([signal, limit.signal]))
      if (result.kind === 'again') {
        queue.addRateLimited(key)
        tell('requeue')
        return
      }
      queue.forget(key)
      this.#loggedMs.delete(key)
      if (result.kind === 'after') queue.addAfter(key, result.delayMs)
      tell(result.kind === 'after' ? 'requeue_after' : 'success')
    } catch (error) {
      if (signal.aborted) return
      const isTerminal = error instanceof TerminalError
      if (isTerminal) queue.forget(key)
      else queue.addRateLimited(key)
      this.#report(key, error)
      tell(isTerminal ? 'terminal_error' : 'error')
    } finally {
      cancel()
    }
  }

  #report(key: K, error: unknown): void {
    const { clock, log, name } = this.#options
    const nowMs = clock.elapsed()
    const lastMs = this.#loggedMs.get(key)
    if (lastMs !== undefined && nowMs - lastMs < errorLogMs) return
    this.#loggedMs.set(key, nowMs)
    log.error({ controller: name, key, err: error, why: messageOf(error) }, 'reconciliation threw')
  }
}
