// A plugin of a kubelet lives again and again: from its sockets to what is wrong with them, and anew after a while.

import type { Clock } from '../clock.ts'
import type { Wake } from '../controllers/wake.ts'
import { isOutside } from '../outside-error.ts'
import type { Random } from '../random.ts'

const times = {
  firstRetryMs: 100,
  lastRetryMs: 30_000,
  /** What lasted so long was no failure. */
  steadyMs: 30_000,
} as const

interface Around {
  readonly clock: Clock
  readonly random: Random
  /** Ends no wait between two lives, which would hurry past it. */
  readonly wake: Wake
  /** Told why a life ended: in words, or by what it threw. */
  readonly onEnd: (end: { readonly why: string } | { readonly error: unknown }) => void
}

/** Lives `life` until `signal` is aborted; each yields in words what is wrong. @throws what it throws that does not come from outside */
export async function liveAgain(
  life: (signal: AbortSignal) => Promise<string>,
  { clock, random, wake, onEnd }: Around,
  signal: AbortSignal,
): Promise<void> {
  let retryMs: number = times.firstRetryMs
  while (!signal.aborted) {
    const startMs = clock.elapsed()
    try {
      onEnd({ why: await life(signal) })
    } catch (error) {
      if (signal.aborted) break
      if (!isOutside(error)) throw error
      onEnd({ error })
    }
    if (clock.elapsed() - startMs >= times.steadyMs) retryMs = times.firstRetryMs
    const untilMs = clock.elapsed() + Math.ceil(retryMs * (0.8 + 0.4 * random()))
    retryMs = Math.min(times.lastRetryMs, retryMs * 2)
    while (clock.elapsed() < untilMs && !signal.aborted)
      await wake.wait(Math.max(1, Math.ceil(untilMs - clock.elapsed())), signal)
  }
}
