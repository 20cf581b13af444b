import { describe, expect, test } from 'vitest'
import { seededRandom } from '../random.ts'
import {
  annotationBytes,
  annotationBytesLimit,
  dns1035LabelProblems,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  generatedName,
  hashedName,
  labelValueProblems,
  qualifiedNameProblems,
} from './names.ts'

const long = 'a'.repeat(64)

// biome-ignore format: a table
test.each([
  ['a DNS label', dns1123LabelProblems, ['a', '0a', 'a-b', 'a'.repeat(63)], ['', 'A', 'a.b', '-a', 'a_b', long]],
  ['a DNS subdomain', dns1123SubdomainProblems, ['a', 'a.b-c.d', `${'a'.repeat(250)}.aa`], ['', 'a..b', 'a.-b', 'a.B', 'a'.repeat(254)]],
  ['a service name', dns1035LabelProblems, ['a', 'a-0'], ['', '0a', 'a.b', 'A', long]],
  ['a label key', qualifiedNameProblems, ['a', 'A_b.c-d', 'example.com/a', 'a'.repeat(63)], ['', '/a', 'a/', 'a/b/c', 'X.com/a', '-a', 'a b', long]],
  ['a label value', labelValueProblems, ['', 'a', 'A_b.c-d'], ['-a', 'a-', 'a/b', 'ä', long]],
] as const)('%s', (_what, problems, good, bad) => {
  expect(good.filter(text => problems(text).length > 0)).toEqual([])
  expect(bad.filter(text => problems(text).length === 0)).toEqual([])
})

describe('the words of Kubernetes', () => {
  test('for a label value', () => {
    expect(labelValueProblems('a b')).toEqual([
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ])
  })
  test('for a subdomain', () => {
    expect(dns1123SubdomainProblems('A')).toEqual([
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ])
  })
  test('for lengths', () => {
    expect(dns1123LabelProblems(long)).toEqual(['must be no more than 63 characters'])
    expect(dns1123LabelProblems('a.b')).toEqual(['must not contain dots'])
    expect(qualifiedNameProblems('x/')[0]).toBe('name part must be non-empty')
  })
})

test('a hostile length costs nothing', () => {
  expect(dns1123SubdomainProblems(`${'a.'.repeat(1_000_000)}!`)).toContain('must be no more than 253 characters')
})

test('generated names keep within 63 characters and differ', () => {
  const random = seededRandom(1)
  const [first, second] = [generatedName('a'.repeat(80), random), generatedName('web-', random)]
  expect(first).toMatch(/^a{58}[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  expect(second).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
})

test('hashed names say the same for the same subject', () => {
  expect(hashedName('web', 'shop/web')).toBe(hashedName('web', 'shop/web'))
  expect(hashedName('web', 'shop/web')).not.toBe(hashedName('web', 'shop/other'))
  expect(hashedName('a'.repeat(80), 'x')).toHaveLength(63)
  expect(dns1123LabelProblems(hashedName(`${'a'.repeat(53)}-${'b'.repeat(9)}`, 'x'))).toEqual([])
})

test('annotations weigh in bytes, keys too', () => {
  expect([annotationBytes({ a: 'ä', bc: '' }), annotationBytesLimit]).toEqual([5, 262_144])
})

test.each(['a'.repeat(1_000_000), 'a-'.repeat(500_000), 'a.'.repeat(500_000)])(
  'a million characters are refused at once',
  text => {
    expect(dns1123SubdomainProblems(`${text}!`)).toHaveLength(2)
    expect(qualifiedNameProblems(`${text}!`)).toHaveLength(2)
    expect(labelValueProblems(`${text}!`)).toHaveLength(2)
  },
)
