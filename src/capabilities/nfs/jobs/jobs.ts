// The jobs of CSI's sidecars in one process, side by side: beside a driver that is reached by its socket, whosever it is.

import type { Registry } from 'prom-client'
import type { Check } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { Log } from '#kube/log.ts'
import type { Random } from '#kube/random.ts'
import { attachJob } from './attach/attach-job.ts'
import type { AttachJobSettings } from './attach/settings.ts'
import { callTimes } from './driver/call-metrics.ts'
import { DriverLink } from './driver/driver-link.ts'
import type { Job } from './job.ts'
import { type ElectionSettings, JobLife, type LivingJob } from './job-life.ts'
import { provisionJob } from './provision/provision-job.ts'
import type { ProvisionSettings } from './provision/settings.ts'
import { resizeJob } from './resize/resize-job.ts'
import type { ResizeSettings } from './resize/settings.ts'
import type { SnapshotControllerSettings, SnapshotSettings } from './snapshot/settings.ts'
import { snapshotControllerJob } from './snapshot/snapshot-controller-job.ts'
import { snapshotJob } from './snapshot/snapshot-job.ts'

/** What runs; a job that is left out does not. */
export interface JobsConfig {
  readonly provision?: ProvisionSettings | undefined
  readonly resize?: ResizeSettings | undefined
  readonly attach?: AttachJobSettings | undefined
  readonly snapshot?: SnapshotSettings | undefined
  readonly snapshotController?: SnapshotControllerSettings | undefined
  /** A Lease a job, under upstream's names. Left out: this process acts alone. */
  readonly election?: ElectionSettings | undefined
}

interface JobsOptions {
  /** It is closed by its owner, not here. */
  readonly api: Api
  /** The driver's socket: an absolute path, or `tcp://HOST:PORT`. Only the snapshot controller does without. */
  readonly address?: string | undefined
  readonly config: JobsConfig
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** `<pod or host name>_<uuid>`: holds the Leases, and is in the source of some Events. */
  readonly identity: { readonly instance: string }
  readonly metrics?: Registry | undefined
  /** Further jobs of the cluster, beside those of the sidecars. */
  readonly more?: readonly Job[] | undefined
  /** Watches of the process, where others share them; whoever gives them ends them. */
  readonly informers?: Informers | undefined
}

/** Jobs that run until they are disposed of. */
export interface RunningJobs extends AsyncDisposable {
  checks(): readonly Check[]
}

/** For calls by which it is found out who the driver is, in milliseconds. */
const askLimitMs = 10_000

/** Starts the jobs; they run until `signal` is aborted or they are disposed of. @throws RangeError where a job of a driver is asked for without an address */
export function startJobs(
  { api, address, config, clock, random, log, identity, metrics, informers: given, more = [] }: JobsOptions,
  signal: AbortSignal,
): RunningJobs {
  const { provision, resize, attach, snapshot, snapshotController, election } = config
  const ofDriver = [
    ...(provision === undefined ? [] : [provisionJob(provision)]),
    ...(resize === undefined ? [] : [resizeJob(resize)]),
    ...(attach === undefined ? [] : [attachJob(attach)]),
    ...(snapshot === undefined ? [] : [snapshotJob(snapshot)]),
  ]
  const ofCluster: readonly Job[] = [
    ...(snapshotController === undefined ? [] : [snapshotControllerJob(snapshotController)]),
    ...more,
  ]
  if (ofDriver.length > 0 && address === undefined) throw new RangeError('jobs of a driver need the address of its socket')
  const stop = new AbortController()
  const both = AbortSignal.any([signal, stop.signal])
  const link =
    address === undefined
      ? undefined
      : new DriverLink({ address, clock, random, log, askLimitMs, times: metrics === undefined ? undefined : callTimes(metrics) })
  const informers = given?.share({ signal: both }) ?? new Informers(api, { clock, random, log, signal: both })
  // What all jobs read of a kind is known before the first of them asks, so that nothing is listed twice.
  informers.share({ needs: [...ofDriver, ...ofCluster].flatMap(({ needs }) => needs) })
  const around = { api, informers, election, clock, random, log, instance: identity.instance }
  const living: readonly LivingJob[] = [
    ...(link === undefined ? [] : ofDriver.map(job => ({ link, job }))),
    ...ofCluster.map(job => ({ link: undefined, job })),
  ]
  const lives = living.map(one => new JobLife(one, around))
  const running = Promise.all(lives.map(life => life.run(both)))
  return {
    checks: () => lives.map(life => life.check()),
    async [Symbol.asyncDispose]() {
      stop.abort(new DOMException('the jobs are stopped', 'AbortError'))
      await running
      await informers[Symbol.asyncDispose]()
      link?.[Symbol.dispose]()
    },
  }
}
