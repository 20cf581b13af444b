import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatTime } from '#kube/time/time.ts'
import { noArrivals, quarterAt, quartersOfWeek } from './arrivals.ts'
import { counted, type Learned, nextDay, nothingLearned, spentToday } from './learned.ts'
import { nextLookMs, type PlanInput, planWords, spansIn, type WarmPlan, warmPlan } from './plan.ts'
import { zoneNamed } from './wish.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
/** A Sunday, ten weeks after all began. */
const sunday = Date.UTC(2027, 2, 14)
const utc = zoneNamed('UTC') ?? expect.unreachable()

/** Bytes of buckets at hours of the week that begins on `sunday`. */
function learned(at: Readonly<Record<string, number>>, bootMs: number | undefined = 5 * minute): Learned {
  const buckets = new Uint8Array(quartersOfWeek)
  for (const [hours, byte] of Object.entries(at)) buckets[Number(hours) * 4] = byte
  const arrivals = { ...noArrivals(sunday - 70 * day), quarter: quarterAt(sunday), buckets }
  return { ...nothingLearned('UTC', sunday), arrivals, bootsMs: bootMs === undefined ? [] : [bootMs] }
}

const of = (ms: number) => sunday + day + ms

const input = (given: Partial<PlanInput>): PlanInput => ({
  learned: learned({ 32: 200, 33: 200 }),
  wish: { budgetMs: 2 * hour, waiting: 10, zone: 'UTC' },
  zone: utc,
  cooldownMs: 5 * minute,
  restsAtMs: undefined,
  isWanted: false,
  nowMs: of(4 * hour),
  ...given,
})

const told = ({ kind, spans }: WarmPlan) =>
  [kind, ...spans.map(({ fromMs, toMs }) => `${formatTime(fromMs).slice(8, 16)}-${formatTime(toMs).slice(8, 16)}`)].join(' ')

const spent = (ms: number, at = of(4 * hour)) => counted(learned({ 32: 200, 33: 200 }), { idleMs: ms, nowMs: at, zone: utc })
const eight = of(8 * hour)

describe('a plan', () => {
  test.each<[string, Partial<PlanInput>, string]>([
    ['one boot and a minute before each', {}, 'planned 15T07:54-15T08:15 15T08:54-15T09:15'],
    ['nothing learned', { learned: learned({}) }, 'learning'],
    ['no boot seen', { learned: { ...learned({ 32: 200 }), bootsMs: [] } }, 'learning'],
    ['nobody in the coming day', { nowMs: sunday + 3 * day }, 'not-worth'],
    ['so unlikely that it is not worth it', { learned: learned({ 32: 20 }) }, 'not-worth'],
    [
      'waiting is worth more',
      { learned: learned({ 32: 20 }), wish: { ...input({}).wish, waiting: 60 } },
      'planned 15T07:54-15T08:15',
    ],
    ['so quick a boot that waiting is cheap', { learned: learned({ 32: 200 }, 20_000) }, 'not-worth'],
    ['a boot of 20 minutes', { learned: learned({ 32: 200 }, 20 * minute) }, 'planned 15T07:39-15T08:15'],
    ['it begins', { nowMs: eight - 6 * minute }, 'warm 15T07:54-15T08:15 15T08:54-15T09:15'],
    ['a moment before', { nowMs: eight - 6 * minute - 1 }, 'planned 15T07:54-15T08:15 15T08:54-15T09:15'],
    ['late, and still worth it', { nowMs: eight + 9 * minute }, 'warm 15T08:09-15T08:15 15T08:54-15T09:15'],
    ['so late that it would not be ready', { nowMs: eight + 10 * minute }, 'planned 15T08:54-15T09:15'],
    [
      'awake: as long as the quarter-hour goes',
      { nowMs: eight + 14 * minute, restsAtMs: 0 },
      'warm 15T08:14-15T08:15 15T08:54-15T09:15',
    ],
    ['in use', { nowMs: eight, restsAtMs: eight + 5 * minute, isWanted: true }, 'planned 15T08:00-15T08:15 15T08:54-15T09:15'],
    ['who came has come', { nowMs: eight + minute, restsAtMs: 0, learned: arrived() }, 'planned 15T08:54-15T09:15'],
    ['all of the budget is spent', { learned: spent(2 * hour) }, 'budget-spent'],
    ['the rest of the budget ends a span', { learned: spent(2 * hour - 15 * minute) }, 'planned 15T07:54-15T08:08'],
    ['too little is left to be of use', { learned: spent(2 * hour - 11 * minute) }, 'budget-spent'],
    ['the cool-down does not fit', { learned: spent(2 * hour - 20 * minute), cooldownMs: 20 * minute }, 'budget-spent'],
    ['awake, and nothing is left', { learned: spent(2 * hour, eight), nowMs: eight, restsAtMs: 0 }, 'budget-spent'],
    [
      'the likeliest first',
      { learned: learned({ 30: 60, 33: 200 }), wish: { ...input({}).wish, budgetMs: 25 * minute } },
      'planned 15T08:54-15T09:15',
    ],
    [
      'the next day has a budget of its own',
      { learned: { ...spent(2 * hour), arrivals: learned({ 32: 200, 49: 200 }).arrivals } },
      'planned 16T00:54-16T01:15',
    ],
  ])('%s', (_what, given, plan) => {
    expect(told(warmPlan(input(given)))).toBe(plan)
  })
})

