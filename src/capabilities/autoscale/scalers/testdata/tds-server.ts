// A server of TDS, which SQL Server speaks, on this host: it says what a test says. Written by the protocol's description (MS-TDS): no SQL Server
// was asked.
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority } from '#kube/server/certificates.ts'
import { type SocketServer, sockets } from './sockets.ts'

const [batch, result, login, sspi, prelogin] = [1, 4, 16, 17, 18]
const headerBytes = 8
const mostBody = 32_000

const little = (value: number, bytes: number): Buffer => {
  const written = Buffer.alloc(bytes)
  written.writeUIntLE(value, 0, Math.min(bytes, 6))
  return written
}
const wide = (text: string): Buffer => Buffer.from(text, 'utf16le')
const token = (kind: number, body: Buffer): Buffer => Buffer.concat([little(kind, 1), little(body.length, 2), body])

/** In as many packets as it takes; the last says that it is. */
function message(kind: number, body: Buffer): Buffer {
  const pieces = Array.from({ length: Math.max(1, Math.ceil(body.length / mostBody)) }, (_none, index) => {
    const piece = body.subarray(index * mostBody, (index + 1) * mostBody)
    const header = Buffer.alloc(headerBytes)
    header.writeUInt8(kind, 0)
    header.writeUInt8((index + 1) * mostBody >= body.length ? 1 : 0, 1)
    header.writeUInt16BE(headerBytes + piece.length, 2)
    return [header, piece]
  })
  return Buffer.concat(pieces.flat())
}

export const tdsDone = (status = 0): Buffer => Buffer.concat([little(0xfd, 1), little(status, 2), little(0, 10)])

export const tdsError = (number: number, message: string): Buffer =>
  Buffer.concat([
    token(
      0xaa,
      Buffer.concat([little(number, 4), little(1, 1), little(16, 1), little(message.length, 2), wide(message), little(0, 6)]),
    ),
    tdsDone(2),
  ])

const tdsIn = Buffer.concat([
  token(0xad, Buffer.concat([little(1, 1), Buffer.from([0x74, 0, 0, 4]), little(4, 1), wide('Test'), little(0, 4)])),
  tdsDone(),
])

/** The login is to go to another place. */
export const tdsRoute = (host: string, port: number): Buffer => {
  const place = Buffer.concat([little(0, 1), little(port, 2), little(host.length, 2), wide(host)])
  const change = token(0xe3, Buffer.concat([little(20, 1), little(place.length, 2), place, little(0, 2)]))
  return Buffer.concat([change, tdsIn])
}

interface Column {
  /** How a description of the column says its type. */
  readonly type: Buffer
  readonly value: (value: unknown) => Buffer
}

/** Types of columns as SQL Server writes them. */
const tdsTypes = {
  int: { type: little(0x38, 1), value: value => little(Number(value), 4) },
  bigint: {
    type: Buffer.from([0x26, 8]),
    value: value => (value === null ? little(0, 1) : Buffer.concat([little(8, 1), little(Number(value), 8)])),
  },
  float: {
    type: little(0x3e, 1),
    value: value => {
      const written = Buffer.alloc(8)
      written.writeDoubleLE(Number(value))
      return written
    },
  },
  bit: { type: little(0x32, 1), value: value => little(Number(value), 1) },
  /** It has two places behind the point. */
  decimal: {
    type: Buffer.from([0x6a, 5, 9, 2]),
    value: value => Buffer.concat([little(5, 1), little(Number(value) < 0 ? 0 : 1, 1), little(Math.abs(Number(value)) * 100, 4)]),
  },
  nvarchar: {
    type: Buffer.concat([little(0xe7, 1), little(8000, 2), Buffer.from([9, 4, 0xd0, 0, 0x34])]),
    value: value => (value === null ? little(0xffff, 2) : Buffer.concat([little(String(value).length * 2, 2), wide(String(value))])),
  },
} satisfies Record<string, Column>

/** A result of these columns. */
export function tdsRows(columns: readonly (keyof typeof tdsTypes)[], rows: readonly (readonly unknown[])[], status = 0): Buffer {
  const described = columns.map(name => Buffer.concat([little(0, 4), little(0, 2), tdsTypes[name].type, little(1, 1), wide('n')]))
  const written = rows.map(row =>
    Buffer.concat([little(0xd1, 1), ...columns.map((name, index) => tdsTypes[name].value(row[index]))]),
  )
  return Buffer.concat([little(0x81, 1), little(columns.length, 2), ...described, ...written, tdsDone(status)])
}

