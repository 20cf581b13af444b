// Goals as a plan's status has them: a row each, and one for all of the nodes of a goal that has many.

import { isMeasured } from '#planning/goals/resources.ts'
import type { GoalOutcome } from '#planning/plan-record.ts'
import { goalFigure, goalWish, lossWords, unknownWords, unusedWords } from '#planning/sentences.ts'
import type { RebalancePlanStatus } from '../../api.ts'

type StoredGoal = NonNullable<RebalancePlanStatus['goals']>[number]

/** A goal of more nodes than this has one row, of the node that is furthest from it. */
const mostRows = 4
/** Rows that an object holds. */
const mostGoals = 64
const longestMessage = 1024

/** The rows; `textOf` is what is said of one outcome. */
export function storedGoals(outcomes: readonly GoalOutcome[], textOf: (goal: GoalOutcome) => string): StoredGoal[] {
  return [...Map.groupBy(outcomes, ({ goal }) => goal)]
    .flatMap(([name, rows]): readonly StoredGoal[] => {
      if (rows.length <= mostRows) return rows.map(row => ({ name, ...storedRow(row, textOf(row)) }))
      const [worst, missed] = [furthest(rows), rows.filter(({ state }) => state !== 'met').length]
      const count = missed === 0 ? `all ${rows.length} meet it` : `${missed} of ${rows.length} do not meet it`
      return worst === undefined ? [] : [{ name, ...storedRow(worst, `${count}; ${textOf(worst)}`) }]
    })
    .slice(0, mostGoals)
}

function storedRow({ state }: GoalOutcome, message: string): Omit<StoredGoal, 'name'> {
  return { outcome: state === 'met' ? 'met' : 'not-met', message: message.slice(0, longestMessage) }
}

/** The outcome that is furthest from its goal; of those that are met the nearest to its bound. */
function furthest(rows: readonly GoalOutcome[]): GoalOutcome | undefined {
  const beyond = ({ state, bound, after, wanted }: GoalOutcome) =>
    (state === 'met' ? 0 : 1e6) + (bound === 'max' ? after - wanted : wanted - after)
  return rows.toSorted((a, b) => beyond(b) - beyond(a))[0]
}

/** `n1: cpu 93.4 % now, 45.6 % after, max 70 %`; without `then` only what is now. */
export function goalFigures(goal: GoalOutcome, ...times: readonly ('now' | 'after')[]): string {
  const { node, resource, stat, bound, wanted, measure, state } = goal
  const figure = (time: 'now' | 'after') => goalFigure(goal, time === 'now' ? goal.before : goal.after)
  const said = times.length === 0 ? figure('after') : times.map(time => `${figure(time)} ${time}`).join(', ')
  if (measure === undefined)
    return `${node}: ${resource} ${state === 'unknown' && times.length === 0 ? (isMeasured({ stat, resource }) ? 'not measured' : 'not there') : said}, ${bound} ${wanted} %`
  if (state === 'unknown') return `${goalWish(goal)}: ${unknownWords(goal)}`
  return `${goalWish(goal)}: ${said}${lossWords(goal)}${unusedWords(goal)}`
}
