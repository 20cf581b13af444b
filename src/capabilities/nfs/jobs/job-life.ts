// The life of one job: it waits for its driver, stands for its Lease, does its work while it leads, and begins anew where that failed. What fails here holds
// up no other job.

import type { Check } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import { EventRecorder } from '#kube/events/events.ts'
import type { Informers } from '#kube/informers/informer.ts'
import { type Leader, LeaseElection } from '#kube/leases/lease.ts'
import { messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import { capabilityName } from '../names.ts'
import type { DriverLink } from './driver/driver-link.ts'
import type { DriverJob, Job, JobContext } from './job.ts'
import { Retries } from './retries.ts'

const retryTimes = { firstMs: 1_000, lastMs: 300_000 } as const
/** What lasted so long was no failure of its beginning. */
const steadyMs = 600_000

/** How a job stands for its Lease; without it the process acts alone, and nobody keeps a second one from acting, too. */
export interface ElectionSettings {
  readonly namespace: string
  readonly leaseDurationMs: number
  readonly renewDeadlineMs: number
  readonly retryPeriodMs: number
}

interface Surroundings extends Pick<JobContext, 'clock' | 'random' | 'log' | 'instance'> {
  readonly api: Api
  /** They are the whole process's: a job has its part in them while it leads. */
  readonly informers: Informers
  readonly election: ElectionSettings | undefined
}

/** A job, and the driver that it is for. */
export type LivingJob = { readonly link: DriverLink; readonly job: DriverJob } | { readonly link: undefined; readonly job: Job }

export class JobLife {
  readonly #living: LivingJob
  readonly #around: Surroundings
  #state = 'it has not begun yet'
  #isWell = false
  #election: LeaseElection | undefined

  constructor(living: LivingJob, around: Surroundings) {
    this.#living = living
    this.#around = around
  }

  /** A job that stands by is well: another one does its work. */
  check(): Check {
    const { link, job } = this.#living
    const waiting = link?.waiting
    if (waiting !== undefined) return { name: job.name, ok: false, message: waiting, state: 'it waits for the CSI driver' }
    const holder = this.#election?.holder ?? ''
    const isStandingBy = !this.#isWell && holder !== '' && holder !== this.#around.instance
    if (isStandingBy) return { name: job.name, ok: true, state: 'it stands by: another one leads' }
    if (this.#isWell) return { name: job.name, ok: true, state: this.#state }
    return { name: job.name, ok: false, message: this.#state, state: 'it is not at work' }
  }

  /** Lives until `signal` is aborted; throws nothing. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#around
    const { name } = this.#living.job
    const retries = new Retries<string>(retryTimes)
    while (!signal.aborted) {
      const sinceMs = clock.elapsed()
      try {
        await this.#stand(signal)
      } catch (error) {
        if (signal.aborted) break
        this.#state = messageOf(error)
        if (isOutside(error)) log.warn({ job: name, why: this.#state }, 'the job begins anew')
        else log.error({ job: name, err: error, why: this.#state }, 'a fault of its own: the job begins anew')
      }
      this.#isWell = false
      if (clock.elapsed() - sinceMs >= steadyMs) retries.forget(name)
      await this.#pause(retries.nextMs(name), signal)
    }
    this.#isWell = false
  }

  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    await this.#around.clock.after(delayMs, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }

  async #stand(signal: AbortSignal): Promise<void> {
    const { link, job } = this.#living
    const { election, api, clock, random, log, instance } = this.#around
    this.#state = 'it waits for the CSI driver'
    const driver = await link?.ready(signal)
    if (election === undefined) {
      await this.#lead(undefined, signal)
      return
    }
    this.#state = 'it stands for its Lease'
    const lease = new LeaseElection({
      ...election,
      api,
      name: job.leaseName(driver?.name ?? ''),
      identity: instance,
      clock,
      random,
      log,
    })
    this.#election = lease
    try {
      await lease.run(leader => this.#lead(leader, leader.signal), signal)
    } finally {
      this.#election = undefined
    }
  }

  async #lead(leader: Leader | undefined, signal: AbortSignal): Promise<void> {
    const { link, job } = this.#living
    const { api, clock, random, log, instance } = this.#around
    const assertLeading = () => {
      signal.throwIfAborted()
      leader?.assert()
    }
    await using informers = this.#around.informers.share({ needs: job.needs, signal })
    // An Event that comes late harms nobody: it is written without asking the Lease.
    await using events = new EventRecorder(api, { clock, random, log, controller: `ballast.dev/${capabilityName}`, instance })
    const guarded = leader === undefined ? api : api.under(() => leader.assert())
    const context: JobContext = { api: guarded, informers, clock, random, log, events, instance, assertLeading }
    this.#state = leader === undefined ? 'it acts alone' : 'it leads'
    this.#isWell = true
    try {
      if (link === undefined) await job.run(context, signal)
      else await job.run(withDriver(context, link, await link.ready(signal)), signal)
    } finally {
      this.#isWell = false
    }
  }
}

/** A driver that came back may be able to do other things than before. */
function withDriver(context: JobContext, link: DriverLink, first: NonNullable<DriverLink['facts']>) {
  return {
    ...context,
    link,
    get driver() {
      return link.facts ?? first
    },
  }
}
