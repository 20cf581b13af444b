// One batch of questions: each judged on what was granted before it, then all that was granted written, then everybody answered.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { OwnerLabel } from '#cluster/ownership.ts'
import type { Clock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Log } from '#kube/log.ts'
import type { DisruptionPermit } from '../api.ts'
import { factsFor, newestPodsOf } from '../facts/facts.ts'
import { type ClusterSignals, noSignals } from '../gates/signals.ts'
import { type Intent, type Target, wishKey } from '../intent.ts'
import { nothingObserved, type Observations } from '../observed/observation.ts'
import type { Ledger } from '../permits/ledger.ts'
import { recordKey } from '../permits/ledger-index.ts'
import type { Permit } from '../permits/permit.ts'
import { wishOf } from '../permits/permit-object.ts'
import { isActive, type PermitRecord } from '../permits/permit-record.ts'
import { mostJoined, UncertainWriteError } from '../permits/permit-writes.ts'
import type { Together } from '../permits/shared-permit.ts'
import type { ArbiterPolicy, ArbitrationMode } from '../policy/arbiter-policy.ts'
import { judge } from '../policy/judge.ts'
import { modeOf } from '../policy/mode.ts'
import type { OwnerContradiction, Pending, Verdict } from '../policy/question.ts'
import { combinedChange } from '../policy/rollouts/combined-change.ts'
import { passengersOf } from '../policy/rollouts/passengers.ts'
import { Batch } from './batch.ts'
import type { PendingBook } from './pending-book.ts'
import { objectionReasons, objectionSentence, verdictSentence } from './sentences.ts'

type Refusal = Exclude<Verdict, { kind: 'grant' } | { kind: 'same' }>

export type Reply =
  | { readonly kind: 'granted'; readonly permit: Permit; readonly isNew: boolean }
  | { readonly kind: 'not-granted'; readonly verdict: Refusal; readonly sentence: string }

/** One answer, for whoever counts and accounts. */
export interface Decision {
  readonly intent: Intent
  readonly verdict: Verdict
  readonly mode: ArbitrationMode
  readonly atMs: number
  /** Since the wish was first asked for, in milliseconds. */
  readonly waitedMs: number
}

export interface HearingOptions {
  readonly ledger: Ledger
  /** The cluster at this moment, as far as our watches have come. */
  readonly state: () => ClusterState
  /** Whether the state knows a kind; by default those of `clusterNeeds`. */
  readonly watches?: ((of: Pick<Target, 'apiVersion' | 'kind'>) => boolean) | undefined
  readonly policy: () => ArbiterPolicy
  readonly ownerLabel: OwnerLabel
  /** Ballast's own namespace. */
  readonly ownNamespace: string
  readonly events: EventRecorder
  readonly clock: Clock
  readonly log: Log
  /** What others did; default: nothing is known. */
  readonly observed?: () => Observations
  /** How the API server answers and how old measurements are; by default nothing is known. */
  readonly signals?: () => ClusterSignals
}

export interface Asked {
  readonly intent: Intent
  /** Where another process asks: the object that gets the grant. */
  readonly request: DisruptionPermit | undefined
  /** It shares its permit with others that were asked at once. */
  readonly together?: Together | undefined
  readonly signal: AbortSignal
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: unknown) => void
}

/** A question with what its answer is told with. */
interface Judged {
  readonly asked: Asked
  readonly mode: ArbitrationMode
  readonly atMs: number
  readonly waitedMs: number
}

/** How long a wish waits at most that found a permit full or over, in milliseconds. */
const joinRetryMs = 30_000

interface Surroundings {
  readonly book: PendingBook
  readonly decided: (decision: Decision) => void
  /** An owner label was read that says other than what holds. */
  readonly contradicted: (intent: Intent, contradiction: OwnerContradiction) => void
  /** Something began that others go along with. */
  readonly changed: () => void
}

/** Answers batches of questions, one batch after the other. */
export class Hearing {
  readonly #options: HearingOptions
  readonly #book: PendingBook
  readonly #surroundings: Surroundings

