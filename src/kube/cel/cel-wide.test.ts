// Integers past 2^53, which JSON may carry and a `number` may not: they are int64 in every place where CEL takes one.
import { expect, test } from 'vitest'
import { evaluateCel } from './cel.ts'

const wide = 2n ** 60n
const least = -(2n ** 63n)

test.each<readonly [source: string, value: unknown]>([
  ['self.a < 10', false],
  ['10 < self.a', true],
  ['self.a >= self.b', true],
  ['self.a > self.a', false],
  ['self.a == self.b', true],
  ['self.a != 10', true],
  ['self.a in [1, self.b]', true],
  ['self.a + 1', wide + 1n],
  ['self.a - self.b', 0],
  ['self.a * 2 / 4', wide / 2n],
  ['self.a % 7', Number(wide % 7n)],
  ['-self.a', -wide],
  ['self.a > 0.5', true],
  ['string(self.a)', String(wide)],
  ['int(self.a) == self.b', true],
  ['uint(self.a) == self.b', true],
  ['double(self.a) == 1152921504606846976.0', true],
  ['type(self.a) == type(1)', true],
  ['[self.a].all(one, one > 5)', true],
  ['{"a": self.a}.a == self.b', true],
])('%s', (source, value) => {
  expect(evaluateCel(source, { self: { a: wide, b: wide } })).toEqual({ ok: true, value })
})

test.each([
  ['self.a * 16', 'integer overflow'],
  ['self.least - 1', 'integer overflow'],
  ['-self.least', 'integer overflow'],
  ['self.a / 0', 'division by zero'],
  ['self.a % 0', 'modulus by zero'],
  ['[1][self.a]', `index out of bounds: ${wide}`],
  ['self.a < "x"', 'no such overload: number < string'],
])('%s is an error', (source, problem) => {
  expect(evaluateCel(source, { self: { a: wide, least } })).toEqual({ ok: false, problem })
})
