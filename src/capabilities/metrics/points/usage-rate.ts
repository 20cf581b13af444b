// From two points to a rate, as upstream's resourceUsage has it: in doubles, cut off.

/** What a node or container used. */
export interface Usage {
  /** Billionths of a core: a whole number. */
  readonly cpuNanocores: number
  readonly memoryBytes: number
  readonly swapBytes: number | undefined
  readonly storageBytes: number | undefined
  /** Milliseconds since 1970 of the later point. */
  readonly timeMs: number
  /** Between the points: positive. */
  readonly windowNs: number
}

const nanosPerMilli = 1e6
const nanosPerSecond = 1e9

/** A time of nanoseconds since 1970 as whole milliseconds and a rest. Exact, though such a number is beyond 2^53. */
export function splitNanos(timeNs: number): { readonly ms: number; readonly restNs: number } {
  const restNs = timeNs % nanosPerMilli
  return { ms: Math.round((timeNs - restNs) / nanosPerMilli), restNs }
}

/** Nanoseconds from one time to a later one. */
export function nanosBetween(from: { readonly ms: number; readonly restNs: number }, toMs: number): number {
  return (toMs - from.ms) * nanosPerMilli - from.restNs
}

/** Cores used, in billionths, where `cpuNs` of CPU went in `windowNs`. */
export function nanocores(cpuNs: number, windowNs: number): number {
  const wholeSeconds = Math.trunc(windowNs / nanosPerSecond)
  const seconds = wholeSeconds + (windowNs % nanosPerSecond) / nanosPerSecond
  return Math.trunc(cpuNs / seconds)
}
