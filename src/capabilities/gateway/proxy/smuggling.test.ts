// Requests that two readers could read differently, as raw bytes against a target that writes down every byte it gets.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isByHaproxy } from '#test/gateway-data-plane.ts'
import { haproxyDifferences } from '#test/gateway-haproxy-differences.ts'
import { loopbackGateway, routeTo, serviceObjects } from '#test/loopback-gateway.ts'

interface Row {
  readonly name: string
  readonly sent: string
  /** What the client may get first. */
  readonly status: readonly number[]
  /** First lines that the target may see; nothing else. */
  readonly seen: readonly string[]
}

const host = 'Host: app.test\r\n'
const refused = (name: string, sent: string, status: readonly number[] = [400]): Row => ({ name, sent, status, seen: [] })
const passes = (name: string, sent: string, seen: readonly string[] = ['GET / HTTP/1.1']): Row => ({
  name,
  sent,
  status: [200],
  seen,
})
const hidden = 'GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n'
const post = (headers: string, body: string) => `POST / HTTP/1.1\r\n${host}${headers}\r\n${body}`

const rows: readonly Row[] = [
  refused('CL.TE', post(`Content-Length: ${5 + hidden.length}\r\nTransfer-Encoding: chunked\r\n`, `0\r\n\r\n${hidden}`)),
  refused('TE.CL', post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', `5c\r\n${hidden}\r\n0\r\n\r\n`)),
  refused(
    'two encodings',
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', `0\r\n\r\n${hidden}`),
    [400, 501],
  ),
  refused('an encoding with a strange name', post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${hidden}`), [400, 501]),
  refused('gzip before chunked', post('Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${hidden}`), [400, 501]),
  refused('chunked before gzip', post('Transfer-Encoding: chunked, gzip\r\n', `0\r\n\r\n${hidden}`), [400, 501]),
  refused('a space before the colon', post('Transfer-Encoding : chunked\r\n', `0\r\n\r\n${hidden}`)),
  refused('a tab before the colon', post('Transfer-Encoding\t: chunked\r\n', `0\r\n\r\n${hidden}`)),
  refused('a vertical tab in the encoding', post('Transfer-Encoding: \x0bchunked\r\n', `0\r\n\r\n${hidden}`), [400, 501]),
  refused('a folded encoding', post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${hidden}`), [400, 501]),
  refused('a folded header', `GET / HTTP/1.1\r\n${host}X-A: b\r\n c\r\n\r\n`),
  refused('a first line that begins with a space', ` GET / HTTP/1.1\r\n${host}\r\n`),
  refused('bare line feeds', 'GET / HTTP/1.1\nHost: app.test\n\n'),
  refused('a bare line feed in a header', `GET / HTTP/1.1\r\n${host}X-A: b\nX-B: c\r\n\r\n`),
  refused('a bare carriage return in a header', `GET / HTTP/1.1\r\n${host}X-A: b\rX-B: c\r\n\r\n`),
  refused('two lengths', post('Content-Length: 0\r\nContent-Length: 44\r\n', hidden)),
  refused('two lengths of nothing', post('Content-Length: 0\r\nContent-Length: 0\r\n', hidden)),
  refused('a list of lengths', post('Content-Length: 0, 44\r\n', hidden)),
  refused('a negative length', post('Content-Length: -1\r\n', hidden)),
  refused('a length with a sign', post('Content-Length: +0\r\n', hidden)),
  refused('a hexadecimal length', post('Content-Length: 0x0\r\n', hidden)),
  refused('a length past all numbers', post('Content-Length: 99999999999999999999999\r\n', hidden)),
  refused('two hosts', `GET / HTTP/1.1\r\n${host}Host: other.test\r\n\r\n`),
  refused('two equal hosts', `GET / HTTP/1.1\r\n${host}${host}\r\n`),
  refused('no host', 'GET / HTTP/1.1\r\n\r\n'),
  refused('a host with a path', 'GET / HTTP/1.1\r\nHost: app.test/x\r\n\r\n'),
  refused('a host with a user', 'GET / HTTP/1.1\r\nHost: a@app.test\r\n\r\n'),
  refused('a host with a space', 'GET / HTTP/1.1\r\nHost: app.test x\r\n\r\n'),
  refused('a NUL in a header', `GET / HTTP/1.1\r\n${host}X-A: b\0c\r\n\r\n`),
  refused('a NUL in a name', `GET / HTTP/1.1\r\n${host}X\0A: b\r\n\r\n`),
  refused('a NUL in the target', `GET /\0 HTTP/1.1\r\n${host}\r\n`),
  refused('a space in the target', `GET /a b HTTP/1.1\r\n${host}\r\n`),
  refused('a name that is no token', `GET / HTTP/1.1\r\n${host}X(A): b\r\n\r\n`),
  refused('no name', `GET / HTTP/1.1\r\n${host}: b\r\n\r\n`),
  refused('HTTP/0.9', 'GET /\r\n\r\n'),
  refused('a version that is none', `GET / HTTP/1.10\r\n${host}\r\n`),
  refused('version 3', `GET / HTTP/3.0\r\n${host}\r\n`, [400, 505]),
  refused('an encoding in HTTP/1.0', `POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`),
  refused('a chunk size with a sign', post('Transfer-Encoding: chunked\r\n', `+0\r\n\r\n${hidden}`)),
  refused('a chunk size with 0x', post('Transfer-Encoding: chunked\r\n', `0x0\r\n\r\n${hidden}`)),
  refused('a chunk size past all numbers', post('Transfer-Encoding: chunked\r\n', `fffffffffffffffff\r\nx\r\n0\r\n\r\n`)),
  refused('a chunk that is longer than its size', post('Transfer-Encoding: chunked\r\n', `1\r\nxx\r\n0\r\n\r\n`)),
  refused('a chunk size that ends with a line feed', post('Transfer-Encoding: chunked\r\n', `1\nx\r\n0\r\n\r\n`)),
  refused(
    'a body behind an upgrade',
    `POST / HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 44\r\n\r\n${hidden}`,
  ),
  refused('CONNECT', 'CONNECT other.test:443 HTTP/1.1\r\nHost: other.test\r\n\r\n', [405]),
  refused('a star for GET', `GET * HTTP/1.1\r\n${host}\r\n`),
  refused('a target without a slash', `GET x HTTP/1.1\r\n${host}\r\n`),
  refused('a broken escape', `GET /%zz HTTP/1.1\r\n${host}\r\n`),
  refused('headers of a mebibyte', `GET / HTTP/1.1\r\n${host}X-A: ${'a'.repeat(1024 * 1024)}\r\n\r\n`, [431]),
  refused('a target of 128 KiB', `GET /${'a'.repeat(128 * 1024)} HTTP/1.1\r\n${host}\r\n`, [414, 431]),
  refused('an expectation that is none', post('Expect: the-unexpected\r\nContent-Length: 0\r\n', ''), [417]),
  passes('the absolute form counts more than Host', 'GET http://app.test/x HTTP/1.1\r\nHost: other.test\r\n\r\n', [
    'GET /x HTTP/1.1',
  ]),
  passes('two requests in a row are two', `GET /1 HTTP/1.1\r\n${host}\r\nGET /2 HTTP/1.1\r\n${host}\r\n`, [
    'GET /1 HTTP/1.1',
    'GET /2 HTTP/1.1',
  ]),
  passes('a request behind a body is one of its own', `${post('Content-Length: 1\r\n', 'x')}GET /2 HTTP/1.1\r\n${host}\r\n`, [
    'POST / HTTP/1.1',
    'GET /2 HTTP/1.1',
  ]),
  passes('an extension of a chunk', post('Transfer-Encoding: chunked\r\n', '1;a=b\r\nx\r\n0\r\n\r\n'), ['POST / HTTP/1.1']),
  passes(
    'an upgrade to h2c is none',
    `GET / HTTP/1.1\r\n${host}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
  ),
  passes('Connection names what must stay', `GET / HTTP/1.1\r\n${host}Connection: Host, Content-Length\r\n\r\n`),
]

