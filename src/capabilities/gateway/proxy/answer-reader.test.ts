import { describe, expect, it } from 'vitest'
import { AnswerError, type AnswerHead, AnswerReader } from './answer-reader.ts'

interface Seen {
  readonly heads: AnswerHead[]
  body: string
  trailers: readonly string[] | undefined
  rest: string
  pieces: number
}

function reading(pieces: readonly string[], { isHead = false, isClosed = false } = {}): Seen {
  const seen: Seen = { heads: [], body: '', trailers: undefined, rest: '', pieces: 0 }
  const reader = new AnswerReader({
    onHead: head => void seen.heads.push(head),
    onData(bytes) {
      seen.body += bytes.toString('latin1')
      seen.pieces++
    },
  })
  reader.begin(isHead)
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, 'latin1')
    seen.rest += reader.read(bytes).toString('latin1')
    // The memory is used again.
    bytes.fill('#')
  }
  if (isClosed) reader.close()
  if (reader.isWhole) seen.trailers = reader.trailers
  return seen
}

const ok = 'HTTP/1.1 200 OK\r\n'

const whole: readonly [string, string, Partial<Seen>, { isHead?: boolean; isClosed?: boolean }?][] = [
  ['a length', `${ok}Content-Length: 5\r\n\r\nhello`, { body: 'hello', trailers: [] }],
  ['a length of nothing', `${ok}Content-Length: 0\r\n\r\n`, { body: '', trailers: [] }],
  ['the same length twice', `${ok}Content-Length: 2\r\ncontent-length: 2\r\n\r\nok`, { body: 'ok', trailers: [] }],
  ['bytes after the end', `${ok}Content-Length: 2\r\n\r\nokHTTP`, { body: 'ok', rest: 'HTTP' }],
  ['until the end', `${ok}\r\nhello`, { body: 'hello', trailers: [] }, { isClosed: true }],
  ['until the end, by HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nold', { body: 'old', trailers: [] }, { isClosed: true }],
  [
    'chunks',
    `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n00A;a="b"\r\n0123456789\r\n0\r\n\r\n`,
    { body: 'ok0123456789', trailers: [] },
  ],
  [
    'fields after the body',
    `${ok}Transfer-Encoding: Chunked\r\n\r\n0\r\nX-Sum: 2\r\nX-B:\r\n\r\nrest`,
    { trailers: ['X-Sum', '2', 'X-B', ''], rest: 'rest' },
  ],
  ['no body for HEAD', `${ok}Content-Length: 5\r\n\r\n`, { body: '', trailers: [] }, { isHead: true }],
  ['no body for HEAD in chunks', `${ok}Transfer-Encoding: chunked\r\n\r\n`, { body: '', trailers: [] }, { isHead: true }],
  ['204', 'HTTP/1.1 204 No Content\r\n\r\n', { body: '', trailers: [] }],
  ['304 with a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n', { body: '', trailers: [] }],
  [
    'interim answers',
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100\r\n\r\n${ok}Content-Length: 1\r\n\r\nx`,
    { body: 'x', trailers: [] },
  ],
  [
    'another protocol',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00',
    { rest: '\x81\x00', trailers: [] },
  ],
]

describe('an answer', () => {
  it.each(whole)('with %s', (_name, text, expected, options) => {
    expect(reading([text], options)).toMatchObject(expected)
  })

  it.each(whole)('with %s, however its bytes come', (_name, text, _expected, options) => {
    const { pieces: _, ...all } = reading([text], options)
    for (let at = 1; at < text.length; at++) {
      const { pieces: __, ...parts } = reading([text.slice(0, at), text.slice(at)], options)
      expect(parts).toEqual(all)
    }
    const { pieces: ___, ...bytes } = reading([...text], options)
    expect(bytes).toEqual(all)
  })

  it('tells of the head what came, and joins a value that goes on in the next line', () => {
    const { heads } = reading([`${ok}Server: a \r\nX-Long: one\r\n\t two\r\nX-Latin: \xe9\r\nContent-Length: 0\r\n\r\n`])
    expect(heads).toMatchObject([
      { status: 200, reason: 'OK', headers: ['Server', 'a', 'X-Long', 'one two', 'X-Latin', '\xe9', 'Content-Length', '0'] },
    ])
  })

  it.each([
    [`${ok}Content-Length: 0\r\n\r\n`, undefined],
    [`${ok}Content-Length: 0\r\nConnection: close\r\n\r\n`, 0],
    [`${ok}Content-Length: 0\r\nConnection: x, Close\r\n\r\n`, 0],
    [`${ok}Content-Length: 0\r\nKeep-Alive: timeout=5, max=3\r\n\r\n`, 4_000],
    [`${ok}Content-Length: 0\r\nKeep-Alive: timeout=0\r\n\r\n`, 0],
    ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', 0],
    ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n', undefined],
    [`${ok}\r\n`, 0],
  ])('%j is kept for %s ms', (text, keptMs) => {
    expect(reading([text]).heads).toMatchObject([{ keptMs }])
  })

  it.each([
    ['HTTP/2 200 OK\r\n\r\n', /begins with "HTTP\/2 200 OK/],
    ['SSH-2.0', /begins with "SSH-2.0"/],
    ['HTTP/1.1 20 OK\r\n\r\n', /expected HTTP\/1.1 and a status/],
    ['HTTP/1.1 099 OK\r\n\r\n', /expected HTTP\/1.1 and a status/],
    [`${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`, /beside Transfer-Encoding/],
    [`${ok}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, /two Content-Lengths that differ/],
    [`${ok}Content-Length: +5\r\n\r\n`, /Content-Length "\+5", expected a number/],
    [`${ok}Content-Length: 5, 5\r\n\r\n`, /expected a number/],
    [`${ok}Content-Length: 9999999999999999\r\n\r\n`, /expected a number/],
    [`${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`, /expected chunked/],
    [`${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`, /more than one Transfer-Encoding/],
    [`${ok}Transfer-Encoding: chunked\r\n\r\n-1\r\n`, /a chunk begins with "-1"/],
    [`${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok!\r\n`, /longer than its line says/],
    [`${ok}Transfer-Encoding: chunked\r\n\r\n${'1'.repeat(5_000)}`, /longer than 4096 bytes/],
    [`${ok}Bad Name: x\r\n\r\n`, /has no name/],
    [`${ok}: x\r\n\r\n`, /has no name/],
    [`${ok}nothing\r\n\r\n`, /has no name/],
    [`${ok} folded: x\r\n\r\n`, /begins with a space/],
    [`${ok}A: b\nC: d\r\n\r\n`, /control character/],
    [`${ok}A: b\0\r\n\r\n`, /control character/],
    [`${ok}A: b\rC\r\n\r\n`, /control character/],
    [`${ok}A: ${'b'.repeat(300_000)}`, /longer than 262144 bytes/],
    [`${ok}Transfer-Encoding: chunked\r\n\r\n0\r\nA: ${'b'.repeat(70_000)}`, /longer than 65536 bytes/],
  ])('%j is refused', (text, why) => {
    const read = () => reading([text])
    expect(read).toThrow(AnswerError)
    expect(read).toThrow(why)
  })

  it.each([`${ok}Content-Length: 5\r\n\r\nhell`, `${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`, 'HTTP/1.1 2', ''])(
    '%j is not whole when the connection ends',
    text => {
      expect(() => reading([text], { isClosed: true })).toThrow('closed within the answer')
    },
  )
})
