// One part over all its lives: started, ended, rested and started again, without a thought for the others.
import { isDeepStrictEqual } from 'node:util'
import type { Check, Running } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import { type End, Life } from './part-life.ts'
import type { PartNews } from './part-news.ts'
import { type Owner, runAs } from './part-owner.ts'
import type { PartRecord } from './part-record.ts'
import { afterFault, faultWindowMs } from './part-supervision.ts'

/** A part that did not end in time: it may still act, so the process has to go. */
export class PartStuckError extends Error {
  override readonly name = 'PartStuckError'
}

export interface HostedPart {
  readonly record: PartRecord
  /** Whether a changed configuration makes another part of it, that has to be started anew without being asked. Default: no. */
  isOther?(from: unknown, to: unknown): boolean
  /**
   * Starts one life of the part, called as its owner. `signal` ends it at once; disposing ends it in order. `again` has it ended at once
   * and another begun, without a fault.
   */
  start(life: {
    readonly owner: Owner
    readonly config: unknown
    readonly signal: AbortSignal
    readonly again: (reason: unknown) => void
  }): Promise<Running<unknown>>
}

export interface HostOptions {
  readonly clock: Clock
  readonly log: Log
  /** Told of what people should see as events. */
  readonly tell: (record: PartRecord, news: PartNews) => void
  /** Its abort ends every part at once. */
  readonly signal: AbortSignal
  /** How long a part may take to end in order, in milliseconds, before it is ended at once. */
  readonly gracefulMs?: number
}

const defaultGracefulMs = 30_000
/** From the abort of its signal to its end. */
const abortLimitMs = 5_000

/**
 * Flow: start, run until a fault, an end or a configuration that asks for another start; stop; rest; start.
 * Assumes that faults are told to the owner of a life: by what the part is called for, by its clock and handlers, by the process.
 */
export class Supervised {
  readonly #part: HostedPart
  readonly #options: HostOptions
  readonly done: Promise<void>
  #config: unknown
  /** What the part is to run with next; given up when the part cannot start with it. */
  #candidate: { readonly config: unknown } | undefined
  #life: { readonly owner: Life; running: Running<unknown> | undefined } | undefined
  #isStopping = false
  #isSwitchedOff = false
  #wake: () => void = () => undefined
  #failure: { readonly error: unknown } | undefined
  #configuring: Promise<void> = Promise.resolve()

  constructor(part: HostedPart, config: unknown, options: HostOptions) {
    this.#part = part
    this.#config = config
    this.#options = options
    this.done = this.#run()
  }

  /** In order. @throws PartStuckError, or what the part threw as it ended */
  async stop({ isSwitchedOff = false }: { readonly isSwitchedOff?: boolean } = {}): Promise<void> {
    this.#isStopping = true
    this.#isSwitchedOff = isSwitchedOff
    this.#wake()
    this.#life?.owner.end({ kind: 'stop' })
    await this.done
    if (this.#failure !== undefined) throw this.#failure.error
  }

  configure(config: unknown): Promise<void> {
    this.#configuring = this.#configuring.then(() => this.#configure(config))
    return this.#configuring
  }

  checks(): readonly Check[] {
    const { record } = this.#part
    const life = this.#life
    const { running } = life ?? {}
    if (life === undefined || running === undefined || record.state !== 'running') return [record.check()]
    try {
      return [record.check(), ...runAs(life.owner, () => running.health())]
    } catch (error) {
      life.owner.fault(error, 'health()')
      return [{ name: record.name, ok: false, message: 'its health check threw' }]
    }
  }

  async #configure(config: unknown): Promise<void> {
    if (isDeepStrictEqual(config, this.#candidate?.config ?? this.#config)) return
    const life = this.#life
    const { running } = life ?? {}
    if (life === undefined || running === undefined) {
      this.#candidate = { config }
      // What was wrong may be what was changed.
      this.#part.record.release()
      this.#wake()
      life?.owner.end({ kind: 'again' })
      return
    }
    try {
      const isOther = this.#part.isOther?.(this.#config, config) === true
      const outcome = isOther ? 'restart-part' : await runAs(life.owner, () => running.reconfigure(config))
      if (outcome === 'applied') {
        this.#config = config
        return
      }
    } catch (error) {
      if (!isOutside(error)) {
        this.#refused(error)
        return
      }
    }
    this.#candidate = { config }
    life.owner.end({ kind: 'again' })
  }

  #refused(error: unknown): void {
    const { record } = this.#part
    const why = messageOf(error)
    this.#options.log.error(
      { part: record.name, why },
      'changed configuration refused by the part: it goes on with its last good one',
    )
    this.#options.tell(record, { kind: 'configuration-refused', why })
  }

