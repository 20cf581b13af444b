import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LabelSelector } from './objects.ts'
import { everything, exactSelector, labelSelectorOf, nothing, parseLabelSelector, type Selector } from './selector.ts'

function selector(text: string): Selector {
  const parsed = parseLabelSelector(text)
  if (!parsed.ok) throw new Error(parsed.problem.message)
  return parsed.value
}

describe('texts (kube-machinery case 14)', () => {
  test.each([
    ['x in (a,b),y=z,!w', '!w,x in (a,b),y=z'],
    ['a in (b,b,a)', 'a in (a,b)'],
    ['in in (in)', 'in in (in)'],
    ['', ''],
    [' a ', 'a'],
    ['a == b', 'a==b'],
    ['a!=b', 'a!=b'],
    ['a>5,b < 3', 'a>5,b<3'],
    ['example.com/a notin (y, x)', 'example.com/a notin (x,y)'],
    ['a in (b),a=b', 'a in (b),a=b'],
  ])('%j prints as %j', (text, printed) => {
    expect(String(selector(text))).toBe(printed)
  })

  // biome-ignore format: a table
  test.each([
    ['a notin (b)', {}, true], ['a notin (b)', { a: 'b' }, false],
    ['a!=b', {}, true], ['a!=b', { a: 'c' }, true],
    ['a in ()', { a: '' }, true], ['a in ()', {}, false], ['a in ()', { a: 'b' }, false],
    ['a in (,b)', { a: '' }, true], ['a in (,b)', { a: 'b' }, true], ['a in (,b)', { a: 'c' }, false],
    ['a=', { a: '' }, true], ['a=', {}, false],
    ['a', { a: '' }, true], ['!a', { a: '' }, false], ['!a', {}, true],
    ['a>5', { a: '6' }, true], ['a>5', { a: '5' }, false], ['a>5', {}, false], ['a<5', { a: '-1' }, true], ['a<5', { a: 'x' }, false],
    ['', {}, true], ['a,b=c', { a: '1', b: 'c' }, true], ['a,b=c', { b: 'c' }, false],
    ['constructor', {}, false], ['!toString', {}, true],
  ] as const)('%j on %j: %s', (text, labels, matches) => {
    expect(selector(text).matches(labels)).toBe(matches)
  })
})

describe('texts that are no selector (case 15)', () => {
  test.each([
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a,', "found '', expected: identifier after ','"],
    [',a', "found ',', expected: !, identifier, or 'end of string'"],
    ['a=b=c', "found '=', expected: ',' or 'end of string'"],
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    [
      'a<x',
      "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    ],
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['a in (b,', "unable to parse requirement: found '', expected: ',', or identifier"],
    ['a in (', "unable to parse requirement: found '', expected: ',', ')' or identifier"],
    ['!', "unable to parse requirement: found '', expected: identifier"],
    ['!a=b', "found '=', expected: ',' or 'end of string'"],
    ['a=(', "unable to parse requirement: found '(', expected: identifier"],
  ])('%j', (text, message) => {
    expect(parseLabelSelector(text, 'x')).toMatchObject({
      ok: false,
      problem: { code: 'selector-syntax', where: 'x', found: text, message },
    })
  })
  test('more than 64 KiB', () => {
    expect(parseLabelSelector(`a in (${'b,'.repeat(40_000)}b)`)).toMatchObject({
      ok: false,
      problem: { message: 'at most 65536 characters' },
    })
  })
})

describe('selectors of objects', () => {
  const of = (value: LabelSelector | null | undefined) => labelSelectorOf(value, 'spec.selector')

  test('absent selects nothing, empty everything', () => {
    expect([of(undefined), of(null)]).toEqual([
      { ok: true, value: nothing },
      { ok: true, value: nothing },
    ])
    expect([nothing.matches({}), everything.matches(undefined)]).toEqual([false, true])
    const empty = of({})
    expect(empty.ok && empty.value.matches({})).toBe(true)
  })

  test.each([
    [{ matchLabels: { b: '1', a: '2' } }, 'a=2,b=1'],
    [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['y', 'x'] }] }, 'a in (x,y)'],
    [{ matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }], matchLabels: { z: '' } }, '!a,z='],
  ] as const)('%j is %s', (value, printed) => {
    const parsed = of(value)
    expect(parsed.ok && String(parsed.value)).toBe(printed)
  })

  test.each([
    [{ matchExpressions: [{ key: 'a', operator: 'in', values: ['x'] }] }, '"in" is not a valid label selector operator'],
    [
      { matchExpressions: [{ key: 'a', operator: 'In' }] },
      "values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty",
    ],
    [
      { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['x'] }] },
      'values: Invalid value: ["x"]: values set must be empty for exists and does not exist',
    ],
    [{ matchLabels: { a: 5 } }, 'a text as the value of matchLabels[a]'],
    [{ matchExpressions: {} }, 'a list of matchExpressions'],
    ['app=web', 'an object with matchLabels or matchExpressions'],
  ])('%j is refused', (value, message) => {
    // What comes from outside need not be what its type says.
    const parsed = labelSelectorOf(JSON.parse(JSON.stringify(value)), 'spec.selector')
    expect(parsed).toMatchObject({ ok: false, problem: { where: 'spec.selector', message } })
  })

  test('of labels alone, any text counts', () => {
    expect(exactSelector({ a: 'not a label value!' }).matches({ a: 'not a label value!' })).toBe(true)
  })
})

test('what is printed reads as the same selector', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9]{0,4}$/)
  const term = fc.oneof(
    name,
    name.map(key => `!${key}`),
    fc.tuple(name, fc.constantFrom('=', '==', '!='), fc.oneof(name, fc.constant(''))).map(parts => parts.join('')),
    fc
      .tuple(name, fc.constantFrom('in', 'notin'), fc.array(name))
      .map(([key, word, values]) => `${key} ${word} (${values.join(', ')})`),
    fc.tuple(name, fc.constantFrom('>', '<'), fc.nat()).map(parts => parts.join('')),
  )
  const labels = fc.dictionary(name, fc.oneof(name, fc.integer().map(String)))
  fc.assert(
    fc.property(fc.array(term, { minLength: 1 }), labels, (terms, given) => {
      const read = selector(terms.join(','))
      expect(String(selector(String(read)))).toBe(String(read))
      expect(selector(String(read)).matches(given)).toBe(read.matches(given))
    }),
  )
})
