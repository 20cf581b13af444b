// HTTP/2 on both sides, TLS by name, the PROXY protocol, and the end of a process under way: over real sockets.
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2, constants, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { connect as connectTls, createSecureContext } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { isByHaproxy } from '#test/gateway-data-plane.ts'
import { loopbackGateway, routeTo, serviceObjects } from '#test/loopback-gateway.ts'
import { proxyHeader } from './proxy-protocol.ts'

interface Listening {
  listen(port: number, host: string): unknown
  address(): unknown
  close(): unknown
}

async function portOf(server: Listening & NodeJS.EventEmitter): Promise<{ readonly port: number } & Disposable> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, [Symbol.dispose]: () => void server.close() }
}

interface Answer {
  status: number
  headers: Record<string, unknown>
  text: string
  trailers: Record<string, unknown>
}

async function ask2(session: ClientHttp2Session, headers: Record<string, string>, body?: string): Promise<Answer> {
  const stream = session.request(headers, { endStream: body === undefined })
  const answer: Answer = { status: 0, headers: {}, text: '', trailers: {} }
  stream.on('response', fields => Object.assign(answer, { status: Number(fields[':status']), headers: { ...fields } }))
  stream.on('trailers', fields => Object.assign(answer, { trailers: { ...fields } }))
  stream.setEncoding('utf8')
  stream.on('data', chunk => {
    answer.text += chunk
  })
  if (body !== undefined) stream.end(body)
  await once(stream, 'close')
  return answer
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 20_000; turn++) {
    if (await holds()) return
    await new Promise<void>(resolve => setImmediate(resolve))
  }
  throw new Error('it never came to hold')
}

/** Nobody takes connections there any more. */
async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
  } finally {
    socket.destroy()
  }
}

describe('HTTP/2', () => {
  it('comes in by its preface, and goes on as HTTP/1.1', async () => {
    let got: { readonly headers: NodeJS.Dict<string | string[]>; readonly url: string | undefined } | undefined
    using app = await portOf(
      createServer((req, res) => {
        got = { headers: req.headers, url: req.url }
        req.resume().on('end', () => {
          res.writeHead(200, { trailer: 'x-after', connection: 'x-hop', 'x-hop': '1' })
          res.write('hello')
          res.addTrailers({ 'x-after': 'end' })
          res.end()
        })
      }),
    )
    await using gateway = await loopbackGateway({ routes: [routeTo('app')], objects: serviceObjects('app', [app]) })
    const session = connectHttp2(`http://127.0.0.1:${gateway.port}`)
    const answer = await ask2(
      session,
      { ':method': 'POST', ':path': '/a?b', ':authority': 'app.test', cookie: 'a=1', 'x-own': 'yes' },
      'body',
    )
    expect(answer).toMatchObject({ status: 200, text: 'hello', trailers: { 'x-after': 'end' } })
    expect(answer.headers).not.toHaveProperty('x-hop')
    expect(got).toMatchObject({
      url: '/a?b',
      headers: {
        host: 'app.test',
        cookie: 'a=1',
        'x-own': 'yes',
        'x-forwarded-host': 'app.test',
        'transfer-encoding': 'chunked',
      },
    })
    const lost = await ask2(session, { ':path': '/', ':authority': 'else.test' })
    expect(lost.status).toBe(404)
    const split = await ask2(session, { ':path': '/', ':authority': 'app.test', host: 'else.test' })
    // HAProxy lets :authority count more.
    expect(split.status).toBe(isByHaproxy ? 200 : 400)
    session.close()
  })

  it('gRPC passes: bytes both ways at once, and trailers behind them', async () => {
    const server = createHttp2Server()
    server.on('stream', (stream, headers) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', te: String(headers['te']) }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine' }))
      stream.pipe(stream)
    })
    using app = await portOf(server)
    await using gateway = await loopbackGateway({
      routes: [routeTo('app')],
      objects: serviceObjects('app', [app], { appProtocol: 'kubernetes.io/h2c' }),
    })
    const session = connectHttp2(`http://127.0.0.1:${gateway.port}`)
    const stream = session.request({ ':method': 'POST', ':path': '/pkg.Service/Call', ':authority': 'app.test', te: 'trailers' })
    const said: string[] = []
    let trailers: object = {}
    stream.setEncoding('utf8')
    stream.on('data', chunk => said.push(String(chunk)))
    stream.on('trailers', fields => {
      trailers = { ...fields }
    })
    for (const word of ['one', 'two', 'three']) {
      stream.write(word)
      await until(() => said.join('').endsWith(word))
    }
    expect(gateway.counts.of('default/app').concurrency).toBe(1)
    stream.end()
    await once(stream, 'close')
    expect(trailers).toMatchObject({ 'grpc-status': '0', 'grpc-message': 'fine' })
    await until(() => gateway.counts.of('default/app').concurrency === 0)
    session.close()
  })

  it('a call of gRPC that fails at once ends with its head', async () => {
    const server = createHttp2Server()
    server.on('stream', stream => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '2' }, { endStream: true })
    })
    using app = await portOf(server)
    await using gateway = await loopbackGateway({
      routes: [routeTo('app')],
      objects: serviceObjects('app', [app], { appProtocol: 'kubernetes.io/h2c' }),
    })
    const session = connectHttp2(`http://127.0.0.1:${gateway.port}`)
    const stream = session.request({ ':method': 'POST', ':path': '/a/b', ':authority': 'app.test', te: 'trailers' })
    stream.resume().end('call')
    const [headers, flags] = (await once(stream, 'response')) as [Record<string, unknown>, number]
    expect(headers['grpc-status']).toBe('2')
    expect(flags & constants.NGHTTP2_FLAG_END_STREAM).not.toBe(0)
    session.destroy()
  })

  it('a target of HTTP/2 that is away is tried again, one that breaks off says so', async () => {
    const broken: { off?: () => void } = {}
    const server = createHttp2Server()
    server.on('stream', stream => {
      stream.on('error', () => undefined)
      stream.respond({ ':status': 200 })
      stream.write('part')
      broken.off = () => stream.session?.destroy()
    })
    using app = await portOf(server)
    await using gateway = await loopbackGateway({ routes: [routeTo('app')] })
    gateway.set(serviceObjects('app', [{ port: 9 }], { appProtocol: 'kubernetes.io/h2c' }))
    const asked = new Promise<string>(resolve => {
      const req = request({ port: gateway.port, host: '127.0.0.1', headers: { host: 'app.test' }, agent: false }, res => {
        res.on('data', () => broken.off?.()).on('error', error => resolve(error.message))
        res.on('end', () => resolve('whole'))
      })
      req.on('error', error => resolve(error.message))
      req.end()
    })
    const ended = { isSo: false }
    void asked.then(() => {
      ended.isSo = true
    })
    await gateway.clock.advance(100)
    gateway.set(serviceObjects('app', [app], { appProtocol: 'kubernetes.io/h2c' }))
    while (!ended.isSo) await gateway.clock.advance(50)
    expect(await asked).toMatch(/aborted|hang up/)
  })
})

