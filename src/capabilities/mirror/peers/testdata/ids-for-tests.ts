// Ids of peers that are always the same, without a key for each.
import { createHash } from 'node:crypto'
import { peerOfBytes } from '../keys.ts'

/** The id of an Ed25519 key's multihash; the key is a hash of the number. */
export function idOf(number: number): string {
  const head = Buffer.from('002408011220', 'hex')
  const id = peerOfBytes(Buffer.concat([head, createHash('sha256').update(`${number}`).digest()]))
  if (id === undefined) throw new Error(`no id of ${number}`)
  return id
}
