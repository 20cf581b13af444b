import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { digestOf } from '../../testdata/memory-store.ts'
import { SlowPeers, togetherMs } from '../peers/slow-peers.ts'
import { SourceRates } from '../transfer/minimum-rate.ts'
import { CarriedRates } from './carried-rates.ts'

const mebibyte = 1_048_576
const digest = digestOf('carried')

function site() {
  const clock = new VirtualClock(0)
  const rates = new SourceRates()
  const slow = new SlowPeers()
  return { clock, rates, slow, carried: new CarriedRates({ clock, rates, slow }) }
}

describe('a peer gives too little', () => {
  // biome-ignore format: a table
  test.each([
    ['before it is judged', 2_999, 0, false],
    ['less than a MiB a second', 4_000, 4 * mebibyte - 1, true],
    ['a MiB a second', 4_000, 4 * mebibyte, false],
  ])('%s: after %i ms %i bytes is %s', (_what, elapsedMs, bytes, expected) => {
    const { carried } = site()
    carried.begin()
    expect(carried.isTooSlow(digest, { elapsedMs, bytes })).toBe(expected)
  })

  test('of its share of the link: what else is carried counts, until it ends', () => {
    const { carried } = site()
    const so = { elapsedMs: 4_000, bytes: mebibyte }
    const ends = Array.from({ length: 4 }, () => carried.begin())
    expect(carried.isTooSlow(digest, so)).toBe(false)
    ends[0]?.()
    expect(carried.isTooSlow(digest, so)).toBe(true)
  })

  test('a quarter of what the registry gives is enough', () => {
    const { carried, rates } = site()
    carried.begin()
    rates.ended('outside', { bytes: 2 * mebibyte, elapsedMs: 2_000 })
    expect(carried.isTooSlow(digest, { elapsedMs: 4_000, bytes: mebibyte })).toBe(false)
    expect(carried.isTooSlow(digest, { elapsedMs: 4_000, bytes: mebibyte - 1 })).toBe(true)
  })
})

test('what was left twice comes as slowly as it likes, and its peer is asked for nothing for a minute', async () => {
  const { clock, slow, carried } = site()
  const so = { elapsedMs: 4_000, bytes: 0 }
  carried.begin()
  carried.left(digest, 'P1')
  expect(slow.has('P1', clock.elapsed())).toBe(true)
  await clock.advance(togetherMs)
  expect(carried.isTooSlow(digest, so)).toBe(true)
  carried.left(digest, 'P1')
  await clock.advance(togetherMs)
  expect(carried.isTooSlow(digest, so)).toBe(false)
  expect(carried.isTooSlow(digestOf('another'), so)).toBe(true)
  await clock.advance(60_000)
  expect(slow.has('P1', clock.elapsed())).toBe(false)
})

test('what came whole says what peers give', () => {
  const { rates, carried } = site()
  carried.finished(2 * mebibyte, 4)
  expect(rates.usual('peer')).toBe(mebibyte / 2)
  carried.finished(mebibyte - 1, 0.001)
  expect(rates.usual('peer')).toBe(mebibyte / 2)
})