describe('TLS', () => {
  it('shows the certificate of the name, speaks what was agreed on, and takes another pair', async () => {
    const nowMs = Date.now()
    const authority = await issueAuthority({ commonName: 'test-ca', nowMs, lifeMs: 3_600_000 })
    const leaf = (name: string) =>
      issueLeaf(authority, { commonName: name, dnsNames: [name], usages: ['server'], nowMs, lifeMs: 3_600_000 })
    const [first, other, later] = [await leaf('first.test'), await leaf('app.test'), await leaf('later.test')]
    const options = (pair: typeof first) => ({
      cert: pair.certificate,
      key: pair.key,
      SNICallback: (name: string, done: (error: Error | null, context?: ReturnType<typeof createSecureContext>) => void) =>
        done(null, name === 'app.test' ? createSecureContext({ cert: other.certificate, key: other.key }) : undefined),
    })
    using app = await portOf(createServer((req, res) => res.end(`${req.headers['x-forwarded-proto']}`)))
    await using gateway = await loopbackGateway({
      routes: [routeTo('app')],
      objects: serviceObjects('app', [app]),
      tls: options(first),
    })
    const shown = async (servername: string) => {
      const socket = connectTls({
        port: gateway.port,
        host: '127.0.0.1',
        ca: authority.certificate,
        servername,
        ALPNProtocols: ['http/1.1'],
      })
      socket.on('error', () => undefined)
      await once(socket, 'secureConnect')
      const name = String(socket.getPeerCertificate().subject.CN)
      socket.destroy()
      return name
    }
    expect(await shown('app.test')).toBe('app.test')
    expect(await shown('first.test')).toBe('first.test')
    gateway.tlsDoor?.useTls(options(later))
    expect(await shown('later.test')).toBe('later.test')
    const session = connectHttp2(`https://127.0.0.1:${gateway.port}`, { ca: authority.certificate, servername: 'app.test' })
    expect(await ask2(session, { ':path': '/', ':authority': 'app.test' })).toMatchObject({ status: 200, text: 'https' })
    session.close()
  })
})

