import { expect, test } from 'vitest'
import type { Intent } from '../../intent.ts'
import { drain, minute, nowMs, question, reload, short, steer, toZero, upscale } from '../testdata/question.ts'
import { waking } from './waking.ts'

const until = (untilMs: number | undefined) => ({ sinceMs: nowMs - minute, untilMs })
const keda = { owner: { value: 'keda', source: 'scaler' } } as const

// biome-ignore format: a table
test.each<[string, Partial<Intent>, ReturnType<typeof until> | undefined, string]>([
  ['it runs since long',              {},                       undefined,                'pass'],
  ['it is not Ready yet',             {},                       until(undefined),         'defer waking 5 s'],
  ['Ready since a minute',            {},                       until(nowMs + minute),    'defer waking 60 s'],
  ['Ready since exactly two',         {},                       until(nowMs),             'pass'],
  ['a rotated secret waits',          reload,                   until(nowMs + minute),    'defer waking 60 s'],
  ['a revoked one does not',          { ...reload, class: 'safety' }, until(nowMs + minute), 'pass'],
  ["KEDA's scaling to 0 does not",    toZero,                   until(nowMs + minute),    'pass'],
  ["another's does",                  { ...toZero, requester: 'other' }, until(nowMs + minute), 'defer waking 60 s'],
  ['more replicas do not',            upscale,                  until(nowMs + minute),    'pass'],
  ['steering does not',               steer,                    until(nowMs + minute),    'pass'],
  ['a drain names no workload',       drain,                    until(nowMs + minute),    'pass'],
])('%s', (_name, intent, wakingFacts, expected) => {
  expect(short(waking.ask(question({ intent, facts: { ...keda, waking: wakingFacts } })))).toBe(expected)
})
