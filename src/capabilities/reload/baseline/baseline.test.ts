import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SourceContent } from '../sources/content-hash.ts'
import { source } from '../testdata/workloads.ts'
import { absentMark, differenceOf, emptyBaseline, isMark, isSameBaseline, isUidMark, markOfSource } from './baseline.ts'

type Used = ReadonlySet<string> | 'all'

/** The mark of a source with this data. */
function markOf(
  data: Readonly<Record<string, string>> | 'absent',
  options: { readonly uid?: string; readonly used?: Used; readonly written?: string } = {},
) {
  const state = source({ data, ...(options.uid !== undefined && { uid: options.uid }) })
  const content: SourceContent | 'absent' = state.content === 'unread' ? 'absent' : state.content
  return markOfSource({ ...state, content }, { used: options.used ?? 'all', written: options.written })
}

const a = new Set(['a'])

describe('what happened between two marks', () => {
  test.each<[string, string, string, unknown]>([
    ['nothing', markOf({ a: '1' }), markOf({ a: '1' }), { kind: 'same', collides: false }],
    ['a value', markOf({ a: '1' }), markOf({ a: '2' }), { kind: 'changed', collides: false }],
    ['a collision', markOf({ a: '1;b=2' }), markOf({ a: '1', b: '2' }), { kind: 'changed', collides: true }],
    ['it came', absentMark, markOf({ a: '1' }), { kind: 'created', collides: false }],
    ['it went', markOf({ a: '1' }), absentMark, { kind: 'deleted', collides: false }],
    ['it is not there still', absentMark, absentMark, { kind: 'same', collides: false }],
    [
      'another object of its name',
      markOf({ a: '1' }),
      markOf({ a: '2' }, { uid: 'other' }),
      { kind: 'recreated', collides: false },
    ],
    [
      'another object with the same content',
      markOf({ a: '1' }),
      markOf({ a: '1' }, { uid: 'other' }),
      { kind: 'same', collides: false },
    ],
    [
      'a key that is not used',
      markOf({ a: '1', b: '1' }, { used: a }),
      markOf({ a: '1', b: '2' }, { used: a }),
      { kind: 'unused-keys', collides: false },
    ],
    [
      'a key that is',
      markOf({ a: '1', b: '1' }, { used: a }),
      markOf({ a: '2', b: '1' }, { used: a }),
      { kind: 'changed', collides: false },
    ],
    [
      'since only some are used',
      markOf({ a: '1', b: '1' }),
      markOf({ a: '1', b: '2' }, { used: a }),
      { kind: 'changed', collides: false },
    ],
    [
      'since other ones are used',
      markOf({ a: '1', b: '1' }, { used: a }),
      markOf({ a: '1', b: '1' }, { used: new Set(['b']) }),
      { kind: 'same', collides: false },
    ],
    [
      'since all are used',
      markOf({ a: '1', b: '1' }, { used: a }),
      markOf({ a: '1', b: '2' }),
      { kind: 'changed', collides: false },
    ],
    [
      'the template says another content since',
      markOf({ a: '1' }),
      markOf({ a: '1' }, { written: 'abcdef01' }),
      { kind: 'changed', collides: false },
    ],
    [
      'the template says what it said',
      markOf({ a: '1' }, { written: 'abcdef01' }),
      markOf({ a: '1' }, { written: 'abcdef01' }),
      { kind: 'same', collides: false },
    ],
    [
      'the template says this content',
      markOf({ key: 'value-2' }),
      markOf({ key: 'value-2' }, { written: '8a0e251f-1' }),
      { kind: 'same', collides: false },
    ],
    [
      'the template says nothing any more',
      markOf({ a: '1' }, { written: 'abcdef01' }),
      markOf({ a: '1' }),
      { kind: 'same', collides: false },
    ],
    ['what it says is no hash', markOf({ a: '1' }), markOf({ a: '1' }, { written: 'hello' }), { kind: 'same', collides: false }],
  ])('%s', (_, before, now, difference) => {
    expect(differenceOf(before, now)).toEqual(difference)
  })
})

const data = fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'c.d'), fc.string({ maxLength: 4 }), {
  maxKeys: 4,
  noNullPrototype: true,
})

test('marks are short, of one form, and differ exactly where the content does', () => {
  fc.assert(
    fc.property(data, data, fc.constantFrom<Used>('all', a), (one, other, used) => {
      const [before, now] = [markOf(one, { used }), markOf(other, { used })]
      expect(isMark(before)).toBe(true)
      expect(before.length).toBeLessThanOrEqual(56)
      const isSame = JSON.stringify(Object.entries(one).toSorted()) === JSON.stringify(Object.entries(other).toSorted())
      expect(differenceOf(before, now).kind === 'same').toBe(isSame)
    }),
  )
})

test.each(['', 'x', '0'.repeat(39), '0'.repeat(41), '0'.repeat(64), 'G'.repeat(40), '--'])('%j is no mark', text => {
  expect(isMark(text)).toBe(false)
})

test('a baseline is of one workload, and equal by what it says', () => {
  const empty = emptyBaseline({ uid: 'u' })
  expect(isUidMark(empty.uid)).toBe(true)
  expect(empty.uid).not.toBe(emptyBaseline({ uid: 'v' }).uid)
  const one = { ...empty, marks: new Map([['configmap/default/a', absentMark]]) }
  expect(isSameBaseline(one, { ...empty, marks: new Map(one.marks) })).toBe(true)
  expect(isSameBaseline(one, empty)).toBe(false)
  expect(isSameBaseline(one, { ...one, uid: 'other' })).toBe(false)
  expect(isSameBaseline(one, { ...empty, marks: new Map([['configmap/default/b', absentMark]]) })).toBe(false)
})
