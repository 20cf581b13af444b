// Long work in one go keeps leases and health waiting: it gives the event loop a turn now and then.
import type { Clock } from '../clock.ts'

const breathAfterMs = 2

/** A function to call between steps of work: when 2 ms passed since the last turn it waits for the next, else for nothing. */
export function breather(clock: Clock): () => Promise<void> {
  let sinceMs = clock.elapsed()
  return async () => {
    if (clock.elapsed() - sinceMs < breathAfterMs) return
    await new Promise<void>(resolve => setImmediate(resolve))
    sinceMs = clock.elapsed()
  }
}
