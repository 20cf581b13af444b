// What a reflector counts, for metrics.

/** Why a collection was listed. */
export type RelistReason = 'start' | 'expired' | 'too_large' | 'empty_watch' | 'decode' | 'error' | 'poll'

export interface ReflectorCounts {
  readonly events: number
  /** What storing and telling them took. */
  readonly applyMs: number
  readonly skipped: number
  readonly relists: Readonly<Partial<Record<RelistReason, number>>>
  /** By how the watch ended: `closed`, `idle`, `failed`. */
  readonly watchRestarts: Readonly<Record<string, number>>
}
