// HTTP to other nodes' mirrors: kept connections, no redirects, nothing decoded; plain or with mutual TLS.
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import type { Peer, PeerIdentity, Wanted } from '../../contract.ts'
import { agentTlsName } from '../../prefetch.ts'
import type { Digest } from '../../reference.ts'
import type { Reply } from '../race/race-run.ts'
import { type AskedRange, type Head, type HeadFault, readHead } from './answer-head.ts'
import type { PeerBody } from './peer-body.ts'
import { connectPeer } from './peer-connect.ts'
import type { PeerConnection } from './peer-connection.ts'
import { PeerLine } from './peer-line.ts'

/** Peers that connections are kept to. */
const mostPeers = 256
/** Bytes that are read of an unwanted answer, so that the connection can be used again. */
const mostDumped = 16_384

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
  readonly basicAuthTo: 'certified' | 'all'
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

/** Where a peer was reached, for whoever asks it again. */
export interface PeerPlace {
  readonly way: 'http' | 'mtls'
  /** As in URLs; IPv6 in brackets. */
  readonly host: string
  readonly port: number
  readonly authorization: string | undefined
}

/** A good answer: its head was checked, its body was not. */
export interface PeerAnswer {
  readonly head: Head
  /** Who gave it; left out where answers come from no socket. */
  readonly place?: PeerPlace
  /** Empty for HEAD. Destroying it closes the connection. */
  readonly body: PeerBody
}

export type PeerFault = HeadFault | { readonly kind: 'unreachable'; readonly message: string }

type Way = PeerPlace['way']

interface Line {
  readonly line: PeerLine
  hosts: readonly string[]
}

/** How a peer is asked, or `undefined`: not at all, since neither way is open. */
export function wayTo(
  peer: Pick<Peer, 'isOurs'>,
  { transport, hasTls }: { readonly transport: PeerClientOptions['transport']; readonly hasTls: boolean },
): Way | undefined {
  if (transport === 'http') return 'http'
  if (transport === 'mtls') return peer.isOurs && hasTls ? 'mtls' : undefined
  return peer.isOurs && hasTls ? 'mtls' : 'http'
}

export class PeerClient implements AsyncDisposable {
  readonly #options: PeerClientOptions
  readonly #lines = new Map<string, Line>()
  #context: { readonly of: PeerIdentity; readonly context: SecureContext } | undefined

  constructor(options: PeerClientOptions) {
    this.#options = options
  }

