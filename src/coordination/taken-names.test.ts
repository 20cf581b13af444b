import { expect, test } from 'vitest'
import { assertDistinct } from './taken-names.ts'

test.each([
  [[], undefined],
  [
    [
      { name: 'a', by: 'x' },
      { name: 'b', by: 'x' },
    ],
    undefined,
  ],
  [
    [
      { name: 'a', by: 'x' },
      { name: 'a', by: 'y' },
    ],
    'word "a" of y is taken by x',
  ],
  [
    [
      { name: 'a', by: 'x' },
      { name: 'a', by: 'y' },
      { name: 'a', by: 'z' },
    ],
    'word "a" of y is taken by x; word "a" of z is taken by x',
  ],
])('%j', (names, words) => {
  const asserted = () => assertDistinct('word', names)
  if (words === undefined) expect(asserted).not.toThrow()
  else expect(asserted).toThrow(new Error(words))
})
