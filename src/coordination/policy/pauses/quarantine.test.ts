import { expect, test } from 'vitest'
import type { Landing, PermitRecord } from '../../permits/permit-record.ts'
import { type Asked, doneFor, hour, minute, permit, question, reload, short } from '../testdata/question.ts'
import { quarantine } from './quarantine.ts'

const landed = (landing: Landing, ms: number): PermitRecord => permit({ ...doneFor(ms), name: `evict-${ms}`, landing })
const back = (...ago: readonly number[]) => ago.map(ms => landed('back', ms))

// biome-ignore format: a table
test.each<[string, Asked, string]>([
  ['it never came back',                     { ledger: [landed('expected', hour), landed('other', hour)] },     'pass'],
  ['just now',                               { ledger: back(0) },                                               'defer quarantine 1800 s'],
  ['a millisecond less than half an hour',   { ledger: back(30 * minute - 1) },                                 'defer quarantine 0.001 s'],
  ['half an hour ago',                       { ledger: back(30 * minute) },                                     'pass'],
  ['twice: an hour',                         { ledger: back(5 * hour, 30 * minute) },                           'defer quarantine 1800 s'],
  ['twice, in whatever order they are kept', { ledger: back(30 * minute, 5 * hour) },                           'defer quarantine 1800 s'],
  ['three times: two hours',                 { ledger: back(9 * hour, 5 * hour, hour) },                        'defer quarantine 3600 s'],
  ['a day at most',                          { ledger: back(7, 6, 5, 4, 3, 2, 1, 0) },                          'defer quarantine 86400 s'],
  ['a hundred times: a day',                 { ledger: back(...Array.from({ length: 100 }, (_, index) => index)) }, 'defer quarantine 86400 s'],
  ['it landed as meant since',               { ledger: [...back(2 * minute), landed('expected', minute)] },     'pass'],
  ['it landed as meant in between',          { ledger: [...back(3 * minute, minute), landed('expected', 2 * minute)] }, 'defer quarantine 1740 s'],
  ['the steps of its own plan count too',    { ledger: [{ ...landed('back', 0), batch: 'plan-1' }] },           'defer quarantine 1800 s'],
  ['its release is no time',                 { ledger: back(minute).map(record => ({ ...record, releasedAtMs: Number.NaN })) }, 'defer quarantine 1740 s'],
  ['class 2',                                { intent: { class: 'availability' }, ledger: back(0) },            'defer quarantine 1800 s'],
  ['class 1',                                { intent: { class: 'correctness' }, ledger: back(0) },             'pass'],
  ['a rollout',                              { intent: { ...reload, class: 'cost' }, ledger: back(0) },         'pass'],
  ['another workload',                       { ledger: back(0).map(record => ({ ...record, workload: 'shop/Deployment/blog' })) }, 'pass'],
])('%s', (_name, asked, expected) => expect(short(quarantine.ask(question(asked)))).toBe(expected))

test('how often and the last permit are told', () => {
  expect(quarantine.ask(question({ ledger: back(2, 1) }))).toMatchObject({ objection: { failures: 2, permit: 'evict-1' } })
})
