import { expect, test } from 'vitest'
import type { Intent } from '../../intent.ts'
import { drain, pod, question, reload, short, steer, upscale } from '../testdata/question.ts'
import { protection } from './protection.ts'

const protectedPod = { protection: { target: pod('cart-a'), annotation: 'karpenter.sh/do-not-disrupt: true' } }

// biome-ignore format: a table
test.each<[string, Partial<Intent>, string]>([
  ['a move for balance',        {},                              'deny protected'],
  ['a move of class 2',         { class: 'availability' },       'deny protected'],
  ['a move of class 1',         { class: 'correctness' },        'pass'],
  ['a reload of class 1',       reload,                          'pass'],
  ['a drain for cost',          drain,                           'deny protected'],
  ['a drain of class 0',        { ...drain, class: 'safety' },   'pass'],
  ['steering',                  steer,                           'pass'],
  ['scaling up',                { ...upscale, disrupts: [] },    'pass'],
])('%s', (_name, intent, expected) => {
  expect(short(protection.ask(question({ intent, facts: protectedPod })))).toBe(expected)
})

test('nothing is protected where nothing says so', () => {
  expect(short(protection.ask(question({})))).toBe('pass')
})
