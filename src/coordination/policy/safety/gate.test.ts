import { expect, test } from 'vitest'
import type { Intent } from '../../intent.ts'
import { type GateName, gateNames } from '../arbiter-policy.ts'
import { drain, nowMs, question, reload, resize, second, short, steer, toZero, upscale } from '../testdata/question.ts'
import { gate } from './gate.ts'

const red = (...names: readonly GateName[]) => names.map(name => ({ gate: name, message: 'why', sinceMs: nowMs }))

// biome-ignore format: a table
test.each<[string, Partial<Intent>, readonly GateName[], string]>([
  ['all green',                                  {},                            [],                                  'pass'],
  ['a node not Ready',                           {},                            ['node-not-ready'],                  'defer gate 5 s'],
  ['class 2',                                    { class: 'availability' },     ['node-not-ready'],                  'defer gate 5 s'],
  ['class 1',                                    { class: 'correctness' },      ['node-not-ready'],                  'pass'],
  ['a rotated secret',                           reload,                        ['api-slow'],                        'pass'],
  ['a new size',                                 resize,                        ['api-slow'],                        'defer gate 5 s'],
  ['pods pending, for balance',                  {},                            ['pending-pods'],                    'defer gate 5 s'],
  ['pods pending, to make room',                 { class: 'capacity' },         ['pending-pods'],                    'pass'],
  ['... while something else is wrong too',      { class: 'capacity' },         ['pending-pods', 'foreign-drain'],   'defer gate 5 s'],
  ['a drain for cost',                           drain,                         ['kubelet-versions'],                'defer gate 5 s'],
  ['a drain of class 0',                         { ...drain, class: 'safety' }, ['kubelet-versions'],                'pass'],
  ['steering',                                   steer,                         ['node-not-ready'],                  'pass'],
  ['scaling up',                                 upscale,                       ['node-not-ready'],                  'pass'],
  ["nobody's scaling to 0",                      toZero,                        ['usage-stale'],                     'defer gate 5 s'],
  ['the deadline comes first',                   { deadlineMs: nowMs + second }, ['usage-stale'],                    'defer gate 1 s'],
])('%s', (_name, intent, names, expected) => {
  expect(short(gate.ask(question({ intent, facts: { gates: red(...names) } })))).toBe(expected)
})

test.each(gateNames)('%s is switched off by the policy', name => {
  const policy = { gates: new Set(gateNames.filter(other => other !== name)) }
  expect(short(gate.ask(question({ facts: { gates: red(name) }, policy })))).toBe('pass')
  expect(short(gate.ask(question({ facts: { gates: red(name) } })))).toBe('defer gate 5 s')
})

test("the owner's own scaling passes", () => {
  const facts = { owner: { value: 'keda', source: 'scaler' }, gates: red('api-slow') } as const
  expect(short(gate.ask(question({ intent: toZero, facts })))).toBe('pass')
})
