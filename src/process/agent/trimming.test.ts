import { expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { trimAtRest, trimEveryMs, trimLookMs, trimWorthMs } from './trimming.ts'

/** Looks in a row: how long the loop was busy before each, and whether memory is given back then. */
// biome-ignore format: a table
const looks: readonly (readonly [what: string, looks: readonly (readonly [busyMs: number, isCollected: boolean])[]])[] = [
  ['not while it works, then once', [[trimWorthMs, false], [trimLookMs, false], [1, true], [1, false], [0, false]]],
  ['after any start, and not again for little work', [[trimWorthMs / 4, true], [trimWorthMs / 4, false], [0, false], [0, false]]],
]

test.each(looks)('memory is given back: %s', async (_what, steps) => {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  let [busy, collected] = [0, 0]
  const running = trimAtRest({ clock, busyMs: () => busy, collect: () => void collected++ }, stop.signal)
  onTestFinished(async () => {
    stop.abort()
    await running
  })
  for (const [index, [busyMs, isCollected]] of steps.entries()) {
    const before = collected
    busy += busyMs
    await clock.advance(trimLookMs)
    expect([index, collected - before]).toEqual([index, isCollected ? 1 : 0])
  }
})

test('memory is given back again only after a while, and code of the start only at first', async () => {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  let busy = 0
  const collected: (readonly [atMs: number, isStart: boolean])[] = []
  const collect = (isStart: boolean) => void collected.push([clock.elapsed(), isStart])
  const running = trimAtRest({ clock, busyMs: () => busy, collect }, stop.signal)
  for (let look = 0; look < (2 * trimEveryMs) / trimLookMs; look++) {
    // Each look finds little of it at once, and enough of it in all.
    busy += trimLookMs * 0.04
    await clock.advance(trimLookMs)
  }
  stop.abort()
  await running
  expect(collected.map(([, isStart]) => isStart)).toEqual([true, true, false])
  expect((collected[2]?.[0] ?? 0) - (collected[1]?.[0] ?? 0)).toBeGreaterThanOrEqual(trimEveryMs)
})

test('the collector is there without a flag', async () => {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  const running = trimAtRest({ clock, busyMs: () => (clock.elapsed() > trimLookMs ? trimWorthMs : 0) }, stop.signal)
  await clock.advance(3 * trimLookMs)
  stop.abort()
  await running
  expect('gc' in globalThis).toBe(false)
})

test.each([
  ['the second collection, for one that rests', 0.04, 5 * trimLookMs],
  ['a minute, for one that never does', 0.5, 60_000],
])('the start is over after %s, once', async (_what, share, atMs) => {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  let busy = 0
  const over: number[] = []
  const afterStart = () => void over.push(clock.elapsed())
  const running = trimAtRest({ clock, busyMs: () => busy, collect: () => undefined, afterStart }, stop.signal)
  for (let look = 0; look < 100_000 / trimLookMs; look++) {
    busy += trimLookMs * share
    await clock.advance(trimLookMs)
  }
  stop.abort()
  await running
  expect(over).toEqual([atMs])
})
