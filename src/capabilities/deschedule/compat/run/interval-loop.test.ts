import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { repeatCycle } from './interval-loop.ts'

/** When cycles of these lengths begin, at an interval: as Go's NonSlidingUntil has it. */
async function begins(lengthsMs: readonly number[], intervalMs: number): Promise<readonly number[]> {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  const begun: number[] = []
  const running = repeatCycle(
    async () => {
      const lengthMs = lengthsMs[begun.length]
      begun.push(clock.elapsed())
      if (lengthMs === undefined) stop.abort()
      else await clock.after(lengthMs)
    },
    { intervalMs, clock },
    stop.signal,
  )
  await clock.runUntil(() => stop.signal.aborted, { limitMs: 10_000_000 })
  await running
  return begun
}

test('a cycle that is shorter than the interval is followed at the interval, one that is longer at once', async () => {
  expect(await begins([10, 150, 10], 100)).toEqual([0, 100, 250, 350])
})

test('the next begins at the later of the end of the one before and its begin and the interval', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 300 }),
      async (lengthsMs, intervalMs) => {
        const expected = [0]
        for (const lengthMs of lengthsMs) expected.push((expected.at(-1) ?? 0) + Math.max(lengthMs, intervalMs))
        expect(await begins(lengthsMs, intervalMs)).toEqual(expected)
      },
    ),
    { numRuns: 30 },
  )
})

test('without an interval there is one cycle, and its fault is the caller’s', async () => {
  const clock = new VirtualClock(0)
  const { signal } = new AbortController()
  let count = 0
  await repeatCycle(async () => void count++, { intervalMs: 0, clock }, signal)
  expect(count).toBe(1)
  await expect(repeatCycle(() => Promise.reject(new Error('no')), { intervalMs: 0, clock }, signal)).rejects.toThrow('no')
})
