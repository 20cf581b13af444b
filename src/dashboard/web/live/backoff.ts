// How long is waited before the next attempt to connect.

const stepsMs: readonly number[] = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000]
const spread = 0.2

/** Before attempt `attempt` (0 is the first after an end), with ±20 % by `chance` of [0, 1). */
export function backoffMs(attempt: number, chance: number): number {
  const step = stepsMs[Math.min(attempt, stepsMs.length - 1)] ?? 0
  return Math.round(step * (1 + spread * (2 * chance - 1)))
}
