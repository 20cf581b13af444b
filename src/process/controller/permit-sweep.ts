// Permits that nobody finished, ended now and then for everybody who asks the arbiter.
import type { Arbiter } from '#coordination/arbiter/arbiter.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'

const everyMs = 10_000

/** Settles the arbiter's ledger every ten seconds until `signal` is aborted. */
export async function sweepPermits(
  { arbiter, clock, log }: { readonly arbiter: Pick<Arbiter, 'settle'>; readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await clock.after(everyMs, signal)
      await arbiter.settle(signal)
    } catch (error) {
      if (signal.aborted) return
      log.warn({ why: messageOf(error) }, 'old permits not settled, tried again')
    }
  }
}
