import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { afterRollout, freshGuard, fullBucket, type GuardState, isForgettable, mayRollAt, takeToken } from './rate-guard.ts'

const settings = { isEnabled: true, minimumMs: 10_000, maximumMs: 1_800_000 }

/** Rolls out as soon as the guard allows, wanting to all the time; the moments of it. */
function stormOf(untilMs: number, given = settings): readonly number[] {
  const rollouts: number[] = []
  let state: GuardState = freshGuard
  for (let nowMs = mayRollAt(state, 0, given); nowMs < untilMs; nowMs = mayRollAt(state, nowMs, given)) {
    rollouts.push(nowMs)
    state = afterRollout(state, nowMs, given)
    if (rollouts.length > 10_000) break
  }
  return rollouts
}

describe('P3 the distance between roll-outs', () => {
  test('B5 a minute of changes without end is at most seven roll-outs', () => {
    expect(stormOf(60_000)).toEqual([0, 10_000, 20_000, 30_000, 40_000])
  })

  test('it doubles from the fifth in ten minutes on, up to the most', () => {
    const moments = stormOf(6 * 3_600_000)
    const distances = moments.slice(1).map((at, index) => (at - (moments[index] ?? 0)) / 1_000)
    expect(distances.slice(0, 8)).toEqual([10, 10, 10, 10, 20, 40, 80, 160])
    expect(Math.max(...distances)).toBeLessThanOrEqual(1_800)
  })

  test('after an hour of quiet it is the least again', () => {
    const storm = [0, 10_000, 20_000, 30_000, 40_000, 60_000].reduce((state, at) => afterRollout(state, at, settings), freshGuard)
    expect(storm.distanceMs).toBe(40_000)
    expect(isForgettable(storm, 60_000 + 3_599_999)).toBe(false)
    expect(isForgettable(storm, 60_000 + 3_600_000)).toBe(true)
    const quiet = afterRollout(storm, 60_000 + 3_600_000, settings)
    expect(quiet).toEqual({ rolloutsMs: [3_660_000], distanceMs: 10_000 })
  })

  test('slow changes never wait longer', () => {
    const slow = Array.from({ length: 40 }, (_, index) => index * 200_000)
    const state = slow.reduce((before, at) => afterRollout(before, at, settings), freshGuard)
    expect(state.distanceMs).toBe(10_000)
  })

  test('a clock that was set back holds nobody for ever', () => {
    const state = afterRollout(freshGuard, 1_000_000_000, settings)
    expect(mayRollAt(state, 5_000, settings)).toBe(15_000)
  })

  test('turned off it says nothing', () => {
    const off = { ...settings, isEnabled: false }
    expect(mayRollAt(afterRollout(freshGuard, 0, settings), 1, off)).toBe(1)
    expect(afterRollout(freshGuard, 0, off)).toBe(freshGuard)
  })

  test('roll-outs are never nearer than the least, whenever they are wanted', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 400_000 }), { minLength: 2, maxLength: 60 }),
        fc.integer({ min: 1, max: 60 }),
        (pauses, minimumS) => {
          const given = { isEnabled: true, minimumMs: minimumS * 1_000, maximumMs: 600_000 }
          let state: GuardState = freshGuard
          let wantedMs = 0
          let lastMs = Number.NEGATIVE_INFINITY
          const moments: number[] = []
          for (const pause of pauses) {
            wantedMs += pause
            const atMs = mayRollAt(state, wantedMs, given)
            expect(atMs - lastMs).toBeGreaterThanOrEqual(Math.min(given.minimumMs, given.maximumMs))
            expect(atMs - wantedMs).toBeLessThanOrEqual(given.maximumMs)
            state = afterRollout(state, atMs, given)
            wantedMs = atMs
            lastMs = atMs
            moments.push(atMs)
          }
          // In any ten minutes: what the least allows up to the fifth, and fewer by the doubling.
          const busiest = Math.max(...moments.map(from => moments.filter(at => at >= from && at < from + 600_000).length))
          expect(busiest).toBeLessThanOrEqual(5 + Math.ceil(Math.log2(600 / minimumS + 1)))
        },
      ),
    )
  })
})

describe('the bucket of all workloads', () => {
  test('a burst passes, then so many a second', () => {
    const given = { perSecond: 100, burst: 500 }
    let bucket = fullBucket(given, 0)
    for (let count = 0; count < 500; count++) {
      const taken = takeToken(bucket, 0, given)
      expect(taken.waitMs).toBe(0)
      bucket = taken.bucket
    }
    const empty = takeToken(bucket, 0, given)
    expect(empty.waitMs).toBe(10)
    expect(takeToken(empty.bucket, 10, given).waitMs).toBe(0)
    expect(takeToken(empty.bucket, 9, given).waitMs).toBeGreaterThan(0)
  })

  test('never more than the burst and what the time earned', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 }), pauses => {
        const given = { perSecond: 10, burst: 5 }
        let bucket = fullBucket(given, 0)
        let [nowMs, taken] = [0, 0]
        for (const pause of pauses) {
          nowMs += pause
          const answer = takeToken(bucket, nowMs, given)
          bucket = answer.bucket
          if (answer.waitMs === 0) taken++
          expect(taken).toBeLessThanOrEqual(5 + nowMs / 100 + 1e-6)
        }
      }),
    )
  })
})
