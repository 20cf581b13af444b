// Clients that send slowly, too much, or no HTTP: they are cut off, and others are served meanwhile.
import { connect, type TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { makeAuthority } from './authority.ts'
import { startHttpServer } from './http-server.ts'
import { throwTrouble } from './trouble.ts'

const authority = await makeAuthority(systemClock.now(), ['127.0.0.1'])

async function served(use: (open: () => Promise<TLSSocket>, clock: VirtualClock) => Promise<void>): Promise<void> {
  const clock = new VirtualClock(0)
  const server = await startHttpServer(
    request => Promise.resolve({ kind: 'whole', status: 200, headers: {}, body: `${request.body.byteLength} bytes` }),
    authority.server,
    { port: 0, bind: '127.0.0.1', clock, onTrouble: throwTrouble },
  )
  try {
    await use(() => opened(server.port), clock)
  } finally {
    await server.close()
  }
}

function opened(port: number): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate, ALPNProtocols: ['http/1.1'] }, () =>
    resolve(socket),
  )
  socket.once('error', reject)
  return promise
}

/** What comes back until `enough` of it or the end. */
function received(socket: TLSSocket, enough: RegExp): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  let text = ''
  socket.on('data', data => {
    text += data.toString()
    if (enough.test(text)) resolve(text)
  })
  socket.once('close', () => resolve(text))
  socket.on('error', () => resolve(text))
  return promise
}

const never = /^$/

test('a body that does not go on is cut off after a minute, and others are served meanwhile', () =>
  served(async (open, clock) => {
    const [slow, quick] = [await open(), await open()]
    const ended = received(slow, never)
    slow.write('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{"half"')
    quick.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await received(quick, /bytes/)).toContain('0 bytes')
    // The body has arrived where its end is waited for.
    while (clock.pending === 0) await new Promise(resolve => setImmediate(resolve))
    await clock.advance(59_000)
    expect(slow.closed).toBe(false)
    await clock.advance(1_000)
    expect(await ended).toBe('')
  }))

test.each([
  ['a length beyond the limit', `Content-Length: ${4 * 1024 * 1024}\r\n\r\n`, /413.*RequestEntityTooLarge/s],
  [
    'chunks beyond the limit',
    `Transfer-Encoding: chunked\r\n\r\n${`fffff\r\n${'x'.repeat(0xfffff)}\r\n`.repeat(4)}`,
    /413.*RequestEntityTooLarge/s,
  ],
])('%s is refused before it has come', (_name, rest, expected) =>
  served(async open => {
    const socket = await open()
    const answer = received(socket, expected)
    socket.write(`POST /a HTTP/1.1\r\nHost: a\r\n${rest}`)
    expect(await answer).toMatch(expected)
    socket.destroy()
  }),
)

test.each([
  ['no HTTP', '\x16\x03\x01\x00\r\n\r\n', '400 Bad Request'],
  ['a header of 2 MB', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(2_000_000)}\r\n\r\n`, '431 Request Header Fields Too Large'],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 'missing required Host header'],
])('%s is answered and hung up on', (_name, bytes, expected) =>
  served(async open => {
    const socket = await open()
    const answer = received(socket, never)
    socket.write(bytes)
    expect(await answer).toContain(expected)
  }),
)
