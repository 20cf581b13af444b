// After how many seconds it is worth to come again.

const leastSeconds = 1
const mostSeconds = 600
/** Where nothing was learned. */
const standardSeconds = 10

/** What a `Retry-After` says, from the milliseconds that are left of a start; undefined: nobody knows. */
export function retryAfterSeconds(leftMs: number | undefined): number {
  if (leftMs === undefined) return standardSeconds
  return Math.min(mostSeconds, Math.max(leastSeconds, Math.ceil(leftMs / 1_000)))
}
