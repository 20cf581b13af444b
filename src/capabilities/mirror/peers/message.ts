// Messages of Kademlia as libp2p's implementations write them, and one field of ours that others skip.
import protobuf from 'protobufjs/minimal.js'
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

const nothing = new Uint8Array()

/** @throws RangeError, Error where the bytes are no message. */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = protobuf.Reader.create(bytes)
  let type = 0
  let key: Uint8Array = nothing
  let validSeconds: number | undefined
  const closer: PeerRecord[] = []
  const providers: PeerRecord[] = []
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag === ((1 << 3) | 0)) type = reader.uint32()
    else if (tag === ((2 << 3) | 2)) key = reader.bytes()
    else if (tag === ((8 << 3) | 2)) addPeer(closer, reader)
    else if (tag === ((9 << 3) | 2)) addPeer(providers, reader)
    else if (tag === ((validityField << 3) | 0)) validSeconds = reader.uint32()
    else reader.skipType(tag & 7)
  }
  return { type, key, closer, providers, validSeconds }
}

function addPeer(list: PeerRecord[], reader: protobuf.Reader): void {
  const end = reader.uint32() + reader.pos
  if (end > reader.len) throw new RangeError('a peer is longer than its message')
  if (list.length >= mostPeersOfAList) {
    reader.pos = end
    return
  }
  let id: Uint8Array = nothing
  const addresses: Uint8Array[] = []
  while (reader.pos < end) {
    const tag = reader.uint32()
    if (tag === ((1 << 3) | 2)) id = reader.bytes()
    else if (tag === ((2 << 3) | 2)) {
      const address = reader.bytes()
      if (addresses.length < mostAddressesOfAPeer) addresses.push(address)
    } else reader.skipType(tag & 7)
  }
  list.push({ id, addresses })
}

/** With its length before it, as it goes on a stream. */
export function encodeMessage({
  type,
  key,
  closer = [],
  providers = [],
  validSeconds,
}: Partial<Message> & Pick<Message, 'type'>): Uint8Array {
  const writer = protobuf.Writer.create().fork()
  writer.uint32((1 << 3) | 0).uint32(type)
  if (key !== undefined) writer.uint32((2 << 3) | 2).bytes(key)
  for (const peer of closer) writePeer(writer.uint32((8 << 3) | 2), peer)
  for (const peer of providers) writePeer(writer.uint32((9 << 3) | 2), peer)
  if (validSeconds !== undefined) writer.uint32((validityField << 3) | 0).uint32(validSeconds)
  return writer.ldelim().finish()
}

function writePeer(writer: protobuf.Writer, { id, addresses }: PeerRecord): void {
  writer
    .fork()
    .uint32((1 << 3) | 2)
    .bytes(id)
  for (const address of addresses) writer.uint32((2 << 3) | 2).bytes(address)
  writer.ldelim()
}