  async #run(): Promise<void> {
    const { record } = this.#part
    const { clock, log, tell, signal } = this.#options
    const isOver = () => this.#isStopping || signal.aborted
    const onAbort = () => this.#wake()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      // A new term begins with a try, whatever rested at the end of the last.
      while (!isOver()) {
        const end = await this.#live()
        if (isOver()) return
        if (end.kind !== 'fault') continue
        const isOfOutside = isOutside(end.error)
        const next = afterFault(record.history, { nowMs: clock.elapsed(), isOutside: isOfOutside, ranMs: end.ranMs ?? 0 })
        const why = messageOf(end.error)
        const delayMs = next.kind === 'restart' ? next.delayMs : next.lengthMs
        const state = next.kind === 'restart' ? 'backing-off' : 'quarantined'
        record.rest(next.history, { state, delayMs, isOutside: isOfOutside })
        if (isOfOutside) {
          log.warn({ part: record.name, delayMs, why }, 'part interrupted from outside, started again')
          tell(record, { kind: 'interrupted', why, delayMs })
        } else if (next.kind === 'restart') {
          log.error({ part: record.name, delayMs, err: end.error, why }, 'part stopped by its fault, started again')
          tell(record, { kind: 'faulted', why, delayMs })
        } else {
          log.error({ part: record.name, faults: next.faults, withinMs: faultWindowMs, err: end.error, why }, 'part quarantined')
          tell(record, { kind: 'quarantined', why, faults: next.faults, untilMs: clock.now() + delayMs })
        }
        await this.#rest(delayMs)
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      record.set('stopped')
    }
  }

  /** Resolves after `delayMs`; earlier where the part is stopped or configured anew. */
  async #rest(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#options.clock.schedule(delayMs, resolve)
    this.#wake = resolve
    if (this.#isStopping || this.#options.signal.aborted) resolve()
    await promise
    cancel()
    this.#wake = () => undefined
  }

  /** One life, from start to its end; what is left of it has ended when this returns. @throws PartStuckError */
  async #live(): Promise<End> {
    const { record } = this.#part
    const { log, signal } = this.#options
    const config = this.#candidate === undefined ? this.#config : this.#candidate.config
    const owner = new Life(record.name, log, () => record.count())
    const onAbort = () => owner.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const life = { owner, running: undefined as Running<unknown> | undefined }
    this.#life = life
    record.started()
    const starting = runAs(owner, async () =>
      this.#part.start({ owner, config, signal: owner.signal, again: reason => owner.again(reason) }),
    )
    const begun = starting.then(
      running => {
        life.running = running
        if (owner.isOver) return
        this.#config = config
        this.#candidate = undefined
        record.set('running')
        log.info({ part: record.name }, 'part started')
      },
      (error: unknown) => {
        if (!owner.isOver) owner.end({ kind: 'fault', error })
      },
    )
    try {
      const end = await owner.ended
      const { ranMs } = record
      const wasRunning = life.running !== undefined
      // A start that goes on has nothing to end in order.
      if (end.kind === 'fault' || !wasRunning) owner.abort(new DOMException('the part is stopped', 'AbortError'))
      await this.#finish(life, begun, end.kind === 'stop')
      const isFirstTry = !wasRunning && this.#candidate?.config === config && this.#config !== config
      // What a server answers says nothing about a configuration: it is tried again with that.
      if (end.kind === 'fault' && isFirstTry && !isOutside(end.error)) {
        this.#candidate = undefined
        this.#refused(end.error)
        return { kind: 'again' }
      }
      return end.kind === 'fault' ? { ...end, ranMs } : end
    } finally {
      owner.abort(new DOMException('the part has ended', 'AbortError'))
      signal.removeEventListener('abort', onAbort)
      this.#life = undefined
    }
  }

  /** Disposes of a life and waits: in order for as long as is granted, then under abort for five seconds. */
  async #finish(
    life: { readonly owner: Life; readonly running: Running<unknown> | undefined },
    begun: Promise<void>,
    isLast: boolean,
  ): Promise<void> {
    const { clock, log, gracefulMs = defaultGracefulMs } = this.#options
    const { owner } = life
    const { record } = this.#part
    const stuck = Promise.withResolvers<never>()
    let cancel = clock.schedule(gracefulMs, () => owner.abort(new DOMException('the part took too long to end', 'AbortError')))
    const onAbort = () => {
      cancel()
      cancel = clock.schedule(abortLimitMs, () =>
        stuck.reject(new PartStuckError(`${record.name} did not end within ${abortLimitMs} ms of its abort`)),
      )
    }
    owner.signal.addEventListener('abort', onAbort, { once: true })
    if (owner.signal.aborted) onAbort()
    const disposing = runAs(owner, async () => {
      await begun
      try {
        if (this.#isSwitchedOff && isLast) await life.running?.switchedOff?.(owner.signal)
      } finally {
        await life.running?.[Symbol.asyncDispose]()
      }
    })
    try {
      await Promise.race([disposing, stuck.promise])
    } catch (error) {
      if (error instanceof PartStuckError) throw error
      log.error({ part: record.name, err: error, why: messageOf(error) }, 'part did not end cleanly')
      record.count()
      if (isLast) this.#failure = { error }
    } finally {
      cancel()
      owner.signal.removeEventListener('abort', onAbort)
    }
  }
}
