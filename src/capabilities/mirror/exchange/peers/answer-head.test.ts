// Heads of answers, by rows: which are taken, and why the others are not.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../testdata/memory-store.ts'
import { type Asked, type Headers, readHead } from './answer-head.ts'

const digest = digestOf('0123456789')
const other = digestOf('other')
const good: Headers = { 'content-length': '10', 'docker-content-digest': digest, 'content-type': 'application/octet-stream' }
const whole: Asked = { digest, range: undefined }
const part = (range: Asked['range']): Asked => ({ digest, range })
const range = (text: string, length: string): Headers => ({ ...good, 'content-range': text, 'content-length': length })

/** One word: the bytes that come, or the fault. */
function said(status: number, headers: Headers, asked: Asked): string {
  const read = readHead(status, headers, asked)
  if (!read.ok) return `${read.fault.kind}: ${read.fault.message}`
  const { start, end, size, isPartial, isInFlight } = read.head
  return `${start}-${end}/${size}${isPartial ? ' part' : ''}${isInFlight ? ' in flight' : ''}`
}

describe('the head of an answer', () => {
  // biome-ignore format: a table
  test.each<readonly [name: string, status: number, headers: Headers, asked: Asked, expected: string]>([
    ['the whole',                       200, good, whole, '0-9/10'],
    ['an empty blob',                   200, { ...good, 'content-length': '0' }, whole, '0--1/0'],
    ['a tag with its digest',           200, good, { digest: undefined, range: undefined }, '0-9/10'],
    ['a digest without saying it',      200, { 'content-length': '10' }, whole, '0-9/10'],
    ['a tag without a digest',          200, { 'content-length': '10' }, { digest: undefined, range: undefined }, 'refused: no digest'],
    ['another digest',                  200, { ...good, 'docker-content-digest': other }, whole, `other-digest: digest ${other}`],
    ['a digest that is none',           200, { ...good, 'docker-content-digest': 'sha256:x' }, whole, 'other-digest: digest sha256:x'],
    ['no length',                       200, { 'docker-content-digest': digest }, whole, 'refused: no Content-Length'],
    ['a length that is none',           200, { ...good, 'content-length': '1e3' }, whole, 'refused: no Content-Length'],
    ['a length beyond all sense',       200, { ...good, 'content-length': '9007199254740991' }, whole, 'refused: no Content-Length'],
    ['chunks',                          200, { ...good, 'transfer-encoding': 'chunked' }, whole, 'refused: chunked, without a length'],
    ['an encoding',                     200, { ...good, 'content-encoding': 'gzip' }, whole, 'refused: Content-Encoding gzip'],
    ['an encoding that is none',        200, { ...good, 'content-encoding': 'identity' }, whole, '0-9/10'],
    ['a redirect',                      302, { ...good, location: 'http://x/' }, whole, 'refused: status 302'],
    ['a fault of the peer',             500, {}, whole, 'refused: status 500'],
    ['a download that goes on',         200, { ...good, 'x-ballast-inflight': '1' }, whole, '0-9/10 in flight'],
    ['a part to the end',               206, range('bytes 4-9/10', '6'), part({ start: 4 }), '4-9/10 part'],
    ['a part',                          206, range('bytes 2-5/10', '4'), part({ start: 2, end: 5 }), '2-5/10 part'],
    ['a part that is cut to the end',   206, range('bytes 2-9/10', '8'), part({ start: 2, end: 99 }), '2-9/10 part'],
    ['the last bytes',                  206, range('bytes 7-9/10', '3'), part({ last: 3 }), '7-9/10 part'],
    ['more last bytes than there are',  206, range('bytes 0-9/10', '10'), part({ last: 30 }), '0-9/10 part'],
    ['another part',                    206, range('bytes 3-9/10', '7'), part({ start: 4 }), 'refused: bytes 3-9 instead of 4-9'],
    ['a part of another length',        206, range('bytes 4-9/10', '7'), part({ start: 4 }), 'refused: a Content-Range that does not fit'],
    ['a part beyond the end',           206, range('bytes 4-10/10', '7'), part({ start: 4 }), 'refused: a Content-Range that does not fit'],
    ['a part of unknown size',          206, range('bytes 4-9/*', '6'), part({ start: 4 }), 'refused: 206 without a Content-Range'],
    ['a part where all was asked',      206, range('bytes 0-9/10', '10'), whole, 'refused: 206, and the whole was asked for'],
    ['all where a part was asked',      200, good, part({ start: 4 }), 'refused: the whole instead of a range'],
    ['a range beyond the end',          416, { 'content-range': 'bytes */10' }, part({ start: 10 }), 'beyond: the range is beyond its end'],
    ['416 without a size',              416, {}, part({ start: 10 }), 'refused: 416 without a size'],
    ['no place',                        503, { 'x-ballast-relay': 'A, B,<>' }, whole, 'ask: all its places are taken'],
    ['busy without a word',             503, {}, whole, 'refused: status 503'],
  ])('%s', (_name, status, headers, asked, expected) => expect(said(status, headers, asked)).toBe(expected))

  test('names at most 16 peers to ask instead, each an id', () => {
    const read = readHead(503, { 'x-ballast-relay': ['../x', ...Array(40).fill('Qm1')].join(',') }, whole)
    expect(read).toMatchObject({ ok: false, fault: { kind: 'ask', peers: Array(16).fill('Qm1') } })
  })

  test('whatever is in it: what is taken fits what was asked', () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom('10', '0', '6', 'bytes 4-9/10', 'bytes 0-9/10', 'bytes */10', digest, other),
    )
    const headers = fc.dictionary(
      fc.constantFrom(
        'content-length',
        'content-range',
        'docker-content-digest',
        'content-type',
        'content-encoding',
        'x-ballast-relay',
      ),
      text,
    )
    fc.assert(
      fc.property(
        fc.constantFrom(200, 206, 416, 503),
        headers,
        fc.constantFrom<Asked>(whole, part({ start: 4 }), part({ last: 3 })),
        (status, given, asked) => {
          const read = readHead(status, given, asked)
          if (!read.ok) return
          const { start, end, size, isPartial } = read.head
          expect(read.head.digest).toBe(digest)
          expect(isPartial).toBe(asked.range !== undefined)
          expect(start >= 0 && end < size && start <= end + 1 && `${end - start + 1}` === given['content-length']).toBe(true)
        },
      ),
    )
  })
})
