// Cycles in a rhythm, as upstream's: a period counts from the start of a cycle, and one that was overslept begins at once.
import type { Clock } from '#kube/clock.ts'

interface Rhythm {
  /** 0: one cycle. */
  readonly intervalMs: number
  readonly clock: Clock
}

/** Calls `cycle` until `signal` is aborted, or once. Never two at a time. @throws what `cycle` throws, but for an abort by `signal` */
export async function repeatCycle(cycle: () => Promise<void>, { intervalMs, clock }: Rhythm, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const startMs = clock.elapsed()
    try {
      await cycle()
      if (intervalMs === 0) return
      await clock.after(Math.max(0, startMs + intervalMs - clock.elapsed()), signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}
