// Messages of Kademlia as libp2p's implementations write them, and one field of ours that others skip.
import { bytes, list, manyBytes, message, optionalCount } from '#kube/protobuf-message.ts'
import { mostAddressesOfAPeer } from './address-rules.ts'

export const messageTypes = { putValue: 0, getValue: 1, addProvider: 2, getProviders: 3, findNode: 4, ping: 5 } as const

/** Peers in one list of a message; more are skipped. */
const mostPeersOfAList = 1_000
/** A key on the wire is a multihash; upstream's limit. */
export const longestKey = 80

/** Ours: how long a provider's record is valid, in seconds; 0 takes it back. Others' implementations skip the field. */
const validityField = 1_000

export interface PeerRecord {
  /** Multihash of the peer's id. */
  readonly id: Uint8Array
  /** Multiaddresses. */
  readonly addresses: readonly Uint8Array[]
}

export interface Message {
  readonly type: number
  /** A key's multihash, or that of a peer's id. */
  readonly key: Uint8Array
  readonly closer: readonly PeerRecord[]
  readonly providers: readonly PeerRecord[]
  readonly validSeconds: number | undefined
}

const peer = message({ id: bytes(1), addresses: manyBytes(2) })
const messages = message({
  type: optionalCount(1),
  key: bytes(2),
  closer: list(8, peer),
  providers: list(9, peer),
  validSeconds: optionalCount(validityField),
})

/** @throws RangeError, Error where the bytes are no message. */
export function decodeMessage(data: Uint8Array): Message {
  const { type = 0, closer, providers, ...rest } = messages.decode(data)
  return { type, closer: within(closer), providers: within(providers), ...rest }
}

function within(peers: readonly PeerRecord[]): readonly PeerRecord[] {
  return peers
    .slice(0, mostPeersOfAList)
    .map(({ id, addresses }) => ({ id, addresses: addresses.slice(0, mostAddressesOfAPeer) }))
}

/** With its length before it, as it goes on a stream. */
export function encodeMessage(given: Partial<Message> & Pick<Message, 'type'>): Uint8Array {
  return messages.encodeWithLength(given)
}
