import { describe, expect, test } from 'vitest'
import type { Freeze } from '../question.ts'
import { type Asked, drain, minute, nowMs, question, reload, short, steer, toZero, upscale } from '../testdata/question.ts'
import { freeze } from './freeze.ts'

const around = (untilMs: number | undefined): Freeze => ({ where: 'Namespace shop', reason: 'audit', untilMs })
const frozen = { facts: { freeze: around(undefined) } }

describe('what is frozen', () => {
  // biome-ignore format: a table
  test.each<[string, Asked, string]>([
    ['nothing',                                   {},                                                'pass'],
    ['for good',                                  frozen,                                            'deny freeze'],
    ['for a minute',                              { facts: { freeze: around(nowMs + minute) } },     'defer freeze 60 s'],
    ['up to now',                                 { facts: { freeze: around(nowMs) } },              'pass'],
    ['by configuration',                          { policy: { freeze: true } },                      'deny freeze'],
    ['by configuration, with a reason',           { policy: { freeze: 'holidays' } },                'deny freeze'],
    ['a rotated secret',                          { ...frozen, intent: reload },                     'deny freeze'],
    ['what is safety',                            { ...frozen, intent: { ...drain, class: 'safety' } }, 'deny freeze'],
    ["KEDA's scaling to 0",                       { ...frozen, intent: toZero },                     'deny freeze'],
    ['steering',                                  { ...frozen, intent: steer },                      'deny freeze'],
    ['scaling up is not',                         { ...frozen, intent: upscale },                    'pass'],
  ])('%s', (_name, asked, expected) => expect(short(freeze.ask(question(asked)))).toBe(expected))
})

test('the configuration is named before any object, with its reason', () => {
  expect(freeze.ask(question({ policy: { freeze: 'holidays' }, facts: { freeze: around(nowMs + minute) } }))).toEqual({
    kind: 'deny',
    objection: { rule: 'freeze', freeze: { where: 'arbiter.freeze', reason: 'holidays', untilMs: undefined } },
  })
})
