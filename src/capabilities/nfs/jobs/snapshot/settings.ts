// What the two snapshot jobs are told, by upstream's flags.

import type { RetrySettings } from '../job.ts'

/** The sidecar beside a driver. */
export interface SnapshotSettings extends RetrySettings {
  /** For each call of the driver, in milliseconds. */
  readonly timeoutMs: number
  readonly atOnce: number
  readonly namePrefix: string
  /** Characters of a snapshot's UID in its name for the driver, without dashes; -1: all of it as it is. */
  readonly nameUidLength: number
  readonly resyncMs: number
  /** The driver is told the names of snapshot and content. */
  readonly tellsNames: boolean
}

/** The defaults of csi-snapshotter 8.6. */
export const standardSnapshot: SnapshotSettings = {
  timeoutMs: 60_000,
  atOnce: 10,
  namePrefix: 'snapshot',
  nameUidLength: -1,
  resyncMs: 900_000,
  tellsNames: false,
  retryFirstMs: 1_000,
  retryLastMs: 300_000,
}

/** The controller that binds snapshots and contents, for all drivers of a cluster. */
export interface SnapshotControllerSettings extends RetrySettings {
  readonly atOnce: number
  readonly resyncMs: number
  /** Contents keep the mode of the volume that they are of, so that a restore cannot change it unseen. */
  readonly keepsVolumeMode: boolean
}

/** The defaults of snapshot-controller 8.6. */
export const standardSnapshotController: SnapshotControllerSettings = {
  atOnce: 10,
  resyncMs: 900_000,
  keepsVolumeMode: true,
  retryFirstMs: 1_000,
  retryLastMs: 300_000,
}
