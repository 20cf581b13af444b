// What is sent to a target again, and what is not: targets that break connections as they read a request.
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { loopbackGateway, routeTo, serviceObjects } from '#test/loopback-gateway.ts'

type End = (socket: Socket) => void
const ends: Readonly<Record<string, End>> = {
  'ends the connection': socket => void socket.end(),
  'resets the connection': socket => void socket.resetAndDestroy(),
}

interface Target extends Disposable {
  readonly port: number
  /** Requests of each connection. */
  readonly asked: number[]
}

async function listening(server: Server, asked: number[]): Promise<Target> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { port: (server.address() as AddressInfo).port, asked, [Symbol.dispose]: () => void server.close() }
}

/** `onRequest` gets each request with its place on its connection. */
async function http1(onRequest: (socket: Socket, at: number) => void): Promise<Target> {
  const asked: number[] = []
  const server = createServer(socket => {
    const at = asked.push(0) - 1
    let got = ''
    socket.setEncoding('latin1').on('error', () => undefined)
    socket.on('data', (text: string) => {
      got += text
      for (let end = got.indexOf('\r\n\r\n'); end !== -1; end = got.indexOf('\r\n\r\n')) {
        got = got.slice(end + 4)
        asked[at] = (asked[at] ?? 0) + 1
        onRequest(socket, asked[at])
      }
    })
  })
  return await listening(server, asked)
}

async function h2c(onRequest: (socket: Socket, at: number, answer: () => void) => void): Promise<Target> {
  const asked: number[] = []
  const sockets: Socket[] = []
  const server = createHttp2Server()
  server.on('connection', (socket: Socket) => {
    sockets.push(socket)
    asked.push(0)
    socket.on('error', () => undefined)
  })
  server.on('sessionError', () => undefined)
  server.on('stream', stream => {
    const at = asked.length - 1
    asked[at] = (asked[at] ?? 0) + 1
    stream.on('error', () => undefined)
    const answer = () => {
      stream.respond({ ':status': 200 })
      stream.end('here')
    }
    const socket = sockets[at]
    if (socket !== undefined) onRequest(socket, asked[at], answer)
  })
  return await listening(server, asked)
}

const answer: End = socket => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere')

/** Whose requests reach the targets by the gateway's own hands. */
const by = (target: Target, appProtocol?: string) =>
  loopbackGateway({
    routes: [routeTo('app')],
    objects: serviceObjects('app', [target], appProtocol === undefined ? {} : { appProtocol }),
    dataPlane: 'builtin',
  })

async function ask(port: number, method = 'GET'): Promise<number | undefined> {
  const asked = request({ port, host: '127.0.0.1', method, headers: { host: 'app.test' }, agent: false }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  await once(response.resume(), 'end')
  return response.statusCode
}

describe.each(Object.entries(ends))('a target that %s', (_name, end) => {
  it('as it reads a request of a new connection gets that once', async () => {
    using app = await http1(socket => end(socket))
    await using gateway = await by(app)
    expect(await ask(gateway.port)).toBe(502)
    expect(app.asked).toEqual([1])
  })

  it('as a kept connection is used again gets a harmless request by another', async () => {
    using app = await http1((socket, at) => (at === 2 ? end(socket) : answer(socket)))
    await using gateway = await by(app)
    expect(await ask(gateway.port)).toBe(200)
    expect(await ask(gateway.port)).toBe(200)
    expect(app.asked).toEqual([2, 1])
  })

  it('as a kept connection is used again gets no other request twice', async () => {
    using app = await http1((socket, at) => (at === 2 ? end(socket) : answer(socket)))
    await using gateway = await by(app)
    expect(await ask(gateway.port)).toBe(200)
    expect(await ask(gateway.port, 'DELETE')).toBe(502)
    expect(app.asked).toEqual([2])
  })
})

describe('a target that speaks h2c and resets the connection', () => {
  it('as it reads a request of a new one gets that once', async () => {
    using app = await h2c(socket => void socket.resetAndDestroy())
    await using gateway = await by(app, 'kubernetes.io/h2c')
    expect(await ask(gateway.port)).toBe(502)
    expect(app.asked).toEqual([1])
  })

  it('that was kept gets a harmless request by another', async () => {
    using app = await h2c((socket, at, respond) => (at === 2 ? void socket.resetAndDestroy() : respond()))
    await using gateway = await by(app, 'kubernetes.io/h2c')
    expect(await ask(gateway.port)).toBe(200)
    expect(await ask(gateway.port)).toBe(200)
    expect(app.asked).toEqual([2, 1])
  })
})
