// Follows each roll-out until its workload is whole, as the watches show it, and says so to the arbiter: until then the workload is locked.
import type { Arbiter } from '#coordination/arbiter/arbiter.ts'
import type { PermitEnd } from '#coordination/permits/ledger.ts'
import type { Permit } from '#coordination/permits/permit.ts'
import type { Cancel, Clock } from '#kube/clock.ts'
import { untilDone } from '#kube/controllers/until-done.ts'
import type { Log } from '#kube/log.ts'
import type { WorkloadWatch } from '../workloads/workload-watch.ts'
import { rolloutProgress } from './rollout-progress.ts'

const beforeExpiryMs = 5_000

interface Followed {
  readonly permit: Permit
  readonly generation: number
  readonly cancel: Cancel
}

interface FollowerOptions {
  readonly arbiter: Pick<Arbiter, 'release'>
  readonly workloads: Pick<WorkloadWatch, 'object'>
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

export class RolloutFollower {
  readonly #options: FollowerOptions
  /** By workload; of one workload several may be out, where no lock holds. */
  readonly #followed = new Map<string, Followed[]>()
  readonly #releasing = new Set<Promise<void>>()

  constructor(options: FollowerOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#followed.size
  }

  /** The effect of `permit` was done, and made the workload's generation `generation`. */
  follow(key: string, permit: Permit, generation: number): void {
    const { clock } = this.#options
    const leftMs = Math.max(0, permit.expiresElapsedMs - clock.elapsed() - beforeExpiryMs)
    const cancel = clock.schedule(leftMs, () => this.#end(key, permit, { ending: 'done', reason: 'its rollout takes long' }))
    this.#followed.set(key, [...(this.#followed.get(key) ?? []), { permit, generation, cancel }])
    this.look(key)
  }

  /** The workload has changed. */
  look(key: string): void {
    for (const { permit, generation } of this.#followed.get(key) ?? []) {
      const workload = this.#options.workloads.object(key)
      const progress = workload === undefined ? 'not-followed' : rolloutProgress(workload, generation)
      if (progress === 'done') this.#end(key, permit, { ending: 'done', reason: 'the rollout is over' })
      else if (progress === 'not-followed') this.#end(key, permit, { ending: 'done', reason: 'there is no rollout to wait for' })
      // The change is written all the same: nobody is to do it once more.
      else if (progress === 'stuck') this.#end(key, permit, { ending: 'done', reason: 'its rollout is stuck' })
    }
  }

  /** Says how the permit ended; tried again until it is said. Never rejects. */
  release(permit: Permit, end: PermitEnd): Promise<void> {
    const done = this.#release(permit, end).finally(() => this.#releasing.delete(done))
    this.#releasing.add(done)
    return done
  }

  /** Ends all following, and waits for what is being written. */
  async end(): Promise<void> {
    for (const followed of this.#followed.values()) for (const { cancel } of followed) cancel()
    this.#followed.clear()
    await Promise.all(this.#releasing)
  }

  #end(key: string, permit: Permit, end: PermitEnd): void {
    const followed = this.#followed.get(key) ?? []
    const left = followed.filter(one => one.permit !== permit)
    for (const one of followed) if (one.permit === permit) one.cancel()
    if (left.length === 0) this.#followed.delete(key)
    else this.#followed.set(key, left)
    void this.release(permit, end)
  }

  async #release({ record }: Permit, end: PermitEnd): Promise<void> {
    const { arbiter, clock, log, signal } = this.#options
    try {
      await untilDone(
        () => arbiter.release(record, end, signal),
        { clock, log, what: `permit ${record.name} is released` },
        signal,
      )
    } catch (error) {
      // A next leader finds it out.
      if (!signal.aborted) log.error({ permit: record.name, err: error }, 'a permit is not released: it ends by its time')
    }
  }
}
