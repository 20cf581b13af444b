// Bytes that two readers could read differently. Each row says what a careful gateway may do: which statuses the client may get first, and
// how many whole requests a strict backend may see. What the add-on's interceptor does is in `test/fixtures/http-add-on/raw.json`.
import type { RawExchange } from './gateway-strict-backend.ts'

export interface RawCase extends RawExchange {
  readonly name: string
  /** Statuses that the client may get first; `0` is a connection that ends without an answer. */
  readonly statuses: readonly number[]
  /** First lines of what a backend may see, in order; nothing else may come there. */
  readonly seen: readonly string[]
}

const host = 'Host: app.test\r\n'
const hidden = 'GET /hidden HTTP/1.1\r\nHost: app.test\r\n\r\n'
const chunked = 'Transfer-Encoding: chunked\r\n'
const post = (headers: string, body: string) => `POST / HTTP/1.1\r\n${host}${headers}\r\n${body}`
const get = (headers: string, target = '/') => `GET ${target} HTTP/1.1\r\n${host}${headers}\r\n`
const refused = (name: string, sent: string, statuses: readonly number[] = [400, 0]): RawCase => ({
  name,
  sent,
  statuses,
  seen: [],
})
const passes = (name: string, sent: string, ...seen: readonly string[]): RawCase => ({
  ...{ name, sent, statuses: [200] },
  seen: seen.length === 0 ? ['GET / HTTP/1.1'] : seen,
  answers: Math.max(1, seen.length),
})
/** A careful gateway refuses; one that reads it as the standard says may pass it on as one plain request. */
const eitherWay = (name: string, sent: string, firstLine: string, statuses: readonly number[] = [400, 200, 0]): RawCase => ({
  ...{ name, sent, statuses },
  seen: [firstLine],
})
const unwilling = [400, 501, 0]

