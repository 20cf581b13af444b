// Strings out of JSON, in any cuts, held against JSON.parse.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { JsonBytes, JsonBytesError } from './json-bytes.ts'

/** Every string value by its path. */
function strings(bytes: Uint8Array, cut: number): Record<string, string> {
  const found: Record<string, string> = Object.create(null)
  const walker = new JsonBytes(path => {
    const key = JSON.stringify(path)
    const value: number[] = []
    return {
      push: byte => void value.push(byte),
      end: () => {
        found[key] = Buffer.from(value).toString('utf8')
      },
    }
  })
  for (let at = 0; at < bytes.length; at += cut) walker.push(bytes.subarray(at, at + cut))
  walker.end()
  return found
}

function expected(value: unknown, path: readonly string[] = [], found: Record<string, string> = Object.create(null)) {
  if (typeof value === 'string') found[JSON.stringify(path)] = Buffer.from(value, 'utf8').toString('utf8')
  else if (typeof value === 'object' && value !== null)
    for (const [key, part] of Object.entries(value)) expected(part, [...path, key], found)
  return found
}

describe('JsonBytes', () => {
  test('finds what JSON.parse finds, however it is cut', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string())
    const json = fc.letrec(tie => ({
      value: fc.oneof(
        { depthSize: 'small' },
        text,
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom(true, false, null),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }),
      ),
    })).value
    fc.assert(
      fc.property(json, fc.integer({ min: 1, max: 40 }), fc.boolean(), (value, cut, isSpaced) => {
        const bytes = new TextEncoder().encode(JSON.stringify(value, undefined, isSpaced ? 2 : undefined))
        expect(strings(bytes, cut)).toEqual(expected(JSON.parse(Buffer.from(bytes).toString())))
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    ['escapes', '"\\u00e9\\ud83d\\ude00\\n\\/\\"\\\\"', 'é😀\n/"\\'],
    ['half a pair', '"a\\ud83dx\\ude00"', 'a\ufffdx\ufffd'],
    ['two first halves', '"\\ud83d\\ud83d\\ude00"', '\ufffd😀'],
  ])('%s', (_, text, value) => {
    expect(strings(new TextEncoder().encode(text), 1)).toEqual({ '[]': value })
  })

  test.each([
    ['nothing', ''],
    ['a broken string', '{"a":"b'],
    ['no colon', '{"a" "b"}'],
    ['no comma', '["a" "b"]'],
    ['the wrong bracket', '{"a":"b"]'],
    ['more than one', '{} {}'],
    ['a raw control character', '"a\nb"'],
    ['no escape', '"\\x"'],
    ['no digits', '"\\u12g4"'],
    ['too deep', '['.repeat(65)],
    ['a name without end', `{"${'n'.repeat(5000)}":1}`],
  ])('%s is refused, without saying what is in it', (_, text) => {
    expect(() => strings(new TextEncoder().encode(text), 7)).toThrow(JsonBytesError)
  })
})
