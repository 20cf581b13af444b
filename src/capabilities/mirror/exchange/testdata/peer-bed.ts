// Peers of this process: HTTP servers on loopback addresses with one port, that answer as a test says, and an exchange that asks them.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { Exchange, Found, NotFound, Wanted } from '../../contract.ts'
import type { Digest } from '../../reference.ts'
import { KeptCounts } from '../../testdata/kept-counts.ts'
import { MemoryNetwork, type MemoryRouter } from '../../testdata/memory-network.ts'
import { digestOf, MemoryStore } from '../../testdata/memory-store.ts'
import { type ExchangeOptions, type ExchangeSettings, startExchange } from '../exchange.ts'
import type { PoisonedBlob } from '../transfer/integrity.ts'

export type Behaviour = (request: IncomingMessage, response: ServerResponse) => void

/** One peer: what it was asked, and what it has announced. */
interface BedPeer {
  readonly id: string
  readonly router: MemoryRouter
  readonly asked: string[]
  behave: Behaviour
  readonly server: Server
}

export const settings: ExchangeSettings = {
  basicAuth: undefined,
  basicAuthTo: 'certified',
  headerTimeoutMs: 3_000,
  mirrorResolveRetries: 3,
  mirrorResolveTimeoutMs: 20,
  ownZone: '',
  peerPort: 0,
  peerTransport: 'http',
  quarantineMs: 600_000,
  relay: { enabled: true, holdMs: 20_000, settleMs: 50 },
  stallTimeoutMs: 10_000,
  tags: 'always',
  uploadLimit: 0,
  verifyBufferBytes: 4_194_304,
  zone: 'prefer',
}

export class PeerBed implements AsyncDisposable {
  readonly clock = new VirtualClock(1_750_000_000_000)
  readonly network = new MemoryNetwork()
  readonly counts = new KeptCounts()
  readonly store = new MemoryStore()
  readonly poisoned: PoisonedBlob[] = []
  readonly router = this.network.join({ id: 'own', hosts: ['127.0.0.1'] })
  readonly peers: BedPeer[] = []
  readonly exchange: Exchange
  readonly #servers: readonly Server[]

  private constructor(servers: readonly Server[], port: number, over: Partial<ExchangeSettings>, options: Partial<ExchangeOptions>) {
    this.#servers = servers
    for (const [index, server] of servers.entries()) {
      const id = `P${index + 1}`
      const asked: string[] = []
      const peer: BedPeer = { id, asked, server, behave: refuse(404), router: this.network.join({ id, hosts: [hostOf(index)], zone: `zone-${id}` }) }
      server.on('request', (request, response) => {
        const { range } = request.headers
        asked.push(`${request.method} ${request.url}${range === undefined ? '' : ` ${range}`}`)
        response.on('error', () => undefined)
        peer.behave(request, response)
      })
      this.peers.push(peer)
    }
    this.exchange = startExchange({
      settings: { ...settings, peerPort: port, ...over },
      store: this.store,
      router: this.router,
      counts: this.counts,
      clock: this.clock,
      log: silentLog,
      onPoisoned: event => this.poisoned.push(event),
      ...options,
    })
  }

  /** So many peers that have announced nothing. */
  static async open(count: number, over: Partial<ExchangeSettings> = {}, options: Partial<ExchangeOptions> = {}): Promise<PeerBed> {
    for (let attempt = 0; ; attempt++) {
      const servers = Array.from({ length: count }, () => createServer({ keepAliveTimeout: 60_000 }))
      try {
        let port = 0
        for (const [index, server] of servers.entries()) port = await listen(server, port, hostOf(index))
        return new PeerBed(servers, port, over, options)
      } catch (error) {
        // Another process has that port on one of the addresses.
        for (const server of servers) server.close()
        if (attempt > 20) throw error
      }
    }
  }

  peer(number: number): BedPeer {
    const peer = this.peers[number - 1]
    if (peer === undefined) throw new Error(`no peer ${number}`)
    return peer
  }

  /** Peer `number` announces the key, and answers so. */
  has(number: number, key: string, behave: Behaviour): BedPeer {
    const peer = this.peer(number)
    peer.router.announced.add(key)
    peer.behave = behave
    return peer
  }

