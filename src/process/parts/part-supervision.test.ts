import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { afterFault, type FaultHistory, noFaults } from './part-supervision.ts'

/** What follows each of the faults at these seconds: seconds to the next start, or the word. */
function decisions(seconds: readonly number[]): readonly (number | string)[] {
  let history: FaultHistory = noFaults
  return seconds.map(second => {
    const next = afterFault(history, second * 1_000)
    history = next.history
    return next.kind === 'restart' ? next.delayMs / 1_000 : `${next.kind} ${next.lengthMs / 60_000} min`
  })
}

describe('after a fault', () => {
  // biome-ignore format: a table
  test.each([
    ['the first is followed by a start after a second', [0], [1]],
    ['the second waits twice as long', [0, 5], [1, 2]],
    ['the third in ten minutes is one too many', [0, 5, 599], [1, 2, 'quarantine 60 min']],
    ['the third just after ten minutes is not', [0, 5, 600], [1, 2, 4]],
    ['ten quiet minutes are forgiven', [0, 5, 605], [1, 2, 1]],
    ['doubling ends at half a minute', [0, 301, 602, 903, 1204, 1505, 1806], [1, 2, 4, 8, 16, 30, 30]],
    ['after a quarantine it begins anew', [0, 1, 2, 3700, 3701, 3702], [1, 2, 'quarantine 60 min', 1, 2, 'quarantine 60 min']],
  ])('%s', (_case, seconds, expected) => {
    expect(decisions(seconds)).toEqual(expected)
  })

  test('the third fault in ten minutes since the last quarantine, and no other, is a quarantine', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 40 }), gaps => {
        const seconds = gaps.map((_, index) => gaps.slice(0, index + 1).reduce((a, b) => a + b, 0))
        let since: number[] = []
        const expected = seconds.map(second => {
          since = [...since, second].filter(earlier => second - earlier < 600)
          const isTooMany = since.length === 3
          if (isTooMany) since = []
          return isTooMany
        })
        expect(decisions(seconds).map(decision => typeof decision === 'string')).toEqual(expected)
      }),
    )
  })
})
