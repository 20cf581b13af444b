// What the process of the drop-in descheduler is started with.

import type { OwnerLabel } from '#cluster/ownership.ts'
import type { ArbiterPolicy } from '#coordination/policy/arbiter-policy.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Random } from '#kube/random.ts'
import type { CycleListener } from '../instruments/cycle-listener.ts'
import type { leadOnce } from '../instruments/leader-election.ts'
import type { ServingSettings } from '../instruments/secure-server.ts'
import type { startTracing } from '../instruments/tracing.ts'
import type { Coordination } from './coordination-settings.ts'
import type { DeschedulerLog } from './descheduler-log.ts'

/** As flags say it; durations in milliseconds. */
interface RunSettings {
  readonly policyConfigFile: string
  /** 0: one cycle. */
  readonly deschedulingIntervalMs: number
  readonly dryRun: boolean
  /** Absent: none. */
  readonly leaderElection?: Parameters<typeof leadOnce>[0]
  /** Absent: nothing is served. */
  readonly serving?: ServingSettings
  readonly evictionsInBackground: boolean
  /** `--otel-*`; absent: nothing is traced. */
  readonly tracing?: Parameters<typeof startTracing>[0]
}

export interface DeschedulerOptions {
  readonly settings: RunSettings
  readonly api: Api
  readonly coordination: Coordination
  readonly arbiterPolicy: ArbiterPolicy
  readonly ownerLabel: OwnerLabel
  /** Name of the pod or host, and Ballast's own namespace. */
  readonly identity: { readonly name: string; readonly namespace: string }
  /** Why DisruptionPermits cannot be kept in the cluster; `undefined`: they can. Not asked in a dry run. */
  readonly permitsLack: (signal: AbortSignal) => Promise<string | undefined>
  readonly log: DeschedulerLog
  readonly clock: Clock
  readonly random: Random
  /** For proxies on the way to Prometheus. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Ballast's own. */
  readonly version: string
  /** Told where the secure port listens: tests ask for any. */
  readonly onServing?: (port: number) => void
  /** Hear of cycles beside metrics, log and Events. */
  readonly listeners?: readonly CycleListener[]
}
