// What every job has: the API under its Lease, the driver, its Events, and a queue of keys of which each is tried again by itself.

import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { runWorkers } from '#kube/controllers/controller.ts'
import { backgroundPriority, WorkQueue } from '#kube/controllers/queue.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { WatchNeed } from '#kube/informers/watch-pool.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { Random } from '#kube/random.ts'
import type { DriverFacts, DriverLink } from './driver/driver-link.ts'
import { Retries } from './retries.ts'
import { referenceTo } from './storage-kinds.ts'

/** What a job has for one term of leading. */
export interface JobContext {
  /** Writes leave only while the job leads. */
  readonly api: Api
  /** Shared with the other jobs of the process; this job's part ends with the term. */
  readonly informers: Informers
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly events: EventRecorder
  /** This very process: `<host>_<uuid>`. */
  readonly instance: string
  /** @throws where the job does not lead any more: before each call of the driver */
  readonly assertLeading: () => void
}

/** The same for a job that speaks to a driver. */
export interface DriverContext extends JobContext {
  readonly link: DriverLink
  readonly driver: DriverFacts
}

export interface RetrySettings {
  readonly retryFirstMs: number
  readonly retryLastMs: number
}

export interface Job {
  /** As health and the log name it. */
  readonly name: string
  /** What it watches while it leads. */
  readonly needs: readonly WatchNeed[]
  /** The name of its Lease, which is upstream's. */
  leaseName(driver: string): string
  run(context: JobContext, signal: AbortSignal): Promise<void>
}

/** A job of a driver cannot do without it. */
export interface DriverJob extends Omit<Job, 'run'> {
  run(context: DriverContext, signal: AbortSignal): Promise<void>
}

/** Says something of an object, as a source that users of upstream know. Events that differ in their words are several. */
export function teller({ events }: Pick<JobContext, 'events'>, component: string) {
  return (object: KubeObject, type: 'Normal' | 'Warning', reason: string, note: string): void =>
    events.emit({ type, reason, action: reason, regarding: referenceTo(object), note, component, distinction: note })
}

export type Tell = ReturnType<typeof teller>

/** What became of a key. `again`: with a back-off of its own; why is told once, where it is another reason than before. */
export type Worked =
  | { readonly kind: 'done' }
  | { readonly kind: 'again'; readonly why: string }
  | { readonly kind: 'after'; readonly delayMs: number }

export const done: Worked = { kind: 'done' }
export const again = (why: string): Worked => ({ kind: 'again', why })

interface KeyedOptions<K extends string> extends RetrySettings {
  readonly name: string
  readonly atOnce: number
  readonly clock: Clock
  readonly log: Log
  readonly work: (key: K, signal: AbortSignal) => Promise<Worked>
}

/** Each step of work on a key has its own deadline; this is for the sum, where a driver is waited for. */
const longestWorkMs = 86_400_000

/** Keys that are worked on, each at most once at a time, and again after a while where that failed. */
export class KeyedWork<K extends string> {
  readonly #options: KeyedOptions<K>
  readonly #queue: WorkQueue<K>
  readonly #retries: Retries<K>
  readonly #told = new Map<K, string>()

  constructor(options: KeyedOptions<K>) {
    this.#options = options
    this.#queue = new WorkQueue<K>({ clock: options.clock })
    this.#retries = new Retries({ firstMs: options.retryFirstMs, lastMs: options.retryLastMs })
  }

  /** Something may have to be done about it. */
  add(key: K): void {
    this.#queue.add(key)
  }

  /** It is gone: when it comes back it is another one. */
  forget(key: K): void {
    this.#retries.forget(key)
    this.#told.delete(key)
  }

  /** Looks at all keys again and again, whatever was told of them. */
  async resync(everyMs: number, keys: () => Iterable<K>, signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.clock.after(everyMs, signal)
      for (const key of keys()) this.#queue.add(key, backgroundPriority)
    }
  }

  /** Works until `signal` is aborted. */
  run(signal: AbortSignal): Promise<void> {
    const { name, clock, log, atOnce } = this.#options
    const reconcile = (key: K, until: AbortSignal) => this.#work(key, until)
    return runWorkers(
      { name, queue: this.#queue, clock, log, concurrency: atOnce, timeLimitMs: longestWorkMs, reconcile },
      signal,
    )
  }

  async #work(key: K, signal: AbortSignal): Promise<{ kind: 'done' } | { kind: 'after'; delayMs: number }> {
    const worked = await this.#outcome(key, signal)
    if (worked.kind === 'done') this.forget(key)
    if (worked.kind !== 'again') return worked
    const delayMs = this.#retries.nextMs(key)
    const { log, name } = this.#options
    if (this.#told.get(key) !== worked.why)
      log.warn({ job: name, object: key, why: worked.why, delayMs }, 'not done yet, tried again')
    this.#told.set(key, worked.why)
    return { kind: 'after', delayMs }
  }

  async #outcome(key: K, signal: AbortSignal): Promise<Worked> {
    try {
      return await this.#options.work(key, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error))
        this.#options.log.error({ job: this.#options.name, object: key, err: error, why: messageOf(error) }, 'a fault of its own')
      return again(messageOf(error))
    }
  }
}

/** Runs tasks side by side until `signal` is aborted or one fails: then the others are ended, too. @throws what the first threw */
export async function together(
  signal: AbortSignal,
  ...tasks: readonly ((signal: AbortSignal) => Promise<void>)[]
): Promise<void> {
  const stop = new AbortController()
  const both = AbortSignal.any([signal, stop.signal])
  await Promise.all(tasks.map(task => task(both).catch((error: unknown) => stop.abort(error))))
  signal.throwIfAborted()
  if (stop.signal.aborted) throw stop.signal.reason
}
