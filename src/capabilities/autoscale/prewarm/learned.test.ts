import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { agedBuckets, bucketOf, chanceIn, noArrivals, quarterMs, quartersOfWeek, readBuckets, withLook } from './arrivals.ts'
import {
  bootTimeMs,
  counted,
  type Learned,
  learnedText,
  longestEntry,
  nothingLearned,
  readLearned,
  spentToday,
  withBoot,
} from './learned.ts'
import { readPreWarmWish, zoneNamed } from './wish.ts'

const hour = 3_600_000
const week = 7 * 24 * hour
/** A Sunday. */
const startMs = Date.UTC(2027, 0, 3)
const utc = zoneNamed('UTC') ?? expect.unreachable()
const berlin = zoneNamed('Europe/Berlin') ?? expect.unreachable()

describe('the annotation', () => {
  const plain = { waiting: 10, zone: 'UTC' }
  test.each([
    ['2h', { ...plain, budgetMs: 2 * hour }],
    ['90m, waiting=2.5', { ...plain, budgetMs: 1.5 * hour, waiting: 2.5 }],
    ['24h,timezone=Europe/Berlin,waiting=1000', { budgetMs: 24 * hour, waiting: 1_000, zone: 'Europe/Berlin' }],
    ['', undefined],
    ['2', undefined],
    ['30s', undefined],
    ['25h', undefined],
    ['2h,waiting=0', undefined],
    ['2h,waiting=1001', undefined],
    ['2h,waiting=1e2', undefined],
    ['2h,waiting=10,waiting=20', undefined],
    ['2h,timezone=Mars/Olympus', undefined],
    ['2h,timezone=Local', undefined],
    ['2h,worth=10', undefined],
  ])('%j', (text, wish) => {
    expect(readPreWarmWish(text)).toEqual(wish)
  })
})

describe('arrivals', () => {
  /** Looks every quarter of an hour for so many weeks. */
  const watched = (weeks: number, isWanted: (ms: number) => boolean | undefined, zone = utc) => {
    let arrivals = noArrivals(startMs)
    for (let ms = startMs; ms <= startMs + weeks * week; ms += quarterMs)
      arrivals = withLook(arrivals, { isWanted: isWanted(ms), nowMs: ms, zone })
    return arrivals
  }
  const at = (ms: number, hourOf: number) => Math.floor((ms % (24 * hour)) / quarterMs) === hourOf * 4
  const quarterOf = (weeks: number, hours: number) => Math.floor((startMs + weeks * week + hours * hour) / quarterMs)

  test('of one weekday at one time: the chance grows with the weeks, and nothing else has one', () => {
    const chances = [1, 2, 3, 8, 30].map(weeks => {
      const arrivals = watched(weeks, ms => at(ms, 8) && new Date(ms).getUTCDay() === 1)
      const others = Array.from({ length: quartersOfWeek }, (_none, one) => chanceIn(arrivals, quarterOf(weeks, 0) + one, utc))
      expect(others.filter(one => one > 0)).toHaveLength(1)
      return Math.round(chanceIn(arrivals, quarterOf(weeks, 32), utc) * 100)
    })
    expect(chances).toEqual([34, 48, 55, 67, 70])
  })

  test('what ceased is forgotten, what nobody saw is not', () => {
    const ceased = watched(9, ms => at(ms, 8) && ms < startMs + 4 * week)
    expect(chanceIn(ceased, quarterOf(9, 8), utc)).toBeLessThan(0.25)
    const away = watched(5, ms => (ms < startMs + 4 * week ? at(ms, 8) : undefined))
    expect(chanceIn(away, quarterOf(5, 8), utc)).toBeGreaterThan(0.5)
  })

  test('an hour is one of the clocks of the zone, before they change and after', () => {
    const summer = Date.UTC(2027, 2, 29, 6) // Monday 08:00 in Berlin
    const winter = Date.UTC(2027, 2, 22, 7)
    expect(bucketOf(summer / quarterMs, berlin)).toBe(bucketOf(winter / quarterMs, berlin))
    expect(bucketOf(winter / quarterMs, berlin)).toBe(96 + 32)
  })

  test('ageing never raises a bucket, and longer ageing never leaves more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.nat(60), fc.nat(60), (buckets, weeks, more) => {
        const [once, twice] = [agedBuckets(buckets, weeks), agedBuckets(buckets, weeks + more)]
        for (const [index, one] of buckets.entries()) {
          expect(once[index]).toBeLessThanOrEqual(one)
          expect(twice[index]).toBeLessThanOrEqual(once[index] ?? 0)
        }
      }),
      { numRuns: 50 },
    )
  })
})