describe('the PROXY protocol', () => {
  const v2 = Buffer.concat([
    Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0, 12]),
    Buffer.from([10, 1, 2, 3, 10, 9, 9, 9, 0x1f, 0x90, 0, 80]),
  ])

  it.each<[string, Buffer, object]>([
    ['a line', Buffer.from('PROXY TCP4 10.1.2.3 10.9.9.9 8080 80\r\nGET'), { kind: 'read', bytes: 38, address: '10.1.2.3' }],
    ['IPv6', Buffer.from('PROXY TCP6 2001:db8::1 ::1 1 2\r\n'), { kind: 'read', bytes: 32, address: '2001:db8::1' }],
    ['nobody', Buffer.from('PROXY UNKNOWN\r\n'), { kind: 'read', bytes: 15, address: undefined }],
    ['half a line', Buffer.from('PROXY TCP4 10.'), { kind: 'unfinished' }],
    ['nothing yet', Buffer.from('PR'), { kind: 'unfinished' }],
    ['a request', Buffer.from('GET / HTTP/1.1\r\n'), { kind: 'wrong' }],
    ['no address', Buffer.from('PROXY TCP4 evil.test 10.9.9.9 1 2\r\n'), { kind: 'wrong' }],
    ['a line without end', Buffer.from(`PROXY TCP4 ${'1'.repeat(120)}`), { kind: 'wrong' }],
    ['version 2', v2, { kind: 'read', bytes: 28, address: '10.1.2.3' }],
    ['half of version 2', v2.subarray(0, 20), { kind: 'unfinished' }],
    ['its beginning', v2.subarray(0, 5), { kind: 'unfinished' }],
    ['version 3', Buffer.concat([v2.subarray(0, 12), Buffer.from([0x31, 0x11, 0, 0])]), { kind: 'wrong' }],
    ['one that is too long', Buffer.concat([v2.subarray(0, 14), Buffer.from([0xff, 0xff])]), { kind: 'wrong' }],
  ])('reads %s', (_name, bytes, expected) => expect(proxyHeader(bytes)).toMatchObject(expected))

  it('says who the client is, in pieces too', async () => {
    using app = await portOf(createServer((req, res) => res.end(String(req.headers['x-forwarded-for']))))
    await using gateway = await loopbackGateway({
      routes: [routeTo('app')],
      objects: serviceObjects('app', [app]),
      proxyProtocol: true,
    })
    const socket = connect(gateway.port, '127.0.0.1')
    let got = ''
    socket.on('data', chunk => {
      got += chunk
    })
    const parts = ['PROXY TCP4 192.0.2.', '7 10.9.9.9 8080 80\r', '\nGET / HT', 'TP/1.1\r\nHost: app.test\r\n\r\n']
    // HAProxy wants the header in one piece, as the protocol lets it.
    for (const part of isByHaproxy ? [parts.join('')] : parts) {
      socket.write(part)
      await new Promise<void>(resolve => setImmediate(resolve))
    }
    await until(() => got.endsWith('192.0.2.7'))
    socket.destroy()
    const stranger = connect(gateway.port, '127.0.0.1')
    stranger.on('error', () => undefined)
    stranger.write('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n')
    await new Promise<void>(resolve => void stranger.on('close', () => resolve()))
    if (!isByHaproxy) expect(gateway.refused.at(-1)).toMatchObject({ reason: 'no PROXY header' })
  })
})

describe('the end', () => {
  it('P8: what is under way is ended, connections are not kept', async () => {
    const held: { end?: () => void } = {}
    using app = await portOf(
      createServer((_req, res) => {
        res.write('first ')
        held.end = () => res.end('last')
      }),
    )
    await using gateway = await loopbackGateway({ routes: [routeTo('app')], objects: serviceObjects('app', [app]) })
    const asked = new Promise<{ text: string; connection: unknown }>((resolve, reject) => {
      const req = request(
        { port: gateway.port, host: '127.0.0.1', headers: { host: 'app.test', connection: 'keep-alive' } },
        res => {
          let text = ''
          res.on('data', chunk => {
            text += chunk
          })
          res.on('end', () => resolve({ text, connection: res.headers.connection }))
        },
      )
      req.on('error', reject)
      req.end()
    })
    await until(() => held.end !== undefined)
    gateway.end()
    const closed = gateway.traffic.close(60_000, new AbortController().signal)
    await until(() => isRefused(gateway.port))
    held.end?.()
    expect((await asked).text).toBe('first last')
    await until(() => gateway.counts.all === 0)
    await closed
  })
})
