import { expect, test } from 'vitest'
import type { Plan } from '#planning/plan-record.ts'
import { planSentence } from './plan-words.ts'

/** A plan as far as its sentence reads it. */
function planOf(moves: number, lowerBound: number): Plan {
  const plan: Pick<Plan, 'goals' | 'problems' | 'method' | 'outcome'> & {
    readonly moves: readonly unknown[]
    readonly objective: Pick<Plan['objective'], 'lowerBound'>
  } = {
    goals: [{ goal: 'light', state: 'met' }] as unknown as Plan['goals'],
    problems: [],
    method: 'milp',
    outcome: 'met',
    moves: Array.from({ length: moves }),
    objective: { lowerBound },
  }
  return plan as unknown as Plan
}

// biome-ignore format: a table
test.each([
  [4, 4,    '4 moves reach all goals; no plan that reaches as much needs fewer than 4 (milp)'],
  [4, 2.31, '4 moves reach all goals; no plan that reaches as much needs fewer than 3 (milp)'],
  [4, 0,    '4 moves reach all goals; whether fewer would do is not known (milp)'],
  [1, 0,    '1 move reaches all goals; whether fewer would do is not known (milp)'],
  [0, 0,    'all goals are met already'],
])('%i moves with a bound of %d', (moves, bound, sentence) => {
  expect(planSentence(planOf(moves, bound))).toBe(sentence)
})
