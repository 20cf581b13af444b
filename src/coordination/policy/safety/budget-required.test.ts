import { expect, test } from 'vitest'
import type { Intent } from '../../intent.ts'
import type { BudgetAnswer } from '../question.ts'
import { pod, question, reload, short } from '../testdata/question.ts'
import { budgetRequired } from './budget-required.ts'

const bare: BudgetAnswer = { kind: 'no-budget' }
const bound: BudgetAnswer = { kind: 'allowed', budget: 'shop/cart' }

// biome-ignore format: a table
test.each<[string, Partial<Intent>, readonly BudgetAnswer[], string]>([
  ['a budget',                       {},                        [bound],         'pass'],
  ['none',                           {},                        [bare],          'deny budget-required'],
  ['none for one of two pods',       {},                        [bound, bare],   'deny budget-required'],
  ['none, and nobody demands it',    { requireBudget: false },  [bare],          'pass'],
  ['none, for a reload',             reload,                    [bare],          'pass'],
  ['one that is used up',            {},                        [{ kind: 'exhausted', budget: 'shop/cart', message: '' }], 'pass'],
])('%s', (_name, intent, answers, expected) => {
  const budgets = answers.map((answer, index) => ({ pod: pod(`cart-${index}`), answer }))
  expect(short(budgetRequired.ask(question({ intent, facts: { budgets } })))).toBe(expected)
})
