// The connections of a public listener, shared fairly among peers. It stands before the server: it knows each socket from the moment it is
// accepted, and hands it to TLS and HTTP in turns, so that a thousand handshakes of one peer do not come before one of another.
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Server as TlsServer } from 'node:tls'
import type { Clock } from '../../clock.ts'
import { refuseUnreadable } from '../hang-up.ts'
import { FairShares } from './fair-shares.ts'
import { SocketInPieces } from './socket-in-pieces.ts'
import { Turnstile } from './turnstile.ts'
import { listeningWide } from './wide-listening.ts'

interface ConnectionLimits {
  /** Connections at a time. */
  readonly most: number
  /** HTTP/1 reads a connection in small pieces: for servers that look at nothing of a socket but its address. */
  readonly inPieces?: boolean
  /** Requests of one connection that are not answered yet. */
  readonly pipelined?: number
}

/** Why a connection was closed by us. */
type ClosedFor = 'place' | 'pipelining'

/** API servers, kubelets, Prometheus and browsers send the next request when they have the answer to the last: our end may hear of that later. */
const mostPipelined = 4

/** What came before the end began, and asks at once, is still answered. */
const unaskedMs = 1_000

interface Connection {
  readonly socket: Socket
  readonly peer: string
  /** When it was accepted, or last became quiet after an answer. */
  sinceMs: number
  unanswered: number
}

/** What is told from outside of a connection, whichever socket of it one has. */
interface Ends {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}

interface Closing {
  once(event: 'close', listener: () => void): unknown
  off(event: 'close', listener: () => void): unknown
}

interface Request {
  readonly httpVersionMajor: number
  readonly socket: Ends & Closing & { destroy(): unknown }
}

/** Calls `over` once, when `response` was sent or its connection is gone: what waits behind another answer is not told of the latter. */
export function whenOver(request: Request, response: Closing, over: () => void): void {
  // Sockets of HTTP/2 are shared by streams, each of which is told.
  const ends = request.httpVersionMajor < 2 ? [response, request.socket] : [response]
  const once = () => {
    for (const end of ends) end.off('close', once)
    over()
  }
  for (const end of ends) end.once('close', once)
}

/** The address by which a peer counts: an IPv4 address is the same in either form. */
export function peerOf({ remoteAddress = '' }: Ends): string {
  return remoteAddress.startsWith('::ffff:') ? remoteAddress.slice('::ffff:'.length) : remoteAddress
}

/**
 * Guards `server` (of HTTP, HTTPS or HTTP/2) from now on; call it before `listen`, after the server has all its own listeners. When its
 * places are taken, the connection that is quiet for longest of the peer with the most gives way to the newcomer.
 */
export class FairConnections {
  readonly #limits: ConnectionLimits & Required<Pick<ConnectionLimits, 'pipelined'>>
  readonly #clock: Clock
  readonly #shares: FairShares<Connection>
  readonly #byEnds = new Map<string, Connection>()
  readonly #turnstile: Turnstile
  readonly #hand: (socket: Socket) => void
  readonly #onClosed: (why: ClosedFor, peer: string) => void
  readonly #server: Server
  #others: readonly Server[] = []