const framing: readonly RawCase[] = [
  refused('CL.TE', post(`Content-Length: ${5 + hidden.length}\r\n${chunked}`, `0\r\n\r\n${hidden}`)),
  refused('TE.CL', post(`${chunked}Content-Length: 4\r\n`, `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`)),
  refused('a length beside chunks, as it should be', post(`Content-Length: 5\r\n${chunked}`, '0\r\n\r\n')),
  refused('two encodings', post(`${chunked}Transfer-Encoding: identity\r\n`, `0\r\n\r\n${hidden}`), unwilling),
  refused('chunked twice', post(`${chunked}${chunked}`, `0\r\n\r\n${hidden}`), unwilling),
  refused('chunked twice in a list', post('Transfer-Encoding: chunked, chunked\r\n', `0\r\n\r\n${hidden}`), unwilling),
  refused('xchunked', post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${hidden}`), unwilling),
  refused('identity', post('Transfer-Encoding: identity\r\n', hidden), unwilling),
  refused('gzip, chunked', post('Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${hidden}`), unwilling),
  refused('chunked, gzip', post('Transfer-Encoding: chunked, gzip\r\n', `0\r\n\r\n${hidden}`), unwilling),
  refused('an empty encoding', post('Transfer-Encoding:\r\nContent-Length: 0\r\n', ''), unwilling),
  refused('a comma after chunked', post('Transfer-Encoding: chunked,\r\n', `0\r\n\r\n${hidden}`), unwilling),
  refused('quotes around chunked', post('Transfer-Encoding: "chunked"\r\n', `0\r\n\r\n${hidden}`), unwilling),
  refused('a vertical tab before chunked', post('Transfer-Encoding: \x0bchunked\r\n', `0\r\n\r\n${hidden}`), unwilling),
  refused('a NUL behind chunked', post('Transfer-Encoding: chunked\0\r\n', `0\r\n\r\n${hidden}`), unwilling),
  refused('a folded encoding', post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${hidden}`), unwilling),
  refused('a space before the colon of the encoding', post('Transfer-Encoding : chunked\r\n', `0\r\n\r\n${hidden}`)),
  refused('an underscore in place of the hyphen, and a length', post(`Transfer_Encoding: chunked\r\nContent-Length: -1\r\n`, '')),
  eitherWay('Chunked in other letters', post('Transfer-Encoding: ChUnKeD\r\n', '0\r\n\r\n'), 'POST / HTTP/1.1'),
  eitherWay('a space behind chunked', post('Transfer-Encoding: chunked \r\n', '0\r\n\r\n'), 'POST / HTTP/1.1'),
  refused('an encoding in HTTP/1.0', `POST / HTTP/1.0\r\n${host}${chunked}\r\n0\r\n\r\n${hidden}`),
  refused('two lengths', post(`Content-Length: 0\r\nContent-Length: ${hidden.length}\r\n`, hidden)),
  refused('two lengths, other way round', post(`Content-Length: ${hidden.length}\r\nContent-Length: 0\r\n`, hidden)),
  eitherWay('two equal lengths', post('Content-Length: 2\r\nContent-Length: 2\r\n', 'hi'), 'POST / HTTP/1.1'),
  refused('a list of lengths', post('Content-Length: 0, 44\r\n', hidden)),
  eitherWay('a list of equal lengths', post('Content-Length: 2, 2\r\n', 'hi'), 'POST / HTTP/1.1'),
  refused('a negative length', post('Content-Length: -1\r\n', hidden)),
  refused('a length with a sign', post('Content-Length: +2\r\n', 'hi')),
  refused('a hexadecimal length', post('Content-Length: 0x2\r\n', 'hi')),
  refused('a length with a space', post('Content-Length: 1 0\r\n', 'hihihihihi')),
  refused('a length with an underscore', post('Content-Length: 1_0\r\n', 'hihihihihi')),
  refused('a length past all numbers', post('Content-Length: 18446744073709551618\r\n', 'hi')),
  refused('an empty length', post('Content-Length:\r\n', hidden)),
  refused('a length with a fraction', post('Content-Length: 2.0\r\n', 'hi')),
]

const chunks: readonly RawCase[] = [
  refused('a size with 0x', post(chunked, `0x2\r\nhi\r\n0\r\n\r\n`)),
  refused('a size with a sign', post(chunked, `+2\r\nhi\r\n0\r\n\r\n`)),
  refused('a negative size', post(chunked, `-2\r\nhi\r\n0\r\n\r\n`)),
  refused('a size past all numbers', post(chunked, `ffffffffffffffff2\r\nhi\r\n0\r\n\r\n`)),
  refused('an empty size', post(chunked, `\r\nhi\r\n0\r\n\r\n`)),
  refused('a size with a space before it', post(chunked, ` 2\r\nhi\r\n0\r\n\r\n`)),
  refused('a size that ends with a line feed', post(chunked, `2\nhi\r\n0\r\n\r\n`)),
  refused('a size that ends with a carriage return', post(chunked, `2\rhi\r\n0\r\n\r\n`)),
  refused('a chunk longer than its size', post(chunked, `1\r\nhi\r\n0\r\n\r\n`)),
  refused('a line feed behind a chunk', post(chunked, `2\r\nhi\n0\r\n\r\n`)),
  refused('a line feed at the very end', post(chunked, `2\r\nhi\r\n0\r\n\n`)),
  refused('a line feed in an extension', post(chunked, `2;a\nb\r\nhi\r\n0\r\n\r\n`)),
  refused('an extension of 64 KiB', post(chunked, `2;${'a'.repeat(65_536)}\r\nhi\r\n0\r\n\r\n`), [400, 413, 431, 0]),
  passes('an extension', post(chunked, '2;a=b\r\nhi\r\n0\r\n\r\n'), 'POST / HTTP/1.1'),
  passes('zeros before a size', post(chunked, '0002\r\nhi\r\n0\r\n\r\n'), 'POST / HTTP/1.1'),
  eitherWay('a framing header among trailers', post(chunked, '2\r\nhi\r\n0\r\nContent-Length: 5\r\n\r\n'), 'POST / HTTP/1.1'),
  eitherWay('a Host among trailers', post(chunked, '2\r\nhi\r\n0\r\nHost: one.test\r\n\r\n'), 'POST / HTTP/1.1'),
  passes(
    'a request behind chunks',
    `${post(chunked, '2\r\nhi\r\n0\r\n\r\n')}${get('', '/2')}`,
    'POST / HTTP/1.1',
    'GET /2 HTTP/1.1',
  ),
]

const heads: readonly RawCase[] = [
  refused('a folded header', get('X-A: b\r\n c\r\n')),
  refused('a folded first header', `GET / HTTP/1.1\r\n ${host}\r\n`),
  refused('bare line feeds', 'GET / HTTP/1.1\nHost: app.test\n\n'),
  refused('a bare line feed in a value', get('X-A: b\nX-B: c\r\n')),
  refused('a bare carriage return in a value', get('X-A: b\rX-B: c\r\n')),
  refused('a hidden request behind a bare line feed', get(`X-A: b\n\n${hidden}\r\n`)),
  refused('a NUL in a value', get('X-A: b\0c\r\n')),
  refused('a NUL in a name', get('X\0A: b\r\n')),
  refused('a control byte in a value', get('X-A: b\x01c\r\n')),
  refused('DEL in a value', get('X-A: b\x7fc\r\n')),
  refused('a space in a name', get('X A: b\r\n')),
  refused('a tab before the colon', get('X-A\t: b\r\n')),
  refused('parentheses in a name', get('X(A): b\r\n')),
  refused('no name', get(': b\r\n')),
  refused('no colon', get('X-A\r\n')),
  refused('a name outside of ASCII', get('X-\xe9: b\r\n')),
  refused('headers of a mebibyte', get(`X-A: ${'a'.repeat(1_048_576)}\r\n`), [431, 400, 0]),
  refused('two hundred thousand headers', get('X-A: 1\r\n'.repeat(200_000)), [431, 400, 0]),
  eitherWay('a target of 64 KiB', get('', `/${'a'.repeat(65_536)}`), `GET /${'a'.repeat(65_536)} HTTP/1.1`, [200, 414, 431, 400]),
  refused('two hosts', `GET / HTTP/1.1\r\n${host}Host: one.test\r\n\r\n`),
  refused('two equal hosts', `GET / HTTP/1.1\r\n${host}${host}\r\n`),
  refused('no host', 'GET / HTTP/1.1\r\n\r\n'),
  refused('a host with a path', 'GET / HTTP/1.1\r\nHost: app.test/x\r\n\r\n', [400, 404, 0]),
  refused('a host with a user', 'GET / HTTP/1.1\r\nHost: a@app.test\r\n\r\n', [400, 404, 0]),
  refused('a host with a space', 'GET / HTTP/1.1\r\nHost: app.test x\r\n\r\n', [400, 404, 0]),
  refused('a host with a comma', 'GET / HTTP/1.1\r\nHost: app.test, one.test\r\n\r\n', [400, 404, 0]),
  refused('a host behind a space and a colon', 'GET / HTTP/1.1\r\nHost : app.test\r\n\r\n'),
  refused('two hosts in other letters', `GET / HTTP/1.1\r\n${host}hOSt: one.test\r\n\r\n`),
  refused('HTTP/0.9', 'GET /\r\n\r\n', [400, 505, 0]),
  refused('HTTP/1.10', `GET / HTTP/1.10\r\n${host}\r\n`, [400, 505, 0]),
  refused('HTTP/2.0 that is written as HTTP/1', `GET http://one.test/ HTTP/2.0\r\n${host}\r\n`, [400, 505, 0]),
  refused('HTTP/0.9 that is written as HTTP/1', `GET / HTTP/0.9\r\n${host}\r\n`, [400, 505, 0]),
  refused(
    'HTTP/2.0 with an upgrade',
    `GET / HTTP/2.0\r\n${host}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
    [400, 505, 0],
  ),
  refused('HTTP/3.0', `GET / HTTP/3.0\r\n${host}\r\n`, [400, 505, 0]),
  refused('http in small letters', `GET / http/1.1\r\n${host}\r\n`, [400, 505, 0]),
  eitherWay('two spaces before the target', `GET  / HTTP/1.1\r\n${host}\r\n`, 'GET / HTTP/1.1'),
  refused('a tab before the target', `GET\t/ HTTP/1.1\r\n${host}\r\n`),
  refused('a space in the target', get('', '/a b')),
  refused('a NUL in the target', get('', '/\0')),
  refused('a control byte in the target', get('', '/\x01')),
  refused('a broken escape', get('', '/%zz'), [400, 0]),
  refused('a method that is no token', `G(T / HTTP/1.1\r\n${host}\r\n`),
  refused('a star for GET', get('', '*'), [400, 404, 0]),
  refused('CONNECT', `CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443\r\n\r\n`, [400, 404, 405, 501, 0]),
  refused('a target without a slash', get('', 'x')),
  eitherWay('empty lines before a request', `\r\n\r\n${get('')}`, 'GET / HTTP/1.1'),
  eitherWay('letters outside of ASCII in the target', get('', '/\xe9'), 'GET /%C3%A9 HTTP/1.1'),
  passes('the absolute form against Host', 'GET http://app.test/x HTTP/1.1\r\nHost: one.test\r\n\r\n', 'GET /x HTTP/1.1'),
  refused('a fragment in the target', get('', '/a#b')),
]

const hops: readonly RawCase[] = [
  passes('Connection names Host', get('Connection: Host\r\n')),
  passes('Connection names the length', post('Connection: Content-Length\r\nContent-Length: 2\r\n', 'hi'), 'POST / HTTP/1.1'),
  passes(
    'Connection names X-Forwarded-For',
    get('Connection: X-Forwarded-For, X-Forwarded-Host\r\nX-Forwarded-For: 203.0.113.9\r\n'),
  ),
  passes('an upgrade to h2c is none', get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n')),
  refused(
    'a request behind an upgrade with a length',
    post(`Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: ${hidden.length}\r\n`, hidden),
    [200, 400, 501, 0],
  ),
  passes('two requests in a row', get('', '/1') + get('', '/2'), 'GET /1 HTTP/1.1', 'GET /2 HTTP/1.1'),
  passes(
    'a request behind a body',
    `${post('Content-Length: 2\r\n', 'hi')}${get('', '/2')}`,
    'POST / HTTP/1.1',
    'GET /2 HTTP/1.1',
  ),
  passes(
    'a request behind a body of GET',
    `${get('Content-Length: 2\r\n')}hi${get('', '/2')}`,
    'GET / HTTP/1.1',
    'GET /2 HTTP/1.1',
  ),
  eitherWay(
    'an expectation that is none',
    post('Expect: the-unexpected\r\nContent-Length: 0\r\n', ''),
    'POST / HTTP/1.1',
    [417, 200],
  ),
]

export const rawCases: readonly RawCase[] = [...framing, ...chunks, ...heads, ...hops]
