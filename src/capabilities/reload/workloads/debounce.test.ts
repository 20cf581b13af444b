import { expect, test } from 'vitest'
import { settledAt } from './debounce.ts'

test.each([
  ['one change', [100], 100, 2_000, 30_000, 2_100],
  ['a later one moves it', [100, 1_500], 100, 2_000, 30_000, 3_500],
  ['but not beyond the most', [100, 30_000], 100, 2_000, 30_000, 30_100],
  ['the first counts though the source changed again', [29_000], 100, 2_000, 30_000, 30_100],
  ['at once, as upstream', [100], 100, 0, 30_000, 100],
  ['a debounce longer than the most holds', [100], 100, 60_000, 30_000, 60_100],
  ['no most: the debounce of the first', [100, 500], 100, 1_000, 0, 1_100],
])('%s', (_, changedAtMs, pendingSinceMs, debounceMs, maxWaitMs, expected) => {
  expect(settledAt(changedAtMs, { pendingSinceMs, debounceMs, maxWaitMs })).toBe(expected)
})
