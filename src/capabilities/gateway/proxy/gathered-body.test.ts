// Bodies in pieces of one byte: what they take while nobody reads them, and that they arrive whole.
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { loopbackGateway, routeTo, serviceObjects } from '#test/loopback-gateway.ts'
import { gatherPieces } from './gathered-body.ts'

const window = 64 * 1024
const count = 20_000
const letters = Buffer.from(Array.from({ length: count }, (_, at) => 97 + (at % 26)))

/** A stream that is fed by `push`, as Node feeds requests; `asked`: how often it wanted more. */
function fed() {
  const seen = { asked: 0 }
  const body = new Readable({ read: () => void seen.asked++ })
  gatherPieces(body, window)
  return { body, seen }
}

function pieces(body: Readable): number {
  return (Reflect.get(body, '_readableState') as { buffer: { length: number } }).buffer.length
}

async function turns(many = 20): Promise<void> {
  for (let turn = 0; turn < many; turn++) await new Promise<void>(resolve => setImmediate(resolve))
}

async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200_000; turn++) {
    if (holds()) return
    await new Promise<void>(resolve => setImmediate(resolve))
  }
  throw new Error('it never came to hold')
}

describe('a body that nobody takes', () => {
  it('asks for nothing, is one piece, and holds the client back at its window', async () => {
    const { body, seen } = fed()
    let isTaken = true
    let given = 0
    for (; isTaken && given <= window; given++) {
      isTaken = body.push(letters.subarray(given % count, (given % count) + 1))
      if (given % 5_000 === 0) await turns(2)
    }
    expect(given).toBe(window)
    expect(seen.asked).toBe(0)
    expect(pieces(body)).toBe(0)
    body.push(null)
    expect(pieces(body)).toBe(1)
    expect((await text(body)).length).toBe(window)
  })

  it('joins what came before', async () => {
    const body = new Readable({ read: () => undefined })
    for (let at = 0; at < 100; at++) body.push(letters.subarray(at, at + 1))
    gatherPieces(body, window)
    expect(pieces(body)).toBe(1)
    body.push(letters.subarray(100))
    body.push(null)
    expect(await text(body)).toBe(letters.toString())
  })

  it('joins what came before its end', async () => {
    const body = new Readable({ read: () => undefined })
    for (let at = 0; at < count; at++) body.push(letters.subarray(at, at + 1))
    body.push(null)
    gatherPieces(body, window)
    expect(pieces(body)).toBe(1)
    expect(await text(body)).toBe(letters.toString())
  })

  it('whose reader pauses is joined as well, and goes on', async () => {
    const { body } = fed()
    let got = ''
    body.on('data', chunk => {
      got += chunk
      body.pause()
    })
    for (let at = 0; at < count; at++) {
      body.push(letters.subarray(at, at + 1))
      if (at % 1_000 === 0) await turns(1)
    }
    body.push(null)
    expect(pieces(body)).toBeLessThan(4)
    while (!body.readableEnded) {
      body.resume()
      await turns(1)
    }
    expect(got).toBe(letters.toString())
  })
})

interface Target extends Disposable {
  readonly port: number
  /** Bodies that it got. */
  readonly bodies: string[]
}

async function target(): Promise<Target> {
  const bodies: string[] = []
  const server = createServer(async (req, res) => {
    bodies.push(await text(req))
    res.end('here')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dispose = () => {
    server.closeAllConnections()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, bodies, [Symbol.dispose]: dispose }
}

const plain = routeTo('app')
const looking = { ...plain, hints: { ...plain.hints, llm: true } }
const path = '/v1/chat/completions'

describe.each([
  ['held', plain],
  ['held after it was looked at', looking],
])('a body in pieces of one byte that is %s arrives unchanged', (_how, route) => {
  it('in chunks', async () => {
    using app = await target()
    await using gateway = await loopbackGateway({ routes: [route] })
    gateway.set(serviceObjects('app', []))
    const client = connect(gateway.port, '127.0.0.1')
    client.setEncoding('utf8')
    let answer = ''
    client.on('data', chunk => {
      answer += chunk
    })
    client.write(`POST ${path} HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`)
    for (let at = 0; at < count; at++) client.write(`1\r\n${letters.toString('latin1', at, at + 1)}\r\n`)
    // One that is looked at waits when its end is there.
    if (route === looking) client.write('0\r\n\r\n')
    await until(() => gateway.exchanges.room.all === 1)
    await turns()
    gateway.set(serviceObjects('app', [app]))
    if (route !== looking) client.write('0\r\n\r\n')
    await until(() => answer.includes('here'))
    expect(app.bodies).toEqual([letters.toString()])
    client.destroy()
  })

  it('in frames of HTTP/2', async () => {
    using app = await target()
    await using gateway = await loopbackGateway({ routes: [route] })
    gateway.set(serviceObjects('app', []))
    const session = connectHttp2(`http://127.0.0.1:${gateway.port}`)
    const stream = session.request({ ':method': 'POST', ':path': path, ':authority': 'app.test' })
    for (let at = 0; at < count; at++) stream.write(letters.subarray(at, at + 1))
    if (route === looking) stream.end()
    await until(() => gateway.exchanges.room.all === 1)
    await turns()
    gateway.set(serviceObjects('app', [app]))
    stream.end()
    expect(await text(stream)).toBe('here')
    expect(app.bodies).toEqual([letters.toString()])
    session.close()
  })

  it('where the client waits for leave, and where it is longer than the window', async () => {
    using app = await target()
    await using gateway = await loopbackGateway({ routes: [route] })
    gateway.set(serviceObjects('app', []))
    const long = Buffer.concat(Array.from({ length: 40 }, () => letters))
    const headers = { host: 'app.test', expect: '100-continue', 'content-length': String(long.length) }
    const asked = request({ port: gateway.port, host: '127.0.0.1', method: 'POST', path, headers, agent: false })
    asked.on('continue', () => asked.end(long))
    asked.flushHeaders()
    await until(() => gateway.exchanges.room.all === 1)
    gateway.set(serviceObjects('app', [app]))
    const [response] = await once(asked, 'response')
    expect(await text(response)).toBe('here')
    expect(app.bodies[0]?.length).toBe(long.length)
    expect(app.bodies[0]).toBe(long.toString())
  })
})

describe('a held request is judged to take', () => {
  it.each([
    ['no more than waits of a body whose length is told', { 'content-length': '1000000' }],
    ['as much of one whose length is not', {}],
  ])('%s', async (_name, headers) => {
    // Two of 200 KiB are more than 300.
    const bounds = { perRoute: 10, all: 10, bytesPerRoute: 300 * 1024, bytes: 1024 * 1024 }
    await using gateway = await loopbackGateway({ routes: [plain], settings: { bounds } })
    gateway.set(serviceObjects('app', []))
    const session = connectHttp2(`http://127.0.0.1:${gateway.port}`)
    const post = () =>
      session
        .request({ ':method': 'POST', ':path': '/', ':authority': 'app.test', ...headers }, { endStream: false })
        .on('error', () => undefined)
    post()
    await until(() => gateway.exchanges.room.all === 1)
    const [answer] = await once(post(), 'response')
    expect(answer[':status']).toBe(503)
    // The first is still held, and its client goes in the moment in which the gateway ends.
    session.destroy()
  })
})
