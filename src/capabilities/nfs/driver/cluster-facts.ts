// What the driver asks of the cluster that it serves.

import type { PlacedVolume } from './folder-use.ts'
import type { ClaimFacts } from './sub-dir.ts'

/** What only the API server knows. Without one nothing is known. */
export interface ClusterFacts {
  claim(namespace: string, name: string): Promise<ClaimFacts | undefined>
  /** Options with which a volume is mounted by its PersistentVolume. */
  mountOptions(volumeId: string): readonly string[] | undefined
  /** What a volume is told when it is mounted, by its PersistentVolume. */
  attributes(volumeId: string): Readonly<Record<string, string>> | undefined
  /** Bytes that a volume was made for, or has been grown to. */
  capacity(volumeId: string): bigint | undefined
  /** PersistentVolumes at a path of a server and below it, each once, whoever made them. */
  volumesAt(server: string, path: string): readonly PlacedVolume[]
  /** The namespace of a volume's claim, with the driver's other volumes there; undefined where nobody has claimed it. */
  neighbours(volumeId: string): Neighbours | undefined
}

export interface Neighbours {
  readonly namespace: string
  /** Others that are claimed there, with what they have been granted. */
  readonly others: readonly { readonly id: string; readonly bytes: bigint }[]
}
