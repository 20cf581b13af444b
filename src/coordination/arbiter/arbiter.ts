// The one door of voluntary disruption: intents in, permits out. It asks the pure policy, writes the grant, and only then hands it out.
import type { Cancel } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { droppedEvents } from '../account/dropped-events.ts'
import { OwnerWarnings } from '../account/owner-warnings.ts'
import { VerdictEvents } from '../account/verdict-events.ts'
import { ballastApiVersion, type DisruptionPermit } from '../api.ts'
import { hasBegun, lookIn } from '../effects/begun.ts'
import { isFinished } from '../effects/finished.ts'
import type { Intent } from '../intent.ts'
import { nothingObserved } from '../observed/observation.ts'
import type { PermitTrouble } from '../permits/known-permits.ts'
import type { PermitEnd } from '../permits/ledger.ts'
import { objectKey, recordKey } from '../permits/ledger-index.ts'
import type { Permit } from '../permits/permit.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { mostTogether, Together } from '../permits/shared-permit.ts'
import { windowOpensMs } from '../policy/pauses/window.ts'
import type { Pending } from '../policy/question.ts'
import { Bell } from './bell.ts'
import { type Asked, type Decision, Hearing, type HearingOptions, type Reply } from './hearing.ts'
import { PendingBook } from './pending-book.ts'
import type { ArbiterSurroundings } from './surroundings.ts'

/** Questions of one batch; the rest is the next one. */
const mostInBatch = 500
/** How long ends of members are gathered before they are written, in milliseconds. */
const endsTogetherMs = 5_000
const endsLatestMs = 30_000
/** How long `obtain` waits before it asks again whatever happens: shorter than a wish stays in the book. */
const longestWaitMs = 30_000
const shortestWaitMs = 250

/** A permit whose end is to be written. */
interface Ending {
  readonly record: PermitRecord
  readonly end: PermitEnd
  readonly signal: AbortSignal
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Flow: `takeOver` once after the Lease was won; then `request` or `obtain`, act under the permit, `release`.
 * Guarantees: questions are judged one after the other, each seeing what was granted before, so that two never pass on the same headroom;
 * a permit that is handed out is in the API server. What is asked while a batch is being written is judged as the next one: one renewal
 * of the Lease a batch.
 * Assumes that every informer behind `state` is synced before the first request.
 */
export class Arbiter {
  readonly #options: HearingOptions
  readonly #book: PendingBook
  readonly #bell: Bell
  readonly #listeners = new Set<(decision: Decision) => void>()
  #queue: Promise<unknown> = Promise.resolve()
  #asked: Asked[] = []
  readonly #ending: Ending[] = []
  /** Counts what may let somebody pass who waits. */
  #changes = 0
  /** Since when ends of members wait for the others, as `elapsed` has it. */
  #endsSinceMs: number | undefined
  #cancelEnds: Cancel = () => undefined
  readonly #hearing: Hearing
  readonly #verdictEvents: VerdictEvents
  /** For whoever else reads owner labels: what one has told is told. */
  readonly ownerWarnings: OwnerWarnings