describe('raw bytes', () => {
  let target: { readonly port: number; readonly lines: string[]; readonly texts: string[]; end(): void }
  let gateway: Awaited<ReturnType<typeof loopbackGateway>>

  beforeAll(async () => {
    const lines: string[] = []
    const texts: string[] = []
    const server = createServer(socket => answerAll(socket, lines, texts))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    target = { port: (server.address() as AddressInfo).port, lines, texts, end: () => void server.close() }
    gateway = await loopbackGateway({ routes: [routeTo('app')], objects: serviceObjects('app', [target]) })
  })
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]()
    target.end()
  })

  it.each(rows)('$name', async ({ name, sent, ...expected }) => {
    const { statuses: status = expected.status, seen = expected.seen } =
      (isByHaproxy ? haproxyDifferences[name] : undefined) ?? {}
    target.lines.length = 0
    target.texts.length = 0
    const socket = connect(gateway.port, '127.0.0.1')
    let got = ''
    socket.on('data', chunk => {
      got += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.write(Buffer.from(sent, 'latin1'))
    const answers = () => got.match(/HTTP\/1\.1 \d{3}/g) ?? []
    for (let turn = 0; turn < 20_000 && answers().length < Math.max(1, seen.length) && !socket.closed; turn++)
      await new Promise<void>(resolve => setImmediate(resolve))
    // What it might still pass on has its turn.
    for (let turn = 0; turn < 20; turn++) await new Promise<void>(resolve => setImmediate(resolve))
    socket.destroy()
    expect(status).toContain(Number(answers()[0]?.slice(9)))
    expect(target.lines.toSorted()).toEqual(seen.map(line => line.replace('/hidden', '/smuggled')).toSorted())
    expect(target.texts.join('')).not.toMatch(/[^\r]\n/)
    if (status[0] !== 200) expect(answers()).toHaveLength(1)
  })
})

/** Answers each request that is whole; one it cannot read it does not answer, and what is read stays in `texts`. */
function answerAll(socket: Socket, lines: string[], texts: string[]): void {
  let text = ''
  socket.on('error', () => undefined)
  socket.on('data', chunk => {
    text += chunk.toString('latin1')
    texts.push(chunk.toString('latin1'))
    for (;;) {
      const end = text.indexOf('\r\n\r\n')
      if (end === -1) return
      const head = text.slice(0, end)
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
      const isChunked = /\r\ntransfer-encoding: chunked/i.test(head)
      const rest = text.slice(end + 4)
      const bodyEnd = isChunked ? rest.indexOf('0\r\n\r\n') + 5 : length
      if (isChunked ? bodyEnd < 5 : rest.length < length) return
      lines.push(head.slice(0, head.indexOf('\r\n')))
      text = rest.slice(bodyEnd)
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    }
  })
}
