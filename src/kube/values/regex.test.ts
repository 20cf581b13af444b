import { describe, expect, test } from 'vitest'
import { type Pattern, parsePattern } from './regex.ts'

function pattern(source: string): Pattern {
  const parsed = parsePattern(source)
  if (!parsed.ok) throw new Error(parsed.problem.expected)
  return parsed.value
}

test('found and whole', () => {
  expect([pattern('b+').isFoundIn('abbc'), pattern('b+').matchesWhole('abbc'), pattern('ab+c').matchesWhole('abbc')]).toEqual([
    true,
    false,
    true,
  ])
})

test('groups', () => {
  expect(pattern('(?P<first>a)|(b)').groupsIn('xb')).toEqual(['b', undefined, 'b'])
  expect(pattern('a').groupsIn('b')).toBeUndefined()
})

test('replacing', () => {
  expect(pattern('(a)(b)').replaceAll('abab', '$2$1')).toBe('baba')
})

describe('what RE2 has not is refused', () => {
  test.each(['(?=a)', '(?<!a)b', '(a)\\1', '(', '[z-a]', 'a{1001}', 'x'.repeat(5_000)])('%s', source => {
    expect(parsePattern(source, 'spec.pattern')).toMatchObject({
      ok: false,
      problem: { code: 'pattern-syntax', where: 'spec.pattern' },
    })
  })
})

test('a pattern that hangs others ends at once', () => {
  expect(pattern('^(a+)+$').isFoundIn(`${'a'.repeat(2_000)}!`)).toBe(false)
})