  constructor(options: HearingOptions) {
    this.#options = options
    this.#verdictEvents = new VerdictEvents(options.events)
    this.ownerWarnings = new OwnerWarnings(options.events, options.ownerLabel)
    this.#book = new PendingBook(options.clock)
    this.#bell = new Bell(options.clock)
    this.#hearing = new Hearing(options, {
      book: this.#book,
      decided: decision => this.#decided(decision),
      contradicted: ({ requester }, contradiction) => {
        const by = { reason: 'OwnerContradiction', action: 'Arbitrate', controller: `ballast.dev/${requester}` }
        this.ownerWarnings.tell(contradiction, by)
      },
      changed: () => this.#changed(),
    })
    options.ledger.onTrouble(trouble => this.#onTrouble(trouble))
    options.ledger.onRelease(() => this.#changed())
    options.ledger.onDrop((record, dropped) => {
      for (const one of droppedEvents(record, dropped)) options.events.emit(one)
    })
  }

  /** The ledger as it is known now. */
  records(): readonly PermitRecord[] {
    return this.#options.ledger.records()
  }

  /** Permits of `requester` that are out: after a take-over those whose effect may or may not have happened. */
  unfinished(requester: string): readonly PermitRecord[] {
    return this.#options.ledger.view.active().filter(record => record.requester === requester)
  }

  /** Permits of one wish: granted for it, or joined by it; also those that are over. */
  permitsFor({ requester, idempotencyKey }: Pick<Intent, 'requester' | 'idempotencyKey'>): readonly PermitRecord[] {
    return this.#options.ledger.view.byKey(requester, idempotencyKey)
  }

  /** Resolves when something was given back or began that others go along with, but after `leastMs`; in any case after `limitMs`. */
  async untilChange(
    { leastMs = 0, limitMs }: { readonly leastMs?: number; readonly limitMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const seen = this.#changes
    if (leastMs > 0) await this.#options.clock.after(leastMs, signal)
    await this.#bell.until(() => (this.#changes === seen ? undefined : true), { limitMs: limitMs - leastMs, signal })
  }

  /** When `requester` may do by its windows what takes nothing from anybody: now, later, or never (infinity). In milliseconds since 1970. */
  windowOpensMs(requester: string): number {
    return windowOpensMs(this.#options.policy(), requester, this.#options.clock.now())
  }

  /** What the rules are asked with beside the cluster and the wish: for who looks ahead. */
  surroundings(): ArbiterSurroundings {
    const { ledger, observed, policy, ownerLabel, ownNamespace, watches } = this.#options
    return {
      ledger: ledger.view,
      observed: observed?.() ?? nothingObserved,
      policy: policy(),
      ownerLabel,
      ownNamespace,
      ...(watches === undefined ? {} : { watches }),
    }
  }

  /** Wishes that were deferred and are still wanted, in order of their coming. */
  pending(): readonly Pending[] {
    return this.#book.list()
  }

  /** Calls `listener` with each answer, synchronously. Returns what ends that. */
  onDecision(listener: (decision: Decision) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Reads what earlier leaders granted and begins an epoch. Then each permit that is out is held against what the cluster shows, by our
   * watches and, where those show nothing, by the server itself: where nothing happened it is withdrawn; where it did, it stays out, and
   * locks, until its requester takes it up again, or `settle` finds it finished. Nothing is granted before that.
   */
  takeOver(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const { ledger } = this.#options
      await ledger.takeOver(signal)
      const watched = lookIn(this.#options.state())
      const end = { ending: 'withdrawn', reason: 'nothing had happened when a new leader took over' } as const
      const unseen = ledger.view.active().filter(record => !hasBegun(record, watched))
      const looks = await Promise.all(unseen.map(async record => ({ record, look: await ledger.lookAt(record, signal) })))
      const withdrawn = looks.filter(({ record, look }) => look !== undefined && !hasBegun(record, look))
      await ledger.releaseAll(
        withdrawn.map(({ record }) => ({ record, end })),
        signal,
      )
    })
  }

  /**
   * Asks for one disruption: one answer now. Asked again under the same key while the permit is out, it is the same permit.
   * A wish that is deferred is remembered for 2 minutes after it was last asked: others take it along, and it keeps its place.
   */
  request(intent: Intent, signal: AbortSignal): Promise<Reply> {
    return this.#ask(intent, undefined, signal)
  }

  /** As `request`, for what another process asks by `request`: the grant is written into that object. */
  answer(intent: Intent, request: DisruptionPermit, signal: AbortSignal): Promise<Reply> {
    return this.#ask(intent, request, signal)
  }

  /**
   * As `request` for each of `intents` (at most 500, of one requester), in their order: each is judged by itself, seeing what those before it
   * were granted. What is granted is one write and one renewal of the Lease, however many there are; each permit covers its own target.
   * @throws RangeError for more; what keeps the batch from being judged or written.
   */
  requestTogether(intents: readonly Intent[], signal: AbortSignal): Promise<readonly Reply[]> {
    if (intents.length > mostTogether)
      throw new RangeError(`${intents.length} intents together, expected at most ${mostTogether}`)
    const together = intents.length < 2 ? undefined : new Together(intents, this.#options.ownNamespace)
    return Promise.all(intents.map(intent => this.#ask(intent, undefined, signal, together)))
  }

  #ask(intent: Intent, request: DisruptionPermit | undefined, signal: AbortSignal, together?: Together): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    this.#asked.push({ intent, request, together, signal, resolve, reject })
    if (this.#asked.length === 1) this.#beginBatch()
    return promise
  }

  /** Asks until the answer is more than "later": at the time that the answer names, and whenever something was given back before. */
  async obtain(intent: Intent, signal: AbortSignal): Promise<Reply> {
    for (;;) {
      const seen = this.#changes
      const reply = await this.request(intent, signal)
      if (reply.kind === 'granted') return reply
      const { verdict } = reply
      if (verdict.kind !== 'defer' && verdict.kind !== 'absorbed') return reply
      const waitMs = verdict.kind === 'defer' ? verdict.untilMs - this.#options.clock.now() : longestWaitMs
      const limitMs = Math.max(shortestWaitMs, Math.min(longestWaitMs, waitMs))
      await this.#bell.until(() => (this.#changes === seen ? undefined : true), { limitMs, signal })
    }
  }

  /** Takes a permit up again that is out. @throws Error when it is not, or was written by a later leader. */
  adopt(record: PermitRecord): Permit {
    return this.#options.ledger.adopt(record)
  }

  /**
   * Writes how a disruption ended; the workload's lock falls with it. Of a permit that several share the lock falls at once, and how its
   * members ended is written when the last of them has, or none has for 5 s, or after 30 s.
   */
  release(record: PermitRecord, end: PermitEnd, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#ending.push({ record, end, signal, resolve, reject })
    // What ends while others wait for their turn is written together with the first: in a turn of its own each would hold up grants.
    if (this.#ending.length === 1) void this.#inTurn(() => this.#releaseAll(this.#ending.splice(0)))
    return promise
  }

  /** Those of one object one after the other. */
  async #releaseAll(ending: readonly Ending[]): Promise<void> {
    const { ledger } = this.#options
    const byObject = Map.groupBy(ending, ({ record }) => objectKey(record))
    const inOrder = async (ends: readonly Ending[]) => {
      for (const { record, end, signal, resolve, reject } of ends) await ledger.release(record, end, signal).then(resolve, reject)
    }
    await Promise.all(Array.from(byObject.values(), inOrder))
    this.#writeEndsLater()
    this.#changed()
  }

  /** Writes what members of shared permits ended so far, where that waits for the others. To be called before a term ends in order. */
  writeEnds(signal: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.#options.ledger.writeEnds(signal))
  }

  #writeEndsLater(): void {
    const { ledger, clock, log } = this.#options
    this.#cancelEnds()
    if (!ledger.hasUnwrittenEnds) {
      this.#endsSinceMs = undefined
      return
    }
    const nowMs = clock.elapsed()
    this.#endsSinceMs ??= nowMs
    // More of them are under way: each write takes the whole object through the server.
    const delayMs = Math.min(endsTogetherMs, Math.max(0, this.#endsSinceMs + endsLatestMs - nowMs))
    this.#cancelEnds = clock.schedule(delayMs, () => {
      this.#endsSinceMs = undefined
      this.writeEnds(new AbortController().signal).catch(error => {
        log.warn({ why: messageOf(error) }, 'how members of permits ended could not be written yet')
      })
    })
  }

  /**
   * Ends permits that nobody finished: those over their time, and those of an earlier leader that nobody took up again and whose workload is
   * whole. To be called now and then.
   */
  settle(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const { ledger } = this.#options
      const ends = ledger.view.active().flatMap(record => {
        const end = this.#endOf(record)
        return end === undefined ? [] : [{ record, end }]
      })
      try {
        await ledger.releaseAll(ends, signal)
      } finally {
        if (ends.length > 0) this.#changed()
      }
      if (this.#endsSinceMs === undefined) await ledger.writeEnds(signal)
      await ledger.forgetOld(signal)
    })
  }

  /**
   * Ends permits that `choose` picks among those that are out; nothing is granted meanwhile. That they ended is in the API server when it resolves.
   * @throws what `choose` throws, and what the Lease or the server says: some may have ended then.
   */
  endThose(
    choose: (out: readonly PermitRecord[]) => readonly { readonly record: PermitRecord; readonly end: PermitEnd }[],
    signal: AbortSignal,
  ): Promise<void> {
    return this.#inTurn(async () => {
      const { ledger } = this.#options
      const ends = choose(ledger.view.active())
      if (ends.length === 0) return
      try {
        await ledger.releaseAll(ends, signal)
      } finally {
        this.#changed()
      }
    })
  }

  #endOf(record: PermitRecord): PermitEnd | undefined {
    const { ledger, state } = this.#options
    if (ledger.isOver(record)) return { ending: 'expired', reason: 'nobody said how it ended' }
    if (!ledger.isUnclaimed(record) || !isFinished(record, state())) return undefined
    return { ending: 'done', reason: 'a later leader found it finished' }
  }

  #beginBatch(): void {
    void this.#inTurn(async () => {
      const asked = this.#asked.splice(0, mostInBatch)
      if (this.#asked.length > 0) this.#beginBatch()
      const open = asked.filter(({ signal, reject }) => {
        if (signal.aborted) reject(signal.reason)
        return !signal.aborted
      })
      const batch = allOf(open.map(({ signal }) => signal))
      try {
        await this.#hearing.answerAll(open, batch.signal)
      } catch (error) {
        for (const { reject } of open) reject(error)
      } finally {
        batch.end()
      }
    })
  }

  #decided(decision: Decision): void {
    this.#verdictEvents.tell(decision)
    for (const listener of this.#listeners) {
      try {
        listener(decision)
      } catch (error) {
        this.#options.log.error({ why: messageOf(error) }, 'a listener to decisions threw')
      }
    }
  }

  #onTrouble({ reason, permit, message }: PermitTrouble): void {
    const { name, namespace = '', uid } = permit.metadata
    this.#options.events.emit({
      type: 'Warning',
      reason,
      action: 'Arbitrate',
      regarding: {
        apiVersion: ballastApiVersion,
        kind: 'DisruptionPermit',
        namespace,
        name,
        ...(uid === undefined ? {} : { uid }),
      },
      note: message,
    })
    if (reason === 'PermitOfNobody') this.#withdraw(permit.metadata)
  }

  /** A permit that came when nobody expected it: sent by a leader that was deposed since, or written by hand. */
  #withdraw({ name, namespace = '' }: PermitTrouble['permit']['metadata']): void {
    const { ledger, log } = this.#options
    const { signal } = new AbortController()
    const end = { ending: 'withdrawn', reason: 'nobody was given it' } as const
    for (const record of ledger.view.active().filter(one => one.name === name && one.namespace === namespace)) {
      this.release(record, end, signal).catch(error => {
        log.warn(
          { permit: recordKey(record), why: messageOf(error) },
          'a permit that nobody was given was not withdrawn: it ends by its time',
        )
      })
    }
  }

  #changed(): void {
    this.#changes++
    this.#bell.ring()
  }

  /** One after the other: what is judged sees all that was granted before. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work)
    // The requester gets the failure; the next in turn only waits for it.
    this.#queue = done.catch(() => undefined)
    return done
  }
}

/** A signal that is aborted when all of `signals` are: while one still wants it, the work goes on. */
function allOf(signals: readonly AbortSignal[]): { readonly signal: AbortSignal; readonly end: () => void } {
  const all = new AbortController()
  let left = signals.length
  const onAbort = () => {
    if (--left === 0) all.abort(signals[0]?.reason)
  }
  for (const signal of signals) signal.addEventListener('abort', onAbort, { once: true })
  return {
    signal: all.signal,
    end: () => {
      for (const signal of signals) signal.removeEventListener('abort', onAbort)
    },
  }
}
