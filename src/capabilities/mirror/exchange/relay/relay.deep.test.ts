// Ten nodes that want one blob at a time, each with an exchange, a store and a port of its own: what the registry has to send.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import type { Clock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { UnhurriedClock } from '#kube/testdata/unhurried-clock.ts'
import type { Exchange } from '../../contract.ts'
import { type Digest, parseDigest } from '../../reference.ts'
import { KeptCounts } from '../../testdata/kept-counts.ts'
import { MemoryNetwork, type MemoryRouter } from '../../testdata/memory-network.ts'
import { digestOf, MemoryStore } from '../../testdata/memory-store.ts'
import { startExchange } from '../exchange.ts'
import { settings } from '../testdata/peer-bed.ts'

const pieceBytes = 65_536

/** Outside: counts what it sends. */
class Registry {
  sent = 0
  readonly #bytes: Buffer
  readonly #clock: Clock

  constructor(bytes: Buffer, clock: Clock) {
    this.#bytes = bytes
    this.#clock = clock
  }

  async *from(start: number): AsyncGenerator<Buffer> {
    for (let at = start; at < this.#bytes.length; at += pieceBytes) {
      await this.#clock.after(5)
      const piece = this.#bytes.subarray(at, at + pieceBytes)
      this.sent += piece.length
      yield piece
    }
  }
}

interface Node {
  readonly id: string
  readonly exchange: Exchange
  readonly store: MemoryStore
  readonly router: MemoryRouter
  readonly server: Server
  readonly counts: KeptCounts
}

async function nodeAt(index: number, port: number, network: MemoryNetwork, clock: Clock): Promise<Node> {
  const host = `127.0.1.${index + 1}`
  const id = `N${index + 1}`
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  const router = network.join({ id, hosts: [host] })
  const [store, counts] = [new MemoryStore(), new KeptCounts()]
  const peerPort = (server.address() as AddressInfo).port
  const exchange = startExchange({ settings: { ...settings, peerPort }, store, router, counts, clock, log: silentLog })
  server.on('request', async (request, response) => {
    const digest = parseDigest(/sha256:[0-9a-f]{64}/.exec(request.url ?? '')?.[0] ?? '')
    const peer = `${request.headers['x-ballast-peer']}`
    const info = digest === undefined ? undefined : await store.info(digest)
    if (digest === undefined) return void response.writeHead(404).end()
    const head = { 'docker-content-digest': digest, 'content-type': 'application/octet-stream' }
    if (info !== undefined) {
      response.writeHead(200, { ...head, 'content-length': info.size })
      return void (await pipeline(await store.open(digest), response).catch(() => response.destroy())) // the client left
    }
    const { range } = request.headers
    const start = range === undefined ? undefined : Number(/^bytes=(\d+)-$/.exec(range)?.[1])
    const asker = { peer, seat: `${request.headers['x-ballast-seat']}`, start }
    const relayed = await exchange.relay(digest, asker, new AbortController().signal)
    if (relayed.outcome === 'nothing') return void response.writeHead(404, { 'content-length': 0 }).end()
    if (relayed.outcome === 'ask')
      return void response.writeHead(503, { 'content-length': 0, 'x-ballast-relay': relayed.peers.join() }).end()
    const length = relayed.total - (start ?? 0)
    const part = start === undefined ? {} : { 'content-range': `bytes ${start}-${relayed.total - 1}/${relayed.total}` }
    const status = start === undefined ? 200 : 206
    response.writeHead(status, { ...head, ...part, 'content-length': length, 'x-ballast-inflight': '1' })
    await pipeline(relayed.body, response).catch(() => response.destroy()) // broken off: uncleanly here too
  })
  return { id, exchange, store, router, server, counts }
}

