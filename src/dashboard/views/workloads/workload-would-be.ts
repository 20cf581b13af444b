// What the arbiter, and the planner before it, would say if each capability asked now.
import type { Account } from '#coordination/account/account.ts'
import type { PresentAnswer } from '#coordination/account/answers.ts'
import type { Ref, WorkloadView } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import * as permits from '../../words/en-permits.ts'
import * as words from '../../words/en-workload.ts'
import { rfc3339 } from '../../words/time.ts'
import { ownerRule, scalerOf } from '../ledger/permits-owner.ts'

type WouldBe = WorkloadView['wouldBe'][number]

/** One row a capability that is on, by its first question about this workload. */
export function wouldBeOf(
  picture: Picture,
  { ref, account }: { readonly ref: Ref; readonly account: Account },
): readonly WouldBe[] {
  const rows = new Map<string, WouldBe>()
  for (const answer of account.now) {
    const { requester } = answer
    if (rows.has(requester) || !picture.capabilities.includes(requester)) continue
    rows.set(requester, rowOf(picture, answer, ref))
  }
  return [...rows.values()]
}

interface Hindrance {
  readonly rule: string
  readonly why: string
  readonly untilMs: number | undefined
}

function rowOf(picture: Picture, answer: PresentAnswer, ref: Ref): WouldBe {
  const capability = answer.requester
  const hindrance = firstHindrance(picture, answer, ref)
  if (hindrance === undefined) {
    const [noted] = answer.objections
    const because = noted === undefined ? words.allowed() : words.allowedThough({ rule: noted.reason })
    return { capability, allowed: true, rule: null, because, until: null }
  }
  const { rule, why, untilMs } = hindrance
  return {
    capability,
    allowed: false,
    rule,
    because:
      untilMs === undefined ? words.refusedBecause({ rule, why }) : words.refusedUntil({ rule, untilMs, nowMs: picture.nowMs }),
    until: untilMs === undefined ? null : rfc3339(untilMs),
  }
}

/** The rule that speaks first; where none holds, the planner's. */
function firstHindrance(picture: Picture, { decision, objections, planner }: PresentAnswer, ref: Ref): Hindrance | undefined {
  const objection = decision === 'Granted' ? undefined : objections.find(({ holds }) => holds)
  if (objection !== undefined) {
    const owned = objection.rule === 'owner' ? ownerRule(objection.data['owner']) : undefined
    const isKeda = owned === 'KedaManaged'
    return {
      rule: owned ?? objection.reason,
      why: isKeda ? permits.ownedByKeda({ by: scalerOf(picture, ref) }) : objection.sentence,
      untilMs: objection.fromMs,
    }
  }
  const [word] = planner
  return word === undefined ? undefined : { rule: codeOf(word.reason), why: word.sentence, untilMs: undefined }
}

/** Why no pod of it can be moved whatever time passes; `undefined`: nothing like that is known. `node`: where its pod stands. */
export function cannotMove(
  picture: Picture,
  { ref, account, node }: { readonly ref: Ref; readonly account: Account; readonly node: string | undefined },
): { readonly why: string; readonly rule: string } | undefined {
  const move = account.now.find(({ question }) => question === 'move')
  if (move === undefined) return undefined
  const pinned = move.planner.find(({ reason }) => codeOf(reason) === 'VolumePinned')
  if (pinned !== undefined && node !== undefined) return { why: words.volumePinned({ node }), rule: 'VolumePinned' }
  const hindrance = firstHindrance(
    picture,
    { ...move, objections: move.objections.filter(({ decision }) => decision === 'Denied') },
    ref,
  )
  return hindrance === undefined || hindrance.untilMs !== undefined ? undefined : hindrance
}

/** Reads `VolumePinned:nexus-data`. */
function codeOf(reason: string): string {
  return reason.split(':')[0] ?? reason
}