  constructor(options: HearingOptions, surroundings: Surroundings) {
    this.#options = options
    this.#book = surroundings.book
    this.#surroundings = surroundings
  }

  /** Resolves when everybody of `asked` is answered. @throws what keeps the whole batch from being judged or written. */
  async answerAll(asked: readonly Asked[], signal: AbortSignal): Promise<void> {
    if (asked.length === 0) return
    const { ledger } = this.#options
    await ledger.prepare(signal)
    const breathe = breather(this.#options.clock)
    const batch = new Batch()
    for (const one of asked) {
      try {
        this.#answer(one, batch)
      } catch (error) {
        one.reject(error)
      }
      await breathe()
    }
    const { drafts, joinings } = batch
    if (drafts.length > 0) batch.tellGrants(await ledger.commit(drafts, signal))
    if (joinings.length > 0) batch.tellJoined(await ledger.joinAll(joinings, signal))
  }

  /** Judges one question. What needs no writing is answered at once, the rest when its batch was written. */
  #answer(asked: Asked, batch: Batch): void {
    const { intent } = asked
    const { ledger, clock, ownerLabel, ownNamespace } = this.#options
    const state = this.#options.state()
    const policy = this.#options.policy()
    const nowMs = clock.now()
    const observed = this.#options.observed?.() ?? nothingObserved
    const signals = this.#options.signals?.() ?? noSignals
    const permits = ledger.view.active()
    const provesFit = modeOf(intent.requester, policy.modes) === 'enforce'
    const { watches } = this.#options
    const around = { ledger: permits, ownerLabel, ownNamespace, observed, signals, provesFit, nowMs }
    const facts = factsFor(intent, { state, ...around, ...(watches === undefined ? {} : { watches }) })
    for (const one of facts.contradictions) this.#surroundings.contradicted(intent, one)
    const firstAskedMs = this.#book.firstAskedMs(intent) ?? nowMs
    const pending = this.#book.list(intent)
    const verdict = judge({
      intent,
      facts,
      ledger: ledger.view,
      observed,
      pending,
      firstAskedMs,
      policy,
      nowMs,
    })
    const judged: Judged = { asked, mode: modeOf(intent.requester, policy.modes), atMs: nowMs, waitedMs: nowMs - firstAskedMs }
    switch (verdict.kind) {
      case 'grant': {
        const { together } = asked
        const room = Math.min(mostJoined, together?.room(intent) ?? mostJoined)
        const passengers = passengersOf({ intent, pending, policy, ledger: ledger.view }).slice(0, room)
        const pods = intent.workload === undefined ? [] : newestPodsOf(state, intent.workload)
        const siblings = together === undefined ? pods : pods.slice(0, together.siblings)
        const draft = ledger.draft(intent, verdict, {
          siblings,
          nodes: facts.nodes,
          nowMs,
          joined: passengers.map(one => wishOf(one.intent)),
          request: asked.request,
          together,
          signal: asked.signal,
        })
        const written = (permit: Permit) => this.#granted(judged, verdict, { permit, passengers })
        batch.grant(draft, { written, failed: asked.reject })
        break
      }
      case 'same': {
        const draft = batch.draftOf(verdict.permit)
        const written = (permit: Permit) => this.#given(judged, verdict, { permit, isNew: false })
        // What is granted in this batch is no permit before it is written.
        if (draft === undefined) written(ledger.adopt(verdict.permit))
        else batch.grant(draft, { written, failed: asked.reject })
        break
      }
      case 'coalesced':
        if (isActive(verdict.into)) this.#goAlong(judged, verdict, batch)
        else this.#refuse(judged, verdict)
        break
      default:
        this.#refuse(judged, verdict)
    }
  }

