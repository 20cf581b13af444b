// An isolation on paper: where each stage stands, what would move where, what stands in the way. Nothing is written.

import type { LoadedCluster } from '#cli/source/cluster-source.ts'
import { schedulerOf } from '#cli/source/scheduler-source.ts'
import type { OwnerLabel } from '#cluster/ownership.ts'
import type { RebalancePolicy } from '#coordination/api.ts'
import { planPolicyOf } from '#coordination/plans/plan-policy.ts'
import { systemClock } from '#kube/clock.ts'
import { InputError } from '#kube/problem.ts'
import {
  foreignRows,
  preflightRows,
  type StageRow,
  taintRows,
  tolerationRows,
  undoLines,
  warningRows,
} from '#planning/isolation/rows.ts'
import { withTaint } from '#planning/isolation/rules.ts'
import { type IsolationSurvey, surveyIsolation } from '#planning/isolation/survey.ts'
import { makePlan } from '#planning/plan.ts'
import type { Plan } from '#planning/plan-record.ts'
import { childSolver } from '#planning/solving/solve.ts'
import { type ExitCode, exitCodes } from '#process/surroundings.ts'

interface PaperStage {
  readonly stage: 'Preflight' | 'Tolerations' | 'Taint' | 'Waves' | 'Verify'
  readonly state: 'ready' | 'blocked' | 'waits' | 'to do'
  readonly message: string
  readonly blocked: readonly StageRow[]
}

export interface PaperIsolation {
  readonly policy: RebalancePolicy
  readonly survey: IsolationSurvey
  readonly plan: Plan
  readonly stages: readonly PaperStage[]
  readonly warnings: readonly StageRow[]
  readonly undo: readonly string[]
}

/** @throws InputError with all that is wrong with the policy on this cluster */
export async function isolationOnPaper(
  policy: RebalancePolicy,
  { cluster, ownerLabel }: { readonly cluster: LoadedCluster; readonly ownerLabel: OwnerLabel },
  signal: AbortSignal,
): Promise<PaperIsolation> {
  const resolved = planPolicyOf(policy, cluster.state, { ownerLabel, landing: 'prefer', purpose: 'isolate' })
  if (!resolved.ok) throw new InputError([resolved.problem])
  const input = {
    state: cluster.state,
    policy: resolved.value,
    settings: schedulerOf(cluster),
    nowMs: systemClock.now(),
  }
  const survey = surveyIsolation(input)
  const solve = childSolver({ clock: systemClock, safetySeconds: policy.spec.solveSeconds })
  // Moves are made when the taint is there.
  const plan = await makePlan({ ...input, state: withTaint(cluster.state, survey.rules) }, solve, signal)
  if (plan.problems.length > 0) throw new InputError(plan.problems)
  return {
    policy,
    survey,
    plan,
    stages: stagesOf(policy, survey, plan),
    warnings: warningRows(survey),
    undo: undoLines(survey.rules, policy.spec.isolation?.taintMode ?? 'external'),
  }
}

function stagesOf(policy: RebalancePolicy, survey: IsolationSurvey, plan: Plan): readonly PaperStage[] {
  const preflight = preflightRows(survey, plan)
  const core = tolerationRows(survey)
  const bare = taintRows(survey)
  const { isolation } = policy.spec
  const nodes = survey.rules.nodes.join(', ')
  const missing = core.filter(({ reason }) => reason === 'TolerationMissing').length
  const rollouts = survey.core.filter(({ isTolerant, isRollable }) => !isTolerant && isRollable).length
  const isByWebhook = survey.rules.tolerationsFrom === 'webhook'
  const waves = new Set(plan.moves.map(({ wave }) => wave)).size
  const staying = foreignRows({ ...survey, leaving: [] })
  return [
    {
      stage: 'Preflight',
      state: preflight.length === 0 ? 'ready' : 'blocked',
      message:
        preflight.length === 0
          ? `${survey.leaving.length} pods find a place on ${survey.otherNodes.join(', ')}`
          : `${preflight.length} rows stand in the way`,
      blocked: preflight,
    },
    {
      stage: 'Tolerations',
      state: core.length === 0 ? 'ready' : isolation?.tolerations === 'apply' || rollouts > 0 ? 'to do' : 'waits',
      message: [
        core.length === 0
          ? `all ${survey.core.length} core workloads tolerate the taint and are available`
          : `${missing} of ${survey.core.length} core workloads lack the toleration, ${core.length - missing} are not available`,
        ...(isByWebhook
          ? [
              `a webhook of the controller (--webhook-host) adds it to pods of core namespaces while they are created; rolled out for it, one by one: ${rollouts}`,
            ]
          : []),
      ].join('; '),
      blocked: core,
    },
    {
      stage: 'Taint',
      state: bare.length === 0 ? 'ready' : isolation?.taintMode === 'kubernetes' ? 'to do' : 'waits',
      message:
        bare.length === 0
          ? `${nodes} carries ${survey.rules.taint}:NoSchedule`
          : isolation?.taintMode === 'kubernetes'
            ? `${survey.rules.taint}:NoSchedule is set on ${survey.untainted.join(', ')} through the API`
            : `somebody has to set ${survey.rules.taint}:NoSchedule on ${survey.untainted.join(', ')} (Talos: machine.nodeTaints); it has to stay 2 minutes`,
      blocked: bare,
    },
    {
      stage: 'Waves',
      state: plan.moves.length === 0 ? 'ready' : 'to do',
      message: plan.moves.length === 0 ? 'nothing is to move' : `${plan.moves.length} moves in ${waves} waves`,
      blocked: [],
    },
    {
      stage: 'Verify',
      state: staying.length === 0 ? 'ready' : 'waits',
      message:
        staying.length === 0 ? `nothing but the core is left on ${nodes}` : `${staying.length} pods that are not core stay`,
      blocked: staying,
    },
  ]
}

/** 0: it can be done; 3: something has to be done first, or goals are missed; 4: there is no place to go to. */
export function exitCodeOfPaper({ stages, plan }: PaperIsolation): ExitCode {
  const rowsOf = (stage: PaperStage['stage']) => stages.find(one => one.stage === stage)?.blocked ?? []
  if (rowsOf('Preflight').some(({ reason }) => reason === 'Infeasible' || reason === 'NoOtherNode')) return exitCodes.infeasible
  const isReady = rowsOf('Preflight').length === 0 && rowsOf('Tolerations').length === 0
  return isReady && plan.goals.every(goal => goal.state !== 'missed') ? exitCodes.done : exitCodes.notSo
}