  constructor(
    server: Server,
    limits: ConnectionLimits,
    around: { readonly clock: Clock; readonly turnstile?: Turnstile; readonly onClosed?: (why: ClosedFor, peer: string) => void },
  ) {
    this.#limits = { pipelined: mostPipelined, ...limits }
    this.#server = server
    this.#clock = around.clock
    this.#turnstile = around.turnstile ?? new Turnstile()
    this.#onClosed = around.onClosed ?? (() => undefined)
    this.#shares = new FairShares(this.#limits.most)
    const own = server.listeners('connection')
    server.removeAllListeners('connection')
    const isSecure = server instanceof TlsServer
    this.#hand = socket => {
      const handed = limits.inPieces === true && !isSecure ? this.#inPieces(socket) : socket
      for (const listener of own) listener.call(server, handed)
    }
    if (limits.inPieces === true && isSecure) this.#readInPieces(server)
    server.on('connection', (socket: Socket) => this.#accept(socket))
    // Without a listener of its own a server answers the latter two by itself.
    for (const event of ['request', 'checkContinue', 'checkExpectation'])
      if (event === 'request' || server.listenerCount(event) > 0)
        server.prependListener(event, (request: Request, response: Closing) => this.#began(request, response))
  }

  /** Connections that are open. */
  get size(): number {
    return this.#shares.size
  }

  /** For `clientError` of the server: in quiet times who cannot be read as HTTP hears so even while it sends. */
  refuseUnreadable(error: unknown, socket: Duplex): void {
    if (socket instanceof SocketInPieces) socket.ignoreRest()
    if (this.#shares.size > this.#limits.most / 2) socket.destroy()
    else refuseUnreadable(error, socket, this.#clock)
  }

  /** Listens, and yields the port that it came to. @throws when the address is taken or not ours */
  async listen(at: Parameters<typeof listeningWide>[1]): Promise<number> {
    // To open sockets takes the host's time.
    using _held = this.#clock.hold()
    const { port, others } = await listeningWide(this.#server, at)
    this.#others = others
    return port
  }

  /** Takes no new connection, and resolves when none is left. Those on which nothing is asked have a second, the others `limitMs`. */
  async close(limitMs: number): Promise<void> {
    const ends = [this.#server, ...this.#others].map(server => {
      const { promise, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      return promise
    })
    if (limitMs === 0) this.closeAll()
    const cancels = [
      this.#clock.schedule(unaskedMs, () => this.#closeQuiet()),
      this.#clock.schedule(limitMs, () => this.closeAll()),
    ]
    await Promise.all(ends)
    for (const cancel of cancels) cancel()
  }

  /** Closes those on which nothing is being answered. */
  #closeQuiet(): void {
    for (const { socket, unanswered } of this.#byEnds.values()) if (unanswered === 0) socket.destroy()
  }

  closeAll(): void {
    for (const { socket } of this.#byEnds.values()) socket.destroy()
  }

  #accept(socket: Socket): void {
    const connection: Connection = { socket, peer: peerOf(socket), sinceMs: this.#clock.elapsed(), unanswered: 0 }
    // Who closes at once, or is reset, is no fault of ours; the server hears of the others itself.
    socket.on('error', () => socket.destroy())
    if (!this.#shares.fits(1)) this.#makeRoom(connection)
    this.#shares.take(connection, connection.peer, 1)
    const ends = endsOf(socket)
    this.#byEnds.set(ends, connection)
    socket.once('close', () => {
      this.#shares.release(connection)
      if (this.#byEnds.get(ends) === connection) this.#byEnds.delete(ends)
    })
    const hand = () => {
      if (socket.destroyed) return false
      this.#hand(socket)
      return true
    }
    this.#turnstile.pass(connection.peer, hand, true)
  }

  #inPieces(socket: Socket): SocketInPieces {
    const peer = peerOf(socket)
    return new SocketInPieces(socket, readOn => this.#turnstile.pass(peer, readOn, false))
  }

  /** HTTP gets each connection of TLS in pieces. */
  #readInPieces(server: Server): void {
    const own = server.listeners('secureConnection')
    server.removeAllListeners('secureConnection')
    server.on('secureConnection', (socket: Socket) => {
      const pieces = this.#inPieces(socket)
      for (const listener of own) listener.call(server, pieces)
    })
  }

  #makeRoom({ peer }: Connection): void {
    const nowMs = this.#clock.elapsed()
    // Who waits for an answer of ours goes last.
    const quiet = ({ unanswered, sinceMs }: Connection) => (unanswered > 0 ? -1 : 1) * 1e12 + (nowMs - sinceMs)
    const displaced = this.#shares.displaced(peer, 1, quiet)
    if (displaced !== undefined) this.#close(displaced, 'place')
  }

  #close(connection: Connection, why: ClosedFor): void {
    this.#shares.release(connection)
    connection.socket.destroy()
    this.#onClosed(why, connection.peer)
  }

  #began(request: Request, response: Closing): void {
    const connection = this.#byEnds.get(endsOf(request.socket))
    // What was read with the one too many is made a request of, too.
    if (connection === undefined || connection.socket.destroyed) return
    connection.unanswered++
    whenOver(request, response, () => {
      connection.unanswered--
      connection.sinceMs = this.#clock.elapsed()
    })
    if (connection.unanswered <= this.#limits.pipelined) return
    request.socket.destroy()
    this.#close(connection, 'pipelining')
  }
}

function endsOf({ remoteAddress, remotePort }: Ends): string {
  return `${remoteAddress ?? ''} ${remotePort ?? 0}`
}
