// Whether a registry is away, by what was seen of it: only then `tags: fallback` answers tags from the cluster. Pure.

/** A registry is looked at so often at most. */
const probeEveryMs = 30_000
/** Failures in a row that open the breaker. */
const opensAfter = 2

export interface BreakerState {
  readonly isOpen: boolean
  /** In a row. */
  readonly failures: number
  /** When it was looked at last, of a clock that never goes back; `undefined`: never. */
  readonly probedMs: number | undefined
}

export const closedBreaker: BreakerState = { isOpen: false, failures: 0, probedMs: undefined }

/** A tag was asked for: whether the registry is to be looked at now. */
export function onTag(state: BreakerState, nowMs: number): { readonly state: BreakerState; readonly isProbed: boolean } {
  const isProbed = state.probedMs === undefined || nowMs - state.probedMs >= probeEveryMs
  return { state: isProbed ? { ...state, probedMs: nowMs } : state, isProbed }
}

/** What was seen. Two failures in a row open it, one success closes it. */
export function onProbe(state: BreakerState, isReachable: boolean): BreakerState {
  if (isReachable) return { ...state, isOpen: false, failures: 0 }
  const failures = state.failures + 1
  return { ...state, failures, isOpen: state.isOpen || failures >= opensAfter }
}
