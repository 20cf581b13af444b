// A server of PostgreSQL on this host that says what a test says.
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority } from '#kube/server/certificates.ts'
import { listening } from '#kube/server/listening.ts'
import { lineServer } from './line-server.ts'

export function postgresMessage(kind: string, body: string): Buffer {
  const bytes = Buffer.from(`${kind}....${body}`, 'latin1')
  bytes.writeInt32BE(bytes.length - 1, 1)
  return bytes
}

/** Let in, and ready for a question. */
export const postgresReady = Buffer.concat([
  postgresMessage('R', '\0\0\0\0'),
  postgresMessage('K', '\0\0\0\x07\0\0\0\x08'),
  postgresMessage('Z', 'I'),
])

/** The row `7`. */
export const postgresSeven = Buffer.concat([
  postgresMessage('1', ''),
  postgresMessage('2', ''),
  postgresMessage('T', `\0\x01n\0${'\0'.repeat(18)}`),
  postgresMessage('D', '\0\x01\0\0\0\x017'),
  postgresMessage('C', 'SELECT 1\0'),
  postgresMessage('Z', 'I'),
])

export function postgresError(code: string, message: string, severity = 'ERROR'): Buffer {
  return postgresMessage('E', `S${severity}\0V${severity}\0C${code}\0M${message}\0\0`)
}

interface Said {
  readonly start?: Buffer
  /** Undefined: nothing. */
  readonly question?: Buffer | undefined
}

export function postgresServer({ start = postgresReady, question }: Said) {
  // A start-up message has no letter.
  return lineServer(asked => (asked.startsWith('\0') ? start : question))
}

/** The same by TLS alone, with a certificate of nobody; `asked` is what came by TLS, `inClear` all else. */
export async function tlsPostgresServer({ start = postgresReady, question }: Said) {
  const { certificate: cert, key } = await issueAuthority({ commonName: 'db', nowMs: systemClock.now() })
  const open = new Set<Socket>()
  let [asked, inClear] = ['', '']
  const server = createServer(socket => {
    open.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('data', (first: Buffer) => {
      inClear += first.toString('latin1')
      if (first.length !== 8) return
      socket.write('S')
      const secured = new TLSSocket(socket, { isServer: true, cert, key })
      secured.on('error', () => secured.destroy())
      secured.on('data', (data: Buffer) => {
        asked += data.toString('latin1')
        const said = data[0] === 0 ? start : question
        if (said !== undefined) secured.write(said)
      })
    })
  })
  const port = await listening(server, { port: 0, host: '127.0.0.1' })
  return {
    address: `127.0.0.1:${port}`,
    asked: () => asked,
    inClear: () => inClear,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
