// What the provisioner is told, by upstream's flags.

import type { RetrySettings } from '../job.ts'

export interface ProvisionSettings extends RetrySettings {
  /** For each call that makes or deletes a volume, in milliseconds. */
  readonly timeoutMs: number
  readonly atOnce: number
  readonly namePrefix: string
  /** Characters of a claim's UID in a volume's name, without dashes; -1: all of it as it is. */
  readonly nameUidLength: number
  readonly defaultFsType: string
  /** The driver is told the names of claim and volume. */
  readonly tellsNames: boolean
  /** A claim for reading alone gets a volume that is published so. */
  readonly publishesReadOnly: boolean
  /** A snapshot of files is not restored as a block device, and the other way round, unless its content allows it. */
  readonly keepsVolumeMode: boolean
  /** How often finalizers on snapshots are looked at that no claim needs any more, in milliseconds; 0: never. */
  readonly sweepMs: number
  readonly protectionAtOnce: number
  /** What becomes of a claim that names a VolumeAttributesClass: it is handed to the driver, the claim is refused, or it is passed over. */
  readonly attributes: 'applied' | 'refused' | 'ignored'
}

/** The defaults of external-provisioner 6.3. */
export const standardProvision: ProvisionSettings = {
  timeoutMs: 10_000,
  atOnce: 100,
  namePrefix: 'pvc',
  nameUidLength: -1,
  defaultFsType: '',
  tellsNames: false,
  publishesReadOnly: false,
  keepsVolumeMode: true,
  retryFirstMs: 1_000,
  retryLastMs: 300_000,
  sweepMs: 300_000,
  protectionAtOnce: 1,
  attributes: 'applied',
}
