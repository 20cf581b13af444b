// The node among its peers: whom it knows, what it asks them, what it answers, who is gone.
import type { BlockList } from 'node:net'
import { LRUCache } from 'lru-cache'
import type { Clock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Random } from '#kube/random.ts'
import type { Peer } from '../contract.ts'
import { atMost } from '../remembered.ts'
import type { Address, Contact } from './address.ts'
import { type AddressRules, believedAddresses, mostAddressesOfAPeer } from './address-rules.ts'
import { bytesOfPeer, isPeerId, multihashOf, type Place, peerOfBytes, placeOf, placeOfPeer, sharedBits, textOf } from './keys.ts'
import { Links, withSignal } from './links.ts'
import { askedAtOnce, LostPeers, toAsk } from './liveness.ts'
import { type Message, messageTypes, type PeerRecord } from './message.ts'
import { type Identified, kademliaProtocol, type Node, OwnAddress } from './node.ts'
import { PeerBook } from './peer-book.ts'
import { ProviderRecords } from './provider-records.ts'
import { bucketSize, RoutingTable } from './routing-table.ts'
import { type Known, serveStream } from './serving.ts'
import { walk } from './walk.ts'

/** Nearest peers that have to have answered before a key counts as provided by nobody else. */
export const certainOfProviders = 8
export const certainOfNeighbours = 3
const askedInParallel = 10
/** Distances whose peers are sought again. */
const mostRefreshedDistances = 10
const introductionLimitMs = 1_000
const ownAddressesReadMs = 10_000

interface KademliaOptions {
  readonly node: Node
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly networks: BlockList | undefined
  readonly acceptsLoopback: boolean
  readonly announces: (digest: string) => boolean
  readonly onJoined: (peer: string) => void
  readonly onLeft: (peer: string) => void
}

export class Kademlia implements AsyncDisposable {
  readonly own: string
  readonly table: RoutingTable
  readonly book: PeerBook
  readonly records: ProviderRecords
  readonly lost = new LostPeers()
  readonly #options: KademliaOptions
  readonly #links: Links
  readonly #rules: AddressRules
  readonly #verified = new Set<string>()
  readonly #introduced = new Map<string, PromiseWithResolvers<void>>()
  readonly #stop = new AbortController()
  readonly #believed = new LRUCache<string, readonly Address[]>(atMost(1_024))
  #own: { readonly addresses: readonly Address[]; readonly readMs: number } = { addresses: [], readMs: 0 }
  #heardMs: number | undefined

