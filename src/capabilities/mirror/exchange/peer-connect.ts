// A connection to a peer that may have several addresses: the first that connects is taken, with TLS where both are ours.
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext } from 'node:tls'
import type { Clock } from '#kube/clock.ts'

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

/** The first connection that stands. @throws Error with the last fault as cause, or after `timeoutMs` */
export async function connectPeer(options: ConnectOptions): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const cancelTimeout = options.clock.schedule(options.timeoutMs, () =>
    reject(new Error(`no connection in ${options.timeoutMs} ms`)),
  )
  const dial = dialAll(options, resolve, reject)
  try {
    const socket = await promise
    return options.tls === undefined ? socket : await secured(socket, options.tls, options)
  } finally {
    cancelTimeout()
    dial.stop()
  }
}

function dialAll(
  { hosts, port, clock }: ConnectOptions,
  resolve: (socket: Socket) => void,
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
    const socket = connectTcp({ host: host.replace(/^\[|\]$/g, ''), port, noDelay: true, keepAlive: true })
    dialling.add(socket)
    socket.once('connect', () => {
      if (isOver) return
      isOver = true
      dialling.delete(socket)
      socket.removeAllListeners('error')
      resolve(socket)
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

async function secured(
  socket: Socket,
  { context, serverName }: NonNullable<ConnectOptions['tls']>,
  { clock, timeoutMs }: ConnectOptions,
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const secure = connectTls({ socket, secureContext: context, servername: serverName, ALPNProtocols: ['http/1.1'] })
  const cancel = clock.schedule(timeoutMs, () => secure.destroy(new Error(`no TLS in ${timeoutMs} ms`)))
  secure.once('error', reject).once('secureConnect', () => resolve(secure))
  try {
    const connected = await promise
    secure.removeListener('error', reject)
    return connected
  } catch (error) {
    secure.on('error', () => undefined).destroy()
    throw error
  } finally {
    cancel()
  }
}
