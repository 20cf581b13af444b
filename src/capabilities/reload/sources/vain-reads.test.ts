import { expect, test } from 'vitest'
import { VainReads } from './vain-reads.ts'

/** How many writes are read, where one comes every `everyMs` and all say nothing but those of `changes`. */
function readsOf(writes: number, everyMs: number, changes: readonly number[] = []): { reads: number; longestMs: number } {
  const vain = new VainReads()
  let reads = 0
  let longestMs = 0
  let dueMs: number | undefined
  let hasChange = false
  let changedMs = 0
  for (let nowMs = 0; nowMs <= writes * everyMs + 1_000; nowMs++) {
    const write = nowMs / everyMs
    if (Number.isInteger(write) && write < writes) {
      if (changes.includes(write)) {
        hasChange = true
        changedMs = nowMs
      }
      dueMs ??= nowMs + vain.delayMs('a', nowMs)
    }
    if (dueMs !== nowMs) continue
    dueMs = undefined
    reads++
    if (hasChange) longestMs = Math.max(longestMs, nowMs - changedMs)
    vain.found('a', !hasChange, nowMs)
    hasChange = false
  }
  return { reads, longestMs }
}

// biome-ignore format: a table
test.each([
  ['a write a second: each is read',                   60, 1_000, [],           60, 0],
  ['ten a second: three, then one a second',          600,   100, [],           63, 0],
  ['a change among them waits a second at most',      600,   100, [55, 301],    70, 1_000],
  ['changes are never noise',                         100,   100, [...Array(100).keys()], 100, 0],
])('%s', (_case, writes, everyMs, changes, mostReads, mostMs) => {
  const { reads, longestMs } = readsOf(writes, everyMs, changes)
  expect(reads).toBeLessThanOrEqual(mostReads)
  expect(reads).toBeGreaterThanOrEqual(Math.min(writes, 50))
  expect(longestMs).toBeLessThanOrEqual(mostMs)
})

test('each source is judged by itself, and forgotten when it is', () => {
  const vain = new VainReads()
  for (let at = 0; at < 5; at++) vain.found('a', true, at)
  expect([vain.delayMs('a', 10), vain.delayMs('b', 10)]).toEqual([994, 0])
  // A clock that was set back does not hold it for longer.
  expect(vain.delayMs('a', -9_000)).toBe(1_000)
  vain.delete('a')
  expect(vain.delayMs('a', 10)).toBe(0)
})
