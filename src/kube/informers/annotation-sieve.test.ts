// What is left of annotations, and that nothing else of the bytes stays.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keepAnnotations } from './annotation-sieve.ts'

const kept = ['reloader.stakater.com/ignore', 'reloader.stakater.com/match']

function sieved(text: string): { readonly value: unknown; readonly left: Uint8Array } {
  const left = new TextEncoder().encode(text)
  return { value: JSON.parse(Buffer.from(keepAnnotations(left, kept)).toString('utf8')), left }
}

describe('keepAnnotations', () => {
  test.each([
    ['nothing to keep', '{"a":{"annotations":{"x":"1","y":"2"}}}', { a: { annotations: {} } }],
    [
      'one of three',
      '{"metadata":{"annotations":{"x":"1","reloader.stakater.com/match":"true","z":"3"},"name":"n"}}',
      { metadata: { annotations: { 'reloader.stakater.com/match': 'true' }, name: 'n' } },
    ],
    ['a value full of quotes', `{"annotations":{"x":${JSON.stringify('{"data":"\\"}\\\\"}')}},"b":1}`, { annotations: {}, b: 1 }],
    [
      'spaces',
      '{ "annotations" : { "x" : "1" , "reloader.stakater.com/ignore" : "true" } , "b" : 1 }',
      { annotations: { 'reloader.stakater.com/ignore': 'true' }, b: 1 },
    ],
    ['no object', '{"annotations":null,"b":"annotations"}', { annotations: null, b: 'annotations' }],
    ['other values than strings', '{"annotations":{"x":{"y":"}"}},"b":1}', { annotations: {}, b: 1 }],
    ['none', '{"b":1}', { b: 1 }],
  ])('%s', (_, text, value) => {
    const found = sieved(text)
    expect(found.value).toEqual(value)
    expect(found.left.every(byte => byte === 0)).toBe(true)
  })

  test('whatever is in the values: what is kept is what JSON would have given', () => {
    const annotations = fc.dictionary(fc.oneof(fc.constantFrom(...kept), fc.string()), fc.string())
    fc.assert(
      fc.property(annotations, fc.dictionary(fc.string(), fc.string()), (all, labels) => {
        const expected = Object.fromEntries(Object.entries(all).filter(([key]) => kept.includes(key)))
        const found = sieved(JSON.stringify({ metadata: { labels, annotations: all, name: 'n' } }))
        expect(found.value).toEqual({ metadata: { labels, annotations: expected, name: 'n' } })
      }),
    )
  })
})
