import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  request,
  type Server,
} from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { isByHaproxy } from '#test/gateway-data-plane.ts'
import { loopbackGateway, routeTo, serviceObjects } from '#test/loopback-gateway.ts'

/** A target on a port of this machine. */
async function target(listener: RequestListener): Promise<{ readonly port: number; readonly server: Server } & AsyncDisposable> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Asked {
  readonly port: number
  readonly host: string
  readonly path?: string
  readonly method?: string
  readonly headers?: Record<string, string | string[]>
  readonly body?: string
}

async function ask({ port, host, path = '/', method = 'GET', headers = {}, body }: Asked) {
  const asked = request({ port, host: '127.0.0.1', path, method, headers: { host, ...headers }, agent: false })
  asked.end(body)
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += chunk
  return { status: response.statusCode, headers: response.headers, text, trailers: response.trailers }
}

/** Turns of the event loop until it holds: other sockets of this process have their say meanwhile. */
async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200_000; turn++) {
    if (holds()) return
    await new Promise<void>(resolve => setImmediate(resolve))
  }
  throw new Error('it never came to hold')
}

describe('a warm target', () => {
  it('gets the request as it came, with who asked, and its answer goes back', async () => {
    let got: { headers: IncomingHttpHeaders; url: string; method: string; body: string } | undefined
    await using app = await target(async (req, res) => {
      let body = ''
      for await (const chunk of req) body += chunk
      got = { headers: req.headers, url: req.url ?? '', method: req.method ?? '', body }
      res.writeHead(201, 'Made', { 'x-own': ['a', 'b'], connection: 'x-hop', 'x-hop': '1', trailer: 'x-after' })
      res.write('hello ')
      res.addTrailers({ 'x-after': 'end' })
      res.end('world')
    })
    await using gateway = await loopbackGateway({ routes: [routeTo('app')], objects: serviceObjects('app', [app]) })
    const answer = await ask({
      port: gateway.port,
      host: 'App.test:8080',
      path: '/a%20b?c=d',
      method: 'POST',
      body: 'ping',
      headers: {
        'x-forwarded-for': '10.1.1.1',
        connection: 'x-secret',
        'x-secret': '1',
        'proxy-authorization': 'x',
        'x-kept': 'yes',
      },
    })
    expect(answer).toMatchObject({ status: 201, text: 'hello world', trailers: { 'x-after': 'end' } })
    expect(answer.headers).toMatchObject({ 'x-own': 'a, b', 'x-keda-http-cold-start': 'false' })
    expect(answer.headers).not.toHaveProperty('x-hop')
    expect(got).toMatchObject({ url: '/a%20b?c=d', method: 'POST', body: 'ping' })
    expect(got?.headers).toMatchObject({
      host: 'App.test:8080',
      'x-forwarded-for': '10.1.1.1, 127.0.0.1',
      'x-forwarded-host': 'App.test:8080',
      'x-forwarded-proto': 'http',
      'x-kept': 'yes',
    })
    expect(Object.keys(got?.headers ?? {})).not.toEqual(expect.arrayContaining(['x-secret']))
    expect(got?.headers).not.toHaveProperty('proxy-authorization')
    expect(gateway.counts.of('default/app')).toMatchObject({ concurrency: 0, total: 1 })
  })

  it('says 404 where no route is, and 500 where the port is none', async () => {
    await using gateway = await loopbackGateway({
      routes: [routeTo('app', { target: { service: 'app', portName: 'other' } })],
      objects: serviceObjects('app', [{ port: 1 }]),
    })
    expect(await ask({ port: gateway.port, host: 'else.test' })).toMatchObject({ status: 404, text: 'Not Found\n' })
    expect(await ask({ port: gateway.port, host: 'app.test' })).toMatchObject({ status: 500, text: 'Internal Server Error\n' })
    expect(gateway.counts.of('default/app').concurrency).toBe(0)
    expect(await gateway.registry.metrics()).toContain(
      'interceptor_request_count_total{code="500",method="GET",route_name="app",route_namespace="default"} 1',
    )
  })

  it.each(['HEAD', 'DELETE', 'OPTIONS', 'PROPFIND'])('%s goes through', async method => {
    let got = ''
    await using app = await target((req, res) => {
      got = req.method ?? ''
      res.writeHead(200, { 'content-length': '5' })
      res.end('hello')
    })
    await using gateway = await loopbackGateway({ routes: [routeTo('app')], objects: serviceObjects('app', [app]) })
    const answer = await ask({ port: gateway.port, host: 'app.test', method })
    expect(got).toBe(method)
    expect(answer).toMatchObject({ status: 200, text: method === 'HEAD' ? '' : 'hello' })
    expect(answer.headers['content-length']).toBe('5')
  })

  it('passes interim answers, and leave to send', async () => {
    await using app = await target((req, res) => {
      res.writeEarlyHints({ link: '</a.css>; rel=preload' })
      req.resume().on('end', () => res.end('done'))
    })
    app.server.on('checkContinue', (req, res) => {
      res.writeContinue()
      req.resume().on('end', () => res.end('continued'))
    })
    await using gateway = await loopbackGateway({ routes: [routeTo('app')], objects: serviceObjects('app', [app]) })
    const hints = request({ port: gateway.port, host: '127.0.0.1', headers: { host: 'app.test' }, agent: false })
    const informed = once(hints, 'information')
    const answered = once(hints, 'response')
    hints.end()
    expect((await informed)[0]).toMatchObject({ statusCode: 103, headers: { link: '</a.css>; rel=preload' } })
    const [first] = (await answered) as [IncomingMessage]
    first.resume()
    const waiting = request({
      port: gateway.port,
      host: '127.0.0.1',
      method: 'PUT',
      headers: { host: 'app.test', expect: '100-continue', 'content-length': '4' },
      agent: false,
    })
    waiting.flushHeaders()
    await once(waiting, 'continue')
    waiting.end('body')
    const [second] = (await once(waiting, 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of second) text += chunk
    expect(text).toBe('continued')
  })

  // HAProxy draws two by chance, and takes the one of fewer requests.
  it.skipIf(isByHaproxy)('takes turns among endpoints that are alike, and passes over the busy one', async () => {
    const seen: string[] = []
    await using one = await target((_req, res) => res.end('one'))
    await using two = await target((_req, res) => res.end('two'))
    await using gateway = await loopbackGateway({ routes: [routeTo('app')], objects: serviceObjects('app', [one, two]) })
    for (let turn = 0; turn < 4; turn++) seen.push((await ask({ port: gateway.port, host: 'app.test' })).text)
    expect(seen.toSorted()).toEqual(['one', 'one', 'two', 'two'])
  })

  it('cuts the client off where the target breaks off', async () => {
    await using app = await target((_req, res) => {
      res.writeHead(200, { 'content-length': '100' })
      res.write('part', () => res.destroy())
    })
    await using gateway = await loopbackGateway({ routes: [routeTo('app')], objects: serviceObjects('app', [app]) })
    await expect(ask({ port: gateway.port, host: 'app.test' })).rejects.toThrow(/aborted/)
    await until(() => gateway.counts.of('default/app').concurrency === 0)
  })

  it('says 502 where the target talks no HTTP, 504 where it says nothing', async () => {
    const rows = [
      ['nonsense\r\n\r\n', 502],
      ['', 504],
    ] as const
    for (const [says, status] of rows) {
      const { createServer: createRaw } = await import('node:net')
      const server = createRaw(socket => socket.on('error', () => undefined).once('data', () => says !== '' && socket.end(says)))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      await using gateway = await loopbackGateway({
        routes: [routeTo('app', { timeouts: { requestMs: 5_000 } })],
        objects: serviceObjects('app', [{ port }]),
      })
      const asked = ask({ port: gateway.port, host: 'app.test', method: 'POST', body: 'x' })
      if (status === 504) {
        await until(() => gateway.counts.of('default/app').concurrency === 1)
        await gateway.clock.advance(5_000)
      }
      expect(await asked).toMatchObject({ status })
      server.close()
    }
  })
})

describe('a cold target', () => {
  it('P4: is waited for, by the first first', async () => {
    const order: string[] = []
    await using app = await target((req, res) => {
      order.push(req.url ?? '')
      res.end(req.url)
    })
    await using gateway = await loopbackGateway({
      routes: [routeTo('app', { concurrency: 1, timeouts: { readinessMs: 20_000 } })],
    })
    gateway.set(serviceObjects('app', []))
    const asked = []
    for (const path of ['/1', '/2', '/3']) {
      asked.push(ask({ port: gateway.port, host: 'app.test', path }))
      await until(() => gateway.exchanges.room.waiting('default/app') === asked.length)
    }
    expect(gateway.counts.of('default/app').concurrency).toBe(3)
    await gateway.clock.advance(3_000)
    gateway.set(serviceObjects('app', [app]))
    const answers = await Promise.all(asked)
    expect(answers.map(({ text }) => text)).toEqual(['/1', '/2', '/3'])
    expect(order).toEqual(['/1', '/2', '/3'])
    expect(answers.every(({ headers }) => headers['x-keda-http-cold-start'] === 'true')).toBe(true)
    expect(gateway.counts.of('default/app').concurrency).toBe(0)
  })

  it('P4: is given up at its limit', async () => {
    await using gateway = await loopbackGateway({ routes: [routeTo('app', { timeouts: { readinessMs: 20_000 } })] })
    gateway.set(serviceObjects('app', []))
    const asked = ask({ port: gateway.port, host: 'app.test' })
    await until(() => gateway.exchanges.room.all === 1)
    await gateway.clock.advance(19_999)
    expect(gateway.exchanges.room.all).toBe(1)
    await gateway.clock.advance(1)
    expect(await asked).toMatchObject({ status: 504, text: 'Gateway Timeout\n' })
    expect(gateway.counts.of('default/app').concurrency).toBe(0)
  })

  it('P4: its fallback answers, after 30 s where nobody says when', async () => {
    await using fallback = await target((_req, res) => res.end('fallback'))
    const route = routeTo('app', { fallback: { service: 'spare', port: 80 } })
    await using gateway = await loopbackGateway({ routes: [route] })
    gateway.set([...serviceObjects('app', []), ...serviceObjects('spare', [fallback])])
    const asked = ask({ port: gateway.port, host: 'app.test', method: 'POST', body: 'kept' })
    await until(() => gateway.exchanges.room.all === 1)
    await gateway.clock.advance(30_000)
    const answer = await asked
    expect(answer).toMatchObject({ status: 200, text: 'fallback' })
    expect(answer.headers).not.toHaveProperty('x-keda-http-cold-start')
  })

  it('P5: 100 clients that leave are not counted any more', async () => {
    await using gateway = await loopbackGateway({ routes: [routeTo('app')] })
    gateway.set(serviceObjects('app', []))
    const sockets = Array.from({ length: 100 }, () => connect(gateway.port, '127.0.0.1'))
    for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n')
    await until(() => gateway.counts.of('default/app').concurrency === 100)
    for (const socket of sockets) socket.destroy()
    await until(() => gateway.counts.of('default/app').concurrency === 0)
    expect(gateway.exchanges.room.all).toBe(0)
  })

  it('takes no more than its queue, and says when to come again', async () => {
    await using gateway = await loopbackGateway({ routes: [routeTo('app', { mostPending: 1 })] })
    gateway.set(serviceObjects('app', []))
    const first = ask({ port: gateway.port, host: 'app.test' }).catch((error: unknown) => error)
    await until(() => gateway.exchanges.room.all === 1)
    const second = await ask({ port: gateway.port, host: 'app.test' })
    expect(second).toMatchObject({ status: 503, headers: { 'retry-after': '10' } })
    gateway.exchanges.endWaiting()
    expect(await first).toMatchObject({ status: 503 })
  })

  it('has a placeholder: it is given at once, and keeps the target starting for a while', async () => {
    const placeholder = { status: 503, headers: { 'x-a': 'b' }, body: 'soon' }
    await using app = await target((_req, res) => res.end('here'))
    await using gateway = await loopbackGateway({ routes: [routeTo('app', { placeholder })] })
    gateway.set(serviceObjects('app', []))
    expect(await ask({ port: gateway.port, host: 'app.test' })).toMatchObject({
      status: 503,
      text: 'soon',
      headers: { 'x-a': 'b' },
    })
    expect(gateway.counts.of('default/app').concurrency).toBe(1)
    await gateway.clock.advance(30_000)
    expect(gateway.counts.of('default/app').concurrency).toBe(0)
    await ask({ port: gateway.port, host: 'app.test' })
    gateway.set(serviceObjects('app', [app]))
    expect(gateway.counts.of('default/app').concurrency).toBe(0)
    expect(await ask({ port: gateway.port, host: 'app.test' })).toMatchObject({ status: 200, text: 'here' })
  })

  it('has answers of its own that wake nobody', async () => {
    const rules = [{ hosts: [], paths: ['/healthz'], headers: [] }]
    const staticRoutes = [{ rules, answer: { status: 200, headers: {}, body: 'ok' }, mode: 'WhenUnavailable' as const }]
    await using app = await target((_req, res) => res.end('own'))
    await using gateway = await loopbackGateway({ routes: [routeTo('app', { staticRoutes })] })
    gateway.set(serviceObjects('app', []))
    expect(await ask({ port: gateway.port, host: 'app.test', path: '/healthz' })).toMatchObject({ status: 200, text: 'ok' })
    expect(gateway.counts.of('default/app')).toMatchObject({ concurrency: 0, total: 0 })
    gateway.set(serviceObjects('app', [app]))
    expect(await ask({ port: gateway.port, host: 'app.test', path: '/healthz' })).toMatchObject({ text: 'own' })
  })

  it('tries again where an endpoint is ready before it listens', async () => {
    await using app = await target((_req, res) => res.end('here'))
    const { port } = app
    await using gateway = await loopbackGateway({ routes: [routeTo('app')], objects: serviceObjects('app', [{ port: 9 }]) })
    const asked = ask({ port: gateway.port, host: 'app.test', method: 'POST', body: 'whole' })
    await until(() => gateway.arrived() === 1)
    for (let turn = 0; turn < 3; turn++) await gateway.clock.advance(50)
    gateway.set(serviceObjects('app', [{ port }]))
    const settled = { isSo: false }
    void asked.then(() => {
      settled.isSo = true
    })
    while (!settled.isSo) await gateway.clock.advance(50)
    expect(await asked).toMatchObject({ status: 200, text: 'here' })
  })
})

describe('a route that leads to the gateway itself', () => {
  it('ends with 508, and keeps nothing', async () => {
    // HAProxy as data plane has a limit of its own.
    await using gateway = await loopbackGateway({ routes: [routeTo('app')], dataPlane: 'builtin' })
    gateway.set(serviceObjects('app', [gateway]))
    const { status } = await ask({ port: gateway.port, host: 'app.test' })
    expect(status).toBe(508)
    expect(gateway.arrived()).toBe(34)
    await until(() => gateway.counts.of('default/app').concurrency === 0)
    expect(gateway.counts.of('default/app').total).toBe(33)
  })

  it('is told from a long way by its entries, however they are written', async () => {
    await using app = await target((_req, res) => res.end('here'))
    const options = { routes: [routeTo('app')], objects: serviceObjects('app', [app]), dataPlane: 'builtin' as const }
    await using gateway = await loopbackGateway(options)
    const hops = (many: number) => new Array<string>(many).fill('10.0.0.1').join(', ')
    const asked = { port: gateway.port, host: 'app.test' }
    expect(await ask({ ...asked, headers: { 'x-forwarded-for': hops(32) } })).toMatchObject({ status: 200 })
    expect(await ask({ ...asked, headers: { 'x-forwarded-for': [hops(20), hops(13)] } })).toMatchObject({ status: 508 })
  })
})

describe('other protocols', () => {
  it('P6: a WebSocket is counted while it is open, and its bytes pass', async () => {
    await using app = await target((_req, res) => res.end())
    app.server.on('upgrade', (req, socket, first: Buffer) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${req.headers.upgrade}\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Own: 1\r\n\r\n`,
      )
      if (first.length > 0) socket.write(first)
      socket.pipe(socket)
    })
    await using gateway = await loopbackGateway({ routes: [routeTo('app')], objects: serviceObjects('app', [app]) })
    const socket = connect(gateway.port, '127.0.0.1')
    socket.write(
      'GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    let got = ''
    socket.on('data', chunk => {
      got += chunk
    })
    await until(() => got.includes('\r\n\r\n'))
    expect(got).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/)
    expect(got.toLowerCase()).toContain('x-own: 1')
    for (let minute = 0; minute < 10; minute++) {
      await gateway.clock.advance(60_000)
      socket.write(`ping${minute}`)
      await until(() => got.includes(`ping${minute}`))
    }
    expect(gateway.counts.of('default/app')).toMatchObject({ concurrency: 1, quietMs: 0 })
    socket.destroy()
    await until(() => gateway.counts.of('default/app').concurrency === 0)
  })
})
