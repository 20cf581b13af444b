// What is known of peers: where they are, who they say they are, when they last answered, which are lost.
import { LRUCache } from 'lru-cache'
import type { Clock } from '#kube/clock.ts'
import type { Peer } from '../contract.ts'
import { atMost } from '../remembered.ts'
import { type Address, hostOf, isSameAddress } from './address.ts'
import { mostAddressesOfAPeer } from './address-rules.ts'
import { type ReadAgent, readAgent } from './agent-string.ts'

/** Peers that are remembered; beyond it those used least are forgotten. */
const mostKnownPeers = 10_000
const addressValidMs = 3_600_000

interface Known {
  addresses: readonly Address[]
  /** Whether the peer said so itself: what third parties say does not replace it. */
  isFirstHand: boolean
  toldMs: number
  agent: ReadAgent | undefined
  heardMs: number | undefined
}

export class PeerBook {
  readonly #clock: Clock
  readonly #known = new LRUCache<string, Known>(atMost(mostKnownPeers))

  constructor(clock: Clock) {
    this.#clock = clock
  }

  #of(peer: string): Known {
    const known = this.#known.get(peer)
    if (known !== undefined) return known
    const made: Known = { addresses: [], isFirstHand: false, toldMs: 0, agent: undefined, heardMs: undefined }
    this.#known.set(peer, made)
    return made
  }

  #isValid({ addresses, toldMs }: Known): boolean {
    return addresses.length > 0 && this.#clock.elapsed() - toldMs < addressValidMs
  }

  /** Addresses that are believed, from the peer itself or from a third one. */
  learn(peer: string, addresses: readonly Address[], from: 'itself' | 'others'): void {
    if (addresses.length === 0) return
    const known = this.#of(peer)
    if (from === 'others' && known.isFirstHand && this.#isValid(known)) return
    known.addresses = addresses.slice(0, mostAddressesOfAPeer)
    known.isFirstHand = from === 'itself'
    known.toldMs = this.#clock.elapsed()
  }

  /** Where it was reached just now goes first. */
  reached(peer: string, address: Address): void {
    const known = this.#of(peer)
    const others = known.addresses.filter(other => !isSameAddress(other, address))
    known.addresses = [address, ...others].slice(0, mostAddressesOfAPeer)
    known.isFirstHand = true
    known.toldMs = this.#clock.elapsed()
  }

  identified(peer: string, agent: string | undefined): void {
    this.#of(peer).agent = agent === undefined ? undefined : readAgent(agent)
  }

  heard(peer: string): void {
    this.#of(peer).heardMs = this.#clock.elapsed()
  }

  /** When the peer was last heard, on the process's clock; `undefined` where it never answered. */
  heardMs(peer: string): number | undefined {
    return this.#known.peek(peer)?.heardMs
  }

  addresses(peer: string): readonly Address[] {
    const known = this.#known.get(peer)
    return known === undefined || !this.#isValid(known) ? [] : known.addresses
  }

  agent(peer: string): ReadAgent | undefined {
    return this.#known.peek(peer)?.agent
  }

  /** As the exchange needs it; `undefined` while no address is known. */
  peer(id: string): Peer | undefined {
    const addresses = this.addresses(id)
    if (addresses.length === 0) return undefined
    const hosts = addresses.toSorted((left, right) => right.family - left.family).map(hostOf)
    const agent = this.agent(id)
    return { id, hosts: [...new Set(hosts)], agent: agent?.agent, zone: agent?.zone, isOurs: agent?.isOurs ?? false }
  }
}
