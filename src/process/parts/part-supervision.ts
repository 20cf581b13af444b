// When a part that failed runs again. Pure: faults and times in, a decision out. What comes from outside is tried again for ever; only what
// we did wrong is set aside, and tried now and then all the same.

/** What is remembered of a part's faults, oldest first; times of one monotonic clock, in milliseconds. */
export interface FaultHistory {
  /** Our own faults alone. */
  readonly faultsMs: readonly number[]
  /** When the last life ended by a fault of any kind, and how many did of which each came soon after the one before. */
  readonly lastMs: number
  readonly inARow: number
  /** Quarantines since a life of the part last held: the next life is a trial where there were any. */
  readonly quarantines: number
}

export const noFaults: FaultHistory = { faultsMs: [], lastMs: Number.NEGATIVE_INFINITY, inARow: 0, quarantines: 0 }

/** How a life ended: by what a server, the network or an object did, or by ours; and how long it had been running. */
interface Fault {
  readonly nowMs: number
  readonly isOutside: boolean
  /** 0: it never came to run. */
  readonly ranMs: number
}

type AfterFault =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly history: FaultHistory }
  | { readonly kind: 'quarantine'; readonly lengthMs: number; readonly faults: number; readonly history: FaultHistory }

/** So many faults of ours within `faultWindowMs` are one too many. */
const mostFaults = 3
export const faultWindowMs = 10 * 60_000
/** The first quarantine; each trial that fails doubles it. A changed configuration, a new term and a new process end it earlier. */
const firstQuarantineMs = 60_000
const longestQuarantineMs = 10 * 60_000
/** A life that ran so long has held: what was before it is forgiven. */
const heldMs = 10 * 60_000
const firstDelayMs = 1_000
const longestDelayMs = 30_000

/**
 * What follows a fault: another start after 1 s, doubled with each fault that came within ten minutes of the one before, up to 30 s, for
 * ever where it came from outside. The third of ours in ten minutes is a quarantine of one minute, after which one life is tried: a fault
 * of ours in it is a quarantine twice as long, up to ten minutes, until a life has run for ten minutes.
 */
export function afterFault(before: FaultHistory, { nowMs, isOutside, ranMs }: Fault): AfterFault {
  const history = ranMs >= heldMs ? noFaults : before
  const inARow = nowMs - history.lastMs < faultWindowMs ? history.inARow + 1 : 1
  const faultsMs = [...history.faultsMs.filter(ms => nowMs - ms < faultWindowMs), ...(isOutside ? [] : [nowMs])]
  const { quarantines } = history
  if (!isOutside && (faultsMs.length >= mostFaults || quarantines > 0)) {
    const lengthMs = Math.min(longestQuarantineMs, firstQuarantineMs * 2 ** Math.min(quarantines, 10))
    const next = { faultsMs: [], lastMs: nowMs, inARow: 0, quarantines: quarantines + 1 }
    return { kind: 'quarantine', lengthMs, faults: faultsMs.length, history: next }
  }
  const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(inARow - 1, 10))
  return { kind: 'restart', delayMs, history: { faultsMs, lastMs: nowMs, inARow, quarantines } }
}
