import { expect, test } from 'vitest'
import type { Intent } from '../../intent.ts'
import { drain, minute, nowMs, question, reload, resize, short, steer, toZero, upscale } from '../testdata/question.ts'
import { openWindow } from '../testdata/scenarios.ts'
import { window } from './window.ts'

const at4 = openWindow('0 4 * * *;2h;UTC')
const at5 = openWindow('0 5 * * *;2h;UTC')
const never = openWindow('0 0 30 2 *;1h;UTC')

// biome-ignore format: a table
test.each<[string, Partial<Intent>, number, readonly ReturnType<typeof openWindow>[], string]>([
  ['no windows: always',                            {},                      nowMs,                    [],          'pass'],
  ['open from its first millisecond on',            {},                      nowMs,                    [at4],       'pass'],
  ['shut a millisecond before',                     {},                      nowMs - 1,                [at4],       'defer window 0.001 s'],
  ['open to its last millisecond',                  {},                      nowMs + 120 * minute - 1, [at4],       'pass'],
  ['shut at its end',                               {},                      nowMs + 120 * minute,     [at4],       'defer window 79200 s'],
  ['open in one of two',                            {},                      nowMs,                    [at5, at4],  'pass'],
  ['the next of two',                               {},                      nowMs - minute,           [at5, at4],  'defer window 60 s'],
  ['one that never opens',                          {},                      nowMs,                    [never],     'deny window'],
  ['class 4 is held',                               { class: 'cost' },       nowMs,                    [at5],       'defer window 3600 s'],
  ['class 3 is not',                                { class: 'capacity' },   nowMs,                    [at5],       'pass'],
  ['nor a rotated secret',                          { ...reload, requester: 'deschedule' },  nowMs,    [at5],       'pass'],
  ['a new size is',                                 { ...resize, requester: 'deschedule' },  nowMs,    [at5],       'defer window 3600 s'],
  ['a drain for cost is',                           { ...drain, requester: 'deschedule' },   nowMs,    [at5],       'defer window 3600 s'],
  ['steering is not',                               steer,                                   nowMs,    [at5],       'pass'],
  ['scaling up is not',                             { ...upscale, class: 'cost', requester: 'deschedule' }, nowMs, [at5], 'pass'],
  ["nobody's scaling to 0 is",                      { ...toZero, requester: 'deschedule' },  nowMs,    [at5],       'defer window 3600 s'],
])('%s', (_name, intent, atMs, windows, expected) => {
  expect(short(window.ask(question({ intent, nowMs: atMs, policy: { windows: { deschedule: windows } } })), atMs)).toBe(expected)
})

test("the owner's own scaling, and other capabilities' windows", () => {
  const policy = { windows: { autoscale: [at5] } }
  const keda = { owner: { value: 'keda', source: 'scaler' } } as const
  expect(short(window.ask(question({ intent: toZero, facts: keda, policy })))).toBe('pass')
  expect(short(window.ask(question({ policy })))).toBe('pass')
})
