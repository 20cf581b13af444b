// The libp2p host: TCP, noise and TLS, yamux, identify, ping, as upstream's agents speak them. Its modules are loaded when a router starts.
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { type Address, isLoopback, isSameAddress, multiaddressOf, readAddress } from './address.ts'
import { noiseCryptography, tlsWhenAsked } from './encryption.ts'
import type { RawKey } from './identity.ts'
import { textOf } from './keys.ts'

type Connection = Awaited<ReturnType<Libp2p['dial']>>
export type Stream = Awaited<ReturnType<Connection['newStream']>>

export const kademliaProtocol = '/spegel/kad/1.0.0'
/** Connections to peers; libp2p closes those used least beyond it. */
const mostConnections = 300
/** Connections that are not yet proven, at once. */
const mostPendingConnections = 64
/** New connections a second from one address. */
const connectionsASecond = 50
export const dialTimeoutMs = 3_000
/** Streams of Kademlia that one peer may open to us at once. */
const mostStreamsOfAPeer = 32
/** Bytes that wait for a peer which does not read. */
const mostUnsentBytes = 4 * 1_024 * 1_024

export interface NodeOptions {
  readonly key: RawKey
  readonly agent: string
  readonly listen: readonly string[]
  readonly isLoopback: boolean
  readonly encryption?: 'noise' | 'tls' | 'both'
}

/** What identify told of a peer. */
export interface Identified {
  readonly id: string
  readonly agent: string | undefined
  readonly protocols: readonly string[]
  /** Multiaddresses it listens on. */
  readonly addresses: readonly Uint8Array[]
  /** Where we reached it; `undefined` where it came to us. */
  readonly reachedAt: Address | undefined
}

/** The dial led to ourselves. */
export class OwnAddress extends Error {
  override readonly name = 'OwnAddress'
}

export class Node implements AsyncDisposable {
  readonly #host: Libp2p
  readonly #met: Set<string>
  readonly #identify: (connection: Connection) => Promise<unknown>

  constructor(host: Libp2p, met: Set<string>, identify: (connection: Connection) => Promise<unknown>) {
    this.#host = host
    this.#met = met
    this.#identify = identify
  }

  get id(): string {
    return this.#host.peerId.toString()
  }

  get connections(): number {
    return this.#host.getConnections().length
  }

  /** Where we listen, as others are told. */
  addresses(): readonly Address[] {
    return this.#host.getMultiaddrs().flatMap(address => readAddress(address.bytes) ?? [])
  }

  isConnected(id: string): boolean {
    return this.#host.getConnections(peerIdFromString(id)).some(({ status }) => status === 'open')
  }

