// What follows from bytes that were not those of their digest.
import { createHash } from 'node:crypto'
import type { Log } from '#kube/log.ts'
import type { MirrorCounts } from '../../contract.ts'
import { type Digest, partsOfDigest } from '../../reference.ts'
import type { Quarantine } from '../peers/quarantine.ts'

/** Bytes that did not match: for an event on the node. */
export interface PoisonedBlob {
  readonly digest: Digest
  readonly registry: string
  readonly repository: string
  /** Ids of those that sent them. */
  readonly peers: readonly string[]
}

export function matches(bytes: Uint8Array, digest: Digest): boolean {
  const { algorithm, hex } = partsOfDigest(digest)
  return createHash(algorithm).update(bytes).digest('hex') === hex
}

export interface Reaction {
  readonly quarantine: Quarantine
  readonly counts: Pick<MirrorCounts, 'verifyFailed'>
  readonly log: Log
  readonly onPoisoned: ((event: PoisonedBlob) => void) | undefined
}

/** A peer that sent all of it is left alone; of several, each is for this digest only: nobody knows who lied. */
export function reactTo(poisoned: PoisonedBlob, { quarantine, counts, log, onPoisoned }: Reaction): void {
  const [only, ...more] = poisoned.peers
  if (only !== undefined && more.length === 0) quarantine.addPeer(only)
  else for (const peer of poisoned.peers) quarantine.addPair(peer, poisoned.digest)
  for (const peer of poisoned.peers) counts.verifyFailed(peer)
  log.warn({ ...poisoned }, 'bytes of peers do not match their digest')
  onPoisoned?.(poisoned)
}
