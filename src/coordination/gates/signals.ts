// What the gates ask of the cluster that its objects do not say: how the API server answers, how old the measured usage is.
import type { UnschedulablePod } from '../observed/unschedulable-pods.ts'

/** How the API server answered us over the last minute. */
export interface ApiReading {
  /** Upper bound of the time that 99 of 100 requests took, in milliseconds. */
  readonly p99Ms: number
  /** Share of answers of 500 and above, and of requests without an answer. */
  readonly errorShare: number
  readonly requests: number
  readonly errors: number
  /** Since when it is as bad as the gate minds; now, while it is not. */
  readonly sinceMs: number
}

export interface ClusterSignals {
  /** `undefined`: nobody measures. */
  readonly api: ApiReading | undefined
  /** Age of the measured usage in milliseconds; `undefined`: nothing is measured. */
  readonly usageAgeMs: number | undefined
  /** Pods that the scheduler finds no node for; where it is absent they are looked for in the state. */
  readonly unschedulable?: readonly UnschedulablePod[]
}

export const noSignals: ClusterSignals = { api: undefined, usageAgeMs: undefined }
