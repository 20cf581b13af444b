// When a part that failed runs again. Pure: faults and times in, a decision out.

/** What is remembered of a part's faults, oldest first; times of one monotonic clock, in milliseconds. */
export interface FaultHistory {
  readonly faultsMs: readonly number[]
  /** Faults of which each came soon after the one before. */
  readonly inARow: number
}

export const noFaults: FaultHistory = { faultsMs: [], inARow: 0 }

type AfterFault =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly history: FaultHistory }
  | { readonly kind: 'quarantine'; readonly lengthMs: number; readonly faults: number; readonly history: FaultHistory }

/** So many faults within `faultWindowMs` are one too many. */
const mostFaults = 3
export const faultWindowMs = 10 * 60_000
/** A quarantine ends by itself after this; earlier by a changed configuration or a new process. */
const quarantineMs = 3_600_000
const firstDelayMs = 1_000
const longestDelayMs = 30_000

/**
 * What follows a fault at `nowMs`: another start after 1 s, doubled with each fault that came within ten minutes of the one before, up to
 * 30 s; or, with the third in ten minutes, an hour's quarantine.
 */
export function afterFault(history: FaultHistory, nowMs: number): AfterFault {
  const lastMs = history.faultsMs.at(-1)
  const inARow = lastMs !== undefined && nowMs - lastMs < faultWindowMs ? history.inARow + 1 : 1
  const faultsMs = [...history.faultsMs.filter(ms => nowMs - ms < faultWindowMs), nowMs]
  if (faultsMs.length >= mostFaults)
    return { kind: 'quarantine', lengthMs: quarantineMs, faults: faultsMs.length, history: noFaults }
  const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (inARow - 1))
  return { kind: 'restart', delayMs, history: { faultsMs, inARow } }
}
