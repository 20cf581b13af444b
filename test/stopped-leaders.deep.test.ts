// As `stopped-leader.test.ts`, 240 stops.
import { expect, test } from 'vitest'
import { stopLeaders } from './stopped-leader.ts'

const lanes = 4
const stopsInALane = 60

test('nothing of a stopped leader arrives once its successor has withdrawn it', { timeout: 1_200_000 }, async () => {
  const ends = await Promise.all(
    Array.from({ length: lanes }, (_, lane) =>
      stopLeaders({
        seeds: Array.from({ length: stopsInALane }, (_unused, at) => 1_000 * (lane + 1) + at),
        isTls: lane % 2 === 0,
        isGuarded: true,
      }),
    ),
  )
  expect(ends.flatMap(({ violations }) => violations)).toEqual([])
  expect(ends.flatMap(({ others }) => others)).toEqual([])
  // Both kinds were met, or nothing was tried.
  expect(ends.reduce((sum, { done }) => sum + done, 0)).toBeGreaterThan(lanes * stopsInALane)
  expect(ends.reduce((sum, { notSent }) => sum + notSent, 0)).toBeGreaterThan(lanes * stopsInALane)
})
