// A connection to a peer that may have several addresses: the first that connects is taken, with TLS where both are ours.
import { connect as connectTcp, type Socket, type TcpNetConnectOpts } from 'node:net'
import { connect as connectTls, type SecureContext } from 'node:tls'
import type { Clock } from '#kube/clock.ts'
import { PeerConnection } from './peer-connection.ts'

/** The next address is tried so much later, or as soon as one fails. */
const staggerMs = 15
/** Addresses of a peer that are tried. */
const mostAddresses = 8

interface ConnectOptions {
  readonly clock: Clock
  /** As in URLs; IPv6 in brackets, and first. */
  readonly hosts: readonly string[]
  readonly port: number
  /** Own certificate and the authority of the others; `undefined`: plain TCP. */
  readonly tls: { readonly context: SecureContext; readonly serverName: string } | undefined
  readonly timeoutMs: number
}

interface Dialled {
  readonly socket: Socket
  readonly connection: PeerConnection
}

/** The first connection that stands. @throws Error with the last fault as cause, or after `timeoutMs` */
export async function connectPeer(options: ConnectOptions): Promise<PeerConnection> {
  const { promise, resolve, reject } = Promise.withResolvers<Dialled>()
  const cancelTimeout = options.clock.schedule(options.timeoutMs, () =>
    reject(new Error(`no connection in ${options.timeoutMs} ms`)),
  )
  const dial = dialAll(options, resolve, reject)
  try {
    const { socket, connection } = await promise
    if (options.tls !== undefined) await secured(socket, options)
    connection.open(socket)
    return connection
  } finally {
    cancelTimeout()
    dial.stop()
  }
}

function dialAll(
  { hosts, port, clock, tls }: ConnectOptions,
  resolve: (dialled: Dialled) => void,
  reject: (error: Error) => void,
): { stop(): void } {
  const left = hosts.slice(0, mostAddresses)
  const dialling = new Set<Socket>()
  let cancelNext = (): void => undefined
  let isOver = left.length === 0
  if (isOver) reject(new Error('the peer has no address'))
  const next = () => {
    cancelNext()
    const host = left.shift()
    if (host === undefined || isOver) return
    const connection = new PeerConnection()
    connection.host = host
    const socket = socketTo({ host: host.replace(/^\[|\]$/g, ''), port, onread: connection.onread }, tls)
    dialling.add(socket)
    socket.once('connect', () => {
      if (isOver) return
      isOver = true
      dialling.delete(socket)
      socket.removeAllListeners('error')
      // What goes wrong from here on is told by its closing.
      socket.on('error', () => undefined)
      socket.setNoDelay(true).setKeepAlive(true)
      resolve({ socket, connection })
    })
    socket.once('error', cause => {
      dialling.delete(socket)
      if (isOver) return
      if (left.length > 0) next()
      else if (dialling.size === 0) {
        isOver = true
        reject(new Error(`connect ${host}:${port}`, { cause }))
      }
    })
    if (left.length > 0) cancelNext = clock.schedule(staggerMs, next)
  }
  next()
  const stop = () => {
    isOver = true
    cancelNext()
    // Its error, if one still comes, is nobody's any more.
    for (const socket of dialling)
      socket
        .removeAllListeners('error')
        .on('error', () => undefined)
        .destroy()
  }
  return { stop }
}

/** With TLS its handshake begins as soon as it is connected. */
function socketTo(to: TcpNetConnectOpts, tls: ConnectOptions['tls']): Socket {
  if (tls === undefined) return connectTcp(to)
  return connectTls({ ...to, secureContext: tls.context, servername: tls.serverName, ALPNProtocols: ['http/1.1'] })
}

/** Waits for the end of the handshake. @throws Error why there is none; the socket is closed then */
async function secured(socket: Socket, { clock, timeoutMs }: ConnectOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const cancel = clock.schedule(timeoutMs, () => reject(new Error(`no TLS in ${timeoutMs} ms`)))
  const onClose = () => reject(new Error('the peer closed the connection in its handshake'))
  socket.once('error', reject).once('close', onClose).once('secureConnect', resolve)
  try {
    await promise
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    cancel()
    socket.removeListener('error', reject).removeListener('close', onClose)
  }
}
