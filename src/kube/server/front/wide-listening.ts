// Several sockets on one address. An event loop takes one connection of a socket in each turn: where a turn is long the kernel's queue runs
// full, who comes then is not answered at all, and tries again after 1, 3, 7 and up to 127 seconds.
import { createServer, type Server, type Socket } from 'node:net'
import { listening } from '../listening.ts'

interface Address {
  /** 0 takes any free one. */
  readonly port: number
  /** All addresses unless given. */
  readonly host?: string | undefined
}

/** Connections that are taken in one turn. */
const sockets = 8
const portTries = 5

/** A wide listener: its sockets besides that of the server itself. */
interface WideListening {
  readonly port: number
  readonly others: readonly Server[]
}

/** Listens on `at` for `server`; connections of the other sockets go to it too. @throws when the address is taken or not ours */
export async function listeningWide(server: Server, at: Address): Promise<WideListening> {
  const host = at.host === undefined ? {} : { host: at.host }
  // Elsewhere the kernel does not share an address among sockets.
  if (process.platform !== 'linux') return { port: await listening(server, { port: at.port, ...host }), others: [] }
  for (let tries = 1; ; tries++) {
    // An address is shared with whoever wants to share it: alone we find out that it is somebody else's.
    const alone = createServer()
    const port = await listening(alone, { port: at.port, ...host })
    await ended(alone)
    const opened: Server[] = []
    try {
      await listening(server, { port, ...host, reusePort: true })
      opened.push(server)
      for (let count = 1; count < sockets; count++) {
        const other = createServer({ allowHalfOpen: true, noDelay: true }, (socket: Socket) => server.emit('connection', socket))
        await listening(other, { port, ...host, reusePort: true })
        opened.push(other)
      }
      return { port, others: opened.slice(1) }
    } catch (error) {
      await Promise.all(opened.map(ended))
      // Between the two looks another process took it.
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
      if (!isTaken || at.port !== 0 || tries === portTries) throw error
    }
  }
}

function ended(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  return promise
}
