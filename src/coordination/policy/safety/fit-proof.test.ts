import { expect, test } from 'vitest'
import type { FitProof, Intent } from '../../intent.ts'
import { drain, intent, question, reload, short, steer } from '../testdata/question.ts'
import { fitProof } from './fit-proof.ts'

const none: FitProof = { snapshotHash: 'abc', nodes: [] }
const some: FitProof = { snapshotHash: 'abc', nodes: ['n2'] }

// biome-ignore format: a table
test.each<[string, Partial<Intent>, string]>([
  ['a move with proof',                {},                               'pass'],
  ['a move that fits nowhere',         { proof: none },                  'deny fit-proof'],
  ['a drain with proof',               { ...drain, proof: some },        'pass'],
  ['a drain that fits nowhere',        { ...drain, proof: none },        'deny fit-proof'],
  ['class 0 too',                      { class: 'safety', proof: none }, 'deny fit-proof'],
  ['a rollout makes room by itself',   reload,                           'pass'],
  ['steering takes nothing',           steer,                            'pass'],
])('%s', (_name, change, expected) => expect(short(fitProof.ask(question({ intent: change })))).toBe(expected))

test('a move without any proof', () => {
  const { proof: _, ...unproven } = intent()
  expect(short(fitProof.ask({ ...question({}), intent: unproven }))).toBe('deny fit-proof')
})

test('the arbiter makes one for who brings none, and believes who brings one', () => {
  const { proof: _, ...unproven } = intent()
  const asked = (made: FitProof, wish: Intent) => short(fitProof.ask({ ...question({ facts: { proof: made } }), intent: wish }))
  expect(asked(some, unproven)).toBe('pass')
  expect(asked(none, unproven)).toBe('deny fit-proof')
  expect(asked(none, intent())).toBe('pass')
})
