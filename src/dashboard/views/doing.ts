// What is under way now: the permits that are out.
import type { KeptPermit } from '#coordination/account/book.ts'
import type { PlanMove, RebalancePlan } from '#coordination/api.ts'
import { recordKey } from '#coordination/permits/ledger-index.ts'
import { moveKey } from '#coordination/plans/move-run.ts'
import type { Doing } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { doingMove, doingOther, hiddenName } from '../words/en.ts'
import { rfc3339 } from '../words/time.ts'
import { activeKept } from './ledger/permits-index.ts'
import { isEnded } from './plans/plan-facts.ts'
import type { Viewing } from './viewing.ts'

/** So many are told; there are seldom more than a few. */
const mostTold = 50

/** A permit that is out, with the move that it is for. */
interface UnderWay {
  readonly permit: KeptPermit
  readonly plan: RebalancePlan | undefined
  readonly move: PlanMove | undefined
}

const known = new WeakMap<
  readonly KeptPermit[],
  { readonly plans: readonly RebalancePlan[]; readonly all: readonly UnderWay[] }
>()

/** All that is out, the oldest grant first. */
export function underWay({ book: { permits, plans } }: Picture): readonly UnderWay[] {
  const before = known.get(permits)
  if (before?.plans === plans) return before.all
  const active = activeKept(permits)
  const moves = active.length === 0 ? new Map<string, Pick<UnderWay, 'plan' | 'move'>>() : movesByKey(plans)
  const all = active
    .map(permit => ({ permit, plan: undefined, move: undefined, ...moves.get(permit.record.idempotencyKey) }))
    .toSorted((a, b) => (a.permit.record.grant?.atMs ?? 0) - (b.permit.record.grant?.atMs ?? 0))
  known.set(permits, { plans, all })
  return all
}

/** The first of them in words; what the viewer may not see is counted and not named. */
export function doingOf(picture: Picture, viewing: Pick<Viewing, 'sees'>): readonly Doing[] {
  return underWay(picture)
    .slice(0, mostTold)
    .map(one => {
      const { record } = one.permit
      return {
        permit: recordKey(record),
        move: one.move?.id ?? null,
        sentence: sentenceOf(one, viewing),
        since: rfc3339(record.grant?.atMs ?? Number.NaN),
      }
    })
}

/** `namespace/name` of what a permit disrupts, or that the viewer may not see it. */
export function disruptedName({ permit: { record }, move }: UnderWay, { sees }: Pick<Viewing, 'sees'>): string {
  if (move !== undefined) {
    const { namespace, name } = move.workload
    return sees(namespace) ? `${namespace}/${name}` : hiddenName
  }
  const [first] = record.targets
  if (first === undefined) return 'nothing'
  if (first.namespace !== undefined && !sees(first.namespace)) return hiddenName
  const [namespace, , name] = record.workload?.split('/') ?? []
  if (namespace !== undefined && name !== undefined) return `${namespace}/${name}`
  return first.namespace === undefined ? first.name : `${first.namespace}/${first.name}`
}

function sentenceOf(one: UnderWay, viewing: Pick<Viewing, 'sees'>) {
  const { requester, verb } = one.permit.record
  const target = disruptedName(one, viewing)
  if (one.move === undefined) return doingOther({ requester, verb, target })
  return doingMove({ workload: target, from: one.move.from, to: one.move.to })
}

/** Moves of plans that are not over, by the wish that is asked for them. */
function movesByKey(plans: readonly RebalancePlan[]): ReadonlyMap<string, Pick<UnderWay, 'plan' | 'move'>> {
  const open = plans.filter(plan => !isEnded(plan))
  return new Map(open.flatMap(plan => plan.spec.moves.map(move => [moveKey(plan, move), { plan, move }] as const)))
}
