import { describe, expect, test } from 'vitest'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import type { Intent } from '../intent.ts'
import { ownerMatrix } from './owner-matrix.ts'
import type { Owner } from './question.ts'
import { drain, minute, question, reload, resize, seen, short, steer, toZero, upscale } from './testdata/question.ts'

const isolate = { requester: 'isolate', purpose: 'isolate', class: 'correctness' } as const
const urgentDrain = { ...drain, class: 'correctness' } as const
const owned = (value: Owner | undefined) => ({ owner: { value, source: 'workload', workload: 'shop/Deployment/cart' } })

describe('who may do what', () => {
  // biome-ignore format: a table
  test.each<[string, Partial<Intent>, Record<'keda' | 'descheduler' | 'none' | 'nobody', 'yes' | 'no'>]>([
    ['a reload',                                 reload,                                                   { keda: 'yes', descheduler: 'yes', none: 'yes', nobody: 'yes' }],
    ['a resize',                                 resize,                                                   { keda: 'yes', descheduler: 'yes', none: 'no',  nobody: 'yes' }],
    ['a move, the policy leaves the unlabelled', { unlabelled: 'none' },                                   { keda: 'no',  descheduler: 'yes', none: 'no',  nobody: 'no' }],
    ['a move, the policy takes the unlabelled',  { unlabelled: 'descheduler' },                            { keda: 'no',  descheduler: 'yes', none: 'no',  nobody: 'yes' }],
    ['a move for cost, the same',                { class: 'cost' },                                        { keda: 'no',  descheduler: 'yes', none: 'no',  nobody: 'no' }],
    ['a move for capacity',                      { class: 'capacity' },                                    { keda: 'no',  descheduler: 'yes', none: 'no',  nobody: 'yes' }],
    ['isolation',                                isolate,                                                  { keda: 'no',  descheduler: 'yes', none: 'yes', nobody: 'yes' }],
    ['isolation that evicts what KEDA runs',     { ...isolate, evictScaled: true },                        { keda: 'yes', descheduler: 'yes', none: 'yes', nobody: 'yes' }],
    ['isolation that spares the unmanaged',      { ...isolate, spareUnmanaged: true },                     { keda: 'no',  descheduler: 'yes', none: 'no',  nobody: 'no' }],
    ["KEDA's scaling to 0",                      toZero,                                                   { keda: 'yes', descheduler: 'no',  none: 'no',  nobody: 'no' }],
    ["somebody else's scaling to 0",             { ...toZero, requester: 'provision' },                    { keda: 'no',  descheduler: 'no',  none: 'no',  nobody: 'no' }],
    ['scaling up',                               upscale,                                                  { keda: 'yes', descheduler: 'yes', none: 'yes', nobody: 'yes' }],
    ['a drain of class 0',                       { ...drain, class: 'safety' },                            { keda: 'yes', descheduler: 'yes', none: 'yes', nobody: 'yes' }],
    ['a drain of class 1',                       urgentDrain,                                              { keda: 'yes', descheduler: 'yes', none: 'yes', nobody: 'yes' }],
    ['a drain of class 2',                       { ...drain, class: 'availability' },                      { keda: 'no',  descheduler: 'yes', none: 'no',  nobody: 'yes' }],
    ['a drain for cost',                         drain,                                                    { keda: 'no',  descheduler: 'yes', none: 'no',  nobody: 'yes' }],
    ['steering',                                 steer,                                                    { keda: 'yes', descheduler: 'yes', none: 'yes', nobody: 'yes' }],
  ])('%s', (_name, intent, expected) => {
    const answer = (value: Owner | undefined) => (short(ownerMatrix.ask(question({ intent, facts: owned(value) }))) === 'pass' ? 'yes' : 'no')
    expect({ keda: answer('keda'), descheduler: answer('descheduler'), none: answer('none'), nobody: answer(undefined) }).toEqual(expected)
  })
})

describe("a resize of KEDA's waits until it is stable", () => {
  const keda = owned('keda')
  // biome-ignore format: a table
  test.each<[string, number, string]>([
    ['just scaled',           0,             'defer scale-cool-down 600 s'],
    ['a millisecond before',  10 * minute - 1, 'defer scale-cool-down 0.001 s'],
    ['ten minutes ago',       10 * minute,   'pass'],
  ])('%s', (_name, ago, expected) => {
    expect(short(ownerMatrix.ask(question({ intent: resize, facts: keda, observed: [seen(ago, { kind: 'scaled' })] })))).toBe(expected)
  })
})

test('the objection says what the label contradicts, and whose workload it is', () => {
  const owner = { value: 'keda', source: 'scaler', contradicting: 'descheduler', workload: 'shop/Deployment/other' } as const
  expect(ownerMatrix.ask(question({ facts: { owner } }))).toEqual({
    kind: 'deny',
    objection: {
      rule: 'owner',
      owner: 'keda',
      source: 'scaler',
      contradicting: 'descheduler',
      label: defaultOwnerLabel,
      purpose: 'move',
      workload: 'shop/Deployment/other',
    },
  })
})
