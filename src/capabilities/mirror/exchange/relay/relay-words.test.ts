import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatSeat, parseSeat, type SeatWord } from './relay-words.ts'

describe('what nodes say of a download', () => {
  // biome-ignore format: a table
  test.each<readonly [text: string, word: SeatWord | undefined]>([
    ['ask', { kind: 'ask' }],
    ['ask;gone=12D3Koo', { kind: 'ask', failed: { peer: '12D3Koo', why: 'gone' } }],
    ['ask;slow=12D3Koo', { kind: 'ask', failed: { peer: '12D3Koo', why: 'slow' } }],
    ['ask;full=12D3Koo', { kind: 'ask', failed: { peer: '12D3Koo', why: 'full' } }],
    ['wait=1200', { kind: 'wait', ms: 1_200 }],
    ['wait=0', { kind: 'wait', ms: 0 }],
    ['wait=60001', undefined],
    ['wait=-1', undefined],
    ['wait=', undefined],
    ['ask;mad=12D3Koo', undefined],
    ['ask;gone=', undefined],
    [`ask;gone=${'x'.repeat(129)}`, undefined],
    ['ask;gone=a b', undefined],
    ['ASK', undefined],
    ['', undefined],
  ])('%s', (text, word) => {
    expect(parseSeat(text)).toEqual(word)
    if (word !== undefined) expect(formatSeat(word)).toBe(text)
  })

  test('nothing said is nothing read', () => expect(parseSeat(undefined)).toBeUndefined())

  test('whatever is said, reading it does not fail', () => {
    fc.assert(fc.property(fc.string(), text => void parseSeat(text)))
  })

  test('a wait is whole, and has a bound', () => {
    expect(formatSeat({ kind: 'wait', ms: 99.6 })).toBe('wait=100')
    expect(formatSeat({ kind: 'wait', ms: 1e9 })).toBe('wait=60000')
    expect(formatSeat({ kind: 'wait', ms: -5 })).toBe('wait=0')
  })
})
