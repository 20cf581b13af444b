// The sockets of the registry front, plain and with mutual TLS: what may come in, how much of it, and an end in order.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Clock } from '#kube/clock.ts'
import { FairConnections } from '#kube/server/front/fair-connections.ts'
import { hangUp } from '#kube/server/hang-up.ts'
import { closed, handshakeMs, keptConnections, listening } from '#kube/server/listening.ts'
import type { PeerIdentity } from '../contract.ts'
import type { Askers } from './askers.ts'
import type { ListenAddress } from './listen-address.ts'

/** Bytes of target and headers together. */
const largestHead = 16_384
/** Connections at a time, and how many of them those may hold who may not ask. */
const mostConnections = 2_048
const mostOfStrangers = 64
/** A client that takes nothing, or a connection on which nothing happens in the middle of an answer, is given up. */
const silenceMs = 300_000
/** What is under way when the process ends has so long. */
const drainMs = 30_000
const sweepMs = 50

interface ListenerOptions {
  readonly address: ListenAddress
  readonly askers: Askers
  readonly clock: Clock
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
}

export interface Listener extends AsyncDisposable {
  readonly port: number
}

/** Plain HTTP. Disposing takes no new connection, lets answers end for 30 s, then breaks them off. @throws where the address is taken */
export async function listenPlain(options: ListenerOptions): Promise<Listener> {
  return await run(createServer(limits), options)
}

export interface TlsListener extends Listener {
  /** Connections from now on. */
  use(identity: PeerIdentity): void
}

/** With mutual TLS: who has no certificate of the same authority does not get as far as a request. */
export async function listenTls(options: ListenerOptions & { readonly identity: PeerIdentity }): Promise<TlsListener> {
  const server = createTlsServer({
    ...limits,
    ...contextOf(options.identity),
    handshakeTimeout: handshakeMs,
    requestCert: true,
    rejectUnauthorized: true,
  })
  const listener = await run(server, options)
  return { ...listener, use: identity => server.setSecureContext(contextOf(identity)) }
}

const limits = { maxHeaderSize: largestHead, ...keptConnections, noDelay: true } as const

function contextOf({ ca, certificate, key }: PeerIdentity) {
  return { ca, cert: certificate, key, minVersion: 'TLSv1.2' } as const
}

async function run(server: Server | TlsServer, { address, askers, clock, handle }: ListenerOptions): Promise<Listener> {
  new FairConnections(server, { most: mostConnections }, { clock })
  server.setTimeout(silenceMs)
  const connections = new Connections(server)
  let strangers = 0
  server.on('connection', (socket: Socket) => {
    if (askers.may(socket.remoteAddress)) return
    strangers++
    socket.once('close', () => strangers--)
    // Clients that are not answered anyway must not keep out those that are.
    if (strangers > mostOfStrangers) socket.destroy()
  })
  server.on('clientError', (error, socket: Socket) => onClientError(error, socket, clock))
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    connections.busy(request, response)
    handle(request, response)
  }
  server.on('request', answer)
  // `Expect` changes nothing: there are no bodies to wait for.
  server.on('checkContinue', answer)
  server.on('checkExpectation', answer)
  const port = await listening(server, { port: address.port, ...(address.host === undefined ? {} : { host: address.host }) })
  let ending: Promise<void> | undefined
  return {
    port,
    [Symbol.asyncDispose]: () => {
      ending ??= drained(server, connections, clock)
      return ending
    },
  }
}

/** Who is connected, and on which connections nothing is being answered: a server's own word for that leaves out those never used. */
class Connections {
  readonly #all = new Set<Socket>()
  readonly #quiet = new Set<Socket>()

  constructor(server: Server | TlsServer) {
    const keep = (set: Set<Socket>) => (socket: Socket) => {
      set.add(socket)
      socket.once('close', () => set.delete(socket))
    }
    server.on('connection', keep(this.#all))
    server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', keep(this.#quiet))
  }

  busy({ socket }: IncomingMessage, response: ServerResponse): void {
    this.#quiet.delete(socket)
    response.once('close', () => (socket.destroyed ? undefined : this.#quiet.add(socket)))
  }

  closeQuiet(): void {
    for (const socket of this.#quiet) socket.destroy()
  }

  closeAll(): void {
    for (const socket of this.#all) socket.destroy()
  }
}

async function drained(server: Server | TlsServer, connections: Connections, clock: Clock): Promise<void> {
  const ended = closed(server)
  const untilMs = clock.elapsed() + drainMs
  // Connections that were busy when the end began are kept by whoever opened them once their answer is sent.
  const sweep = () => {
    if (clock.elapsed() >= untilMs) connections.closeAll()
    else connections.closeQuiet()
    cancel = clock.schedule(sweepMs, sweep)
  }
  let cancel = clock.schedule(sweepMs, sweep)
  await ended
  cancel()
}

/** Never a 408: containerd would repeat at once. What cannot be read is told so, as far as anybody still listens. */
function onClientError(error: Error & { readonly code?: string }, socket: Socket, clock: Clock): void {
  if (error.code === 'ECONNRESET' || error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    socket.destroy()
    return
  }
  const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  hangUp(
    socket,
    `HTTP/1.1 ${isTooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'}\r\nConnection: close\r\n\r\n`,
    clock,
  )
}
