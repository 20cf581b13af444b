import { expect, test } from 'vitest'
import { parseStringSlice } from './string-slice.ts'

// Each as Go 1.26's encoding/csv reads it, through pflag's StringSlice.
// biome-ignore format: a table
test.each([
  ['', []],
  ['a', ['a']],
  ['a,b', ['a', 'b']],
  [' a , b ', [' a ', ' b ']],
  ['a,,b,', ['a', '', 'b', '']],
  ['"k in (a,b)"', ['k in (a,b)']],
  ['"k in (a,b),x=y"', ['k in (a,b),x=y']],
  ['"k in (a,b)",x=y', ['k in (a,b)', 'x=y']],
  ['"say ""hi"""', ['say "hi"']],
  ['""', ['']],
  ['a\nb', ['a']],
  ['a\r\nb', ['a']],
  ['"a\nb",c', ['a\nb', 'c']],
  ['a"b', undefined],
  ['"a', undefined],
  ['"a"b', undefined],
  [' "a"', undefined],
])('%j', (text, fields) => {
  expect(parseStringSlice(text)).toEqual(fields)
})