  /** Asks a peer once (twice where a kept connection turns out to be closed). Never throws. */
  async ask(peer: Peer, request: PeerRequest, signal: AbortSignal): Promise<Reply<PeerAnswer, PeerFault>> {
    const { transport, tlsPort } = this.#options
    const way = wayTo(peer, { transport, hasTls: tlsPort !== undefined && this.#options.identity() !== undefined })
    if (way === undefined) return { ok: false, fault: { kind: 'unreachable', message: 'no mutual TLS to it' } }
    const line = this.#line(peer, way)
    const first = await this.#once(line, way, request, signal, false)
    // A kept connection may have been closed by the peer at the same moment: then a fresh one is asked.
    const reply = first === undefined ? await this.#once(line, way, request, signal, true) : first
    return reply ?? { ok: false, fault: { kind: 'unreachable', message: 'the connection was closed' } }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { line } of this.#lines.values()) line[Symbol.dispose]()
    this.#lines.clear()
  }

  /** `undefined`: a kept connection brought nothing. */
  async #once(
    line: PeerLine,
    way: Way,
    request: PeerRequest,
    signal: AbortSignal,
    isFresh: boolean,
  ): Promise<Reply<PeerAnswer, PeerFault> | undefined> {
    let wasKept = false
    try {
      const { connection, isKept } = await line.take(signal, isFresh)
      wasKept = isKept
      return await this.#asked(connection, way, request, signal)
    } catch (error) {
      if (wasKept && !signal.aborted) return undefined
      return { ok: false, fault: { kind: 'unreachable', message: messageOf(signal.aborted ? signal.reason : error) } }
    }
  }

  async #asked(
    connection: PeerConnection,
    way: Way,
    request: PeerRequest,
    signal: AbortSignal,
  ): Promise<Reply<PeerAnswer, PeerFault>> {
    const onAbort = () => connection.destroy()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const { status, headers, body } = await connection.ask(this.#text(way, request), request.method === 'HEAD')
      const read = readHead(status, headers, request)
      if (!read.ok) await dump(body)
      return read.ok ? { ok: true, answer: { head: read.head, place: this.#place(connection.host, way), body } } : read
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #text(way: Way, request: PeerRequest): string {
    const headers = Object.entries(this.#headers(way, request)).map(([name, value]) => `${name}: ${value}\r\n`)
    const host = way === 'mtls' ? agentTlsName : 'peer'
    return `${request.method} ${pathOf(request)} HTTP/1.1\r\nhost: ${host}\r\n${headers.join('')}\r\n`
  }

  #place(host: string, way: Way): PeerPlace {
    const { httpPort, tlsPort = 0 } = this.#options
    return { way, host, port: way === 'mtls' ? tlsPort : httpPort, authorization: this.#authorization(way) }
  }

  /** Anybody may announce content and is asked for it then: only a certificate of ours says who it is. */
  #authorization(way: Way): string | undefined {
    const { basicAuth, basicAuthTo } = this.#options
    if (basicAuth === undefined || (way !== 'mtls' && basicAuthTo !== 'all')) return undefined
    return `Basic ${Buffer.from(`${basicAuth.username}:${basicAuth.password}`).toString('base64')}`
  }

  #headers(way: Way, { range, seat }: PeerRequest): Record<string, string> {
    const { ownId } = this.#options
    const authorization = this.#authorization(way)
    const headers: Record<string, string> = { 'x-spegel-mirrored': 'true', 'x-ballast-hop': '1', 'x-ballast-peer': ownId }
    if (seat !== undefined) headers['x-ballast-seat'] = seat
    if (range !== undefined) headers['range'] = rangeText(range)
    if (authorization !== undefined) headers['authorization'] = authorization
    return headers
  }

  #line(peer: Peer, way: Way): PeerLine {
    const key = `${way} ${peer.id}`
    const line = this.#lines.get(key) ?? this.#opened(way)
    this.#lines.delete(key)
    line.hosts = peer.hosts
    this.#lines.set(key, line)
    this.#trim()
    return line.line
  }

  #opened(way: Way): Line {
    const opened: Line = {
      hosts: [],
      line: new PeerLine({ clock: this.#options.clock, connect: () => this.#connect(opened.hosts, way) }),
    }
    return opened
  }

  async #connect(hosts: readonly string[], way: Way): Promise<PeerConnection> {
    const { clock, httpPort, tlsPort, identity, connectTimeoutMs: timeoutMs } = this.#options
    if (way === 'http') return await connectPeer({ clock, hosts, port: httpPort, tls: undefined, timeoutMs })
    const own = identity()
    if (own === undefined || tlsPort === undefined) throw new Error('no certificate for mutual TLS')
    const tls = { context: this.#contextOf(own), serverName: agentTlsName }
    return await connectPeer({ clock, hosts, port: tlsPort, tls, timeoutMs })
  }

  #contextOf(own: PeerIdentity): SecureContext {
    if (this.#context?.of !== own) {
      const { ca, certificate: cert, key } = own
      this.#context = { of: own, context: createSecureContext({ ca, cert, key, minVersion: 'TLSv1.2' }) }
    }
    return this.#context.context
  }

  /** Lets go of the peers asked longest ago. */
  #trim(): void {
    for (const [key, { line }] of this.#lines) {
      if (this.#lines.size <= mostPeers) return
      this.#lines.delete(key)
      line.retire()
    }
  }
}

/** Reads what is left where it is little, so that the connection can be used again; else that is closed. */
async function dump(body: PeerBody): Promise<void> {
  try {
    while (body.left <= mostDumped) {
      const piece = await body.next()
      if (piece === undefined) return
      piece[Symbol.dispose]()
    }
  } catch {
    // It broke: then there is nothing to be kept.
  }
  body.destroy()
}

/** The header `Range` that asks for it. */
export const rangeText = (range: AskedRange): string =>
  'last' in range ? `bytes=-${range.last}` : `bytes=${range.start}-${range.end ?? ''}`

/** Path and query that ask for it. */
export function pathOf({ route, registry, repository, digest, tag }: PeerRequest): string {
  const query = registry === '' ? '' : `?ns=${encodeURIComponent(registry)}`
  return `/v2/${repository}/${route}/${digest ?? tag ?? ''}${query}`
}
