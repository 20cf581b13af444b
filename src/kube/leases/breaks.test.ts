import { expect, test } from 'vitest'
import { breaks } from './breaks.ts'

const { signal } = new AbortController()

/** A clock that others move on. */
function clockAt() {
  const told: string[] = []
  const clock = { nowMs: 0, elapsed: () => clock.nowMs, after: async () => void told.push(`break at ${clock.nowMs}`) }
  const refresh = async () => void told.push(`renewed at ${clock.nowMs}`)
  return { clock, told, refresh }
}

test('a break comes a quarter of a second after the last one, with a renewal', async () => {
  const { clock, told, refresh } = clockAt()
  const pause = breaks(clock, refresh, signal)
  for (const nowMs of [0, 249, 250, 400, 501]) {
    clock.nowMs = nowMs
    await pause()
  }
  expect(told).toEqual(['break at 250', 'renewed at 250', 'break at 501', 'renewed at 501'])
})

test('who leads no more hears it from the break', async () => {
  const { clock } = clockAt()
  const pause = breaks(clock, () => Promise.reject(new Error('the lease is lost')), signal)
  clock.nowMs = 1_000
  await expect(pause()).rejects.toThrow('the lease is lost')
})
