// Plans and one plan, without a script: the sentences, the risks, the goals, the moves, and what stays.
import type { Move, PlanHead, PlanView, Unmovable } from '../../contract.ts'
import { goalsMarkup } from '../../web/drawn/goals.ts'
import { element, type Markup, type Surroundings } from '../../web/drawn/markup.ts'
import { risksMarkup } from '../../web/drawn/risks.ts'
import { momentMarkup, sentenceMarkup } from '../../web/drawn/sentence.ts'
import type { DrawnColumn } from '../../web/drawn/table.ts'
import { nodePath, planPath } from '../../words/links.ts'
import { count, cpuExact, memoryExact } from '../../words/quantity.ts'
import { paragraphs, part, plainTable, refLink } from './tables.ts'

/** `empty`: why there are none. */
export function plainPlans(plans: readonly PlanHead[], empty: string, surroundings: Surroundings): readonly Markup[] {
  const columns: readonly DrawnColumn<PlanHead>[] = [
    { title: 'Plan', isHeader: true, cell: ({ name }) => element('a', { href: surroundings.link(planPath(name)) }, name) },
    { title: 'Phase', cell: ({ phase }) => phase },
    { title: 'Policy', cell: ({ policy }) => policy },
    { title: 'Moves', isNumber: true, cell: ({ moves }) => count(moves) },
    { title: 'Done', isNumber: true, cell: ({ done }) => count(done) },
    { title: 'Failed', isNumber: true, cell: ({ failed }) => count(failed) },
    { title: 'Made', cell: ({ createdAt }) => momentMarkup(createdAt, surroundings) },
  ]
  return plainTable({ caption: 'Plans, the newest first', columns, rows: plans, empty })
}

export function plainPlan(view: PlanView, surroundings: Surroundings): readonly Markup[] {
  const { head, notice, safety, goals, wideGoals, moves, moveCount, unmovable, risks } = view
  return [
    ...paragraphs([...(notice === null ? [] : [notice]), ...head.sentences, ...safety], surroundings),
    ...(risks.length === 0 ? [] : [part('Risks', risksMarkup(risks))]),
    ...(goals.length + wideGoals.length === 0
      ? []
      : [part('Goals', goalsMarkup({ goals, wideGoals, goalsEmpty: null }, surroundings))]),
    part(
      'Moves',
      ...plainTable({
        caption: 'Moves',
        columns: moveColumns(surroundings),
        rows: moves,
        total: moveCount,
        empty: 'Nothing to move.',
      }),
    ),
    part(
      'What stays',
      ...plainTable({
        caption: 'Why pods stay',
        columns: stayColumns(surroundings),
        rows: unmovable,
        empty: 'No pod has to stay.',
      }),
    ),
  ]
}

const moveColumns = (surroundings: Surroundings): readonly DrawnColumn<Move>[] => [
  { title: 'Move', isHeader: true, cell: ({ id }) => id },
  { title: 'Wave', isNumber: true, cell: ({ wave }) => count(wave) },
  { title: 'Workload', cell: ({ workload }) => refLink(workload, surroundings) },
  { title: 'From', cell: ({ from }) => element('a', { href: surroundings.link(nodePath(from)) }, from) },
  { title: 'To', cell: ({ to }) => element('a', { href: surroundings.link(nodePath(to)) }, to) },
  { title: 'CPU', isNumber: true, cell: ({ cpu }) => cpuExact(cpu) },
  { title: 'Memory', isNumber: true, cell: ({ memory }) => memoryExact(memory) },
  { title: 'State', cell: ({ stateText }) => stateText },
  { title: 'Why', cell: ({ because }) => sentenceMarkup(because, surroundings) },
]

const stayColumns = (surroundings: Surroundings): readonly DrawnColumn<Unmovable>[] => [
  { title: 'Reason', isHeader: true, cell: ({ reason }) => reason },
  { title: 'Pods', isNumber: true, cell: ({ count: pods }) => count(pods) },
  { title: 'Because', cell: ({ because }) => sentenceMarkup(because, surroundings) },
  { title: 'Remedy', cell: ({ remedy }) => (remedy === null ? undefined : sentenceMarkup(remedy, surroundings)) },
]
