import { expect, test } from 'vitest'
import { oldestMs, staleness } from './cache-age.ts'

const nowMs = 1_000_000
const watch = (resource: string, ageMs: number, more: { readonly isSynced?: boolean; readonly problem?: string } = {}) => ({
  resource: { group: '', version: 'v1', resource },
  isSynced: true,
  lastEventElapsed: nowMs - ageMs,
  problem: undefined,
  retryNow: () => undefined,
  ...more,
})

// biome-ignore format: a table
test.each([
  ['fresh', [watch('pods', 0), watch('nodes', oldestMs)], undefined],
  ['a moment too old', [watch('pods', 0), watch('nodes', oldestMs + 1)], 'what is known of nodes is 60 s old'],
  ['old, and the watch says why', [watch('pods', 90_000, { problem: 'connect ECONNREFUSED' })], 'what is known of pods is 90 s old: connect ECONNREFUSED'],
  ['never listed', [watch('pods', 0, { isSynced: false })], 'pods are not listed'],
  ['nothing watched', [], undefined],
])('%s', (_, watches, expected) => {
  expect(staleness(watches, nowMs)).toBe(expected)
})
