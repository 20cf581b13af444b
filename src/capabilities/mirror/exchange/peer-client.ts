// HTTP to other nodes' mirrors: kept connections, no redirects, nothing decoded; plain or with mutual TLS.
import type { Readable } from 'node:stream'
import { createSecureContext } from 'node:tls'
import { Pool } from 'undici'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import type { Peer, PeerIdentity, Wanted } from '../contract.ts'
import { agentTlsName } from '../prefetch.ts'
import type { Digest } from '../reference.ts'
import { type AskedRange, type Head, type HeadFault, readHead } from './answer-head.ts'
import { connectPeer } from './peer-connect.ts'
import type { Reply } from './race-run.ts'

/** Connections to one peer. */
const mostConnections = 100
/** Peers that connections are kept to. */
const mostPeers = 256
/** Bytes of the header of an answer. */
const largestHeader = 16_384
/** Of an answer that is not taken so much is read, so that the connection can be used again. */
const mostDumped = 16_384
const keepAliveMs = 30_000

export interface PeerClientOptions {
  readonly clock: Clock
  /** This node's id, which peers of ours are told. */
  readonly ownId: string
  readonly transport: 'auto' | 'mtls' | 'http'
  readonly httpPort: number
  readonly tlsPort: number | undefined
  /** Read anew for each connection: certificates are replaced while it runs. */
  readonly identity: () => PeerIdentity | undefined
  readonly basicAuth: { readonly username: string; readonly password: string } | undefined
  readonly connectTimeoutMs: number
}

export interface PeerRequest {
  readonly route: Wanted['route']
  readonly method: Wanted['method']
  readonly registry: string
  readonly repository: string
  readonly digest: Digest | undefined
  readonly tag: string | undefined
  readonly range: AskedRange | undefined
  /** `X-Ballast-Seat`, of a download that several share. */
  readonly seat?: string | undefined
}

/** A good answer: its head was checked, its body was not. */
export interface PeerAnswer {
  readonly head: Head
  /** Empty for HEAD. Destroying it closes the connection. */
  readonly body: Readable
}

export type PeerFault = HeadFault | { readonly kind: 'unreachable'; readonly message: string }

interface Connections {
  readonly pool: Pool
  hosts: readonly string[]
  /** Connections that were opened: whether a request had a fresh one. */
  opened: number
}

/** How a peer is asked, or `undefined`: not at all, since neither way is open. */
export function wayTo(
  peer: Pick<Peer, 'isOurs'>,
  { transport, hasTls }: { readonly transport: PeerClientOptions['transport']; readonly hasTls: boolean },
): 'http' | 'mtls' | undefined {
  if (transport === 'http') return 'http'
  if (transport === 'mtls') return peer.isOurs && hasTls ? 'mtls' : undefined
  return peer.isOurs && hasTls ? 'mtls' : 'http'
}

export class PeerClient implements AsyncDisposable {
  readonly #options: PeerClientOptions
  readonly #pools = new Map<string, Connections>()

  constructor(options: PeerClientOptions) {
    this.#options = options
  }

