// Who has what among all nodes: Kademlia over libp2p as upstream speaks it, told and asked in bulk. The room's effects come together here.

import type { Clock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import type { Random } from '#kube/random.ts'
import type { MirrorCounts, Peer, Router, RouterState } from '../contract.ts'
import { Acquaintance } from './acquaintance.ts'
import { listenAddresses } from './address.ts'
import { networksOf } from './address-rules.ts'
import { agentString } from './agent-string.ts'
import { Announcements } from './announcements.ts'
import { Announcer } from './announcer.ts'
import type { Bootstrap } from './bootstrap/bootstrap-way.ts'
import { loadIdentity } from './identity.ts'
import { keepJoined, type Tried } from './joining.ts'
import { certainOfNeighbours, Kademlia } from './kademlia.ts'
import { distance, multihashOf, placeOf } from './keys.ts'
import { checkEveryMs, onlineMs } from './liveness.ts'
import { Lookups } from './lookups.ts'
import { createNode, type NodeOptions } from './node.ts'
import { bucketSize } from './routing-table.ts'
import { digestText } from './serving.ts'

const sweepEveryMs = 10 * 60_000
/** A peer that comes and goes is not told everything more often than this. */
const toldAgainAfterMs = 30_000
const hashedAtOnce = 128
/** Peers of ours that are near to a key. */
const mostNearest = 20

export interface RouterOptions {
  /** Where libp2p listens: `:5001`, `10.0.0.7:29995`. Its address is what others are told, or all of the machine's where it names none. */
  readonly address: string
  readonly bootstrap: Bootstrap
  /** Folder of `private.key`; empty: a new identity at each start. */
  readonly dataDirectory: string
  readonly version: string
  /** Empty: unknown. */
  readonly zone: string
  readonly readyWhenAlone: boolean
  /** Networks of pods and nodes where they are known: nobody is dialled elsewhere. Else private addresses are. */
  readonly networks?: readonly string[]
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly counts?: Pick<MirrorCounts, 'resolved' | 'peers'>
  /** Both, unless a trial wants one. */
  readonly encryption?: NodeOptions['encryption']
}

/** A router that listens; it joins by itself, and goes on trying. @throws InputError for an address or network that is none; Error where it cannot listen. */
export async function startRouter(options: RouterOptions): Promise<Router> {
  const listening = listenAddresses(options.address, 'router-addr')
  const networks = networksOf(options.networks ?? [], 'networks')
  if (!listening.ok) throw new InputError([listening.problem])
  if (!networks.ok) throw new InputError([networks.problem])
  const { listen, isLoopback } = listening.value
  const key = await loadIdentity(options.dataDirectory, options.log)
  const agent = agentString(options.version, options.zone)
  const { encryption = 'both' } = options
  const node = await createNode({ key, agent, listen, isLoopback, encryption })
  const router = new PeerRouter(options, node, networks.value, isLoopback)
  await router.start()
  return router
}

class PeerRouter implements Router {
  readonly id: string
  readonly #options: RouterOptions
  readonly #kademlia: Kademlia
  readonly #announcements: Announcements
  readonly #announcer: Announcer
  readonly #acquaintance: Acquaintance
  readonly #lookups: Lookups
  readonly #stop = new AbortController()
  readonly #toldMs = new Map<string, number>()
  readonly #cleanUp = new AsyncDisposableStack()
  #tried: Tried = { outcome: 'failed', reason: 'it has just begun to look for others' }
  #untilEmpty = Promise.withResolvers<void>()

  constructor(
    options: RouterOptions,
    node: ConstructorParameters<typeof Kademlia>[0]['node'],
    networks: ConstructorParameters<typeof Kademlia>[0]['networks'],
    acceptsLoopback: boolean,
  ) {
    const { clock, random, log } = options
    this.id = node.id
    this.#options = options
    this.#announcements = new Announcements(random)
    this.#kademlia = new Kademlia({
      node,
      clock,
      random,
      log,
      networks,
      acceptsLoopback,
      announces: digest => this.#announcements.has(digest),
      onJoined: peer => this.#joined(peer),
      onLeft: () => this.#left(),
    })
    const { table, book } = this.#kademlia
    this.#announcer = new Announcer({
      own: this.id,
      ownAddresses: () => this.#kademlia.addresses,
      table,
      isOurs: peer => book.agent(peer)?.isOurs ?? false,
      explore: (place, signal) => this.#kademlia.explore(place, certainOfNeighbours, signal),
      tell: (peer, batches, signal) => this.#kademlia.tell(peer, batches, signal),
      clock,
      log,
    })
    this.#acquaintance = new Acquaintance({ clock, log, refresh: signal => this.#kademlia.refresh(signal) })
    const onFault = (key: string, error: unknown) => log.warn({ key, error: messageOf(error) }, 'a look-up failed')
    this.#lookups = new Lookups(clock, (key, found, isEnough, signal) => this.#search(key, found, isEnough, signal), onFault)
  }

  /** Listens, and begins to look for others. */
  async start(): Promise<void> {
    const { bootstrap, clock, log } = this.#options
    this.#cleanUp.use(this.#kademlia)
    const { signal } = this.#stop
    try {
      await this.#kademlia.start()
      const served = await bootstrap.serve?.(() => ({ id: this.id, addresses: this.#kademlia.addresses }))
      if (served !== undefined) this.#cleanUp.use(served)
    } catch (error) {
      await this.#cleanUp.disposeAsync()
      throw error
    }
    log.info({ id: this.id, addresses: this.#kademlia.addresses.map(({ ip, port }) => `${ip} ${port}`) }, 'the router listens')
    const reach = (contact: Parameters<Kademlia['reach']>[0], within: AbortSignal) => this.#kademlia.reach(contact, within)
    const joining = {
      bootstrap,
      clock,
      log,
      reach,
      settle: (within: AbortSignal) => this.#kademlia.refresh(within),
      peers: () => this.#kademlia.table.size,
      onTried: (tried: Tried) => {
        this.#tried = tried
      },
    }
    const untilOffline = async (limitMs: number, within: AbortSignal) => {
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const cancel = clock.schedule(limitMs, resolve)
      const onAbort = () => resolve()
      if (within.aborted) onAbort()
      within.addEventListener('abort', onAbort, { once: true })
      await Promise.race([late, this.#untilEmpty.promise])
      cancel()
      within.removeEventListener('abort', onAbort)
    }
    const works = [
      keepJoined(joining, untilOffline, signal),
      this.#every(checkEveryMs, async () => {
        if (await this.#kademlia.check()) this.#acquaintance.tellNews()
      }),
      this.#every(checkEveryMs, async () => {
        const digests = this.#announcements.due(clock.elapsed())
        if (digests.length > 0) await this.#announcer.tellNearest({ digests, validSeconds: undefined }, signal)
      }),
      this.#acquaintance.keep(signal),
      this.#every(sweepEveryMs, () => this.#kademlia.records.sweep(breather(clock))),
    ]
    for (const work of works) this.#run(work)
  }

  /** Work that goes on beside: its fault is logged, its end waited for. */
  #run(work: Promise<void>): void {
    const settled = work.catch((error: unknown) => {
      if (!this.#stop.signal.aborted)
        this.#options.log.error({ error: messageOf(error) }, 'the router stopped a part of its work')
    })
    this.#cleanUp.defer(() => settled)
  }

  async #every(periodMs: number, step: () => Promise<void>): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#options.clock.after(periodMs, signal)
      await step()
    }
  }

  #joined(peer: string): void {
    this.#options.counts?.peers(this.#kademlia.table.size)
    this.#acquaintance.tellNews()
    this.#tellAll(peer).catch((error: unknown) => {
      if (!this.#stop.signal.aborted)
        this.#options.log.warn({ peer, error: messageOf(error) }, 'could not announce to a new peer')
    })
  }

  #left(): void {
    const { size } = this.#kademlia.table
    this.#options.counts?.peers(size)
    if (size > 0) return
    this.#untilEmpty.resolve()
    this.#untilEmpty = Promise.withResolvers()
  }

  /** Who is new, or back, does not have what was announced before: it is told at once, not with the next round. */
  async #tellAll(peer: string): Promise<void> {
    const { clock } = this.#options
    const { signal } = this.#stop
    const sinceMs = clock.elapsed() - (this.#toldMs.get(peer) ?? Number.NEGATIVE_INFINITY)
    this.#toldMs.set(peer, clock.elapsed() + Math.max(0, toldAgainAfterMs - sinceMs))
    if (sinceMs < toldAgainAfterMs) await clock.after(toldAgainAfterMs - sinceMs, signal)
    if (this.#kademlia.table.has(peer)) await this.#announcer.tellNew(peer, this.#announcements.all(), signal)
  }

  lookup(key: string, options: { readonly count: number; readonly signal: AbortSignal }): AsyncIterable<Peer> {
    return this.#lookups.lookup(key, options)
  }

  async #search(key: string, found: (peer: Peer) => void, isEnough: () => boolean, signal: AbortSignal): Promise<void> {
    const { clock, counts } = this.#options
    const beganMs = clock.elapsed()
    const enough = new AbortController()
    const multihash = multihashOf(key)
    const take = (peer: Peer) => {
      counts?.resolved((clock.elapsed() - beganMs) / 1_000)
      found(peer)
      if (isEnough()) enough.abort()
    }
    const either = AbortSignal.any([signal, enough.signal, this.#stop.signal])
    await this.#kademlia.findProviders(multihash, digestText(multihash) ?? '', take, either)
  }

  async announce(keys: Iterable<string>, { validMs }: { readonly validMs?: number } = {}): Promise<void> {
    const { clock } = this.#options
    const pause = breather(clock)
    const digests: string[] = []
    let slice: string[] = []
    const take = () => {
      digests.push(...this.#announcements.add(slice, clock.elapsed(), validMs))
      slice = []
    }
    for (const key of keys) {
      if (slice.push(key) < hashedAtOnce) continue
      take()
      await pause()
    }
    take()
    const validSeconds = validMs === undefined ? undefined : Math.ceil(validMs / 1_000)
    await this.#announcer.tellNearest({ digests, validSeconds }, this.#stop.signal)
  }

  withdraw(keys: Iterable<string>): void {
    const digests = this.#announcements.remove(keys)
    // Ours forget it at once; upstream's when it runs out.
    this.#announcer.tellNearest({ digests, validSeconds: 0 }, this.#stop.signal).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#options.log.warn({ error: messageOf(error) }, 'could not withdraw')
    })
  }

  drop(key: string, peer: string): void {
    this.#lookups.drop(key, peer)
  }

  state(): RouterState {
    const { clock, readyWhenAlone } = this.#options
    const { heardMs, table } = this.#kademlia
    const peers = table.size
    const isOnline = peers > 0 && heardMs !== undefined && clock.elapsed() - heardMs < onlineMs
    const isAlone = peers === 0 && this.#tried.outcome === 'alone'
    const isReady = isOnline || (isAlone && readyWhenAlone)
    return {
      id: this.id,
      isReady,
      isOnline,
      isAlone,
      peers,
      announced: this.#announcements.size,
      reason: isReady ? undefined : this.#reason(peers),
    }
  }

  #reason(peers: number): string {
    if (peers > 0) return `none of ${peers} peers answered within ${onlineMs / 1_000} s`
    if (this.#tried.outcome === 'alone') return 'no other node is there, and readyWhenAlone is off'
    return this.#tried.outcome === 'failed' ? `no peers: ${this.#tried.reason}` : 'no peers: all have gone'
  }

  distance(key: string, peer: string): bigint {
    return distance(key, peer)
  }

  async nearest(key: string, signal: AbortSignal): Promise<readonly Peer[]> {
    const { table, book } = this.#kademlia
    const multihash = multihashOf(key)
    const place = placeOf(multihash)
    const near =
      table.size < bucketSize
        ? table.nearest(place)
        : await this.#kademlia.explore(multihash, certainOfNeighbours, AbortSignal.any([signal, this.#stop.signal]))
    signal.throwIfAborted()
    return near
      .flatMap(id => book.peer(id) ?? [])
      .filter(({ isOurs }) => isOurs)
      .slice(0, mostNearest)
  }

  known(key: string): readonly Peer[] {
    const { records, book, lost } = this.#kademlia
    return records
      .of(digestText(multihashOf(key)) ?? '')
      .filter(id => id !== this.id && !lost.has(id))
      .flatMap(id => book.peer(id) ?? [])
  }

  async whereIs(id: string, signal: AbortSignal): Promise<Peer | undefined> {
    const found = await this.#kademlia.findPeer(id, AbortSignal.any([signal, this.#stop.signal]))
    signal.throwIfAborted()
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('the router is stopped', 'AbortError'))
    await this.#cleanUp.disposeAsync()
  }
}
