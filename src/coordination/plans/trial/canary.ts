// Which moves of a plan go first, and where a plan with a canary or signals stands. Pure: from the plan's status, so that whoever leads next
// goes on from there.
import type { RebalancePlan, RebalancePolicySpec } from '../../api.ts'
import { isFinal, movesInOrder, stepOf } from '../plan-progress.ts'

type Auto = NonNullable<RebalancePolicySpec['auto']>

/** What is to be done before the next move. */
export type Stage =
  /** Nothing: no signal is asked just now. */
  | { readonly kind: 'free' }
  | { readonly kind: 'judge'; readonly moment: 'begin' | 'canary' | 'wave' }
  /** The last look: what the moves did to others shows after them. `isFinal`: what is not known by now is not waited for. */
  | { readonly kind: 'judge'; readonly moment: 'end'; readonly isFinal: boolean }
  | { readonly kind: 'settles'; readonly untilMs: number }
  /** The last move of the canary is over, which nobody noted yet. */
  | { readonly kind: 'canary-done' }
  | { readonly kind: 'waits'; readonly untilMs: number; readonly moves: number }

/** So long after the last move signals are asked for the last time. */
const settleMs = 60_000
/** So long after the last move a signal that is not known is waited for. */
const lastLookMs = 300_000

/** How many of `moves` go first: `share` percent, rounded up, one at least. */
export function canarySize(moves: number, share: number): number {
  return Math.min(moves, Math.max(1, Math.ceil((moves * share) / 100)))
}

/**
 * The moves that go first; `undefined`: the canary is over, there is none, or it would be the whole plan. One that was left out shows
 * nothing, and the next takes its place.
 */
export function canaryOf(plan: RebalancePlan, auto: Auto | undefined): ReadonlySet<string> | undefined {
  if (auto?.canary === undefined || plan.status?.trial?.canaryPassedAt !== undefined) return undefined
  const { length } = plan.spec.moves
  const size = canarySize(length, auto.canary.share)
  const tried = movesInOrder(plan).filter(({ id }) => stepOf(plan, id)?.state !== 'Skipped')
  return tried.length <= size ? undefined : new Set(tried.slice(0, size).map(({ id }) => id))
}

/** Where the plan stands between two moves. */
export function stageOf(plan: RebalancePlan, auto: Auto | undefined, nowMs: number): Stage {
  const isDone = plan.spec.moves.every(({ id }) => isFinal(stepOf(plan, id)))
  if (auto === undefined) return { kind: 'free' }
  if (isDone) return lastStage(plan, auto, nowMs)
  const trial = plan.status?.trial
  const isBegun = (plan.status?.steps ?? []).length > 0
  if (trial?.begunAt === undefined && !isBegun && auto.signals.length > 0) return { kind: 'judge', moment: 'begin' }
  const first = canaryOf(plan, auto)
  if (first === undefined || auto.canary === undefined)
    return isBegun && auto.signals.length > 0 ? { kind: 'judge', moment: 'wave' } : { kind: 'free' }
  if ([...first].some(id => !isFinal(stepOf(plan, id)))) return { kind: 'free' }
  if (trial?.canaryDoneAt === undefined) return { kind: 'canary-done' }
  const untilMs = Date.parse(trial.canaryDoneAt) + auto.canary.waitSeconds * 1000
  return nowMs < untilMs ? { kind: 'waits', untilMs, moves: first.size } : { kind: 'judge', moment: 'canary' }
}

/** After the last move. A plan of which none landed has done nothing that signals could tell. */
function lastStage({ status }: RebalancePlan, { signals }: Auto, nowMs: number): Stage {
  const hasMoved = (status?.steps ?? []).some(({ state }) => state === 'Landed')
  if (signals.length === 0 || !hasMoved || status?.trial?.endedAt !== undefined) return { kind: 'free' }
  const lastMs = Date.parse(status?.progressAt ?? '')
  if (nowMs < lastMs + settleMs) return { kind: 'settles', untilMs: lastMs + settleMs }
  return { kind: 'judge', moment: 'end', isFinal: !(nowMs < lastMs + lastLookMs) }
}
