// What the arbiter refuses, told as events on whom it concerns: every denial, and what has waited for more than a minute.
import type { EmittedEvent } from '#kube/events/event-object.ts'
import { objectionReasons, verdictSentence } from '../arbiter/sentences.ts'
import type { Intent } from '../intent.ts'
import type { Verdict } from '../policy/question.ts'
import { toldVerdictText, verdictAnnotation } from './told-verdict.ts'

/** A wish that waits no longer than this is nothing to tell of, in milliseconds. */
const quietWaitMs = 60_000
/** So many wishes are remembered as told; then all are forgotten and may be told once more. */
const mostRemembered = 10_000

interface Decided {
  readonly intent: Intent
  readonly verdict: Verdict
  /** Since the wish was first asked for. */
  readonly waitedMs: number
}

/** Tells each wish once for each rule that refuses it, however often it is asked. */
export class VerdictEvents {
  readonly #events: { emit(event: EmittedEvent): void }
  readonly #told = new Set<string>()

  constructor(events: { emit(event: EmittedEvent): void }) {
    this.#events = events
  }

  /** To be called with each decision. Never throws, never waits. */
  tell({ intent, verdict, waitedMs }: Decided): void {
    if (verdict.kind !== 'deny' && verdict.kind !== 'defer') return
    if (verdict.kind === 'defer' && waitedMs < quietWaitMs) return
    const regarding = intent.workload ?? intent.targets[0]
    if (
      regarding === undefined ||
      !this.#isNew(`${verdict.kind} ${verdict.objection.rule} ${intent.requester} ${intent.idempotencyKey}`)
    )
      return
    const reason = objectionReasons[verdict.objection.rule]
    this.#events.emit({
      ...(verdict.kind === 'deny'
        ? { type: 'Warning', reason: 'DisruptionDenied', action: 'Deny' }
        : { type: 'Normal', reason: 'DisruptionQueued', action: 'Queue' }),
      regarding,
      note: `${verdictSentence(intent, verdict)} [${reason}]`,
      controller: `ballast.dev/${intent.requester}`,
      annotations: { [verdictAnnotation]: toldVerdictText(intent, verdict) },
      distinction: reason,
    })
  }

  #isNew(key: string): boolean {
    if (this.#told.has(key)) return false
    if (this.#told.size >= mostRemembered) this.#told.clear()
    this.#told.add(key)
    return true
  }
}
