// A race by rows: what comes in, with its time, and what is to be done. And its laws, over any order of events.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FetchTimes, percentileOf } from './fetch-times.ts'
import { LoopLag } from './loop-lag.ts'
import { mostFetches, Race, type RaceAction, type RaceEvent } from './race.ts'

const times = { hedgesMs: [50, 60, 70], giveUpMs: 140 }
const raceOf = (lastResort: readonly string[] = []) =>
  new Race<string>({ times, idleMs: 20, lastResort, choose: ([first = '']) => first }, 0)

/** `+A` a candidate, `.` no more, `0!` won, `0?` failed, `` time; before each its time. Answers `fetch A`, `cancel 0`, `win 0`, `no-peer`. */
function play(line: string, race = raceOf()): string {
  return line
    .split(' ')
    .map(word => {
      const [at = '', what = ''] = word.split(':')
      return race.next(eventOf(what), Number(at)).map(wordOf).join(',') || '-'
    })
    .join(' | ')
}

function eventOf(what: string): RaceEvent<string> {
  if (what === '') return { kind: 'time' }
  if (what === '.') return { kind: 'exhausted' }
  if (what.startsWith('+')) return { kind: 'candidate', candidate: what.slice(1) }
  return { kind: what.endsWith('!') ? 'won' : 'failed', ticket: Number(what[0]) }
}

function wordOf(action: RaceAction<string>): string {
  if (action.kind === 'fetch') return `fetch ${action.candidate}`
  if (action.kind === 'give-up') return action.because
  return `${action.kind} ${action.ticket}`
}

describe('a race', () => {
  // biome-ignore format: a table
  test.each([
    ['asks the first candidate at once',                    '3:+A',                              'fetch A'],
    ['has nobody within 20 ms',                             '19: 20:',                           '- | no-peer'],
    ['ends when nobody is to be found',                     '2:.',                               'no-peer'],
    ['is won by the first good answer',                     '0:+A 9:0!',                         'fetch A | win 0'],
    ['asks a second one after the 80th percentile',         '0:+A 1:+B 49: 50:',                 'fetch A | - | - | fetch B'],
    ['asks it then also when it is found later',            '0:+A 55:+B',                        'fetch A | fetch B'],
    ['asks the second at once when the first fails',        '0:+A 1:+B 2:0?',                    'fetch A | - | fetch B'],
    ['cancels the others when one wins',                    '0:+A 50:+B 60:+C 61:1!',            'fetch A | fetch B | fetch C | cancel 0,cancel 2,win 1'],
    ['waits 20 ms for a further one when all failed',       '0:+A 5:0? 24: 25:',                 'fetch A | - | - | failed'],
    ['ends at once when all failed and none comes',         '0:+A 1:. 5:0?',                     'fetch A | - | failed'],
    ['is given up after twice the 90th percentile',         '0:+A 139: 140:',                    'fetch A | - | cancel 0,timeout'],
    ['asks four at most',                                   '0:+A 0:+B 0:+C 0:+D 0:+E 70: 71:3?', 'fetch A | - | - | - | - | fetch B,fetch C,fetch D | -'],
    ['is lost when four failed',                            '0:+A 0:0? 0:+B 0:1? 0:+C 0:2? 0:+D 0:3?', 'fetch A | - | fetch B | - | fetch C | - | fetch D | failed'],
    ['hears no loser after its end',                        '0:+A 1:0! 2:+B 3:0? 4:',            'fetch A | win 0 | - | - | -'],
  ])('%s', (_name, line, done) => expect(play(line)).toBe(done))

  // biome-ignore format: a table
  test.each([
    ['when nobody else is to be found',   '2:.',              'fetch X'],
    ['when nobody came in 20 ms',         '19: 20:',          '- | fetch X'],
    ['when all others failed',            '0:+A 1:. 5:0? 6:1?', 'fetch A | - | fetch X | failed'],
    ['not while another is asked',        '0:+A 1:. 60:',     'fetch A | - | -'],
  ])('asks one that broke before %s', (_name, line, done) => expect(play(line, raceOf(['X']))).toBe(done))

  test('ends once and in time, asks nobody twice, at most four, and leaves none in flight, whatever happens', () => {
    const event = fc.oneof(
      fc.constant({ kind: 'candidate' as const }),
      fc.constant({ kind: 'exhausted' as const }),
      fc.constant({ kind: 'time' as const }),
      fc.record({ kind: fc.constantFrom('won' as const, 'failed' as const), ticket: fc.nat(5) }),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(30), event)), fc.array(fc.string(), { maxLength: 2 }), (steps, lastResort) => {
        const race = new Race<string>({ times, idleMs: 20, lastResort, choose: ([first = '']) => first }, 0)
        const inFlight = new Set<number>()
        let [nowMs, candidates, fetches, ends, idleMs] = [0, 0, 0, 0, 0]
        const happened = (what: RaceEvent<string>) => {
          if (what.kind === 'won' || what.kind === 'failed') inFlight.delete(what.ticket)
          for (const action of race.next(what, nowMs)) {
            expect(ends).toBe(0)
            if (action.kind === 'fetch') {
              inFlight.add(action.ticket)
              fetches++
            } else if (action.kind === 'cancel') expect(inFlight.delete(action.ticket)).toBe(true)
            else ends++
          }
          if (ends > 0) expect(inFlight.size).toBe(0)
        }
        for (const [laterMs, { kind, ...rest }] of steps) {
          nowMs += laterMs
          if (kind === 'candidate') happened({ kind, candidate: `c${candidates++}` })
          else if ('ticket' in rest && (kind === 'won' || kind === 'failed')) {
            if (inFlight.has(rest.ticket)) happened({ kind, ticket: rest.ticket })
          } else if (kind === 'exhausted' || kind === 'time') happened({ kind })
        }
        // From here on only time passes, as its own alarm says.
        for (let turn = 0; ends === 0 && turn < 10; turn++) {
          nowMs = Math.max(nowMs, race.wakeMs() ?? Number.NaN)
          happened({ kind: 'time' })
          idleMs++
        }
        expect({ ends, isBounded: fetches <= mostFetches && idleMs < 10, wake: race.wakeMs() }).toEqual({
          ends: 1,
          isBounded: true,
          wake: undefined,
        })
      }),
    )
  })
})