  /** A connection to the peer, the one there is or a new one. @throws Error of the dial, of all addresses together. */
  async connect(id: string, addresses: readonly Address[], signal: AbortSignal): Promise<Connection> {
    const open = this.#host.getConnections(peerIdFromString(id)).find(({ status }) => status === 'open')
    if (open !== undefined) return open
    if (addresses.length === 0) throw new Error(`no address of ${id} is known`)
    return await this.#host.dial(
      addresses.map(address => multiaddr(`${multiaddressOf(address)}/p2p/${id}`)),
      { signal },
    )
  }

  /** A connection to whoever is there; yields its id. @throws OwnAddress where it is ourselves; Error of the dial. */
  async meet(address: Address, signal: AbortSignal): Promise<string> {
    const text = multiaddressOf(address)
    if (this.addresses().some(own => isSameAddress(own, address))) throw new OwnAddress(text)
    this.#met.delete(text)
    try {
      const connection = await this.#host.dial(multiaddr(text), { signal })
      return connection.remotePeer.toString()
    } catch (error) {
      if (this.#met.delete(text)) throw new OwnAddress(text)
      throw error
    }
  }

  async disconnect(id: string): Promise<void> {
    await this.#host.hangUp(peerIdFromString(id))
  }

  /** Asks a connected peer again who it is, as is done by itself once a connection; `onIdentified` hears it. @throws Error where it does not say */
  async identify(id: string): Promise<void> {
    const open = this.#host.getConnections(peerIdFromString(id)).find(({ status }) => status === 'open')
    if (open !== undefined) await this.#identify(open)
  }

  onIdentified(listener: (peer: Identified) => void): void {
    this.#host.addEventListener('peer:identify', ({ detail }) => {
      const reachedAt = detail.connection.direction === 'outbound' ? readAddress(detail.connection.remoteAddr.bytes) : undefined
      listener({
        id: detail.peerId.toString(),
        agent: detail.agentVersion,
        protocols: detail.protocols,
        addresses: detail.listenAddrs.map(address => address.bytes),
        reachedAt,
      })
    })
  }

  onDisconnected(listener: (id: string) => void): void {
    this.#host.addEventListener('peer:disconnect', ({ detail }) => listener(detail.toString()))
  }

  /** Kademlia's streams that peers open. */
  async serve(handler: (stream: Stream, peer: string) => void): Promise<void> {
    await this.#host.handle(
      kademliaProtocol,
      (stream, connection) => {
        stream.maxWriteBufferLength = mostUnsentBytes
        handler(stream, connection.remotePeer.toString())
      },
      { maxInboundStreams: mostStreamsOfAPeer, maxOutboundStreams: mostStreamsOfAPeer },
    )
  }

  async start(): Promise<void> {
    await this.#host.start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host.stop()
  }
}

/** A host that does not listen yet. */
export async function createNode({
  key,
  agent,
  listen,
  isLoopback: isBoundToLoopback,
  encryption = 'both',
}: NodeOptions): Promise<Node> {
  const [{ createLibp2p }, { tcp }, { noise }, { yamux }, { identify }, { ping }, { privateKeyFromRaw }] = await Promise.all([
    import('libp2p'),
    import('@libp2p/tcp'),
    import('@libp2p/noise'),
    import('@libp2p/yamux'),
    import('@libp2p/identify'),
    import('@libp2p/ping'),
    import('@libp2p/crypto/keys'),
  ])
  const met = new Set<string>()
  const privateKey = privateKeyFromRaw(key)
  const own = textOf(privateKey.publicKey.toMultihash().bytes)
  const host = await createLibp2p({
    start: false,
    privateKey,
    nodeInfo: { name: 'ballast', userAgent: agent },
    addresses: {
      listen: [...listen],
      announceFilter: addresses =>
        addresses.filter(({ bytes }) => {
          const address = readAddress(bytes)
          return address !== undefined && (isBoundToLoopback || !isLoopback(address.ip)) && !address.ip.startsWith('fe80')
        }),
    },
    transports: [tcp()],
    connectionEncrypters: [
      ...(encryption === 'tls' ? [] : [noise({ crypto: noiseCryptography })]),
      ...(encryption === 'noise' ? [] : [tlsWhenAsked()]),
    ],
    streamMuxers: [yamux()],
    connectionGater: {
      // Private addresses are what a cluster has; what libp2p would refuse by itself is decided by the rules of addresses.
      denyDialMultiaddr: () => false,
      denyOutboundEncryptedConnection: (peer, connection) => {
        if (textOf(peer.toMultihash().bytes) !== own) return false
        met.add(connection.remoteAddr.toString())
        return true
      },
    },
    connectionManager: {
      maxConnections: mostConnections,
      maxIncomingPendingConnections: mostPendingConnections,
      inboundConnectionThreshold: connectionsASecond,
      dialTimeout: dialTimeoutMs,
      addressDialTimeout: dialTimeoutMs,
      reconnectRetries: 0,
    },
    // Whether peers answer is asked by the router itself.
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping() },
  })
  return new Node(host, met, connection => host.services.identify.identify(connection))
}
