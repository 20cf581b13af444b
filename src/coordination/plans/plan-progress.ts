// How a plan's status moves on: steps, phases, conditions. Pure: from one status to the next.

import type { Condition } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'
import { overPhases, type PlanMove, type PlanStep, type RebalancePlan, type RebalancePlanStatus } from '../api.ts'
import { runUntilAnnotation } from './names.ts'

export type Phase = NonNullable<RebalancePlanStatus['phase']>

/** Nothing of it happens any more. */
export function isOver({ status }: Pick<RebalancePlan, 'status'>): boolean {
  return isEnd(status?.phase)
}

function isEnd(phase: Phase | undefined): boolean {
  return overPhases.some(over => over === phase)
}

/** A plan that was begun: by this leader or an earlier one. */
export function isUnderWay(plan: RebalancePlan): boolean {
  const phase = plan.status?.phase
  return phase === 'Running' || phase === 'Paused'
}

/** Approved for just this content: an approval that names another hash is none. */
export function isApproved({ spec }: RebalancePlan): boolean {
  return spec.approved && (spec.approvedHash === undefined || spec.approvedHash === spec.snapshotHash)
}

/** A step that is finished, one way or another. */
export function isFinal(step: PlanStep | undefined): step is PlanStep {
  return (
    step !== undefined &&
    (step.state === 'Landed' || step.state === 'Mismatch' || step.state === 'Skipped' || step.state === 'Failed')
  )
}

export function stepOf(plan: RebalancePlan, id: string): PlanStep | undefined {
  return plan.status?.steps?.find(step => step.id === id)
}

/** The plan's moves as they stand: where one takes a pod on from a stop, its pod is the replacement that landed there. */
export function standingMoves(plan: RebalancePlan): readonly PlanMove[] {
  return plan.spec.moves.map(move => {
    const { replacement } = (move.follows === undefined ? undefined : stepOf(plan, move.follows)) ?? {}
    return replacement === undefined ? move : { ...move, pod: { ...move.pod, ...replacement } }
  })
}

/** Its moves in the order in which they begin. */
export function movesInOrder({ spec }: RebalancePlan): readonly PlanMove[] {
  return spec.moves.toSorted((a, b) => a.wave - b.wave)
}

/** The move that begins next, or is under way; `undefined`: none is left. */
export function nextMove(plan: RebalancePlan): PlanMove | undefined {
  return movesInOrder(plan).find(move => !isFinal(stepOf(plan, move.id)))
}

/** Whether `move` comes after the one that `ballast.dev/run-until` names: it does not begin beside that one either. */
export function isBeyondStop(plan: RebalancePlan, move: PlanMove): boolean {
  const until = plan.metadata.annotations?.[runUntilAnnotation]
  if (until === undefined) return false
  const ids = movesInOrder(plan).map(({ id }) => id)
  const stop = ids.indexOf(until)
  return stop >= 0 && ids.indexOf(move.id) > stop
}

/** The status with `step` in place of the one of its id, in order of ids; progress is noted at `nowMs`. */
export function withStep(status: RebalancePlanStatus, step: PlanStep, nowMs: number): RebalancePlanStatus {
  const steps = [...(status.steps ?? []).filter(({ id }) => id !== step.id), step].sort((a, b) => (a.id < b.id ? -1 : 1))
  return { ...status, steps, progressAt: formatTime(nowMs) }
}

/** The status in another phase. `Running` notes the start, final phases the end. */
export function inPhase(
  status: RebalancePlanStatus,
  phase: Phase,
  change: { readonly message: string; readonly nowMs: number },
): RebalancePlanStatus {
  const at = formatTime(change.nowMs)
  return {
    ...status,
    phase,
    message: change.message,
    ...(phase === 'Running' ? { startedAt: status.startedAt ?? at, progressAt: status.progressAt ?? at } : {}),
    ...(isEnd(phase) ? { finishedAt: at } : {}),
  }
}

/** The conditions with `condition` in place of the one of its type; its time of transition is kept while its status stays. */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  condition: Condition,
  nowMs: number,
): readonly Condition[] {
  const before = conditions?.find(({ type }) => type === condition.type)
  const at = before?.status === condition.status ? before.lastTransitionTime : undefined
  const changed = { ...condition, lastTransitionTime: at ?? formatTime(nowMs) }
  return before === undefined
    ? [...(conditions ?? []), changed]
    : (conditions ?? []).map(one => (one.type === condition.type ? changed : one))
}