interface Said {
  readonly login?: () => Buffer
  /** What a question is answered with, by how many logins there were; undefined: nothing. */
  readonly question?: (logins: number) => Buffer | undefined
  /** By TLS, with a certificate of nobody. */
  readonly isSecure?: boolean
}

interface TdsServer extends SocketServer {
  /** Questions, without those of the library itself. */
  readonly asked: () => readonly string[]
  readonly logins: () => readonly Buffer[]
  readonly inClear: () => string
  readonly resets: () => number
}

export async function tdsServer({ login: inside = () => tdsIn, question = () => undefined, isSecure = false }: Said): Promise<TdsServer> {
  const asked: string[] = []
  const logins: Buffer[] = []
  let [resets, inClear] = [0, '']
  const identity = isSecure ? await issueAuthority({ commonName: 'db', nowMs: systemClock.now() }) : undefined
  const answerTo = (kind: number | undefined, body: Buffer): Buffer | undefined => {
    if (kind === login || kind === sspi) {
      logins.push(body)
      return inside()
    }
    if (kind !== batch) return undefined
    const sql = body.subarray(body.readUInt32LE(0)).toString('utf16le')
    if (sql.startsWith('set ')) return tdsDone()
    asked.push(sql)
    return question(logins.length)
  }
  const server = await sockets(socket => {
    socket.on('data', (data: Buffer) => {
      inClear += data.toString('latin1')
    })
    let out: Duplex = socket
    let secured: TLSSocket | undefined
    // A message may come in several packets, and each in several pieces.
    let bodies: Buffer[] = []
    const listen = (stream: Duplex) =>
      packets(stream, ([kind, status = 0], body) => {
        if (kind === prelogin && bodies.length === 0 && body[0] === 0) {
          socket.write(message(result, preloginAnswer(isSecure)))
          if (identity === undefined) return true
          secured = securedBy(socket, identity)
          secured.on('error', () => socket.destroy())
          out = secured
          listen(secured)
          return false
        }
        bodies.push(body)
        if ((status & 1) === 0) return true
        if ((status & 8) !== 0) resets++
        const whole = Buffer.concat(bodies)
        bodies = []
        const said = answerTo(kind, whole)
        if (said !== undefined) out.write(message(result, said))
        return true
      })
    listen(socket)
  })
  return { ...server, asked: () => asked, logins: () => logins, inClear: () => inClear, resets: () => resets }
}

function preloginAnswer(isSecure: boolean): Buffer {
  return Buffer.from([0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, isSecure ? 1 : 2])
}

/** `take` says whether it wants the next one too. */
function packets(stream: Duplex, take: (header: Buffer, body: Buffer) => boolean): void {
  let waiting: Buffer = Buffer.alloc(0)
  const onData = (data: Buffer) => {
    waiting = Buffer.concat([waiting, data])
    while (waiting.length >= headerBytes && waiting.length >= waiting.readUInt16BE(2)) {
      const length = waiting.readUInt16BE(2)
      const [header, body] = [waiting.subarray(0, headerBytes), waiting.subarray(headerBytes, length)]
      waiting = waiting.subarray(length)
      if (take(header, body)) continue
      stream.off('data', onData)
      return
    }
  }
  stream.on('data', onData)
}

/** TLS whose first messages, until both sides agree, go in packets. */
function securedBy(socket: Socket, { certificate: cert, key }: { readonly certificate: string; readonly key: string }): TLSSocket {
  let isAgreed = false
  const inner = new Duplex({
    read: () => undefined,
    write(piece: Buffer, _encoding, done) {
      socket.write(isAgreed ? piece : message(prelogin, piece), () => done())
    },
  })
  const secured = new TLSSocket(inner as Socket, { isServer: true, cert, key, maxVersion: 'TLSv1.2' })
  let waiting: Buffer = Buffer.alloc(0)
  socket.on('data', (data: Buffer) => {
    waiting = Buffer.concat([waiting, data])
    // The first packet of those that agree is one of TLS itself, whose kinds begin with 20.
    while (waiting.length >= headerBytes && waiting[0] === prelogin && waiting.length >= waiting.readUInt16BE(2)) {
      const length = waiting.readUInt16BE(2)
      inner.push(waiting.subarray(headerBytes, length))
      waiting = waiting.subarray(length)
    }
    if (waiting.length === 0 || waiting[0] === prelogin) return
    isAgreed = true
    inner.push(waiting)
    waiting = Buffer.alloc(0)
  })
  secured.on('secure', () => {
    // What the server's side said last still goes in a packet.
    setImmediate(() => {
      isAgreed = true
    })
  })
  return secured
}
