import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { Bell } from './bell.ts'

const { signal } = new AbortController()

test('what is there already is found without a ring', async () => {
  const bell = new Bell(new VirtualClock(0))
  expect(await bell.until(() => 'there', { limitMs: 1_000, signal })).toBe('there')
})

test('everybody who waits looks again at a ring, and only then', async () => {
  const clock = new VirtualClock(0)
  const bell = new Bell(clock)
  let value: string | undefined
  let looks = 0
  const waiting = bell.until(
    () => {
      looks++
      return value
    },
    { limitMs: 60_000, signal },
  )
  await clock.advance(10_000)
  expect(looks).toBe(1)
  value = 'came'
  bell.ring()
  expect(await waiting).toBe('came')
  expect(looks).toBe(2)
})

test('nothing in time is undefined, and leaves no timer behind', async () => {
  const clock = new VirtualClock(0)
  const waiting = new Bell(clock).until(() => undefined, { limitMs: 5_000, signal })
  await clock.advance(5_000)
  expect(await waiting).toBeUndefined()
  expect(clock.pending).toBe(0)
})

test('an abort ends the wait with its reason, and leaves no timer behind', async () => {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  const waiting = new Bell(clock).until(() => undefined, { limitMs: 5_000, signal: stop.signal })
  stop.abort(new Error('lost lease'))
  await expect(waiting).rejects.toThrow('lost lease')
  expect(clock.pending).toBe(0)
})