function arrived(): Learned {
  const one = learned({ 32: 200, 33: 200 })
  return { ...one, arrivals: { ...one.arrivals, quarter: quarterAt(eight), seen: 'arrival' } }
}

test('a plan in words: what is learned, the spans, and why; the spans can be read again', () => {
  const given = input({ learned: spent(3 * minute) })
  const plan = warmPlan(given)
  const words = planWords(plan, { wish: given.wish, nowMs: given.nowMs, expected: 1.2 })
  expect(words).toBe(
    'learned: 1 quarter-hours of a week with arrivals; boot time 5m0s; 1h55m0s of 2h0m0s are left today; next warm 2027-03-15T07:54:00Z/2027-03-15T08:15:00Z, 2027-03-15T08:54:00Z/2027-03-15T09:15:00Z; because an arrival within its boot time of 5m0s has a chance of 26 %, and 26 % of 50m0s (waiting=10) are more than 5m0s of idling',
  )
  expect(spansIn(words)).toEqual(plan.spans)
})

test('never awake for nobody beyond the budget of any day, whatever was learned and whoever comes', () => {
  const some = fc.record({
    seed: fc.array(fc.record({ at: fc.nat(quartersOfWeek - 1), byte: fc.nat(255), length: fc.integer({ min: 1, max: 60 }) }), {
      minLength: 1,
      maxLength: 12,
    }),
    bootMs: fc.integer({ min: 1_000, max: 2_400_000 }),
    budgetMs: fc.integer({ min: minute, max: 6 * hour }),
    waiting: fc.constantFrom(1, 10, 1_000),
    cooldownMs: fc.constantFrom(0, 5 * minute, 40 * minute),
    zone: fc.constantFrom('UTC', 'Asia/Kolkata', 'Europe/Berlin'),
    lateMs: fc.nat(59_000),
    comes: fc.array(fc.nat(2 * 24 * 12), { maxLength: 6 }),
  })
  fc.assert(
    fc.property(some, ({ seed, bootMs, budgetMs, waiting, cooldownMs, zone: name, lateMs, comes }) => {
      const zone = zoneNamed(name) ?? expect.unreachable()
      const buckets = new Uint8Array(quartersOfWeek)
      for (const { at, byte, length } of seed) buckets.fill(byte, at, at + length)
      const start = learned({})
      let now: Learned = { ...start, zone: name, arrivals: { ...start.arrivals, buckets }, bootsMs: [bootMs] }
      const idleByDay = new Map<number, number>()
      let [isAwake, isIdling, lastMs, atMs] = [false, false, 0, sunday]
      const endMs = sunday + 2 * day
      for (let next = sunday; atMs < endMs; atMs = next) {
        const isWanted = comes.includes(Math.floor((atMs - sunday) / (5 * minute)))
        if (isWanted) lastMs = atMs
        const plan = warmPlan({
          ...{ learned: now, wish: { budgetMs, waiting, zone: name }, zone, cooldownMs, isWanted, nowMs: atMs },
          restsAtMs: isAwake ? lastMs + cooldownMs : undefined,
        })
        if (isWanted) [isAwake, isIdling] = [true, false]
        else if (!isAwake && plan.kind === 'warm') [isAwake, isIdling, lastMs] = [true, true, atMs]
        else if (isAwake && atMs > lastMs + cooldownMs) [isAwake, isIdling] = plan.kind === 'warm' ? [true, true] : [false, false]
        const restsAtMs = isAwake ? lastMs + cooldownMs : undefined
        const changeMs = nextLookMs(plan, { isIdling, restsAtMs, nowMs: atMs })
        next = Math.min(atMs + 5 * minute, changeMs + lateMs)
        const dayMs = nextDay(atMs, zone)
        if (isIdling) {
          idleByDay.set(dayMs, (idleByDay.get(dayMs) ?? 0) + Math.min(next, dayMs) - atMs)
          idleByDay.set(dayMs + day, (idleByDay.get(dayMs + day) ?? 0) + Math.max(0, next - dayMs))
        }
        now = counted(now, { idleMs: isIdling ? next - atMs : 0, nowMs: next, zone })
      }
      for (const idleMs of idleByDay.values()) expect(idleMs).toBeLessThanOrEqual(budgetMs)
      expect(spentToday(now, atMs, zone)).toBeLessThanOrEqual(budgetMs)
    }),
    { numRuns: 10 },
  )
})