  /** Asks a peer once (twice where a kept connection turns out to be closed). Never throws. */
  async ask(peer: Peer, request: PeerRequest, signal: AbortSignal): Promise<Reply<PeerAnswer, PeerFault>> {
    const { transport, tlsPort } = this.#options
    const way = wayTo(peer, { transport, hasTls: tlsPort !== undefined && this.#options.identity() !== undefined })
    if (way === undefined) return { ok: false, fault: { kind: 'unreachable', message: 'no mutual TLS to it' } }
    const connections = this.#connections(peer, way)
    const openedBefore = connections.opened
    try {
      return await this.#once(connections, request, signal)
    } catch (error) {
      const wasKept = connections.opened === openedBefore && !signal.aborted
      if (!wasKept) return { ok: false, fault: { kind: 'unreachable', message: messageOf(error) } }
    }
    try {
      return await this.#once(connections, request, signal)
    } catch (error) {
      return { ok: false, fault: { kind: 'unreachable', message: messageOf(error) } }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pools = [...this.#pools.values()]
    this.#pools.clear()
    await Promise.all(pools.map(({ pool }) => pool.destroy()))
  }

  async #once({ pool }: Connections, request: PeerRequest, signal: AbortSignal): Promise<Reply<PeerAnswer, PeerFault>> {
    const { statusCode, headers, body } = await pool.request({
      path: pathOf(request),
      method: request.method,
      headers: this.#headers(request),
      signal,
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    const read = readHead(statusCode, headers, request)
    if (read.ok && request.method === 'GET') return { ok: true, answer: { head: read.head, body } }
    await body.dump({ limit: mostDumped })
    return read.ok ? { ok: true, answer: { head: read.head, body } } : read
  }

  #headers({ range, seat }: PeerRequest): Record<string, string> {
    const { basicAuth, ownId } = this.#options
    const headers: Record<string, string> = { 'x-spegel-mirrored': 'true', 'x-ballast-hop': '1', 'x-ballast-peer': ownId }
    if (seat !== undefined) headers['x-ballast-seat'] = seat
    if (range !== undefined)
      headers['range'] = 'last' in range ? `bytes=-${range.last}` : `bytes=${range.start}-${range.end ?? ''}`
    if (basicAuth !== undefined)
      headers['authorization'] = `Basic ${Buffer.from(`${basicAuth.username}:${basicAuth.password}`).toString('base64')}`
    return headers
  }

  #connections(peer: Peer, way: 'http' | 'mtls'): Connections {
    const key = `${way} ${peer.id}`
    const found = this.#pools.get(key)
    this.#pools.delete(key)
    const connections = found ?? this.#open(way)
    connections.hosts = peer.hosts
    this.#pools.set(key, connections)
    this.#trim()
    return connections
  }

  #open(way: 'http' | 'mtls'): Connections {
    const connections: Connections = {
      hosts: [],
      opened: 0,
      pool: new Pool(way === 'mtls' ? `https://${agentTlsName}` : 'http://peer', {
        connections: mostConnections,
        pipelining: 1,
        keepAliveTimeout: keepAliveMs,
        maxHeaderSize: largestHeader,
        headersTimeout: 0,
        bodyTimeout: 0,
        connect: (_options, callback) => {
          connections.opened++
          this.#connect(connections.hosts, way).then(
            socket => callback(null, socket),
            (error: unknown) => callback(error instanceof Error ? error : new Error(messageOf(error)), null),
          )
        },
      }),
    }
    return connections
  }

  async #connect(hosts: readonly string[], way: 'http' | 'mtls') {
    const { clock, httpPort, tlsPort, identity, connectTimeoutMs: timeoutMs } = this.#options
    if (way === 'http') return await connectPeer({ clock, hosts, port: httpPort, tls: undefined, timeoutMs })
    const own = identity()
    if (own === undefined || tlsPort === undefined) throw new Error('no certificate for mutual TLS')
    const context = createSecureContext({ ca: own.ca, cert: own.certificate, key: own.key, minVersion: 'TLSv1.2' })
    return await connectPeer({ clock, hosts, port: tlsPort, tls: { context, serverName: agentTlsName }, timeoutMs })
  }

  /** Lets go of the peers asked longest ago. */
  #trim(): void {
    for (const [key, { pool }] of this.#pools) {
      if (this.#pools.size <= mostPeers) return
      this.#pools.delete(key)
      pool.close().catch(() => pool.destroy())
    }
  }
}

function pathOf({ route, registry, repository, digest, tag }: PeerRequest): string {
  const query = registry === '' ? '' : `?ns=${encodeURIComponent(registry)}`
  return `/v2/${repository}/${route}/${digest ?? tag ?? ''}${query}`
}
