// What the attacher is told, by upstream's flags.

import type { RetrySettings } from '../job.ts'

export interface AttachJobSettings extends RetrySettings {
  /** For each call that attaches or detaches a volume, in milliseconds. */
  readonly timeoutMs: number
  readonly atOnce: number
  readonly resyncMs: number
}

/** The defaults of external-attacher 4.9. */
export const standardAttach: AttachJobSettings = {
  timeoutMs: 15_000,
  atOnce: 10,
  retryFirstMs: 1_000,
  retryLastMs: 300_000,
  resyncMs: 600_000,
}
