// Leader election by a Lease. Expiry is judged only by how long we have seen no change; the clocks of other machines are
// never compared. Leading is proven before each effect (`assert`) and by a write before each batch of grants (`confirm`).
import type { Api } from '../client/api.ts'
import { NotSentError } from '../client/connection-error.ts'
import type { Cancel, Clock } from '../clock.ts'
import type { EventRecorder } from '../events/events.ts'
import { type Log, messageOf, silentLog } from '../log.ts'
import { builtIn } from '../objects/resource.ts'
import type { Random } from '../random.ts'
import { type Lease, LeaseRecord } from './lease-record.ts'

/** What stands between us and acting: the Lease is not, or not provably, ours. */
export class LeaseLostError extends NotSentError {
  override readonly name = 'LeaseLostError'
}

/** One term of leading. */
export interface Leader {
  readonly identity: string
  /** `leaseTransitions` of our acquisition. */
  readonly transitions: number
  /** Whose Lease ran out before it became ours: that one acts no more. `''` where it was given back, or was nobody's. */
  readonly predecessor: string
  /** Aborted with a LeaseLostError when the term ends against our will, with the caller's reason when it is ended. */
  readonly signal: AbortSignal
  /** @throws LeaseLostError when the last successful renewal was sent longer ago than the renew deadline. Before each effect. */
  assert(): void
  /** Renews by compare-and-swap on the Lease's resourceVersion. @throws LeaseLostError when it is not ours any more. Before each batch of grants. */
  confirm(signal: AbortSignal): Promise<void>
  /**
   * Renews where a renewal is due: after work in which nothing else of the process ran, and before more of it. Whoever was not heard for longer
   * than the renew deadline goes on where nobody else took the Lease. @throws LeaseLostError when it is not ours any more
   */
  refresh(signal: AbortSignal): Promise<void>
  /** What is written on the Lease: by earlier leaders too. */
  annotations(): Readonly<Record<string, string>>
  /**
   * Resolves when nobody who led before can believe to lead still: at once where the Lease was given up or ran out, after a lease duration
   * where there was none: it may have been deleted under its holder. @throws `signal.reason`
   */
  outlast(signal: AbortSignal): Promise<void>
  /** As `confirm`, and writes `annotations` with it; each later renewal keeps them, also on a Lease that is made anew. @throws LeaseLostError */
  annotate(annotations: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void>
}

interface LeaseElectionOptions {
  readonly api: Api
  readonly namespace: string
  readonly name: string
  /** `<pod or host name>_<uuid>` */
  readonly identity: string
  /** A holder that is known to act no more: if it holds the Lease, the Lease is not waited for. */
  readonly outlived?: string
  readonly clock: Clock
  readonly random: Random
  readonly log?: Log
  readonly events?: EventRecorder
  readonly leaseDurationMs?: number
  readonly renewDeadlineMs?: number
  readonly retryPeriodMs?: number
}

const candidateJitter = 1.2
/** What client-go's leader election uses. */
const defaultTimes = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2_000 }
const stopLimitMs = 5000
const requestLimitMs = 5000
const confirmTries = 3

export class LeaseElection {
  readonly #options: Required<Omit<LeaseElectionOptions, 'events' | 'outlived'>> & Pick<LeaseElectionOptions, 'events'>
  readonly #record: LeaseRecord

  /** @throws RangeError where lease > renew deadline > 1.2 × retry period ≥ 1 s does not hold. */
  constructor(options: LeaseElectionOptions) {
    this.#options = { log: silentLog, ...defaultTimes, ...options }
    const { leaseDurationMs, renewDeadlineMs, retryPeriodMs } = this.#options
    if (leaseDurationMs <= renewDeadlineMs) throw new RangeError('lease duration must be greater than renew deadline')
    if (renewDeadlineMs <= candidateJitter * retryPeriodMs)
      throw new RangeError('renew deadline must be greater than 1.2 times the retry period')
    if (retryPeriodMs < 1000) throw new RangeError('retry period must be at least 1 s')
    const leases = options.api.resource<Lease>(builtIn.leases)
    this.#record = new LeaseRecord({ ...this.#options, leases, timeoutMs: Math.min(retryPeriodMs, requestLimitMs) })
  }

  /** Who held the Lease when it was last seen; `''` when nobody did. */
  get holder(): string {
    return this.#record.holder
  }

