// What the resizer is told, by upstream's flags.

import type { RetrySettings } from '../job.ts'

export interface ResizeSettings extends RetrySettings {
  /** For each call that grows a volume, in milliseconds. */
  readonly timeoutMs: number
  readonly atOnce: number
  /** A volume that the driver does not grow in use is not tried while a pod has it; pods are watched for that. */
  readonly heedsUse: boolean
  readonly resyncMs: number
  /** Volumes are changed as VolumeAttributesClasses of claims ask for, where the driver can do it. */
  readonly attributes: 'applied' | 'ignored'
  /** A driver that changes a volume is told the names of claim and volume. */
  readonly tellsNames: boolean
}

/** The defaults of external-resizer 2.2. */
export const standardResize: ResizeSettings = {
  timeoutMs: 10_000,
  atOnce: 10,
  heedsUse: true,
  retryFirstMs: 1_000,
  retryLastMs: 300_000,
  resyncMs: 600_000,
  attributes: 'applied',
  tellsNames: false,
}