describe('fetch times', () => {
  const of = (...observed: number[]) => {
    const all = new FetchTimes()
    for (const ms of observed) all.observe(ms)
    return all.times()
  }
  test.each([
    ['none: 50 ms, given up after 1 s', [], { hedgesMs: [50, 50, 50], giveUpMs: 1_000 }],
    ['fast ones: never given up before 100 ms', [1, 2, 3], { hedgesMs: [3, 3, 3], giveUpMs: 100 }],
    ['slow ones: beyond 500 ms counts as 500', [900], { hedgesMs: [500, 500, 500], giveUpMs: 1_000 }],
    ['the latest 64 count', [...Array(64).fill(400), ...Array(64).fill(10)], { hedgesMs: [10, 10, 10], giveUpMs: 100 }],
    ['by nearest rank', Array.from({ length: 20 }, (_, index) => 10 * (index + 1)), { hedgesMs: [160, 170, 180], giveUpMs: 360 }],
  ])('%s', (_name, observed, expected) => expect(of(...observed)).toEqual(expected))

  test('a percentile is one of the numbers, and no less than that share of them', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { minLength: 1 }), fc.integer({ min: 1, max: 100 }), (numbers, percent) => {
        const sorted = numbers.toSorted((one, other) => one - other)
        const value = percentileOf(sorted, percent)
        expect(sorted).toContain(value)
        expect(sorted.filter(number => number <= value).length).toBeGreaterThanOrEqual((sorted.length * percent) / 100)
      }),
    )
  })
})

// biome-ignore format: a table
test.each([
  ['no candidate, in time', 0, [], 20],
  ['no candidate, late', 30, [], 50],
  ['no answer, in time', 0, ['a'], 140],
  ['no answer, late', 30, ['a'], 440],
] as const)('gives up: %s', (_what, lateMs, candidates, atMs) => {
  const lateness = () => ({ idleMs: lateMs, giveUpMs: 10 * lateMs })
  const race = new Race<string>({ times, idleMs: 20, lastResort: [], lateness, choose: ([first = '']) => first }, 0)
  for (const candidate of candidates) race.next({ kind: 'candidate', candidate }, 0)
  expect(race.next({ kind: 'time' }, atMs - 1)).toEqual([])
  expect(race.next({ kind: 'time' }, atMs).at(-1)).toMatchObject({ kind: 'give-up' })
})

// biome-ignore format: a table
test.each([
  ['timers that come when they should', [0], 0],
  ['what every machine has', [3], 0],
  ['timers that come late', [40], 40],
  ['a long pause counts once', [0, 0, 0, 5_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 250 / 16],
] as const)('how late a process is: %s', (_what, latenesses, expected) => {
  let nowMs = 0
  const due: (() => void)[] = []
  const schedule = (delayMs: number, act: () => void) => {
    due.push(() => {
      nowMs += delayMs + (latenesses[round++ % latenesses.length] ?? 0)
      act()
    })
    return () => void due.splice(0)
  }
  let round = 0
  const lag = new LoopLag({ elapsed: () => nowMs, schedule })
  const over = lag.watch()
  for (let sample = 0; sample < 16; sample++) due.shift()?.()
  expect(lag.ms).toBe(expected)
  over()
  expect(due).toEqual([])
})