  /** What this process itself would send. */
  async blob(digest: Digest, over: Partial<Wanted> = {}, signal = new AbortController().signal): Promise<Found | NotFound> {
    return withBody(await this.carried(digest, over, signal))
  }

  /** The same, or where a data plane would get it, where `over` says that one asks. */
  carried(digest: Digest, over: Partial<Wanted> = {}, signal = new AbortController().signal) {
    return this.exchange.fetch({ route: 'blobs', method: 'GET', registry: 'ghcr.io', repository: 'acme/app', digest, ...over }, signal)
  }

  async manifest(over: Partial<Wanted>): Promise<Found | NotFound> {
    const signal = new AbortController().signal
    const wanted = { route: 'manifests', method: 'GET', registry: 'ghcr.io', repository: 'acme/app', ...over } as const
    return withBody(await this.exchange.fetch(wanted, signal))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exchange[Symbol.asyncDispose]()
    for (const server of this.#servers) {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    }
  }
}

const hostOf = (index: number): string => `127.0.0.${index + 2}`

async function listen(server: Server, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  return (server.address() as AddressInfo).port
}

export const refuse =
  (status: number): Behaviour =>
  (_request, response) => {
    response.writeHead(status, { 'content-length': 0 }).end()
  }

/** As a mirror answers: the whole, or the range that was asked for. */
export const serve =
  (bytes: Buffer, headers: Record<string, string> = {}): Behaviour =>
  (request, response) => {
    const part = partOf(request, bytes)
    response.writeHead(part.status, { ...part.headers, ...headers })
    response.end(request.method === 'HEAD' ? undefined : part.body)
  }

/** Says that all comes, sends so many bytes, and breaks the connection. */
export const breakAfter =
  (bytes: Buffer, count: number, headers: Record<string, string> = {}): Behaviour =>
  (request, response) => {
    const part = partOf(request, bytes)
    response.writeHead(part.status, { ...part.headers, ...headers })
    response.flushHeaders()
    if (count === 0) response.socket?.destroySoon()
    else response.write(part.body.subarray(0, count), () => response.socket?.destroySoon())
  }

/** Sends so many bytes, and nothing any more. */
export const silentAfter =
  (bytes: Buffer, count: number): Behaviour =>
  (request, response) => {
    const part = partOf(request, bytes)
    response.writeHead(part.status, part.headers)
    response.flushHeaders()
    if (count > 0) response.write(part.body.subarray(0, count))
  }

function partOf({ headers: { range } }: IncomingMessage, bytes: Buffer) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? []
  const size = bytes.length
  const start = first === undefined ? 0 : first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === undefined || first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  const body = bytes.subarray(start, end + 1)
  const base = { 'docker-content-digest': digestOf(bytes), 'content-type': 'application/octet-stream', 'content-length': `${body.length}` }
  if (range === undefined) return { status: 200, headers: base, body }
  if (start >= size) return { status: 416, headers: { 'content-range': `bytes */${size}`, 'content-length': '0' }, body: Buffer.alloc(0) }
  return { status: 206, headers: { ...base, 'content-range': `bytes ${start}-${end}/${size}` }, body }
}

/** Body of what was found: its bytes, and whether it ended cleanly. */
export async function readBody(stream: Readable | undefined): Promise<{ readonly bytes: Buffer; readonly isClean: boolean }> {
  const pieces: Buffer[] = []
  try {
    for await (const piece of stream ?? []) pieces.push(piece)
  } catch {
    return { bytes: Buffer.concat(pieces), isClean: false } // broken off
  }
  return { bytes: Buffer.concat(pieces), isClean: true }
}

export function found(answer: Found | NotFound): Found {
  if (answer.outcome !== 'found') throw new Error(`not found: ${answer.message} (${answer.reason})`)
  return answer
}

function withBody(found: Awaited<ReturnType<Exchange['fetch']>>): Found | NotFound {
  if (found.outcome === 'elsewhere') throw new Error('nobody asked for what another node has')
  return found
}