/** What a node's containerd does for a blob: opens its download, asks the mirror, goes to the registry for what is missing. */
async function pull({ exchange, store, router }: Node, digest: Digest, size: number, registry: Registry): Promise<void> {
  store.begin(digest, size)
  let at = 0
  const answer = await exchange.fetch(
    { route: 'blobs', method: 'GET', registry: 'ghcr.io', repository: 'acme/app', digest },
    new AbortController().signal,
  )
  const grow = (piece: Buffer) => {
    store.grow(digest, piece)
    at += piece.length
  }
  try {
    if (answer.outcome === 'found') for await (const piece of answer.body ?? []) grow(piece)
  } catch {
    // Broken off: the registry has the rest.
  }
  if (at < size) for await (const piece of registry.from(at)) grow(piece)
  expect(store.finish(digest)).toBe(digest)
  await router.announce([digest])
}

class Cluster implements AsyncDisposable {
  readonly nodes: readonly Node[]

  private constructor(nodes: readonly Node[]) {
    this.nodes = nodes
  }

  static async of(count: number, clock: Clock): Promise<Cluster> {
    const network = new MemoryNetwork()
    const first = await nodeAt(0, 0, network, clock)
    const port = (first.server.address() as AddressInfo).port
    const others = await Promise.all(Array.from({ length: count - 1 }, (_, index) => nodeAt(index + 1, port, network, clock)))
    return new Cluster([first, ...others])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { exchange, server } of this.nodes) {
      await exchange[Symbol.asyncDispose]()
      server.closeAllConnections()
      server.close()
    }
  }
}

const blob = Buffer.alloc(2_500_000, 'in flight ')
const digest = digestOf(blob)

describe('ten nodes that have nothing', () => {
  test('and begin at once load it from the registry once', async () => {
    await using clock = new UnhurriedClock()
    await using cluster = await Cluster.of(10, clock)
    const registry = new Registry(blob, clock)
    await Promise.all(cluster.nodes.map(node => pull(node, digest, blob.length, registry)))
    expect(registry.sent / blob.length).toBeLessThanOrEqual(1.2)
    const relayed = cluster.nodes.flatMap(({ counts }) => counts.lines).filter(line => line.startsWith('served ghcr.io'))
    expect(relayed).toHaveLength(9)
  })

  test('and begin one after the other while it comes load it once, whoever of them is nearest', async () => {
    await using clock = new UnhurriedClock()
    await using cluster = await Cluster.of(10, clock)
    const registry = new Registry(blob, clock)
    const begun = cluster.nodes.map(async (node, index) => {
      await clock.after(index * 15)
      await pull(node, digest, blob.length, registry)
    })
    await Promise.all(begun)
    expect(registry.sent / blob.length).toBeLessThanOrEqual(1.2)
  })

  test('and lose the one that leads get the rest elsewhere, whole', async () => {
    await using clock = new UnhurriedClock()
    await using cluster = await Cluster.of(10, clock)
    const registry = new Registry(blob, clock)
    const pulls = cluster.nodes.map(node => pull(node, digest, blob.length, registry))
    await expect.poll(() => registry.sent > 500_000, { interval: 5 }).toBe(true)
    const leading = cluster.nodes.filter(({ exchange }) => exchange.state().inFlight === 0)
    for (const { server } of leading) server.closeAllConnections()
    for (const { server } of leading) server.close()
    await Promise.all(pulls)
    for (const { store } of cluster.nodes) expect((await store.info(digest))?.size).toBe(blob.length)
  })

  test('a small blob is loaded by each, at once', async () => {
    await using clock = new UnhurriedClock()
    await using cluster = await Cluster.of(3, clock)
    const small = Buffer.from('0123456789')
    const registry = new Registry(small, clock)
    await Promise.all(cluster.nodes.map(node => pull(node, digestOf(small), small.length, registry)))
    expect(registry.sent).toBe(30)
    expect(cluster.nodes.flatMap(({ router }) => router.lookedUp).some(key => key.startsWith('inflight:'))).toBe(false)
  })
})