  /**
   * Stands as a candidate and calls `lead` for each term, until `signal` is aborted: then the term is ended, `lead` awaited
   * and the Lease released. Returns, too, when `lead` does.
   * @throws what `lead` throws; Error when it goes on for more than 5 s after its signal.
   */
  async run(lead: (leader: Leader) => Promise<void>, signal: AbortSignal): Promise<void> {
    for (;;) {
      const acquisition = await this.#acquire(signal)
      if (acquisition === undefined) return
      const isOver = await this.#serve(acquisition, lead, signal)
      if (isOver) return
    }
  }

  /** Tries until the Lease is ours; `undefined` when aborted. */
  async #acquire(signal: AbortSignal): Promise<Acquisition | undefined> {
    const { clock, random, retryPeriodMs, log, identity } = this.#options
    let told = ''
    while (!signal.aborted) {
      try {
        const sentMs = clock.elapsed()
        if (await this.#record.take(signal)) {
          const { transitions, predecessor, isMade } = this.#record
          return { transitions, predecessor, isMade, sentMs }
        }
        const { holder } = this.#record
        if (holder !== told && holder !== '' && holder !== identity)
          log.info({ lease: this.#name, identity, holder }, 'standing by: another one leads')
        told = holder
      } catch (error) {
        if (signal.aborted) return undefined
        log.warn({ lease: this.#name, why: messageOf(error) }, 'lease could not be read or written')
      }
      await clock.after(retryPeriodMs * (1 + candidateJitter * random()), signal).catch(error => {
        if (!signal.aborted) throw error
      })
    }
    return undefined
  }

  /** One term. True when it ended because it should. */
  async #serve(acquisition: Acquisition, lead: (leader: Leader) => Promise<void>, signal: AbortSignal): Promise<boolean> {
    const { log, identity } = this.#options
    const { transitions } = acquisition
    const term = new Term({ ...this.#options, ...acquisition, record: this.#record })
    const onAbort = () => term.end(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    log.info({ lease: this.#name, identity, transitions }, 'leading')
    this.#tell('BecomeLeader', 'became leader')
    const renewing = term.renewUntilEnd()
    try {
      await this.#whileLeading(term, lead)
      const isLost = term.signal.aborted && term.signal.reason instanceof LeaseLostError
      term.end(new DOMException('the term is over', 'AbortError'))
      await renewing
      if (!isLost) await this.#record.release()
      log.info({ lease: this.#name, identity, isLost }, 'stopped leading')
      this.#tell('StopLeading', 'stopped leading')
      return !isLost
    } finally {
      signal.removeEventListener('abort', onAbort)
      term.end(new DOMException('the term is over', 'AbortError'))
      await renewing
    }
  }

  /** Awaits `lead`, but not for more than 5 s after the end of the term. */
  async #whileLeading(term: Term, lead: (leader: Leader) => Promise<void>): Promise<void> {
    const isDone = new AbortController()
    const tooLong = Promise.withResolvers<never>()
    const onEnd = () => {
      const cancel = this.#options.clock.schedule(stopLimitMs, () =>
        tooLong.reject(new Error(`what leads did not stop within ${stopLimitMs} ms`)),
      )
      isDone.signal.addEventListener('abort', cancel, { once: true })
    }
    term.signal.addEventListener('abort', onEnd, { once: true })
    if (term.signal.aborted) onEnd()
    try {
      await Promise.race([lead(term), tooLong.promise])
    } catch (error) {
      // What is thrown because of the end of the term is that end.
      if (!term.signal.aborted || error !== term.signal.reason) throw error
    } finally {
      isDone.abort()
      term.signal.removeEventListener('abort', onEnd)
    }
  }

  get #name(): string {
    return `${this.#options.namespace}/${this.#options.name}`
  }

  #tell(action: string, what: string): void {
    const { events, namespace, name, identity } = this.#options
    events?.emit({
      type: 'Normal',
      reason: 'LeaderElection',
      action,
      regarding: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace, name },
      note: `${identity} ${what}`,
    })
  }
}

/** How the Lease became ours, and when what made it so was sent. */
interface Acquisition {
  readonly transitions: number
  readonly predecessor: string
  /** There was no Lease before. */
  readonly isMade: boolean
  readonly sentMs: number
}

interface TermOptions extends Acquisition {
  readonly identity: string
  readonly clock: Clock
  readonly log: Log
  readonly leaseDurationMs: number
  readonly renewDeadlineMs: number
  readonly retryPeriodMs: number
  readonly record: LeaseRecord
}

class Term implements Leader {
  readonly identity: string
  readonly transitions: number
  readonly predecessor: string
  readonly #options: TermOptions
  readonly #end = new AbortController()
  #renewedMs: number
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: TermOptions) {
    this.#options = options
    this.identity = options.identity
    this.transitions = options.transitions
    this.predecessor = options.predecessor
    this.#renewedMs = options.sentMs
  }

  get signal(): AbortSignal {
    return this.#end.signal
  }

  end(reason: unknown): void {
    this.#end.abort(reason)
  }

  assert(): void {
    if (this.signal.aborted) throw this.#ended()
    const sinceMs = this.#options.clock.elapsed() - this.#renewedMs
    if (sinceMs >= this.#options.renewDeadlineMs)
      throw new LeaseLostError(`lease not renewed for ${Math.floor(sinceMs / 1000)} s`)
  }

  async confirm(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; attempt < confirmTries; attempt++) {
      this.assert()
      if (await this.#renew(AbortSignal.any([signal, this.signal]))) {
        this.assert()
        return
      }
    }
    throw new LeaseLostError(`the lease was changed by others ${confirmTries} times while it was renewed`)
  }

  async refresh(signal: AbortSignal): Promise<void> {
    const { clock, retryPeriodMs } = this.#options
    for (let attempt = 0; attempt < confirmTries; attempt++) {
      if (this.signal.aborted) throw this.#ended()
      if (clock.elapsed() - this.#renewedMs < retryPeriodMs) return
      await this.#renew(AbortSignal.any([signal, this.signal]))
    }
    this.assert()
  }

  outlast(signal: AbortSignal): Promise<void> {
    const { isMade, sentMs, leaseDurationMs, clock } = this.#options
    const leftMs = isMade ? sentMs + leaseDurationMs - clock.elapsed() : 0
    return leftMs <= 0 ? Promise.resolve() : clock.after(leftMs, AbortSignal.any([signal, this.signal]))
  }

  annotations(): Readonly<Record<string, string>> {
    return this.#options.record.annotations
  }

  annotate(annotations: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    this.assert()
    this.#options.record.annotate(annotations)
    return this.confirm(signal)
  }

  /** Every retry period; the term is lost when that did not work for the renew deadline, or at once when another holds the Lease. */
  async renewUntilEnd(): Promise<void> {
    const { clock, retryPeriodMs, renewDeadlineMs, log } = this.#options
    let cancel: Cancel | undefined
    try {
      for (;;) {
        await clock.after(retryPeriodMs, this.signal)
        cancel ??= clock.schedule(renewDeadlineMs, () =>
          this.#lose(`lease not renewed for ${Math.floor((clock.elapsed() - this.#renewedMs) / 1000)} s`),
        )
        try {
          if (await this.#renew(this.signal)) {
            cancel()
            cancel = undefined
          }
        } catch (error) {
          this.signal.throwIfAborted()
          log.warn({ why: messageOf(error) }, 'lease not renewed')
        }
      }
    } catch (error) {
      if (!this.signal.aborted) throw error
    } finally {
      cancel?.()
    }
  }

  /** False when another changed the Lease meanwhile and it is still ours. One renewal at a time: each needs the version the last was answered with. @throws LeaseLostError */
  #renew(signal: AbortSignal): Promise<boolean> {
    const { clock, record, identity, transitions, renewDeadlineMs } = this.#options
    const renewal = this.#last.then(async () => {
      signal.throwIfAborted()
      const sentMs = clock.elapsed()
      // As with an effect: what is sent now reaches the server before another may lead.
      const isSurelyOurs = sentMs - this.#renewedMs < renewDeadlineMs
      const isRenewed = await record.take(signal, isSurelyOurs ? 'as it was' : 'left')
      if (record.holder === '') throw this.#lose('the lease is gone, and another may have held it since it was last renewed')
      if (record.holder !== identity) throw this.#lose('the lease is held by another')
      // We may have taken it back from one who led in between: that is another term.
      if (record.transitions !== transitions) throw this.#lose('the lease was held by another')
      if (isRenewed) this.#renewedMs = sentMs
      return isRenewed
    })
    // The caller of this renewal gets its failure; the next one only waits for it.
    this.#last = renewal.catch(() => undefined)
    return renewal
  }

  #lose(why: string): LeaseLostError {
    const error = new LeaseLostError(why)
    this.#options.log.warn({ why }, 'lease lost')
    this.end(error)
    return error
  }

  #ended(): LeaseLostError {
    const { reason } = this.signal
    return reason instanceof LeaseLostError ? reason : new LeaseLostError('the term is over', { cause: reason })
  }
}
