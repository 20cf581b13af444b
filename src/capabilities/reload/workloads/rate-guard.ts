// The guard against storms (config-reload P3): roll-outs of one workload keep a distance, which doubles while they keep coming; and a
// bucket of tokens for all workloads together. Pure: states in, states out.
import type { ReloadSettings } from '../settings.ts'

export interface GuardState {
  /** The last roll-outs of the workload, oldest first, at most five, in milliseconds since 1970. */
  readonly rolloutsMs: readonly number[]
  /** How far from the last one the next may be, in milliseconds; 0: nobody has rolled it yet. */
  readonly distanceMs: number
}

type GuardSettings = ReloadSettings['guard']

export const freshGuard: GuardState = { rolloutsMs: [], distanceMs: 0 }

/** So many roll-outs in `stormMs` are a storm: from then on each doubles the distance. */
const stormCount = 5
const stormMs = 600_000
/** After so long without a roll-out the distance is the least again. */
const quietMs = 3_600_000

/** The first moment at which the workload may be rolled out, not before `nowMs`. */
export function mayRollAt(state: GuardState, nowMs: number, { isEnabled }: GuardSettings): number {
  const last = state.rolloutsMs.at(-1)
  if (!isEnabled || last === undefined) return nowMs
  // A clock that was set back must not hold anybody for longer than the distance.
  return Math.max(nowMs, Math.min(last, nowMs) + state.distanceMs)
}

/** The state after a roll-out at `nowMs`. */
export function afterRollout(state: GuardState, nowMs: number, settings: GuardSettings): GuardState {
  if (!settings.isEnabled) return freshGuard
  const last = state.rolloutsMs.at(-1)
  const isQuiet = last === undefined || nowMs - last >= quietMs
  const rolloutsMs = isQuiet ? [nowMs] : [...state.rolloutsMs, nowMs].slice(-stormCount)
  const isStorm = rolloutsMs.length === stormCount && nowMs - (rolloutsMs[0] ?? nowMs) < stormMs
  const standing = isQuiet ? settings.minimumMs : Math.max(state.distanceMs, settings.minimumMs)
  return { rolloutsMs, distanceMs: Math.min(isStorm ? standing * 2 : standing, settings.maximumMs) }
}

/** Whether the state says no more than a fresh one: it need not be kept. */
export function isForgettable({ rolloutsMs }: GuardState, nowMs: number): boolean {
  return nowMs - (rolloutsMs.at(-1) ?? Number.NEGATIVE_INFINITY) >= quietMs
}

interface TokenBucket {
  readonly tokens: number
  readonly atMs: number
}

interface BucketSettings {
  readonly perSecond: number
  readonly burst: number
}

/** A full bucket. */
export function fullBucket({ burst }: BucketSettings, nowMs: number): TokenBucket {
  return { tokens: burst, atMs: nowMs }
}

/** One token taken, or how long it takes until there is one, in milliseconds. */
export function takeToken(
  bucket: TokenBucket,
  nowMs: number,
  { perSecond, burst }: BucketSettings,
): { readonly bucket: TokenBucket; readonly waitMs: number } {
  const earned = (Math.max(0, nowMs - bucket.atMs) / 1_000) * perSecond
  const filled = { tokens: Math.min(burst, bucket.tokens + earned), atMs: nowMs }
  if (filled.tokens < 1) return { bucket: filled, waitMs: Math.ceil(((1 - filled.tokens) / perSecond) * 1_000) }
  return { bucket: { ...filled, tokens: filled.tokens - 1 }, waitMs: 0 }
}
