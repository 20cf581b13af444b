// How often gateways are asked: while somebody looks, and once where a page is read without staying.
import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { GatewayPoll } from './gateway-poll.ts'

function poll({ hasGateways = true } = {}) {
  const clock = new VirtualClock(0)
  const counts = { asked: 0, rounds: 0, hasGateways }
  const gateways = { standing: () => undefined, ask: async () => void counts.asked++ }
  const made = new GatewayPoll({
    gateways: () => (counts.hasGateways ? gateways : undefined),
    wallClock: clock,
    onRound: () => void counts.rounds++,
    signal: new AbortController().signal,
  })
  return { clock, counts, made }
}

test('every two seconds while somebody looks', async () => {
  const { clock, counts, made } = poll()
  await clock.advance(60_000)
  expect(counts.asked).toBe(0)
  made.follow(true)
  await clock.advance(10_000)
  expect(counts).toMatchObject({ asked: 6, rounds: 6 })
  made.follow(false)
  await clock.advance(60_000)
  expect(counts.asked).toBe(6)
})

test('once for a page that is read, and not for each one', async () => {
  const { clock, counts, made } = poll()
  await made.ask()
  await made.ask()
  expect(counts.asked).toBe(1)
  await clock.advance(2_000)
  await made.ask()
  expect(counts.asked).toBe(2)
})

test('a capability that is switched on later is asked from then on', async () => {
  const { clock, counts, made } = poll({ hasGateways: false })
  made.follow(true)
  await clock.advance(10_000)
  expect(counts).toMatchObject({ asked: 0, rounds: 0 })
  counts.hasGateways = true
  await clock.advance(2_000)
  expect(counts.asked).toBe(1)
  made[Symbol.dispose]()
})
