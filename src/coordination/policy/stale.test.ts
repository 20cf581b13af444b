import { expect, test } from 'vitest'
import type { TargetPresence } from './question.ts'
import { stale } from './stale.ts'
import { pod, question, short } from './testdata/question.ts'

// biome-ignore format: a table
test.each<[string, readonly TargetPresence[], string]>([
  ['nothing to look at',       [],                        'pass'],
  ['there',                    ['present'],               'pass'],
  ['leaving',                  ['terminating'],           'deny stale'],
  ['another of the name',      ['replaced'],              'deny stale'],
  ['gone',                     ['gone'],                  'deny stale'],
  ['one of two gone',          ['present', 'gone'],       'deny stale'],
])('%s', (_name, presences, expected) => {
  const presence = presences.map((one, index) => ({ target: pod(`cart-${index}`), presence: one }))
  expect(short(stale.ask(question({ facts: { presence } })))).toBe(expected)
})

test('the first that is not there is named', () => {
  const presence = [
    { target: pod('a'), presence: 'present' },
    { target: pod('b'), presence: 'gone' },
    { target: pod('c'), presence: 'replaced' },
  ] as const
  expect(stale.ask(question({ facts: { presence } }))).toMatchObject({ objection: { target: { name: 'b' }, presence: 'gone' } })
})
