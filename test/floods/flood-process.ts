// A stranger without credentials, or a peer that behaves well, as a process of its own: what it costs is its own time and memory.
// Its order is the first argument, its report a message to its parent.
import { request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import { connect as connectPlain, type Socket } from 'node:net'
import { setPriority } from 'node:os'
import { connect as connectTls } from 'node:tls'
import { systemClock } from '#kube/clock.ts'

export interface Target {
  readonly port: number
  readonly isSecure: boolean
  /** What a request asks for. */
  readonly path: string
}

export type Order =
  | {
      readonly role: 'stranger'
      readonly kind: FloodKind
      readonly at: Target
      readonly from: readonly string[]
      readonly forMs: number
      readonly aSecond: number
      readonly open: number
    }
  | {
      readonly role: 'peer'
      readonly at: readonly Target[]
      readonly from: string
      readonly forMs: number
      readonly everyMs: number
    }

export interface PeerReport {
  /** By the target's path: how long each answer took, and what was no answer. */
  readonly latenciesMs: Readonly<Record<string, readonly number[]>>
  readonly failures: readonly string[]
}

export const floodKinds = [
  'big-bodies',
  'slow-bodies',
  'tiny-chunks',
  'reviews',
  'idle',
  'half-handshakes',
  'broken-tls',
  'broken-http',
  'slow-headers',
  'huge-headers',
  'pipelined',
  'deep-json',
  'many-values',
  'requests',
  'never-reading',
] as const
export type FloodKind = (typeof floodKinds)[number]

const mebibyte = 1024 * 1024
const review = (object: string) =>
  `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","kind":{},"resource":{},"operation":"CREATE","userInfo":{},"object":${object}}}`
/** Valid as a review, and as large and as dear to read as one may be. */
const bigReview = review(`{"data":[${'{"a":1},'.repeat(240_000)}{}],"rest":"${'x'.repeat(5 * mebibyte)}"}`)
const post = (path: string, length: number | undefined) =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${length === undefined ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`}\r\n\r\n`

/** What one connection sends once it is open; the return value goes on every 100 ms. */
const behaviours: Readonly<Record<FloodKind, (socket: Socket, at: Target) => (() => void) | undefined>> = {
  'big-bodies': (socket, { path }) => {
    socket.write(post(path, 8 * mebibyte))
    socket.write(`{"a":"${'x'.repeat(8 * mebibyte - 200)}`)
    return () => socket.write('x')
  },
  'slow-bodies': (socket, { path }) => {
    socket.write(`${post(path, 8 * mebibyte)}{"a":"`)
    return () => socket.write('x')
  },
  'tiny-chunks': (socket, { path }) => {
    socket.write(`${post(path, undefined)}6\r\n{"a":"x\r\n${'1\r\nx\r\n'.repeat(20_000)}`)
    return () => socket.write('1\r\nx\r\n'.repeat(2_000))
  },
  reviews: (socket, { path }) => {
    const bytes = Buffer.byteLength(bigReview)
    socket.write(post(path, bytes))
    socket.write(bigReview)
    return undefined
  },
  idle: () => undefined,
  'half-handshakes': socket => {
    // The first half of a ClientHello.
    socket.write(Buffer.from('16030100f8010000f40303', 'hex'))
    return undefined
  },
  'broken-tls': socket => {
    socket.write(Buffer.alloc(4_096, 0xa5))
    return undefined
  },
  'broken-http': socket => {
    socket.write('\u0000\u0001GET\r\n\r\n: : :\r\n\r\n'.repeat(50))
    return undefined
  },
  'slow-headers': (socket, { path }) => {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nX: `)
    return () => socket.write('x')
  },
  'huge-headers': (socket, { path }) => {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(mebibyte)}\r\n\r\n`)
    return undefined
  },
  pipelined: (socket, { path }) => {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(2_000))
    return undefined
  },
  'deep-json': (socket, { path }) => {
    const body = review('['.repeat(4 * mebibyte))
    socket.write(post(path, Buffer.byteLength(body)))
    socket.write(body)
    return undefined
  },
  'many-values': (socket, { path }) => {
    const body = review(`[${'{},'.repeat(2 * mebibyte)}{}]`)
    socket.write(post(path, Buffer.byteLength(body)))
    socket.write(body)
    return undefined
  },
  requests: (socket, { path }) => {
    const ask = `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
    socket.on('data', () => socket.write(ask))
    socket.write(ask)
    return undefined
  },
  'never-reading': (socket, { path }) => {
    socket.pause()
    for (let request = 0; request < 7; request++) socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    return undefined
  },
}

/** These begin before TLS does. */
const raw: readonly FloodKind[] = ['half-handshakes', 'broken-tls', 'idle']

async function flood({ kind, at, from, forMs, aSecond, open }: Extract<Order, { role: 'stranger' }>): Promise<number> {
  const sockets: Socket[] = []
  const going = new Map<Socket, () => void>()
  const untilMs = systemClock.elapsed() + forMs
  let opened = 0
  const connect = () => {
    const localAddress = from[opened % from.length] ?? '127.0.0.1'
    opened++
    const isSecure = at.isSecure && !raw.includes(kind)
    const ends = { port: at.port, host: '127.0.0.1', localAddress }
    const begin = () => {
      const next = behaviours[kind](socket, at)
      if (next !== undefined) going.set(socket, next)
    }
    const socket: Socket = isSecure ? connectTls({ ...ends, rejectUnauthorized: false }, begin) : connectPlain(ends, begin)
    if (kind !== 'requests' && kind !== 'never-reading') socket.resume()
    // What a server does to a stranger is looked at from the other side.
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      going.delete(socket)
      const index = sockets.indexOf(socket)
      if (index >= 0) sockets.splice(index, 1)
    })
    sockets.push(socket)
    if (sockets.length > open) sockets[0]?.destroy()
  }
  const stepMs = 100
  for (let due = 0; systemClock.elapsed() < untilMs; ) {
    for (due += (aSecond * stepMs) / 1_000; due >= 1; due--) connect()
    for (const [socket, next] of going) if (socket.writableLength < mebibyte) next()
    await systemClock.after(stepMs)
  }
  for (const socket of [...sockets]) socket.destroy()
  return opened
}

async function behave({ at, from, forMs, everyMs }: Extract<Order, { role: 'peer' }>): Promise<PeerReport> {
  const latenciesMs: Record<string, number[]> = Object.fromEntries(at.map(({ path }) => [path, []]))
  const failures: string[] = []
  const untilMs = systemClock.elapsed() + forMs
  const under: Promise<void>[] = []
  while (systemClock.elapsed() < untilMs) {
    for (const target of at) under.push(ask(target))
    await systemClock.after(everyMs)
  }
  await Promise.all(under)
  return { latenciesMs, failures }

  /** A connection of its own each time, as kubelets have. */
  function ask({ port, isSecure, path }: Target): Promise<void> {
    const sinceMs = systemClock.elapsed()
    const body = isSecure ? review('{}') : ''
    const { promise, resolve } = Promise.withResolvers<void>()
    const failed = (why: string) => {
      failures.push(`${path}: ${why}`)
      resolve()
    }
    const options = {
      port,
      path,
      host: '127.0.0.1',
      localAddress: from,
      agent: false,
      timeout: 10_000,
      method: isSecure ? 'POST' : 'GET',
      headers: { ...(isSecure ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } : {}) },
    }
    const sent = (isSecure ? secureRequest : plainRequest)({ ...options, rejectUnauthorized: false }, answer => {
      answer.resume()
      answer.once('end', () => {
        if (answer.statusCode !== 200) failed(String(answer.statusCode))
        else {
          latenciesMs[path]?.push(systemClock.elapsed() - sinceMs)
          resolve()
        }
      })
    })
    sent.once('timeout', () => sent.destroy(new Error('no answer within 10 s')))
    sent.once('error', error => failed(error.message))
    sent.end(body)
    return promise
  }
}

// Strangers are other machines: they take no core from whom they flood.
if (process.argv[2]?.includes('stranger') === true) setPriority(10)
if (process.send !== undefined && process.argv[2] !== undefined) {
  const order: Order = JSON.parse(process.argv[2])
  process.send(order.role === 'stranger' ? await flood(order) : await behave(order))
  process.disconnect()
}
