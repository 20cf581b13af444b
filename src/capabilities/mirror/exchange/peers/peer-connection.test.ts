// Answers as bytes on real sockets: in pieces, too long, too early, cut; and how connections are kept.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { Slabs, slabBytes } from '../../slabs.ts'
import { connectPeer } from './peer-connect.ts'
import type { PeerConnection } from './peer-connection.ts'
import { PeerLine } from './peer-line.ts'

const never = new AbortController().signal
const asked = 'GET / HTTP/1.1\r\n\r\n'

/** A server that does so with each request. */
async function listening(
  answer: (socket: Socket, request: number) => void,
): Promise<{ readonly port: number; readonly sockets: Socket[] }> {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    let requests = 0
    socket.on('error', () => undefined).on('data', () => answer(socket, requests++))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return { port: (server.address() as AddressInfo).port, sockets }
}

async function connected(port: number): Promise<PeerConnection> {
  const connection = await connectPeer({ clock: systemClock, hosts: ['127.0.0.1'], port, tls: undefined, timeoutMs: 60_000 })
  onTestFinished(() => connection.destroy())
  return connection
}

async function all(connection: PeerConnection): Promise<string> {
  const { body } = await connection.ask(asked, false)
  let text = ''
  for (let piece = await body.next(); piece !== undefined; piece = await body.next()) {
    text += piece.bytes.toString('latin1')
    piece[Symbol.dispose]()
  }
  return text
}

describe('an answer', () => {
  test('that comes byte by byte is read, and so is the next one', async () => {
    const { port } = await listening(async socket => {
      for (const byte of 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello') {
        socket.write(byte)
        await new Promise(resolve => setImmediate(resolve))
      }
    })
    const connection = await connected(port)
    let idle = 0
    connection.onIdle = () => idle++
    expect([await all(connection), await all(connection), idle]).toEqual(['hello', 'hello', 2])
  })

  test('larger than all its slabs comes whole, with the memory of each used again', async () => {
    const bytes = Buffer.from(Array.from({ length: 9 * slabBytes + 5 }, (_, index) => index % 251))
    const { port } = await listening(socket => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`)
      socket.write(bytes)
    })
    const connection = await connected(port)
    const { body } = await connection.ask(asked, false)
    body.use(new Slabs(2))
    const memories = new Set<unknown>()
    let at = 0
    for (let piece = await body.next(); piece !== undefined; piece = await body.next()) {
      expect(piece.bytes.equals(bytes.subarray(at, at + piece.bytes.length))).toBe(true)
      at += piece.bytes.length
      if (piece.bytes.buffer.byteLength === slabBytes) memories.add(piece.bytes.buffer)
      piece[Symbol.dispose]()
    }
    expect([at, memories.size <= 3]).toEqual([bytes.length, true])
  })

  test.each([
    ['with a head of more than 16 KiB', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(20_000)}`, 'a head of more than 16384 bytes'],
    ['that is none', '220 ready\r\n\r\n', 'no answer of HTTP/1.1'],
    ['that ends in its head', 'HTTP/1.1 200 OK\r\n', 'closed'],
    ['of nothing', '', 'closed'],
  ])('%s is a fault', async (_name, text, message) => {
    const { port } = await listening(socket => socket.end(text))
    await expect((await connected(port)).ask(asked, false)).rejects.toThrow(message)
  })

  test('that goes on beyond its length closes the connection, and its bytes are those that were promised', async () => {
    const { port, sockets } = await listening(socket =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more'),
    )
    const connection = await connected(port)
    expect(await all(connection)).toBe('hello')
    await vi.waitUntil(() => sockets[0]?.destroyed, { timeout: 50_000, interval: 2 })
  })

  test('that nobody asked for closes the connection', async () => {
    const { port, sockets } = await listening(socket => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      setImmediate(() => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
    })
    const connection = await connected(port)
    let isClosed = false
    connection.onClose = () => {
      isClosed = true
    }
    await all(connection)
    await vi.waitUntil(() => isClosed && sockets[0]?.destroyed, { timeout: 50_000, interval: 2 })
    await expect(connection.ask(asked, false)).rejects.toThrow('closed')
  })
})

describe('the connections to a peer', () => {
  const answered = (socket: Socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  const lineTo = (port: number, clock = new VirtualClock(0)) => {
    const line = new PeerLine({
      clock,
      connect: () => connectPeer({ clock: systemClock, hosts: ['127.0.0.1'], port, tls: undefined, timeoutMs: 60_000 }),
    })
    onTestFinished(() => line[Symbol.dispose]())
    return line
  }

  test('are at most a hundred: the next one waits until one is free, or is no longer waited for', async () => {
    const { port, sockets } = await listening(answered)
    const line = lineTo(port)
    const taken = await Promise.all(Array.from({ length: 100 }, () => line.take(never)))
    const gone = new AbortController()
    const left = line.take(gone.signal)
    const waiting = line.take(never)
    gone.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    await taken[7]?.connection.ask(asked, false)
    expect(await waiting).toEqual({ connection: taken[7]?.connection, isKept: true })
    await vi.waitUntil(() => sockets.length >= 100, { timeout: 50_000, interval: 2 })
    expect(sockets).toHaveLength(100)
    // One that closes makes room as well.
    const another = line.take(never)
    taken[8]?.connection.destroy()
    expect((await another).isKept).toBe(false)
  })

  test('are closed when nobody used them for 30 s', async () => {
    const { port, sockets } = await listening(answered)
    const clock = new VirtualClock(0)
    const line = lineTo(port, clock)
    const { connection } = await line.take(never)
    await connection.ask(asked, false)
    await clock.advance(29_999)
    expect((await line.take(never)).connection).toBe(connection)
    await connection.ask(asked, false)
    await vi.waitUntil(
      async () => {
        await clock.advance(1_000)
        return sockets[0]?.destroyed
      },
      { timeout: 50_000, interval: 2 },
    )
    expect(clock.elapsed()).toBeGreaterThanOrEqual(59_999)
    expect((await line.take(never)).isKept).toBe(false)
  })

  test('that were retired take no more, and end when they are done', async () => {
    const { port, sockets } = await listening(answered)
    const line = lineTo(port)
    const { connection } = await line.take(never)
    line.retire()
    await expect(line.take(never)).rejects.toThrow('closed')
    await connection.ask(asked, false)
    await vi.waitUntil(() => sockets[0]?.destroyed, { timeout: 50_000, interval: 2 })
  })
})
