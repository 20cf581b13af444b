import { expect, test } from 'vitest'
import type { Intent } from '../../intent.ts'
import { drain, minute, nowMs, question, reload, resize, short, toZero, upscale } from '../testdata/question.ts'
import { underWay } from './under-way.ts'

const rollout = { kind: 'rollout', by: 'kubectl edit', sinceMs: nowMs - minute } as const
const foreignDrain = { kind: 'drain', by: 'kubectl drain', sinceMs: nowMs - minute } as const

// biome-ignore format: a table
test.each<[string, Partial<Intent>, typeof rollout | typeof foreignDrain | undefined, string]>([
  ['nobody is at work on it',                     reload,                                           undefined,    'pass'],
  ['a rotated secret waits for a rollout',        reload,                                           rollout,      'defer under-way 5 s'],
  ['... and for a drain',                         reload,                                           foreignDrain, 'defer under-way 5 s'],
  ['... until its deadline',                      { ...reload, deadlineMs: nowMs + 2_000 },         rollout,      'defer under-way 2 s'],
  ['a reload by eviction waits too',              { purpose: 'reload', class: 'correctness' },      rollout,      'defer under-way 5 s'],
  ['a revoked secret does not',                   { ...reload, class: 'safety' },                   rollout,      'pass'],
  ['a new size does',                             resize,                                           rollout,      'defer under-way 5 s'],
  ['a move has its cool-down',                    {},                                               rollout,      'pass'],
  ['scaling does not wait',                       toZero,                                           rollout,      'pass'],
  ['more replicas do not',                        upscale,                                          rollout,      'pass'],
  ['a drain names no workload',                   drain,                                            rollout,      'pass'],
])('%s', (_name, intent, fact, expected) => {
  expect(short(underWay.ask(question({ intent, facts: { underWay: fact } })))).toBe(expected)
})
