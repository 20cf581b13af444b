// Names of content as the distributed table knows them. A key is hashed to a multihash; multihashes and peers have a place among 2^256.
import { createHash } from 'node:crypto'
import { peerIdFromMultihash, peerIdFromString } from '@libp2p/peer-id'
import { LRUCache } from 'lru-cache'
import { CID } from 'multiformats/cid'
import { decode as decodeMultihash } from 'multiformats/hashes/digest'
import { atMost } from '../remembered.ts'

const rawCodec = 0x55
const sha256Code = 0x12
const sha256Length = 32
const mostRemembered = 8_192

/** The 32 bytes of a SHA-256: where a key or a peer lies. */
export type Place = Uint8Array

const sha256 = (bytes: Uint8Array | string): Uint8Array => createHash('sha256').update(bytes).digest()

/** The multihash (sha2-256) of a key's UTF-8 bytes: 34 bytes. */
export function multihashOf(key: string): Uint8Array {
  return asMultihash(sha256(key))
}

/** The multihash that has this SHA-256. */
export function asMultihash(digest: Uint8Array): Uint8Array {
  const multihash = new Uint8Array(2 + sha256Length)
  multihash[0] = sha256Code
  multihash[1] = sha256Length
  multihash.set(digest, 2)
  return multihash
}

/** The key's CID: version 1, codec raw. For people and other tools; the wire has only the multihash. */
export function cidOf(key: string): string {
  return CID.createV1(rawCodec, decodeMultihash(multihashOf(key))).toString()
}

/** Where a multihash lies, of a key or of a peer's id. */
export function placeOf(multihash: Uint8Array): Place {
  return sha256(multihash)
}

const bytesOfPeers = new LRUCache<string, Uint8Array>(atMost(mostRemembered))
const placesOfPeers = new LRUCache<string, Place>(atMost(mostRemembered))
const peersOfBytes = new LRUCache<string, string>(atMost(mostRemembered))

/** The multihash of a peer's id. @throws Error where the text is none. */
export function bytesOfPeer(id: string): Uint8Array {
  const known = bytesOfPeers.get(id)
  if (known !== undefined) return known
  const bytes = peerIdFromString(id).toMultihash().bytes
  bytesOfPeers.set(id, bytes)
  return bytes
}

/** Whether a text that others wrote is a peer's id. */
export function isPeerId(text: string): boolean {
  try {
    bytesOfPeer(text)
    return true
  } catch {
    return false // not one: nothing else is thrown there
  }
}

/** @throws Error where the text is no peer's id. */
export function placeOfPeer(id: string): Place {
  const known = placesOfPeers.get(id)
  if (known !== undefined) return known
  const place = placeOf(bytesOfPeer(id))
  placesOfPeers.set(id, place)
  return place
}

/** The peer's id, or `undefined` where the bytes are none. */
export function peerOfBytes(bytes: Uint8Array): string | undefined {
  const text = textOf(bytes)
  const known = peersOfBytes.get(text)
  if (known !== undefined) return known
  try {
    const id = peerIdFromMultihash(decodeMultihash(Uint8Array.from(bytes))).toString()
    peersOfBytes.set(text, id)
    return id
  } catch {
    // Bytes of a neighbour that are no id: there is nobody to tell of it here, and the caller leaves the record out.
    return undefined
  }
}

/** Bytes as the key of a map: one character a byte. */
export const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
export const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1')

/** Below 0 where `left` is nearer to `target`, above where `right` is. */
export function compareDistance(target: Place, left: Place, right: Place): number {
  for (let index = 0; index < sha256Length; index++) {
    const at = target[index] ?? 0
    const difference = ((left[index] ?? 0) ^ at) - ((right[index] ?? 0) ^ at)
    if (difference !== 0) return difference
  }
  return 0
}

/** How many leading bits two places share: 256 where they are the same. */
export function sharedBits(left: Place, right: Place): number {
  for (let index = 0; index < sha256Length; index++) {
    const difference = (left[index] ?? 0) ^ (right[index] ?? 0)
    if (difference !== 0) return index * 8 + Math.clz32(difference) - 24
  }
  return sha256Length * 8
}

/** The XOR of a key's and a peer's place. @throws Error where `peer` is no id. */
export function distance(key: string, peer: string): bigint {
  const place = placeOf(multihashOf(key))
  const other = placeOfPeer(peer)
  return BigInt(`0x${Buffer.from(place.map((byte, index) => byte ^ (other[index] ?? 0))).toString('hex')}`)
}