  constructor(options: KademliaOptions) {
    const { node, clock, networks, acceptsLoopback } = options
    this.#options = options
    this.own = node.id
    this.table = new RoutingTable(placeOfPeer(node.id))
    this.book = new PeerBook(clock)
    this.records = new ProviderRecords(clock)
    this.#rules = { networks, acceptsLoopback, own: () => this.addresses }
    this.#links = new Links({
      node,
      clock,
      addressesOf: peer => this.book.addresses(peer),
      onAnswer: peer => {
        this.#heard(peer)
        this.#admit(peer)
      },
    })
  }

  /** Own ones. The library makes them anew at each call, which thousands of messages a second would feel. */
  get addresses(): readonly Address[] {
    const nowMs = this.#options.clock.elapsed()
    if (this.#own.addresses.length === 0 || nowMs - this.#own.readMs >= ownAddressesReadMs) {
      this.#own = { addresses: this.#options.node.addresses(), readMs: nowMs }
      this.#believed.clear()
    }
    return this.#own.addresses
  }

  /** A peer says the same addresses with each of its keys. */
  #believe(addresses: readonly Uint8Array[]): readonly Address[] {
    const text = addresses.slice(0, mostAddressesOfAPeer).map(textOf).join('|')
    const known = this.#believed.get(text)
    if (known !== undefined) return known
    const believed = believedAddresses(this.#rules, addresses)
    this.#believed.set(text, believed)
    return believed
  }

  /** When any peer was last heard, by the process's clock. */
  get heardMs(): number | undefined {
    return this.#heardMs
  }

  async start(): Promise<void> {
    const { node, clock, random, log, announces } = this.#options
    const known: Known = {
      own: this.own,
      ownAddresses: () => this.addresses,
      table: this.table,
      book: this.book,
      records: this.records,
      believe: addresses => this.#believe(addresses),
      announces,
      random,
    }
    node.onIdentified(peer => this.#identified(peer))
    node.onDisconnected(peer => {
      this.#links.forget(peer)
      if (this.table.has(peer) && this.#verified.size < askedAtOnce) void this.verify(peer)
    })
    await node.serve((stream, asker) =>
      serveStream({
        stream,
        asker,
        known,
        pause: breather(clock),
        onMessage: () => this.#heard(asker),
        onFault: error => log.debug({ peer: asker, error: messageOf(error) }, 'a stream of a peer was given up'),
      }),
    )
    await node.start()
  }

  #heard(peer: string): void {
    this.book.heard(peer)
    this.#heardMs = this.#options.clock.elapsed()
  }

  #identified({ id, agent, protocols, addresses, reachedAt }: Identified): void {
    if (id === this.own) return
    this.book.learn(id, this.#believe(addresses), 'itself')
    if (reachedAt !== undefined) this.book.reached(id, reachedAt)
    this.book.identified(id, agent)
    this.#heard(id)
    this.#introduced.get(id)?.resolve()
    if (!protocols.includes(kademliaProtocol)) {
      this.#leave(id)
      return
    }
    this.#admit(id)
  }

  /** Who answers, or says that it would, enters the table; one that was given up too: its connection may have stayed. */
  #admit(peer: string): void {
    // Who cannot be dialled is of no use to others.
    if (this.table.has(peer) || this.book.addresses(peer).length === 0 || this.table.add(peer) !== 'added') return
    this.lost.remove(peer)
    this.#options.onJoined(peer)
  }

  #leave(peer: string): void {
    this.#links.forget(peer)
    if (this.table.remove(peer)) this.#options.onLeft(peer)
  }

  /** Reaches one of the contact's addresses. @throws OwnAddress where it is ourselves; Error of the last dial. */
  async reach({ id, addresses }: Contact, signal: AbortSignal): Promise<void> {
    if (id === this.own) throw new OwnAddress(id)
    let failure: unknown = new Error('no address')
    for (const address of addresses) {
      try {
        const met = id ?? (await this.#options.node.meet(address, signal))
        if (id !== undefined) await this.#options.node.connect(id, addresses, signal)
        await this.#untilIntroduced(met, signal)
        return
      } catch (error) {
        failure = error
        signal.throwIfAborted()
      }
    }
    throw failure
  }

  /** Until identify told of a connected peer, at most 1 s. */
  async #untilIntroduced(peer: string, signal: AbortSignal): Promise<void> {
    if (this.book.agent(peer) !== undefined) return
    const introduction = this.#introduced.get(peer) ?? Promise.withResolvers<void>()
    this.#introduced.set(peer, introduction)
    const cancel = this.#options.clock.schedule(introductionLimitMs, () => introduction.resolve())
    signal.addEventListener('abort', () => introduction.resolve(), { once: true })
    await introduction.promise
    cancel()
    this.#introduced.delete(peer)
  }

  /** Asks a peer; peers of the answer are remembered with the addresses that are believed. `undefined` where it does not answer. */
  async #ask(peer: string, message: Pick<Message, 'type' | 'key'>, signal: AbortSignal): Promise<Answer | undefined> {
    try {
      const { closer, providers } = await this.#links.request(peer, message, signal)
      return { closer: this.#learned(closer), providers: this.#learned(providers) }
    } catch (error) {
      if (signal.aborted) return undefined
      this.#options.log.debug({ peer, error: messageOf(error) }, 'a peer did not answer')
      void this.verify(peer)
      return undefined
    }
  }

  #learned(peers: readonly PeerRecord[]): readonly string[] {
    return peers.flatMap(({ id, addresses }) => {
      const peer = peerOfBytes(id)
      if (peer === undefined || peer === this.own) return []
      this.book.learn(peer, this.#believe(addresses), 'others')
      return this.book.addresses(peer).length === 0 ? [] : [peer]
    })
  }

  /** Whether the peer is there, first as it is connected, then over a new connection; else it is lost. */
  async verify(peer: string): Promise<void> {
    if (this.#verified.has(peer) || this.#stop.signal.aborted) return
    this.#verified.add(peer)
    try {
      if (this.#options.node.isConnected(peer) && (await this.#answers(peer))) return
      await this.#options.node.disconnect(peer)
      if (await this.#answers(peer)) return
      if (this.#stop.signal.aborted) return
      if (this.table.has(peer)) this.lost.add(peer, this.#options.clock.elapsed())
      this.#leave(peer)
    } finally {
      this.#verified.delete(peer)
    }
  }

  async #answers(peer: string): Promise<boolean> {
    try {
      await this.#links.request(peer, { type: messageTypes.ping }, this.#stop.signal)
      return true
    } catch (error) {
      this.#options.log.debug({ peer, error: messageOf(error) }, 'a peer does not answer')
      return false
    }
  }

  /** Asks those that were silent for long, and tries lost ones again. Yields whether one of these is back. */
  async check(): Promise<boolean> {
    const { clock } = this.#options
    const silent = toAsk(this.table.ids(), peer => this.book.heardMs(peer), clock.elapsed())
    const ping = { type: messageTypes.ping, key: new Uint8Array() }
    const tries = this.lost.due(clock.elapsed()).map(async peer => {
      await this.#links.request(peer, ping, this.#stop.signal)
      this.lost.remove(peer)
    })
    const [, tried] = await Promise.all([
      Promise.all(silent.map(peer => this.#ask(peer, ping, this.#stop.signal))),
      Promise.allSettled(tries),
    ])
    return tried.some(({ status }) => status === 'fulfilled')
  }

  /** Peers near to a place, nearest first. */
  async explore(key: Uint8Array, certain: number, signal: AbortSignal): Promise<readonly string[]> {
    const target = placeOf(key)
    return await walk({
      target,
      start: this.table.nearest(target),
      own: this.own,
      certain,
      parallel: askedInParallel,
      signal,
      ask: async (peer, within) => (await this.#ask(peer, { type: messageTypes.findNode, key }, within))?.closer,
    })
  }

  /** Meets the nearest to ourselves, and in a larger network some of each distance. */
  async refresh(signal: AbortSignal): Promise<void> {
    await this.explore(bytesOfPeer(this.own), bucketSize, signal)
    if (this.table.size < bucketSize) return
    const place = placeOfPeer(this.own)
    const farthest = Math.max(...this.table.ids().map(peer => sharedBits(place, placeOfPeer(peer))))
    for (let bits = 0; bits <= Math.min(farthest, mostRefreshedDistances) && !signal.aborted; bits++) {
      await this.explore(await this.#keyAt(place, bits), certainOfNeighbours, signal)
    }
  }

  /** Some key whose place shares just so many bits with `place`. */
  async #keyAt(place: Place, bits: number): Promise<Uint8Array> {
    const pause = breather(this.#options.clock)
    for (;;) {
      const key = multihashOf(`${this.#options.random()}`)
      if (sharedBits(place, placeOf(key)) === bits) return key
      await pause()
    }
  }

  /** Peers that provide the key, as they are found; ends when all near ones have answered, or at `signal`. */
  async findProviders(key: Uint8Array, digest: string, found: (peer: Peer) => void, signal: AbortSignal): Promise<void> {
    const offered = new Set<string>()
    const introductions: Promise<void>[] = []
    const give = (peer: string) => {
      const known = this.book.peer(peer)
      if (known !== undefined && !signal.aborted) found(known)
    }
    const offer = (peer: string) => {
      if (peer === this.own || offered.has(peer) || this.lost.has(peer)) return
      offered.add(peer)
      if (this.book.agent(peer) !== undefined) give(peer)
      else introductions.push(this.#introduce(peer, signal).then(() => give(peer)))
    }
    for (const peer of this.records.of(digest)) offer(peer)
    const target = placeOf(key)
    if (!signal.aborted)
      await walk({
        target,
        start: this.table.nearest(target),
        own: this.own,
        certain: certainOfProviders,
        parallel: askedInParallel,
        signal,
        ask: async (peer, within) => {
          const answer = await this.#ask(peer, { type: messageTypes.getProviders, key }, within)
          for (const provider of answer?.providers ?? []) offer(provider)
          return answer?.closer
        },
      })
    await Promise.all(introductions)
  }

  /** Where a peer is that somebody named: by what is known of it, else by asking those near to it. */
  async findPeer(id: string, signal: AbortSignal): Promise<Peer | undefined> {
    if (!isPeerId(id) || id === this.own) return undefined
    if (this.book.addresses(id).length === 0) await this.explore(bytesOfPeer(id), certainOfNeighbours, signal)
    if (this.book.addresses(id).length > 0 && this.book.agent(id) === undefined) await this.#introduce(id, signal)
    return this.book.peer(id)
  }

  /** Whose agent is not known is asked for it first: how it is asked for content depends on that. */
  async #introduce(peer: string, signal: AbortSignal): Promise<void> {
    const { node } = this.#options
    try {
      // What a busy peer did not say when the connection came up, it is not asked again by itself.
      if (node.isConnected(peer)) await withSignal(node.identify(peer), signal)
      else await node.connect(peer, this.book.addresses(peer), signal)
      await this.#untilIntroduced(peer, signal)
    } catch (error) {
      if (!signal.aborted) this.#options.log.debug({ peer, error: messageOf(error) }, 'a provider cannot be reached')
    }
  }

  /** Sends messages without an answer. @throws Error where the peer does not take them. */
  async tell(peer: string, batches: Iterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    try {
      await this.#links.tell(peer, batches, breather(this.#options.clock), signal)
    } catch (error) {
      if (!signal.aborted) void this.verify(peer)
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('the router is stopped', 'AbortError'))
    this.#links[Symbol.dispose]()
    await this.#options.node[Symbol.asyncDispose]()
  }
}

interface Answer {
  readonly closer: readonly string[]
  readonly providers: readonly string[]
}
