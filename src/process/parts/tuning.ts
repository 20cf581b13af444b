// How a process uses its API server and its Lease, and how long its parts may take to end: what the block `process` of the configuration says.
import type { BucketOptions } from '#kube/client/request-bucket.ts'
import type { ProcessConfiguration } from '#kube/configuration.ts'
import type { Log } from '#kube/log.ts'
import { durationMs } from '#kube/time/duration.ts'
import { type Grace, graceVariable } from '../ending.ts'

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

/** The same as the configuration says it, within the time that the process is given for its end. */
export function tuningOf(settled: ProcessConfiguration, { grace, log }: { readonly grace: Grace; readonly log: Log }): Tuning {
  return {
    gracefulMs: partsGraceMs(settled, { grace, log }),
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

/** How long parts may take to end in order, in milliseconds. It is told where the process is given less than the configuration asks for. */
export function partsGraceMs(
  { gracefulShutdownTimeout }: Pick<ProcessConfiguration, 'gracefulShutdownTimeout'>,
  { grace, log, moreMs = 0 }: { readonly grace: Grace; readonly log: Log; readonly moreMs?: number },
): number {
  const wantedMs = durationMs(gracefulShutdownTimeout) + moreMs
  const givenMs = grace.parts(wantedMs)
  if (givenMs < wantedMs)
    log.debug(
      { gracefulShutdownTimeout, givenSeconds: givenMs / 1_000, variable: graceVariable },
      'parts have less time to end than is asked for: the pod is killed before',
    )
  return givenMs
}
