import { describe, expect, test } from 'vitest'
import { parseResponseHead } from './response-head.ts'

describe('the head of an answer', () => {
  // biome-ignore format: a table
  test.each([
    ['with a length',              'HTTP/1.1 200 OK\r\nContent-Length: 10',                             200, 10,        true],
    ['without a reason',           'HTTP/1.1 206\r\nContent-Length: 10',                                206, 10,        true],
    ['with an empty reason',       'HTTP/1.1 404 \r\ncontent-length:0',                                 404, 0,         true],
    ['that closes',                'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1',         200, 1,         false],
    ['of HTTP/1.0',                'HTTP/1.0 200 OK\r\nContent-Length: 1',                              200, 1,         false],
    ['of HTTP/1.0 that is kept',   'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1',    200, 1,         true],
    ['without a length',           'HTTP/1.1 200 OK',                                                   200, undefined, true],
    ['in chunks',                  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked',                     200, undefined, true],
    ['in chunks with a length',    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4', 200, undefined, true],
    ['with the same length twice', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4',         200, 4,         true],
    ['with a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: 4, 4',                           200, undefined, true],
    ['with a negative length',     'HTTP/1.1 200 OK\r\nContent-Length: -4',                             200, undefined, true],
    ['with too large a length',    'HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999',               200, undefined, true],
    ['with nothing behind it',     'HTTP/1.1 204 No Content\r\nContent-Length: 4',                      204, 0,         true],
  ] as const)('%s', (_name, text, status, length, isKept) =>
    expect(parseResponseHead(text, false)).toMatchObject({ status, length, isKept }))

  test('of HEAD has no body, whatever its length says', () => {
    const head = parseResponseHead('HTTP/1.1 200 OK\r\nContent-Length: 10', true)
    expect(head).toMatchObject({ length: 0, headers: { 'content-length': '10' } })
  })

  test.each([
    ['another protocol', '220 ready'],
    ['HTTP/2', 'HTTP/2 200'],
    ['a status that is none', 'HTTP/1.1 99 x'],
    ['a status of its own kind', 'HTTP/1.1 103 Early Hints'],
    ['nothing', ''],
    ['a folded line', 'HTTP/1.1 200 OK\r\nA: b\r\n c'],
    ['a line without a colon', 'HTTP/1.1 200 OK\r\nA b'],
    ['a name with a space', 'HTTP/1.1 200 OK\r\nA : b'],
    ['a zero byte', 'HTTP/1.1 200 OK\r\nA: b\0c'],
    ['a bare line feed', 'HTTP/1.1 200 OK\r\nA: b\nC: d'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5'],
    ['too many headers', `HTTP/1.1 200 OK${'\r\nA: b'.repeat(129)}`],
  ])('%s is none', (_name, text) => expect(typeof parseResponseHead(text, false)).toBe('string'))

  test('names that objects have of themselves are headers like others', () => {
    const head = parseResponseHead('HTTP/1.1 200 OK\r\n__proto__: x\r\nConstructor: y', false)
    if (typeof head === 'string') throw new Error(head)
    expect(Object.entries(head.headers)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
  })

  test('long values take no longer than they are', () => {
    expect(typeof parseResponseHead(`HTTP/1.1 200 OK\r\nA: ${' x'.repeat(8_000)}\0`, false)).toBe('string')
  })
})
