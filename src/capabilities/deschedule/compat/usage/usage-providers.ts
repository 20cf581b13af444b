// What the policy's metrics providers know, fetched for one cycle at a time: node averages of metrics.k8s.io, sampled all the time, the
// usage of pods at the moment, and the answers to Prometheus queries. What cannot be had fails the plugin that wants it, nothing else.
import type { Api } from '#kube/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { DeschedulerPolicy } from '../policy/args.ts'
import type { MeasuredFigures } from '../strategies/low-node-utilization.ts'

/** What the providers work with. */
export interface UsageSurroundings {
  readonly api: Api
  readonly clock: Clock
  readonly log: Log
  /** Of the pod's service account: `token` and `ca.crt`. Only tests have it elsewhere. */
  readonly serviceAccountDirectory?: string
}

/** One for a process, made with `usageProviders`. Disposing of it ends sampling and connections. */
export interface UsageProviders extends AsyncDisposable {
  /**
   * From now on what `policy` wants is sampled: at the start, and after each reload. Resolves when nodes were sampled once, whether that
   * brought figures or not. @throws `signal.reason`
   */
  follow(policy: DeschedulerPolicy, signal: AbortSignal): Promise<void>
  /** The figures for one cycle under the policy that is followed, for `strategyMaker`. @throws `signal.reason`, nothing else */
  figures(signal: AbortSignal): Promise<MeasuredFigures>
}
