// How a plan ended, by the cluster as it is: the nodes after it, its goals, its phase.
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import { goalOutcomes, type Measurements, nodeShares } from '#planning/goals/goals.ts'
import type { PlanPolicy } from '#planning/goals/policy.ts'
import { lossesNow } from '#planning/goals/survival.ts'
import { usageGoals } from '#planning/goals/usage-rules.ts'
import type { RebalancePlan, RebalancePlanStatus } from '../../api.ts'
import type { EffectContext } from '../../effects/effect-context.ts'
import type { ClusterView } from '../../facts/cluster-view.ts'
import { storedShare, tellingShares } from '../plan-object.ts'
import { inPhase, type Phase, withCondition } from '../plan-progress.ts'
import { goalsCondition, resultOf } from '../plan-result.ts'
import { goalFigures, storedGoals } from '../stored/stored-goals.ts'
import type { UsageMeter } from '../usage/usage-meter.ts'

/** So long a plan that is done waits for figures of after its last move. */
const renewedMs = 90_000

interface EndContext {
  readonly view: ClusterView
  readonly planPolicy: PlanPolicy
  readonly effects: EffectContext
  readonly settings: SchedulerSettings
  /** Absent: goals of usage stand still. */
  readonly usage: UsageMeter | undefined
}

/** What signals have to say of the end. */
export interface Ending {
  readonly stopped?: NonNullable<RebalancePlanStatus['trial']>['stopped']
  /** They stayed unknown after the last move. */
  readonly doubt?: string
}

/** What is to be written of the end of `plan`. `failure`: why it was ended early. */
export async function planEnd(
  { view, planPolicy, effects, settings, usage }: EndContext,
  plan: RebalancePlan,
  { failure, stopped, doubt }: Ending & { readonly failure: string | undefined },
  signal: AbortSignal,
): Promise<{
  readonly change: (status: RebalancePlanStatus) => RebalancePlanStatus
  readonly result: { readonly phase: Phase; readonly landed: number }
}> {
  const measured = await measuredAfter({ planPolicy, usage }, plan, signal)
  const nowMs = effects.clock.now()
  const state = view.state()
  const nothing = { requests: new Map(), usage: new Map() }
  const goals = goalOutcomes(planPolicy, state, nothing, measured, lossesNow(state, planPolicy, settings))
  const { phase, message, landed, missed, unknown } = resultOf(plan, goals, { failure, doubt })
  const judged = goalsCondition(missed, unknown)
  const change = (status: RebalancePlanStatus): RebalancePlanStatus => ({
    ...inPhase(status, phase, { message, nowMs }),
    ...(stopped === undefined ? {} : { trial: { ...status.trial, stopped } }),
    after: tellingShares({ goals, moves: plan.spec.moves }, nodeShares(state, new Map(), planPolicy)).map(storedShare),
    goals: storedGoals(goals, goal => goalFigures(goal)),
    conditions: withCondition(status.conditions, { type: 'GoalsMet', ...judged, message }, nowMs).map(one => ({ ...one })),
  })
  return { change, result: { phase, landed } }
}

/** What is used now, in figures that are newer than the last move where that can be had. */
async function measuredAfter(
  { planPolicy, usage }: Pick<EndContext, 'planPolicy' | 'usage'>,
  plan: RebalancePlan,
  signal: AbortSignal,
): Promise<Measurements | undefined> {
  const goals = usageGoals(planPolicy)
  if (usage === undefined || goals.length === 0) return undefined
  if (plan.status?.steps?.some(step => step.state === 'Landed') === true)
    await usage.renewed([...new Set(goals.flatMap(goal => goal.nodes))], { limitMs: renewedMs, signal })
  return usage.measurements()
}
