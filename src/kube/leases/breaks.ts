// Breaks in long work. To plan for thousands of nodes takes a minute of the processor and more in one go: without a break no request is
// answered, no timer fires, and the Lease is lost.
import type { Clock } from '../clock.ts'

/** Between two breaks, in milliseconds. */
const betweenMs = 250

/** Gives everybody else a turn where the last one is long ago, with a renewal of the Lease where that is due. */
export function breaks(
  clock: Pick<Clock, 'elapsed' | 'after'>,
  refresh: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): () => Promise<void> | undefined {
  let lastMs = clock.elapsed()
  const pause = async () => {
    await clock.after(0, signal)
    await refresh(signal)
    lastMs = clock.elapsed()
  }
  return () => (clock.elapsed() - lastMs < betweenMs ? undefined : pause())
}
