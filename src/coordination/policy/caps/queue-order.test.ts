import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DisruptionClass, disruptionClasses } from '../../intent.ts'
import { minute, nowMs, waiting } from '../testdata/question.ts'
import { effectiveClass, isAhead } from './queue-order.ts'

const half = 30 * minute

describe('the class of a wish that waits', () => {
  // biome-ignore format: a table
  test.each<[DisruptionClass, number, number]>([
    ['balance',       0,             5],
    ['balance',       half - 1,      5],
    ['balance',       half,          4],
    ['balance',       2 * half - 1,  4],
    ['balance',       4 * half,      1],
    ['balance',       100 * half,    1],
    ['availability',  half,          1],
    ['correctness',   100 * half,    1],
    ['safety',        100 * half,    0],
    ['balance',       -minute,       5], // asked in the future: the clock was set back
  ])('%s after %i ms is %i', (name, ms, expected) => {
    expect(effectiveClass(waiting(ms, { class: name }), nowMs)).toBe(expected)
  })
})

describe('who is ahead', () => {
  const a = (ms: number, name: DisruptionClass, key = 'a') => waiting(ms, { class: name, idempotencyKey: key })
  // biome-ignore format: a table
  test.each<[string, ReturnType<typeof a>, ReturnType<typeof a>, boolean]>([
    ['the more urgent',                        a(0, 'capacity'),         a(minute, 'balance'),     true],
    ['the less urgent',                        a(minute, 'balance'),     a(0, 'capacity'),         false],
    ['the older of one class',                 a(2, 'balance'),          a(1, 'balance'),          true],
    ['the older, as urgent by waiting',        a(2 * half, 'balance'),   a(0, 'capacity'),         true],
    ['balance after two hours, of class 1',    a(4 * half, 'balance'),   a(0, 'correctness'),      true],
    ['... never of safety',                    a(40 * half, 'balance'),  a(0, 'safety'),           false],
    ['by name, at the same time',              a(0, 'cost', 'a'),        a(0, 'cost', 'b'),        true],
    ['nobody of itself',                       a(0, 'cost'),             a(0, 'cost'),             false],
  ])('%s', (_name, one, other, expected) => expect(isAhead(one, other, nowMs)).toBe(expected))

  test('is an order: one of two is ahead, never both, and what is ahead of the second is ahead of the third', () => {
    const wish = fc
      .tuple(fc.integer({ min: 0, max: 6 * half }), fc.constantFrom(...disruptionClasses), fc.constantFrom('a', 'b', 'c', 'd'))
      .map(([ms, name, key]) => a(ms, name, key))
    fc.assert(
      fc.property(wish, wish, wish, (one, two, three) => {
        const isSame = one.firstAskedMs === two.firstAskedMs && one.intent.idempotencyKey === two.intent.idempotencyKey
        if (!isSame) expect(isAhead(one, two, nowMs)).toBe(!isAhead(two, one, nowMs))
        if (isAhead(one, two, nowMs) && isAhead(two, three, nowMs)) expect(isAhead(one, three, nowMs)).toBe(true)
      }),
    )
  })
})
