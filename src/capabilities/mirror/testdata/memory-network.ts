// Routers that know of each other by a map in memory. Look-ups and announcements are recorded; a look-up can be held or left empty.
import { createHash } from 'node:crypto'
import type { Peer, Router, RouterState } from '../contract.ts'

interface Member {
  readonly id: string
  readonly hosts?: readonly string[]
  readonly agent?: string
  readonly zone?: string
}

/** All nodes of a cluster. */
export class MemoryNetwork {
  readonly #members = new Map<string, MemoryRouter>()

  /** A node comes: ours, unless `agent` says otherwise. */
  join({ id, hosts = ['127.0.0.1'], agent = 'ballast/0.1.0', zone }: Member): MemoryRouter {
    const peer: Peer = { id, hosts, agent, zone, isOurs: agent.startsWith('ballast/') }
    const router = new MemoryRouter(peer, this.#members)
    this.#members.set(id, router)
    return router
  }
}

export class MemoryRouter implements Router {
  readonly id: string
  readonly peer: Peer
  readonly announced = new Set<string>()
  /** Keys that were looked up, in order. */
  readonly lookedUp: string[] = []
  /** `key peer` that were dropped. */
  readonly dropped: string[] = []
  /** Over what the network says. */
  stated: Partial<RouterState> = {}
  /** Awaited before a look-up yields its first peer. */
  delay: (key: string, signal: AbortSignal) => Promise<void> = async () => undefined
  readonly #members: Map<string, MemoryRouter>

  constructor(peer: Peer, members: Map<string, MemoryRouter>) {
    this.id = peer.id
    this.peer = peer
    this.#members = members
  }

  async *lookup(key: string, { count, signal }: { readonly count: number; readonly signal: AbortSignal }): AsyncIterable<Peer> {
    this.lookedUp.push(key)
    await this.delay(key, signal)
    let found = 0
    for (const other of this.#members.values()) {
      if (signal.aborted || found >= count) return
      if (other === this || !other.announced.has(key)) continue
      found++
      yield other.peer
    }
  }

  async announce(keys: Iterable<string>): Promise<void> {
    for (const key of keys) this.announced.add(key)
  }

  withdraw(keys: Iterable<string>): void {
    for (const key of keys) this.announced.delete(key)
  }

  drop(key: string, peer: string): void {
    this.dropped.push(`${key} ${peer}`)
  }

  state(): RouterState {
    const peers = this.#members.size - 1
    return {
      id: this.id,
      isReady: true,
      isOnline: peers > 0,
      isAlone: peers === 0,
      peers,
      announced: this.announced.size,
      reason: undefined,
      ...this.stated,
    }
  }

  distance(key: string, peer: string): bigint {
    return numberOf(key) ^ numberOf(peer)
  }

  async nearest(key: string): Promise<readonly Peer[]> {
    const others = [...this.#members.values()].filter(other => other !== this && other.peer.isOurs)
    const placed = others.map(({ peer }) => ({ peer, at: this.distance(key, peer.id) }))
    return placed.toSorted((one, other) => (one.at < other.at ? -1 : 1)).map(({ peer }) => peer)
  }

  known(key: string): readonly Peer[] {
    return [...this.#members.values()].filter(other => other !== this && other.announced.has(key)).map(({ peer }) => peer)
  }

  async whereIs(id: string): Promise<Peer | undefined> {
    return this.#members.get(id)?.peer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#members.delete(this.id)
  }
}

const numberOf = (text: string): bigint => BigInt(`0x${createHash('sha256').update(text).digest('hex')}`)
