import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { PacedClock } from './paced-clock.ts'

const startMs = Date.parse('2026-01-01T00:00:00Z')

function paced(options: { readonly pace?: number | 'max'; readonly isPaused?: boolean } = {}) {
  const host = new VirtualClock(0)
  const clock = new PacedClock(host, { startMs, ...options })
  const seen: string[] = []
  const note = (name: string, delayMs: number) => clock.schedule(delayMs, () => seen.push(`${name} ${clock.now() - startMs}`))
  return { host, clock, seen, note }
}

describe('a pace', () => {
  test('of 60: an hour a minute', async () => {
    const { host, clock, seen, note } = paced({ pace: 60 })
    note('hour', 3_600_000)
    await host.advance(59_999)
    expect([seen, clock.now() - startMs]).toEqual([[], 59_999 * 60])
    await host.advance(1)
    expect(seen).toEqual(['hour 3600000'])
  })

  test('changed on the way counts from there', async () => {
    const { host, clock, seen, note } = paced({ pace: 1 })
    note('ten', 10_000)
    await host.advance(4_000)
    clock.setPace(6)
    expect(clock.elapsed()).toBe(4_000)
    await host.advance(999)
    expect(seen).toEqual([])
    await host.advance(1)
    expect(seen).toEqual(['ten 10000'])
  })

  test('none at all while it is paused, whatever the host does', async () => {
    const { host, clock, seen, note } = paced()
    note('soon', 1_000)
    await host.advance(400)
    clock.pause()
    await host.advance(3_600_000)
    expect([seen, clock.elapsed()]).toEqual([[], 400])
    clock.resume()
    await host.advance(599)
    expect(seen).toEqual([])
    await host.advance(1)
    expect(seen).toEqual(['soon 1000'])
  })

  test('as fast as can be, and no further while something is worked on', async () => {
    const { clock, seen, note } = paced({ pace: 'max' })
    const held = clock.hold()
    note('day', 86_400_000)
    const { promise, resolve } = Promise.withResolvers<void>()
    note('two days', 172_800_000)
    clock.schedule(172_800_001, resolve)
    await new Promise<void>(resolve => setImmediate(resolve))
    expect(seen).toEqual([])
    held[Symbol.dispose]()
    await promise
    expect(seen).toEqual(['day 86400000', 'two days 172800000'])
  })
})

describe('advancing', () => {
  test.each([
    ['a paused clock', { isPaused: true }],
    ['a running one', {}],
  ])('%s runs each timer at its time', async (_, options) => {
    const { host, clock, seen, note } = paced(options)
    note('first', 1_000)
    note('second', 60_000)
    note('late', 60_001)
    await clock.advance(60_000)
    expect([seen, clock.elapsed()]).toEqual([['first 1000', 'second 60000'], 60_000])
    await host.advance(0)
    expect(clock.elapsed()).toBe(60_000)
  })

  test('time never goes back', async () => {
    const { host, clock } = paced({ pace: 10 })
    let last = clock.now()
    for (const step of [() => clock.pause(), () => clock.setPace(1), () => clock.resume(), () => clock.setPace('max')]) {
      await host.advance(100)
      step()
      await clock.advance(50)
      expect(clock.now()).toBeGreaterThanOrEqual(last)
      last = clock.now()
    }
  })
})

test('a wait that is given up leaves no timer', async () => {
  const { clock } = paced()
  const stop = new AbortController()
  const waiting = clock.after(1_000, stop.signal)
  stop.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  expect(clock.pending).toBe(0)
})

/** A host on which work takes time. */
class BusyHost extends VirtualClock {
  workedMs = 0

  override elapsed(): number {
    return super.elapsed() + this.workedMs
  }
}

test('work that goes on and on lets others have their turn', () => {
  const host = new BusyHost(0)
  const clock = new PacedClock(host, { startMs })
  let runs = 0
  const work = () => {
    runs++
    host.workedMs += 3
    clock.schedule(0, work)
  }
  clock.schedule(0, work)
  host.step()
  expect(runs).toBe(2)
  host.step()
  expect(runs).toBe(4)
})
