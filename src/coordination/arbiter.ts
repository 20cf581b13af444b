// The one door of voluntary disruption: intents in, permits out. It asks the pure policy, writes the grant, and only then hands it out.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events.ts'
import type { Log } from '#kube/log.ts'
import type { ObjectReference } from '#kube/objects.ts'
import { hasBegun } from './effects/begun.ts'
import { factsFor, newestPodsOf } from './facts.ts'
import type { Intent } from './intent.ts'
import type { Ledger, Permit } from './ledger.ts'
import { type Ending, isActive, type PermitRecord } from './permit-record.ts'
import { type ArbiterPolicy, judge, type Verdict } from './policy.ts'
import { objectionReasons, objectionSentence, verdictSentence } from './sentences.ts'

export type Reply =
  | { readonly kind: 'granted'; readonly permit: Permit; readonly isNew: boolean }
  | {
      readonly kind: 'not-granted'
      readonly verdict: Exclude<Verdict, { kind: 'grant' } | { kind: 'same' }>
      readonly sentence: string
    }

interface ArbiterOptions {
  readonly ledger: Ledger
  /** The cluster at this moment, as far as our watches have come. */
  readonly state: () => ClusterState
  readonly policy: () => ArbiterPolicy
  readonly ownerLabel: string
  /** Ballast's own namespace. */
  readonly ownNamespace: string
  readonly events: EventRecorder
  readonly clock: Clock
  readonly log: Log
}

/**
 * Flow: `takeOver` once after the Lease was won; then `request`, act under the permit, `release`.
 * Guarantees: one question at a time, so that two intents never pass on the same headroom; a permit that is handed out is in the API server.
 * Assumes that every informer behind `state` is synced before the first request.
 */
export class Arbiter {
  readonly #options: ArbiterOptions
  #queue: Promise<unknown> = Promise.resolve()
  /** Denials that were told, so that a repeated question makes one event. */
  readonly #told = new Map<string, string>()

  constructor(options: ArbiterOptions) {
    this.#options = options
  }

  /** The ledger as it is known now. */
  records(): readonly PermitRecord[] {
    return this.#options.ledger.records()
  }

  /** Permits of `requester` that are out: after a take-over those whose effect may or may not have happened. */
  unfinished(requester: string): readonly PermitRecord[] {
    return this.records().filter(record => isActive(record) && record.requester === requester)
  }

  /**
   * Reads what earlier leaders granted and begins an epoch. Then each permit that is out is held against what the cluster shows:
   * where nothing happened it is withdrawn; where it did, it stays out until its requester, or `settle`, finds it finished.
   */
  takeOver(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      await this.#options.ledger.takeOver(signal)
      const state = this.#options.state()
      for (const record of this.records()) {
        if (isActive(record) && !hasBegun(record, state)) {
          await this.#options.ledger.release(record, 'withdrawn', 'nothing had happened when a new leader took over', signal)
        }
      }
    })
  }

  /** Asks for one disruption. Asked again under the same key while the permit is out, it is the same permit. */
  request(intent: Intent, signal: AbortSignal): Promise<Reply> {
    return this.#inTurn(async () => {
      signal.throwIfAborted()
      const { ledger, clock, ownerLabel, ownNamespace } = this.#options
      const state = this.#options.state()
      const nowMs = clock.now()
      const records = this.records()
      const facts = factsFor(intent, { state, ledger: records, ownerLabel, ownNamespace, nowMs })
      const verdict = judge({ intent, facts, ledger: records, policy: this.#options.policy(), nowMs })
      if (verdict.kind === 'same') return { kind: 'granted', permit: ledger.adopt(verdict.permit), isNew: false }
      if (verdict.kind !== 'grant') return this.#refused(intent, verdict)
      const siblings = intent.workload === undefined ? [] : newestPodsOf(state, intent.workload)
      const permit = await ledger.grant(intent, verdict, { siblings, nowMs, signal })
      this.#options.log.info(
        { permit: `${permit.record.namespace}/${permit.record.name}`, fencingToken: permit.record.grant.token },
        'permit granted',
      )
      return { kind: 'granted', permit, isNew: true }
    })
  }

  /** Takes a permit up again that is out. @throws Error when it is not, or was written by a later leader. */
  adopt(record: PermitRecord): Permit {
    return this.#options.ledger.adopt(record)
  }

  /** Writes how a disruption ended; the workload's lock falls with it. */
  release(record: PermitRecord, end: { readonly ending: Ending; readonly reason: string }, signal: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.#options.ledger.release(record, end.ending, end.reason, signal))
  }

  /** Ends permits that nobody finished: over their time, and their workload whole again or not. To be called now and then. */
  settle(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      for (const record of this.records()) {
        if (!isActive(record) || record.grant === undefined || record.grant.expiresAtMs > this.#options.clock.now()) continue
        await this.#options.ledger.release(record, 'expired', 'nobody said how it ended', signal)
      }
      await this.#options.ledger.forgetOld(signal)
    })
  }

  #refused(intent: Intent, verdict: Exclude<Verdict, { kind: 'grant' } | { kind: 'same' }>): Reply {
    const sentence = verdictSentence(intent, verdict)
    this.#options.log.debug({ requester: intent.requester, key: intent.idempotencyKey, verdict: verdict.kind }, sentence)
    if (verdict.kind === 'deny') this.#tell(intent, verdict)
    return { kind: 'not-granted', verdict, sentence }
  }

  #tell(intent: Intent, verdict: Verdict & { kind: 'deny' }): void {
    const reason = objectionReasons[verdict.objection.rule]
    if (this.#told.get(intent.idempotencyKey) === reason) return
    if (this.#told.size > 10_000) this.#told.clear()
    this.#told.set(intent.idempotencyKey, reason)
    const regarding = regardingOf(intent)
    if (regarding === undefined) return
    this.#options.events.emit({
      type: 'Warning',
      reason: 'DisruptionDenied',
      action: 'Deny',
      regarding,
      note: `${verdictSentence(intent, verdict)} [${reason}]`,
      controller: `ballast.dev/${intent.requester}`,
    })
  }

  /** One after the other: what is judged sees all that was granted before. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work)
    // Whoever asked gets the failure; the next in turn only waits for it.
    this.#queue = done.catch(() => undefined)
    return done
  }
}

function regardingOf(intent: Intent): ObjectReference | undefined {
  const { workload } = intent
  if (workload !== undefined) return workload
  return intent.targets[0]
}

/** How a refusal reads where one line is all there is. */
export function refusalWords(verdict: Exclude<Verdict, { kind: 'grant' } | { kind: 'same' }>): {
  readonly reason: string
  readonly message: string
} {
  if (verdict.kind === 'coalesced') return { reason: 'Coalesced', message: `goes along with ${verdict.into}` }
  return { reason: objectionReasons[verdict.objection.rule], message: objectionSentence(verdict.objection) }
}
