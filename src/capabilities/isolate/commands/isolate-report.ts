// An isolation on paper as a person reads it, and as one document for programs.

import { nodeFigures, nodeTable } from '#cli/terminal/node-table.ts'
import { goalLines, moveTable, shareTable } from '#cli/terminal/plan-report.ts'
import { type Terminal, table } from '#cli/terminal/terminal.ts'
import type { ClusterState } from '#cluster/cluster-state.ts'
import { shownGoals } from '#coordination/plans/goal-policy.ts'
import { servableGoals } from '#planning/goals/served-goals.ts'
import type { StageRow } from '#planning/isolation/rows.ts'
import { explanationLines } from '#planning/sentences.ts'
import type { ExitCode } from '#process/surroundings.ts'
import type { PaperIsolation } from './isolate-preflight.ts'

/** The nodes, the stages, what blocks, the moves, before and after, what to know beforehand, and the way back. */
export function isolationLines(paper: PaperIsolation, state: ClusterState, { colour }: Terminal): readonly string[] {
  const { policy, plan, stages, warnings, undo, survey } = paper
  const goals = shownGoals(policy, state)
  const leaving = { name: 'isolation', nodes: survey.rules.nodes, max: 0 }
  const blocked = stages.flatMap(({ stage, blocked }) => (stage === 'Verify' ? [] : blocked))
  const colours = { ready: colour.green, blocked: colour.red, waits: colour.yellow, 'to do': colour.yellow }
  return [
    nodeTable(nodeFigures(state, goals.goals), colour),
    '',
    table(
      [{ title: 'STAGE' }, { title: 'STATE' }, { title: 'WHAT' }],
      stages.map(({ stage, state: stands, message }, at) => [`${at} ${stage}`, colours[stands](stands), message]),
    ),
    '',
    ...rowLines('what stands in the way', blocked),
    ...(plan.moves.length === 0
      ? []
      : [moveTable(plan.moves, [leaving, ...servableGoals(goals)]), '', shareTable(plan.before, plan.after), '']),
    ...rowLines('to know beforehand', warnings),
    ...goalLines(plan, colour),
    ...explanationLines(plan),
    'the way back, at any stage (moved pods stay, tolerations harm nobody):',
    ...undo.map(line => `  ${line}`),
  ]
}

/** Rows with what would help; patches below them as they are. */
function rowLines(title: string, rows: readonly StageRow[]): readonly string[] {
  if (rows.length === 0) return []
  const lines = rows.flatMap(({ subject, reason, message, remedy }) => [
    `  ${subject}: ${message} [${reason}]`,
    ...(remedy === undefined ? [] : remedy.split('\n').map(line => `      ${line}`)),
  ])
  return [`${title}:`, ...lines, '']
}

export function isolationDocument(paper: PaperIsolation, code: ExitCode) {
  const { policy, plan, stages, warnings, undo, survey } = paper
  return {
    policy: policy.metadata.name,
    nodes: survey.rules.nodes,
    exitCode: code,
    outcome: plan.outcome,
    stages,
    warnings,
    moves: plan.moves.map(({ id, wave, pod, workload, from, to, action }) => ({
      id,
      wave,
      pod: `${pod.namespace}/${pod.name}`,
      workload: `${workload.kind} ${workload.namespace}/${workload.name}`,
      from,
      to,
      action,
    })),
    before: plan.before,
    after: plan.after,
    goals: plan.goals,
    undo,
  }
}
