// How a process uses its API server and its Lease, and how long its parts may take to end: what the block `process` of the configuration says.
import type { BucketOptions } from '#kube/client/request-bucket.ts'
import type { ProcessConfiguration } from '#kube/configuration.ts'
import { durationMs } from '#kube/time/duration.ts'

export interface LeaseTimes {
  readonly leaseDurationMs: number
  readonly renewDeadlineMs: number
  readonly retryPeriodMs: number
}

/** How this process uses its server; absent fields have the defaults of what they are given to. */
export interface Tuning {
  /** How long parts may take to end in order, in milliseconds. */
  readonly gracefulMs?: number
  readonly bucket?: BucketOptions
  readonly lease?: LeaseTimes
  readonly lists?: {
    readonly watchList: 'auto' | 'off'
    readonly pageSize: number
    readonly pollMs?: number
    readonly isAllOptional?: boolean
  }
  /** `warm`: what a leader watches is watched while another process leads, too. */
  readonly standby?: 'cold' | 'warm'
  /** Only these are watched, one by one; empty or absent: the cluster. */
  readonly namespaces?: readonly string[]
}

/** The same as the configuration says it. */
export function tuningOf(settled: ProcessConfiguration): Tuning {
  return {
    gracefulMs: durationMs(settled.gracefulShutdownTimeout),
    bucket: { perSecond: settled.kubeApiQPS, burst: settled.kubeApiBurst },
    lease: {
      leaseDurationMs: durationMs(settled.leaderElectLeaseDuration),
      renewDeadlineMs: durationMs(settled.leaderElectRenewDeadline),
      retryPeriodMs: durationMs(settled.leaderElectRetryPeriod),
    },
    lists: { watchList: settled.watchList, pageSize: settled.listPageSize },
    standby: settled.standby,
    namespaces: settled.watchNamespaces,
  }
}
