// When a source counts as broken because it is slow: by rows, and the laws of the minimum.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../testdata/memory-store.ts'
import { graceInFlightMs, graceMs, isTooSlow, type SourceKind, SourceRates } from './minimum-rate.ts'

const KiB = 1_024
const MiB = 1_048_576

describe('a source', () => {
  // biome-ignore format: a table
  test.each<[name: string, bytes: number, elapsedMs: number, minimumRate: number, is: boolean]>([
    ['is not judged before 3 s',                     0,          graceMs - 1, MiB, false],
    ['that gave nothing in 3 s is too slow',         0,          graceMs,     MiB, true],
    ['of 2 Mbit/s is too slow for 1 MiB/s',          750_000,    3_000,       MiB, true],
    ['of the minimum is not',                        3 * MiB,    3_000,       MiB, false],
    ['a byte below it is',                           3 * MiB - 1, 3_000,      MiB, true],
    ['is never too slow without a minimum',          0,          60_000,      0,   false],
  ])('%s', (_name, bytes, elapsedMs, minimumRate, is) => expect(isTooSlow({ bytes, elapsedMs, minimumRate })).toBe(is))

  test('that loads it itself is judged later', () => {
    const given = { bytes: 0, minimumRate: MiB, afterMs: graceInFlightMs }
    expect([graceMs, graceInFlightMs - 1, graceInFlightMs].map(elapsedMs => isTooSlow({ ...given, elapsedMs }))).toEqual([
      false,
      false,
      true,
    ])
  })
})

/** Each of `kind` brought 10 MiB at so many bytes a second. */
const ratesOf = (outside: readonly number[], peers: readonly number[] = []): SourceRates => {
  const rates = new SourceRates()
  const bytes = 10 * MiB
  const end = (kind: SourceKind) => (rate: number) => rates.ended(kind, { bytes, elapsedMs: (bytes * 1_000) / rate })
  outside.forEach(end('outside'))
  peers.forEach(end('peer'))
  return rates
}

describe('the minimum', () => {
  // biome-ignore format: a table
  test.each<[name: string, outside: readonly number[], peers: readonly number[], how: Parameters<SourceRates['minimumRate']>[0], least: number]>([
    ['is 1 MiB/s while nothing is known',                        [], [], {}, MiB],
    ['is a quarter of what the registry gives',                  [8 * MiB], [], {}, 2 * MiB],
    ['is 4 MiB/s at most',                                       [100 * MiB], [], {}, 4 * MiB],
    ['is 64 KiB/s at least',                                     [100 * KiB], [], {}, 64 * KiB],
    ['follows the median: one slow moment changes nothing',      [8 * MiB, 8 * MiB, 10 * KiB], [], {}, 2 * MiB],
    ['is no more than what nodes usually give, by a quarter, where the registry is unknown', [], [400 * KiB], {}, 100 * KiB],
    ['is not raised by fast nodes',                              [], [100 * MiB], {}, MiB],
    ['is that of the registry where both are known',             [8 * MiB], [400 * KiB], {}, 2 * MiB],
    ['is shared by the bodies that come at a time',              [8 * MiB], [], { sharing: 4 }, 512 * KiB],
    ['is never shared below 64 KiB/s',                           [], [], { sharing: 1_000 }, 64 * KiB],
    ['is none for a download in flight while the registry is unknown', [], [100 * MiB], { isInFlight: true }, 0],
    ['is a sixteenth of the registry for a download in flight',  [2 * MiB], [], { isInFlight: true }, 128 * KiB],
    ['is 256 KiB/s for it at most',                              [100 * MiB], [], { isInFlight: true }, 256 * KiB],
  ])('%s', (_name, outside, peers, how, least) => expect(Math.round(ratesOf(outside, peers).minimumRate(how))).toBe(least))

  test.each([
    ['all that a node may send', 16 * MiB, 1 * MiB, 1 * MiB],
    ['an eighth of what a node may send', 4 * MiB, 8 * MiB, 512 * KiB],
    ['64 KiB/s, however little a node may send', 1, 8 * MiB, 64 * KiB],
  ])('is at most %s', (_name, uploadLimit, outside, least) => {
    const rates = new SourceRates({ uploadLimit })
    rates.ended('outside', { bytes: 10 * MiB, elapsedMs: (10 * MiB * 1_000) / (4 * outside) })
    expect(Math.round(rates.minimumRate())).toBe(least)
  })

  const rate = fc.integer({ min: 1, max: 1_000 * MiB })
  test('is 0 for what is in flight, or between 64 KiB/s and 4 MiB/s; a faster registry never lowers it, more bodies never raise it', () => {
    fc.assert(
      fc.property(
        fc.array(rate, { minLength: 1 }),
        fc.array(rate),
        fc.nat(50),
        fc.boolean(),
        (outside, peers, sharing, isInFlight) => {
          const least = ratesOf(outside, peers).minimumRate({ sharing, isInFlight })
          expect(least).toBeGreaterThanOrEqual(64 * KiB)
          expect(least).toBeLessThanOrEqual(4 * MiB)
          const faster = ratesOf(
            outside.map(each => 2 * each),
            peers,
          )
          expect(faster.minimumRate({ sharing, isInFlight })).toBeGreaterThanOrEqual(least)
          expect(ratesOf(outside, peers).minimumRate({ sharing: sharing + 1, isInFlight })).toBeLessThanOrEqual(least)
        },
      ),
    )
  })
})

describe('what the registry gives', () => {
  const digest = digestOf('layer')
  // biome-ignore format: a table
  test.each<[name: string, start: number, committedMs: number, rate: number | undefined]>([
    ['is the size over the time from the 404 to the commit', 0, 2_000, 5 * MiB],
    ['is what was left of it, where a part had come',        5 * MiB, 1_000, 5 * MiB],
    ['is not known of what is small',                        10 * MiB - 1, 1_000, undefined],
    ['is not known of what took 10 minutes',                 0, 600_001, undefined],
  ])('%s', (_name, start, committedMs, rate) => {
    const rates = new SourceRates()
    rates.leftToOutside(digest, start, 0)
    rates.committed(digest, 10 * MiB, committedMs)
    expect(rates.usual('outside')).toBe(rate)
  })

  test('is not known of what nodes brought after all, of what nobody asked for, and counts once', () => {
    const rates = new SourceRates()
    rates.committed(digest, 10 * MiB, 1_000)
    rates.leftToOutside(digest, 0, 1_000)
    rates.notFromOutside(digest)
    rates.committed(digest, 10 * MiB, 2_000)
    expect([rates.usual('outside'), rates.isMeasured(digest)]).toEqual([undefined, false])
    rates.leftToOutside(digest, 0, 2_000)
    expect(rates.isMeasured(digest)).toBe(true)
    rates.committed(digest, 10 * MiB, 3_000)
    rates.committed(digest, 10 * MiB, 99_000)
    expect(rates.usual('outside')).toBe(10 * MiB)
  })

  test('is that of the latest 16', () => {
    const rates = ratesOf([...Array<number>(16).fill(100 * KiB), ...Array<number>(16).fill(8 * MiB)])
    expect(Math.round(rates.usual('outside') ?? 0)).toBe(8 * MiB)
  })
})