describe('what is kept', () => {
  const some: fc.Arbitrary<Learned> = fc.record({
    zone: fc.constantFrom('UTC', 'America/Argentina/ComodRivadavia'),
    arrivals: fc.record({
      sinceMs: fc.nat(4_000_000_000_000),
      quarter: fc.nat(5_000_000),
      seen: fc.constantFrom('nothing', 'rest', 'arrival'),
      buckets: fc.uint8Array({ minLength: quartersOfWeek, maxLength: quartersOfWeek }),
    }),
    bootsMs: fc.array(fc.integer({ min: 1_000, max: 3_600_000 }), { maxLength: 8 }),
    day: fc.integer({ min: 0, max: 99_991_231 }),
    spentMs: fc.nat(86_400_000),
    countedMs: fc.nat(4_000_000_000_000),
  })

  test('is read as it was written, and is never longer than an entry', () => {
    fc.assert(
      fc.property(some, learned => {
        const text = learnedText(learned)
        expect(text.length).toBeLessThanOrEqual(longestEntry)
        expect(readLearned(text)).toEqual({ learned })
      }),
      { numRuns: 30 },
    )
  })

  const good = learnedText(nothingLearned('UTC', startMs))
  test.each([
    ['no JSON', '{', 'it is no JSON'],
    ['too long', good + ' '.repeat(longestEntry), `more than ${longestEntry}`],
    ['another version', good.replace('"version":1', '"version":2'), 'entry: version'],
    ['a field more', good.replace('{', '{"more":1,'), 'more'],
    ['a bucket less', good.replace(/.{4}"}$/, '"}'), '672 bytes'],
    ['no base64', good.replace(/.{4}"}$/, '!AAA"}'), '672 bytes'],
    ['spent in the negative', good.replace('"spent":0', '"spent":-5'), 'entry: spent'],
    ['a quarter-hour of no number', good.replace(/"quarter":\d+/, '"quarter":null'), 'entry: quarter'],
  ])('cannot be read: %s', (_what, text, problem) => {
    expect(readLearned(text)).toEqual({ problem: expect.stringContaining(problem) })
  })

  test('buckets of another length are none', () => {
    expect(readBuckets('AAAA')).toBeUndefined()
  })
})

test('the boot time is the middle one of the last eight', () => {
  const boots = [900, 60, 50, 40, 30, 20, 10, 70, 80].map(seconds => seconds * 1_000)
  const learned = boots.reduce(withBoot, nothingLearned('UTC', startMs))
  expect([bootTimeMs(nothingLearned('UTC', startMs)), bootTimeMs(learned)]).toEqual([undefined, 50_000])
})

test('what was spent yesterday is over, by the clocks of the zone', () => {
  const late = startMs + 22 * hour + 50 * 60_000 // 23:50 in Berlin
  const spent = counted(nothingLearned('Europe/Berlin', startMs), { idleMs: hour, nowMs: late, zone: berlin })
  expect([spentToday(spent, late, berlin), spentToday(spent, late + hour, berlin)]).toEqual([hour, 0])
  const next = counted(spent, { idleMs: hour, nowMs: late + hour, zone: berlin })
  expect(spentToday(next, late + hour, berlin)).toBe(50 * 60_000)
})
