// When a request is late: by rows of what it waits for, and with more of them than may wait.
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { HeaderDeadlines, mostHeld } from './header-deadline.ts'

const headerTimeoutMs = 3_000

describe('a request without an answer', () => {
  // biome-ignore format: a table
  test.each<[name: string, heldFromMs: number, heldToMs: number, lateMs: number]>([
    ['that waits for nobody is late after the time for a header',   0, 0, 3_000],
    ['that no longer waits by then is late with all others',        0, 2_000, 3_000],
    ['that waits is late so long after it waited last',             0, 10_000, 12_750],
    ['that begins to wait in time is late so long after that',      2_900, 4_000, 6_750],
    ['that begins to wait too late is late with all others',        3_100, 9_000, 3_000],
  ])('%s', async (_name, heldFromMs, heldToMs, lateMs) => {
    const clock = new VirtualClock(0)
    let late: number | undefined
    const isHeld = () => clock.elapsed() >= heldFromMs && clock.elapsed() < heldToMs
    new HeaderDeadlines({ clock, headerTimeoutMs }).begin(isHeld, () => (late = clock.elapsed()))
    await clock.advance(60_000)
    expect(late).toBe(lateMs)
  })

  test('is never late once it has one', async () => {
    const clock = new VirtualClock(0)
    let isLate = false
    const end = new HeaderDeadlines({ clock, headerTimeoutMs }).begin(
      () => true,
      () => (isLate = true),
    )
    await clock.advance(10_000)
    end()
    await clock.advance(60_000)
    expect([isLate, clock.pending]).toEqual([false, 0])
  })

  test('waits only where not too many do, and their places are given on', async () => {
    const clock = new VirtualClock(0)
    const deadlines = new HeaderDeadlines({ clock, headerTimeoutMs })
    const late: number[] = []
    const begin = () =>
      deadlines.begin(
        () => true,
        () => late.push(clock.elapsed()),
      )
    const ends = Array.from({ length: 1_500 }, begin)
    await clock.advance(5_000)
    expect(late).toEqual(Array.from({ length: 1_500 - mostHeld }, () => headerTimeoutMs))
    for (const end of ends) end()
    const again = begin()
    await clock.advance(5_000)
    expect(late).toHaveLength(1_500 - mostHeld)
    again()
  })
})
