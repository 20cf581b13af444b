// How long injected waits take.
import type { Random } from '#kube/random.ts'

/** Half of the draws lie below `p50Ms`, one in a hundred above `p99Ms`. */
export interface Spread {
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Standard deviations from the median to the 99th percentile of a normal distribution. */
const deviationsToP99 = 2.326347874

/** A draw in milliseconds, log-normal; the median itself where both quantiles are equal. */
export function drawnMs({ p50Ms, p99Ms }: Spread, random: Random): number {
  if (p50Ms <= 0 || p99Ms <= p50Ms) return p50Ms
  const deviation = Math.log(p99Ms / p50Ms) / deviationsToP99
  const radius = Math.sqrt(-2 * Math.log(1 - random()))
  return p50Ms * Math.exp(deviation * radius * Math.cos(2 * Math.PI * random()))
}
