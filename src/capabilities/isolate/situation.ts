// Where an isolation stands: the first stage that is not over, and what it waits for. Pure, from what the cluster shows at this moment.
import type { IsolationStatus, RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import { isOver, isUnderWay } from '#coordination/plans/plan-progress.ts'
import { foreignRows, preflightRows, type StageRow, taintRows, tolerationRows, warningRows } from '#planning/isolation/rows.ts'
import type { IsolationSurvey } from '#planning/isolation/survey.ts'
import type { Plan } from '#planning/plan-record.ts'

/** How long a taint that somebody else sets must have stayed: Talos applies and removes its own. */
const taintStaysMs = 120_000
/** After a plan that failed, how long until the next. */
const retryFailedMs = 15 * 60_000
/** After a plan that left pods behind; twice as long after each further one that moved nothing, up to `retryFailedMs`. */
const retryIncompleteMs = 30_000

export interface Situation {
  readonly stage: IsolationStatus['stage']
  readonly phase: IsolationStatus['phase']
  readonly message: string
  readonly blocked: readonly StageRow[]
  readonly warnings: readonly StageRow[]
}

export interface SituationFacts {
  readonly policy: RebalancePolicy
  readonly survey: IsolationSurvey
  /** Everything moved at once, on paper; absent where a plan is there already. */
  readonly paper: Plan | undefined
  /** The policy's plans of isolation, those that are over too. */
  readonly plans: readonly RebalancePlan[]
  /** Nodes where we set the taint and it is gone. */
  readonly robbed: readonly string[]
  /** What keeps tolerations by webhook from being given. */
  readonly hindered: readonly StageRow[]
  /** Since when all isolated nodes carry the taint, as it was last written down. */
  readonly taintedSinceMs: number | undefined
  readonly nowMs: number
}

/** The situation; in mode Report what it would be, as phase `Reported`. */
export function situationOf(facts: SituationFacts): Situation {
  const found = stageOf(facts)
  const situation = { ...found, warnings: warningRows(facts.survey) }
  if (facts.policy.spec.mode !== 'Report' || found.phase === 'Verified') return situation
  return { ...situation, phase: 'Reported', message: `mode Report, nothing is done; stage ${found.stage}: ${found.message}` }
}

type Stage = Omit<Situation, 'warnings'>

function stageOf(facts: SituationFacts): Stage {
  const { survey, policy } = facts
  const open = facts.plans.filter(plan => !isOver(plan))
  const preflight = preflightRows(survey, facts.paper)
  if (preflight.length > 0)
    return { stage: 'Preflight', phase: 'Blocked', message: preflight.map(wordsOf).join('; '), blocked: preflight }
  const { hindered } = facts
  if (hindered.length > 0)
    return { stage: 'Tolerations', phase: 'Blocked', message: hindered.map(wordsOf).join('; '), blocked: hindered }
  const core = tolerationRows(survey)
  const isDone = survey.untainted.length === 0 && survey.leaving.length === 0 && open.length === 0
  const isLacking = core.some(({ reason }) => reason === 'TolerationMissing')
  if (core.length > 0 && (isLacking || !isDone)) return tolerationStage(core, { survey, policy }, open.length > 0)
  return taintStage(facts, open.length > 0) ?? wavesStage(facts, open) ?? verifyStage(survey, core)
}

function tolerationStage(
  blocked: readonly StageRow[],
  { survey, policy }: Pick<SituationFacts, 'survey' | 'policy'>,
  hasBegun: boolean,
): Stage {
  const missing = blocked.filter(({ reason }) => reason === 'TolerationMissing')
  const isByWebhook = survey.core.some(({ isTolerant, isRollable }) => !isTolerant && isRollable)
  const isOurs = policy.spec.isolation?.tolerations === 'apply' || isByWebhook
  const message =
    missing.length === 0
      ? `waits for core workloads to be available: ${blocked.map(({ subject }) => subject).join(', ')}`
      : isOurs
        ? `${isByWebhook ? 'rolls out core workloads, so that the webhook gives their pods the toleration' : 'gives core workloads their toleration'}, one by one: ${missing.map(({ subject }) => subject).join(', ')}`
        : `waits for a toleration on ${missing.map(({ subject }) => subject).join(', ')}: the patches are in status.isolation.blocked`
  const phase = isOurs && missing.length > 0 ? 'Running' : hasBegun ? 'Paused' : 'Waiting'
  return { stage: 'Tolerations', phase, message, blocked }
}

function taintStage({ survey, policy, taintedSinceMs, robbed, nowMs }: SituationFacts, hasBegun: boolean): Stage | undefined {
  const blocked = taintRows(survey)
  const phase = hasBegun || robbed.length > 0 ? 'Paused' : 'Waiting'
  const nodes = blocked.map(({ subject }) => subject.replace(/^Node /, '')).join(', ')
  if (robbed.length > 0) {
    const message = `somebody took the taint off ${robbed.join(', ')} that Ballast had set: set taintMode external if Talos keeps taints, or take the annotation ballast.dev/isolated-by off the node to have it set again`
    return { stage: 'Taint', phase, message, blocked }
  }
  if (blocked.length > 0) {
    if (policy.spec.isolation?.taintMode === 'kubernetes')
      return { stage: 'Taint', phase: 'Running', message: `sets the taint on ${nodes}`, blocked }
    const message = hasBegun
      ? `the taint was removed from ${nodes}: nothing more is evicted until it is back`
      : `waits until somebody sets the taint on ${nodes}`
    return { stage: 'Taint', phase, message, blocked }
  }
  if (policy.spec.isolation?.taintMode === 'kubernetes') return undefined
  const untilMs = (taintedSinceMs ?? nowMs) + taintStaysMs
  if (untilMs <= nowMs) return undefined
  const message = `the taint is seen; it has to stay until ${new Date(untilMs).toISOString()}`
  return { stage: 'Taint', phase, message, blocked: [] }
}

function wavesStage({ survey, plans, nowMs }: SituationFacts, open: readonly RebalancePlan[]): Stage | undefined {
  const blocked = survey.leaving.length === 0 ? [] : foreignRows({ ...survey, staying: [] })
  const [active] = open.filter(isUnderWay)
  const waves = (phase: Stage['phase'], message: string): Stage => ({ stage: 'Waves', phase, message, blocked })
  if (active !== undefined) {
    const isPaused = active.status?.phase === 'Paused'
    return waves(isPaused ? 'Paused' : 'Running', `plan ${active.metadata.name}: ${active.status?.message ?? ''}`)
  }
  const [waiting] = open
  if (waiting !== undefined) {
    const { name } = waiting.metadata
    return waiting.spec.approved
      ? waves('Running', `plan ${name} begins`)
      : waves(
          'Waiting',
          `plan ${name} waits for approval: kubectl patch rebalanceplan ${name} --type merge -p '{"spec":{"approved":true}}'`,
        )
  }
  if (survey.leaving.length === 0) return undefined
  const failed = retryOf(plans, nowMs)
  if (failed === undefined) return waves('Running', `${survey.leaving.length} pods are to leave`)
  const how = failed.plan.status?.phase === 'Incomplete' ? 'is incomplete' : 'failed'
  const message = `plan ${failed.plan.metadata.name} ${how}: ${failed.plan.status?.message ?? ''}; tried again at ${new Date(failed.atMs).toISOString()}`
  return waves('Paused', message)
}

/** The newest plan where it failed or left pods behind, and when the next may be made; `undefined`: now. */
export function retryOf(
  plans: readonly RebalancePlan[],
  nowMs: number,
): { readonly plan: RebalancePlan; readonly atMs: number } | undefined {
  const over = newestFirst(plans)
  const [newest] = over
  const waitMs = newest?.status?.phase === 'Failed' ? retryFailedMs : retryAfterIncompleteMs(over)
  const atMs = Date.parse(newest?.status?.finishedAt ?? '') + waitMs
  return newest !== undefined && atMs > nowMs ? { plan: newest, atMs } : undefined
}

function retryAfterIncompleteMs(over: readonly RebalancePlan[]): number {
  const isIncomplete = ({ status }: RebalancePlan) => status?.phase === 'Incomplete'
  if (over[0] === undefined || !isIncomplete(over[0])) return 0
  const other = over.findIndex(plan => !isIncomplete(plan) || plan.status?.steps?.some(({ state }) => state === 'Landed'))
  return Math.min(retryFailedMs, retryIncompleteMs * 2 ** Math.max(0, (other === -1 ? over.length : other) - 1))
}

/** The plan that was over last. */
export function newestOver(plans: readonly RebalancePlan[]): RebalancePlan | undefined {
  return newestFirst(plans)[0]
}

function newestFirst(plans: readonly RebalancePlan[]): readonly RebalancePlan[] {
  const endOf = ({ status }: RebalancePlan) => Date.parse(status?.finishedAt ?? '') || 0
  return plans.filter(isOver).toSorted((a, b) => endOf(b) - endOf(a))
}

function verifyStage(survey: IsolationSurvey, core: readonly StageRow[]): Stage {
  const foreign = foreignRows(survey)
  const nodes = survey.rules.nodes.join(', ')
  if (foreign.length === 0 && core.length === 0)
    return {
      stage: 'Verify',
      phase: 'Verified',
      message: `${nodes}: no pod is left that is not core, all core workloads are available`,
      blocked: [],
    }
  const reasons = Map.groupBy([...foreign, ...core], ({ reason }) => reason)
  const counts = Array.from(reasons, ([reason, rows]) => `${reason} ${rows.length}`).sort()
  return { stage: 'Verify', phase: 'Watching', message: `${nodes}: ${counts.join(', ')}`, blocked: [...foreign, ...core] }
}

function wordsOf({ subject, reason, message }: StageRow): string {
  return `${subject}: ${message} [${reason}]`
}
