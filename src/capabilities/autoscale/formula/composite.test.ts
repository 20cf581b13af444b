import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compositeFormula } from './composite.ts'

const value = (formula: string, values: Readonly<Record<string, number | null>>): number | undefined =>
  compositeFormula(formula, Object.keys(values)).evaluate(new Map(Object.entries(values)))

describe('a formula over triggers', () => {
  test.each<[string, Record<string, number | null>, number | undefined]>([
    ['a + b', { a: 0, b: 2 }, 2],
    ['a + b', { a: 3, b: 4 }, 7],
    ['count([a,b], {# > 1}) > 1 ? 5 : 0', { a: 2, b: 3 }, 5],
    ['count([a,b], {# > 1}) > 1 ? 5 : 0', { a: 2, b: 1 }, 0],
    ['count([a,b],{#>1}) > 1 ? 5 : 0', { a: 2, b: 3 }, 5],
    ['a ?? b', { a: null, b: 4 }, 4],
    ['a ?? b', { a: null, b: null }, undefined],
    ['(a ?? 0) + (b ?? 1)', { a: null, b: null }, 1],
    ['2 ** 3 ** 2', {}, 512],
    ['-2 ^ 2', {}, -4],
    ['7 / 2', {}, 3.5],
    ['7 % 4', {}, 3],
    ['-7 % 4', {}, -3],
    ['int(a) % 4', { a: 11.9 }, 3],
    ['a > 1 && b < 2 || not (a == b) ? 1 : 2', { a: 1, b: 1 }, 2],
    ['1 < a < 3 ? 1 : 0', { a: 2 }, 1],
    ['1 < a < 3 ? 1 : 0', { a: 3 }, 0],
    ['a in [1, 2, 3] ? 10 : 20', { a: 2 }, 10],
    ['a not in [1, 2, 3] ? 10 : 20', { a: 2 }, 20],
    ['let x = a * 2; let y = x + 1; x * y', { a: 3 }, 42],
    ['max([a, b, 1], 2)', { a: 0.5, b: 7 }, 7],
    ['min(a, b)', { a: 0.5, b: 7 }, 0.5],
    ['mean([a, b]) + median([1, 2, 9])', { a: 1, b: 3 }, 4],
    ['sum([a, b], {# * 2})', { a: 1.5, b: 2 }, 7],
    ['sum(1..4)', {}, 10],
    ['[a, b] | filter(# > 1) | len()', { a: 1, b: 2 }, 1],
    ['[a, b] | map(# + #index) | last()', { a: 1, b: 2 }, 3],
    ['reduce([1, 2, 3], #acc + #)', {}, 6],
    ['reduce([1, 2, 3], #acc + #, 10)', {}, 16],
    ['any([a, b], # > 4) ? 1 : none([a], # > 4) ? 2 : 3', { a: 1, b: 2 }, 2],
    ['if a > 1 { 3 } else if a > 0 { 2 } else { 1 }', { a: 0.5 }, 2],
    ['{"x": a, y: 2}.x + {"x": a, y: 2}["y"]', { a: 1 }, 3],
    ['[1, 2, 3][-1] + len([1, 2, 3][1:])', {}, 5],
    ['round(2.5) + ceil(0.2) + floor(-0.5) + abs(-3)', {}, 6],
    ['float("1.5") + int("2")', {}, 3.5],
    ['0x10 + 0b11 + 0o7 + 1_000', {}, 1026],
    ['1.5e1 + .5', {}, 15.5],
    ['a + b // what people write', { a: 1, b: 2 }, 3],
    ['1.23456', {}, 1.234],
    ['-1.23456', {}, -1.234],
    ['len("kräuter")', {}, 7],
  ])('%s of %j is %j', (formula, values, expected) => {
    expect(value(formula, values)).toBe(expected)
  })

  test.each<[string, string]>([
    ['a + c', 'unknown name c'],
    ['a +', 'unexpected end of expression'],
    ['', 'unexpected end of expression'],
    ['a b', 'unexpected token "b"'],
    ['a + "x"', 'invalid operation: + (mismatched types float64 and string)'],
    ['a % 2', 'invalid operation: % (mismatched types float64 and int)'],
    ['a ? 1 : 2', 'non-bool expression (type float64) used as condition'],
    ['a > 1', 'invalid argument for float (type bool)'],
    ['[a]', 'invalid argument for float (type array)'],
    ['nil', 'invalid argument for float (type nil)'],
    ['a ?? b + 1', 'operator + and ?? cannot be mixed'],
    ['foo(a)', 'unknown name foo'],
    ['max()', 'not enough arguments to call max'],
    ['abs(1, 2)', 'too many arguments to call abs'],
    ['len(a)', 'invalid argument for len (type float64)'],
    ['count(a, {# > 1})', 'builtin count takes only array (got float64)'],
    ['let a = 1; a', 'cannot redeclare a'],
    ['1 % 0', 'integer divide by zero'],
    ['1 / 0', 'the formula came to Infinity'],
    ['9999999999999999999', 'integer literal is too large'],
    ['1.5x', 'bad number syntax'],
    ['a @ b', 'unrecognized character: @'],
    ['# + 1', 'unexpected token "#"'],
    ['a.constructor', 'type float64 has no member'],
    ['[1][5]', 'index out of range'],
    ['sum(1..1000000)', 'more than 100000 steps'],
    ['sum(map(1..400, sum(1..400)))', 'more than 100000 steps'],
    [`${'('.repeat(500)}a${')'.repeat(500)}`, 'nested deeper than 100'],
    [`a${' + a'.repeat(2_000)}`, 'more than 2000 terms'],
    ['a'.repeat(8_193), 'longer than 8192 characters'],
  ])('%.60s is refused: %s', (formula, message) => {
    expect(() => value(formula, { a: 2, b: 3 })).toThrow(message)
  })

  test('what somebody writes ends with a number or with words, never otherwise', () => {
    const words = fc.constantFrom(
      'a',
      'b',
      '1',
      '2.5',
      '"x"',
      '+',
      '-',
      '*',
      '/',
      '%',
      '**',
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      '#',
      ',',
      '?',
      ':',
      '??',
      '&&',
      'not',
      'in',
      '..',
      'sum',
      'count',
      'map',
      'let',
      '=',
      ';',
      '.',
      'nil',
      '|',
      'max',
      '<',
      '==',
    )
    fc.assert(
      fc.property(fc.array(words, { maxLength: 14 }), parts => {
        try {
          const result = value(parts.join(' '), { a: 2, b: -1 })
          expect(result === undefined || Number.isFinite(result)).toBe(true)
        } catch (error) {
          expect(error).toHaveProperty('name', 'FormulaProblem')
        }
      }),
    )
  })

  test('arithmetic of numbers is that of JavaScript', () => {
    const number = fc.double({ min: -1_000, max: 1_000, noNaN: true })
    fc.assert(
      fc.property(number, number, number, (a, b, c) => {
        expect(value('(a + b) * c - a / 4', { a, b, c })).toBe(Math.trunc(((a + b) * c - a / 4) * 1_000) / 1_000)
      }),
    )
  })
})