  #granted(
    judged: Judged,
    verdict: Verdict,
    { permit, passengers }: { readonly permit: Permit; readonly passengers: readonly Pending[] },
  ): void {
    this.#book.forget(judged.asked.intent)
    for (const { intent } of passengers) this.#book.forget(intent)
    for (const lost of combinedChange(permit.record).lost)
      this.#options.log.info({ permit: recordKey(permit.record), ...lost }, 'a change that goes along is overruled by another')
    this.#options.log.info({ permit: recordKey(permit.record), fencingToken: permit.record.grant.token }, 'permit granted')
    this.#given(judged, verdict, { permit, isNew: true })
    if (passengers.length > 0) this.#surroundings.changed()
  }

  #given(judged: Judged, verdict: Verdict, given: { readonly permit: Permit; readonly isNew: boolean }): void {
    this.#decided(judged, verdict)
    judged.asked.resolve({ kind: 'granted', ...given })
  }

  /** A wish that goes along with a permit that is out is answered once the permit says so. */
  #goAlong(judged: Judged, verdict: Verdict & { kind: 'coalesced' }, batch: Batch): void {
    const { asked } = judged
    const { into } = verdict
    const { ledger } = this.#options
    const { reject: failed } = asked
    const draft = batch.draftOf(into)
    const isNamed = into.joined.some(one => wishKey(one) === wishKey(asked.intent))
    if (ledger.isUncertain(into)) throw new UncertainWriteError(`nobody knows whether permit ${recordKey(into)} holds`)
    if (isNamed && draft === undefined) this.#refuse(judged, verdict)
    else if (!isNamed && into.joined.length >= mostJoined) this.#refuse(judged, lockedBy(into, judged))
    else if (draft === undefined) {
      // Where it ended meanwhile its lock falls, and the wish is asked again.
      const written = (record: PermitRecord | undefined) =>
        this.#refuse(judged, record === undefined ? lockedBy(into, judged) : { kind: 'coalesced', into: record })
      batch.join(into, asked.intent, { written, failed })
    } else {
      const written = ({ record }: Permit) => this.#refuse(judged, { kind: 'coalesced', into: record })
      batch.grant(isNamed ? draft : ledger.joinDraft(draft, asked.intent), { written, failed })
    }
  }

  #refuse(judged: Judged, verdict: Refusal): void {
    const { intent } = judged.asked
    this.#remember(intent, verdict, judged.mode)
    this.#decided(judged, verdict)
    const sentence = verdictSentence(intent, verdict)
    this.#options.log.debug({ requester: intent.requester, key: intent.idempotencyKey, verdict: verdict.kind }, sentence)
    judged.asked.resolve({ kind: 'not-granted', verdict, sentence })
  }

  /** In `observe` nothing waits. */
  #remember(intent: Intent, verdict: Refusal, mode: ArbitrationMode): void {
    if (mode === 'observe') return
    if (verdict.kind === 'defer') this.#book.keep(intent, verdict.objection.rule)
    else if (verdict.kind === 'absorbed') this.#book.keep(intent, 'company')
    else this.#book.forget(intent)
  }

  #decided({ asked, mode, atMs, waitedMs }: Judged, verdict: Verdict): void {
    this.#surroundings.decided({ intent: asked.intent, verdict, mode, atMs, waitedMs })
  }
}

function lockedBy(into: PermitRecord, { asked, atMs }: Judged): Refusal {
  const { workload = '', name: permit, requester } = into
  return {
    kind: 'defer',
    objection: { rule: 'lock', workload, permit, requester },
    untilMs: Math.min(asked.intent.deadlineMs, atMs + joinRetryMs),
  }
}

/** How a refusal reads where one line is all there is. */
export function refusalWords(verdict: Refusal): {
  readonly reason: string
  readonly message: string
} {
  if (verdict.kind === 'coalesced') return { reason: 'Coalesced', message: `goes along with ${verdict.into.name}` }
  if (verdict.kind === 'absorbed')
    return { reason: 'Coalesced', message: `will go along with the rollout that ${verdict.into.requester} waits for` }
  return { reason: objectionReasons[verdict.objection.rule], message: objectionSentence(verdict.objection) }
}
