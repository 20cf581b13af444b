import { expect, test } from 'vitest'
import { type Asked, doneFor, drain, hour, minute, permit, question, seen, short, toZero, upscale } from '../testdata/question.ts'
import { scaleCoolDown } from './scale-cool-down.ts'

const scaled = (ms: number) => seen(ms, { kind: 'scaled', by: 'horizontal-pod-autoscaler' })
const byUs = (ms: number) => permit({ ...toZero, ...doneFor(ms), batch: undefined })

// biome-ignore format: a table
test.each<[string, Asked, string]>([
  ['never scaled',                        {},                                                                      'pass'],
  ['a minute ago, by an autoscaler',      { observed: [scaled(minute)] },                                          'defer scale-cool-down 540 s'],
  ['a millisecond less than ten ago',     { observed: [scaled(10 * minute - 1)] },                                 'defer scale-cool-down 0.001 s'],
  ['exactly ten minutes ago',             { observed: [scaled(10 * minute)] },                                     'pass'],
  ['a minute ago, by KEDA',               { ledger: [byUs(minute)] },                                              'defer scale-cool-down 540 s'],
  ['both, the later counts',              { ledger: [byUs(2 * minute)], observed: [scaled(3 * minute)] },          'defer scale-cool-down 480 s'],
  ['scaling that failed',                 { ledger: [{ ...byUs(minute), ending: 'failed' }] },                     'pass'],
  ['its release is no time',              { ledger: [{ ...byUs(minute), releasedAtMs: Number.NaN }] },             'defer scale-cool-down 540 s'],
  ['a lost pod is no scaling',            { observed: [seen(minute)] },                                            'pass'],
  ['class 4',                             { intent: { class: 'cost' }, observed: [scaled(minute)] },               'defer scale-cool-down 540 s'],
  ['class 3',                             { intent: { class: 'capacity' }, observed: [scaled(minute)] },           'pass'],
  ["KEDA's next scaling",                 { intent: toZero, facts: { owner: { value: 'keda', source: 'scaler' } }, observed: [scaled(minute)] }, 'pass'],
  ['more replicas',                       { intent: { ...upscale, class: 'cost' }, observed: [scaled(minute)] },   'pass'],
  ['a drain names no workload',           { intent: drain, observed: [scaled(minute)] },                           'pass'],
  ['as long as the policy says',          { observed: [scaled(minute)], policy: { scaleCoolDownMs: hour } },       'defer scale-cool-down 3540 s'],
])('%s', (_name, asked, expected) => expect(short(scaleCoolDown.ask(question(asked)))).toBe(expected))
