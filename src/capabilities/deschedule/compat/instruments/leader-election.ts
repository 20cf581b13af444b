// Upstream's leader election: one Lease, and whoever loses it ends.
import type { Api } from '#kube/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { Random } from '#kube/random.ts'

/** Milliseconds. */
export interface ElectionSettings {
  readonly leaseDurationMs: number
  readonly renewDeadlineMs: number
  readonly retryPeriodMs: number
  readonly name: string
  readonly namespace: string
}

export interface ElectionSurroundings {
  readonly api: Api
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly hostName: string
}
