import { expect, test } from 'vitest'
import type { Intent } from '../intent.ts'
import { nothingRuns } from './nothing-runs.ts'
import { drain, question, reload, resize, short, steer, toZero, upscale } from './testdata/question.ts'

// biome-ignore format: a table
test.each<[string, Partial<Intent>, number | undefined, string]>([
  ['a reload at 0',                 reload,                                 0,          'no-op nothing-runs'],
  ['a reload at 1',                 reload,                                 1,          'pass'],
  ['a reload of a DaemonSet',       reload,                                 undefined,  'pass'],
  ['a resize at 0',                 resize,                                 0,          'no-op nothing-runs'],
  ['a resize in place at 0',        { verb: 'resize', purpose: 'resize' },  0,          'no-op nothing-runs'],
  ['to 0 from 0',                   toZero,                                 0,          'no-op nothing-runs'],
  ['up from 0',                     upscale,                                0,          'pass'],
  ['a move at 0',                   {},                                     0,          'no-op nothing-runs'],
  ['a drain',                       drain,                                  0,          'pass'],
  ['steering',                      steer,                                  0,          'pass'],
])('%s', (_name, intent, replicas, expected) => {
  expect(short(nothingRuns.ask(question({ intent, facts: { replicas } })))).toBe(expected)
})
