import { expect, test } from 'vitest'
import { minute, nowMs, question, short } from '../testdata/question.ts'
import { early, late } from './deadline.ts'

// biome-ignore format: a table
test.each<[string, number, string]>([
  ['a millisecond before',  nowMs + 1,  'pass'],
  ['exactly at',            nowMs,      'deny late'],
  ['after',                 nowMs - 1,  'deny late'],
])('%s its deadline', (_name, deadlineMs, expected) => {
  expect(short(late.ask(question({ intent: { deadlineMs } })))).toBe(expected)
})

// biome-ignore format: a table
test.each<[string, number, string]>([
  ['a minute before',  nowMs + minute,  'defer early 60 s'],
  ['exactly at',       nowMs,           'pass'],
  ['after',            nowMs - 1,       'pass'],
])('%s its beginning', (_name, notBeforeMs, expected) => {
  expect(short(early.ask(question({ intent: { notBeforeMs } })))).toBe(expected)
})

test('a wish without a beginning is for now', () => {
  expect(short(early.ask(question({})))).toBe('pass')
})
