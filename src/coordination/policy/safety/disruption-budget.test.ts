import { expect, test } from 'vitest'
import type { Intent } from '../../intent.ts'
import type { BudgetAnswer } from '../question.ts'
import { drain, nowMs, pod, question, reload, second, short, toZero } from '../testdata/question.ts'
import { disruptionBudget } from './disruption-budget.ts'

const allowed: BudgetAnswer = { kind: 'allowed', budget: 'shop/cart' }
const exhausted: BudgetAnswer = { kind: 'exhausted', budget: 'shop/cart', message: '1 of 2 pods are healthy, 1 must be' }
const never: BudgetAnswer = { kind: 'never-allows', budget: 'shop/cart' }
const several: BudgetAnswer = { kind: 'several', budgets: ['shop/a', 'shop/b'] }

// biome-ignore format: a table
test.each<[string, Partial<Intent>, readonly BudgetAnswer[], string]>([
  ['it may go',                             {},                                [allowed],                  'pass'],
  ['no budget',                             {},                                [{ kind: 'no-budget' }],    'pass'],
  ['nothing left',                          {},                                [exhausted],                'defer disruption-budget 5 s'],
  ['nothing left, the deadline is nearer',  { deadlineMs: nowMs + second },    [exhausted],                'defer disruption-budget 1 s'],
  ['it never may',                          {},                                [never],                    'deny budget-never-allows'],
  ['two budgets',                           {},                                [several],                  'deny budgets-overlap'],
  ['the second of two pods may not',        {},                                [allowed, exhausted],       'defer disruption-budget 5 s'],
  ['the first in order speaks',             {},                                [exhausted, never],         'defer disruption-budget 5 s'],
  ['class 0 honours it too',                { class: 'safety' },               [exhausted],                'defer disruption-budget 5 s'],
  ['a drain honours it',                    drain,                             [never],                    'deny budget-never-allows'],
  ['a rollout has its own pace',            reload,                            [exhausted],                'pass'],
  ['scaling asks none',                     toZero,                            [exhausted],                'pass'],
])('%s', (_name, intent, answers, expected) => {
  const budgets = answers.map((answer, index) => ({ pod: pod(`cart-${index}`), answer }))
  expect(short(disruptionBudget.ask(question({ intent, facts: { budgets } })))).toBe(expected)
})
