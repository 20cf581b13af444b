// Time as the host has it: set by people, standing still while the machine sleeps; and the virtual clock, which can do the same.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type HostTime, hostClock, VirtualClock, wallOf } from './clock.ts'

const hourMs = 3_600_000

/** A host whose timers and monotonic clock are Vitest's; it is set and put to sleep by hand. */
class PlayedHost implements HostTime {
  readonly startMs = Date.UTC(2026, 0, 1)
  setMs = 0
  sleptMs = 0
  /** How often the costly clock was asked. */
  asked = 0
  readonly monotonicMs = () => performance.now()
  readonly wallMs = () => this.startMs + performance.now() + this.sleptMs + this.setMs
  readonly bootMs = () => {
    this.asked++
    // In hundredths of a second, as a kernel tells it.
    return Math.floor((performance.now() + this.sleptMs) / 10) * 10 + 123_450
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('the host', () => {
  test.each([hourMs, -hourMs, 40, -40])('set by %i ms: the time of day follows, what waits does not notice', byMs => {
    const host = new PlayedHost()
    const clock = hostClock({ host })
    const fired: string[] = []
    clock.schedule(10_000, () => fired.push('after 10 s'))
    clock.at(host.startMs + 8_000 + hourMs, () => fired.push('at 1:00:08'))
    vi.advanceTimersByTime(4_000)
    host.setMs = byMs
    expect([clock.now() - host.startMs, clock.elapsed()]).toEqual([4_000 + byMs, 4_000])
    vi.advanceTimersByTime(5_999)
    expect(fired).toEqual(byMs === hourMs ? ['at 1:00:08'] : [])
    vi.advanceTimersByTime(1)
    expect(fired).toContain('after 10 s')
    vi.advanceTimersByTime(2 * hourMs)
    expect(fired.toSorted()).toEqual(['after 10 s', 'at 1:00:08'])
  })

  test('what is due now comes with the next turn, without any time passing, but never synchronously', async () => {
    const host = new PlayedHost()
    const clock = hostClock({ host })
    const fired: string[] = []
    clock.schedule(0, () => fired.push('now'))
    clock.schedule(-5, () => fired.push('cancelled'))()
    clock.at(host.startMs - 1, () => fired.push('past'))
    expect(fired).toEqual([])
    await new Promise(resolve => setImmediate(resolve))
    expect(fired).toEqual(['now', 'past'])
  })

  test('what waits for a time of day waits longer when that is set back in between', () => {
    const host = new PlayedHost()
    const clock = hostClock({ host })
    let firedMs: number | undefined
    clock.at(host.startMs + 60_000, () => (firedMs = performance.now()))
    vi.advanceTimersByTime(59_000)
    host.setMs = -30_000
    vi.advanceTimersByTime(29_000)
    expect(firedMs).toBeUndefined()
    vi.advanceTimersByTime(3_000)
    expect(firedMs).toBeGreaterThanOrEqual(89_998)
    expect(firedMs).toBeLessThan(91_000)
  })

  test('asleep for an hour: it has passed for all, and what was due comes within five seconds', () => {
    const host = new PlayedHost()
    const clock = hostClock({ host })
    const fired: string[] = []
    clock.schedule(30 * 60_000, () => fired.push('in half an hour'))
    clock.schedule(2 * hourMs, () => fired.push('in two hours'))
    vi.advanceTimersByTime(1_000)
    host.sleptMs = hourMs
    const sinceMs = clock.elapsed()
    expect(Math.abs(sinceMs - hourMs - 1_000)).toBeLessThanOrEqual(20)
    expect(clock.now()).toBe(host.startMs + hourMs + 1_000)
    vi.advanceTimersByTime(5_000)
    expect(fired).toEqual(['in half an hour'])
    vi.advanceTimersByTime(hourMs)
    expect(fired).toEqual(['in half an hour', 'in two hours'])
  })

  test('asleep and set back to where it was: it has slept all the same', () => {
    const host = new PlayedHost()
    const clock = hostClock({ host })
    vi.advanceTimersByTime(1_000)
    host.sleptMs = hourMs
    clock.elapsed()
    host.setMs = -hourMs
    expect(Math.abs(clock.elapsed() - hourMs - 1_000)).toBeLessThanOrEqual(20)
    expect(clock.now()).toBe(host.startMs + 1_000)
  })

  test('it never goes back, and the costly clock is asked only where the time of day has parted from the other', () => {
    const host = new PlayedHost()
    const clock = hostClock({ host })
    const asked = host.asked
    let last = clock.elapsed()
    for (let turn = 0; turn < 2_000; turn++) {
      vi.advanceTimersByTime(7)
      const now = clock.elapsed()
      expect(now).toBeGreaterThanOrEqual(last)
      last = now
    }
    expect(host.asked - asked).toBe(0)
    host.setMs = 20
    clock.elapsed()
    expect(host.asked - asked).toBe(1)
    expect(clock.elapsed()).toBe(last)
  })

  test('a clock with a start or a speed of its own keeps its own time of day', () => {
    const host = new PlayedHost()
    const clock = hostClock({ host, startMs: 1_000_000, speed: 10 })
    vi.advanceTimersByTime(500)
    host.setMs = hourMs
    expect(clock.now()).toBe(1_005_000)
  })
})

describe('the virtual clock', () => {
  test.each([hourMs, -hourMs])('set by %i ms: the time of day follows, waits and their order do not', async byMs => {
    const clock = new VirtualClock(0)
    const fired: string[] = []
    clock.schedule(2_000, () => fired.push('second'))
    clock.schedule(1_000, () => fired.push('first'))
    clock.at(1_500 + hourMs, () => fired.push('at'))
    clock.setWall(byMs)
    expect([clock.now(), clock.elapsed()]).toEqual([byMs, 0])
    await clock.advance(2_000)
    expect(fired).toEqual(byMs > 0 ? ['first', 'at', 'second'] : ['first', 'second'])
    expect(clock.nextDueMs).toBe(byMs > 0 ? undefined : 1_500 + hourMs)
    await clock.advance(2 * hourMs)
    expect(fired).toContain('at')
  })

  test('a time of day that has passed comes at once, never synchronously', async () => {
    const clock = new VirtualClock(5_000)
    let hasFired = false
    clock.at(1_000, () => (hasFired = true))
    expect(hasFired).toBe(false)
    await clock.advance(0)
    expect(hasFired).toBe(true)
  })
})

test('a moment of the monotonic clock has the same time of day until that is set, and moments keep their order', () => {
  let wallMs = 1_000
  let elapsedMs = 0
  const clock = { now: () => Math.floor(wallMs), elapsed: () => elapsedMs }
  const pass = (ms: number) => {
    wallMs += ms
    elapsedMs += ms
  }
  const first = wallOf(clock, 0)
  for (let turn = 0; turn < 50; turn++) {
    pass(0.3)
    expect(wallOf(clock, 0)).toBe(first)
  }
  wallMs -= 500
  expect(Math.abs(wallOf(clock, 0) - (first - 500))).toBeLessThan(2)
  expect(wallOf(clock, 1)).toBeGreaterThan(wallOf(clock, 0))
})

test('virtual time that is held for ever ends with its signal', async () => {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  using _held = clock.hold()
  const running = clock.runUntil(() => false, { limitMs: 1_000, signal: stop.signal })
  stop.abort(new Error('stopped'))
  await expect(running).rejects.toThrow('stopped')
})
