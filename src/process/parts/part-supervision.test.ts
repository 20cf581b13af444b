import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { afterFault, type FaultHistory, noFaults } from './part-supervision.ts'

/** A fault at this second: ours, or from outside; of a life that had run for so many seconds, 0 by default. */
type Fault = readonly ['ours' | 'outside', number, number?]

/** What follows each: seconds to the next start, or the word. */
function decisions(faults: readonly Fault[]): readonly (number | string)[] {
  let history: FaultHistory = noFaults
  return faults.map(([whose, second, ran = 0]) => {
    const next = afterFault(history, { nowMs: second * 1_000, isOutside: whose === 'outside', ranMs: ran * 1_000 })
    history = next.history
    return next.kind === 'restart' ? next.delayMs / 1_000 : `${next.kind} ${next.lengthMs / 60_000} min`
  })
}

const ours = (...seconds: readonly number[]): readonly Fault[] => seconds.map(second => ['ours', second])
const outside = (...seconds: readonly number[]): readonly Fault[] => seconds.map(second => ['outside', second])

describe('after a fault', () => {
  // biome-ignore format: a table
  test.each<[string, readonly Fault[], readonly (number | string)[]]>([
    ['the first is followed by a start after a second', ours(0), [1]],
    ['the second waits twice as long', ours(0, 5), [1, 2]],
    ['the third of ours in ten minutes is one too many', ours(0, 5, 599), [1, 2, 'quarantine 1 min']],
    ['the third just after ten minutes is not', ours(0, 5, 600), [1, 2, 4]],
    ['ten quiet minutes are forgiven', ours(0, 5, 605), [1, 2, 1]],
    ['doubling ends at half a minute', ours(0, 301, 602, 903, 1204, 1505, 1806), [1, 2, 4, 8, 16, 30, 30]],
    ['each trial that fails doubles the rest, up to ten minutes', ours(0, 1, 2, 63, 184, 425, 906, 1507),
      [1, 2, 'quarantine 1 min', 'quarantine 2 min', 'quarantine 4 min', 'quarantine 8 min', 'quarantine 10 min', 'quarantine 10 min']],
    ['a trial that ran for less than ten minutes has not held', [...ours(0, 1, 2), ['ours', 661, 599]], [1, 2, 'quarantine 1 min', 'quarantine 2 min']],
    ['one that held for ten begins anew', [...ours(0, 1, 2), ['ours', 662, 600], ...ours(663, 664)], [1, 2, 'quarantine 1 min', 1, 2, 'quarantine 1 min']],
    ['what comes from outside is tried again for ever', outside(0, 1, 2, 4, 8, 16, 32, 62, 92), [1, 2, 4, 8, 16, 30, 30, 30, 30]],
    ['and does not count beside ours', [...outside(0, 1), ...ours(2, 3), ...outside(4), ...ours(5)], [1, 2, 4, 8, 16, 'quarantine 1 min']],
    ['nor ends a trial', [...ours(0, 1, 2), ...outside(63, 65), ...ours(69)], [1, 2, 'quarantine 1 min', 1, 2, 'quarantine 2 min']],
  ])('%s', (_case, faults, expected) => {
    expect(decisions(faults)).toEqual(expected)
  })

  test('law: nothing from outside is a quarantine, whatever came before, and nobody waits for longer than ten minutes', () => {
    const fault = fc.record({
      isOutside: fc.boolean(),
      gap: fc.integer({ min: 0, max: 800 }),
      ran: fc.integer({ min: 0, max: 800 }),
    })
    fc.assert(
      fc.property(fc.array(fault, { maxLength: 60 }), faults => {
        let history = noFaults
        let nowMs = 0
        for (const { isOutside, gap, ran } of faults) {
          nowMs += gap * 1_000
          const next = afterFault(history, { nowMs, isOutside, ranMs: ran * 1_000 })
          if (isOutside) expect(next.kind).toBe('restart')
          expect(next.kind === 'restart' ? next.delayMs <= 30_000 : next.lengthMs <= 600_000).toBe(true)
          history = next.history
        }
      }),
    )
  })
})
