// Something costly that anybody may ask for: it takes a fixed share of the time, however many ask.
import type { Clock } from '../../clock.ts'

/** For each millisecond that it takes there are nine without it. */
const restFactor = 9

/** Asks `make` for what is true after the call. Calls that come while it works, or rests, share the next answer. @throws what `make` throws */
export function paced<T>(make: () => Promise<T>, clock: Clock): () => Promise<T> {
  let working: Promise<unknown> = Promise.resolve()
  let next: Promise<T> | undefined
  let restUntilMs = 0
  const turn = async (before: Promise<unknown>): Promise<T> => {
    await before
    const restMs = restUntilMs - clock.elapsed()
    if (restMs > 0) await clock.after(restMs)
    next = undefined
    const sinceMs = clock.elapsed()
    try {
      return await make()
    } finally {
      const nowMs = clock.elapsed()
      restUntilMs = nowMs + (nowMs - sinceMs) * restFactor
    }
  }
  return () => {
    if (next !== undefined) return next
    const begun = turn(working)
    next = begun
    // A failure is told to those who asked; the next turn only waits for the end.
    working = begun.then(
      () => undefined,
      () => undefined,
    )
    return begun
  }
}
