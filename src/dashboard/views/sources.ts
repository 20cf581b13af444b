// Where figures come from, and how old they may be: past its limit a source is stale, past ten times that its figures are not shown any more.
import type { Source } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { sourceNeverAnswered, sourceSilent } from '../words/en.ts'
import { rfc3339 } from '../words/time.ts'

/** How old what a source says may be, in milliseconds. */
export const sourceLimits = { api: 60_000, metrics: 120_000, power: 90_000, ledger: 60_000 } as const

/** After so many limits what a source said is forgotten. */
const limitsUntilForgotten = 10

/** How sources are called where they are silent. */
const sourceNames: Readonly<Record<string, string>> = {
  api: 'The API server',
  metrics: 'metrics.k8s.io',
  power: 'The power meter',
  ledger: 'The ledger of permits',
}

interface Answered {
  readonly name: string
  /** When it answered last; undefined: not yet. */
  readonly lastMs: number | undefined
  readonly nowMs: number
  /** Default: `sourceLimits`, else a minute. */
  readonly limitMs?: number
  /** What it answered in place of figures: `403 Forbidden`. */
  readonly trouble?: string
}

/** How a source stands that is asked: live within its limit, stale up to ten of them, then down; down from the start while it never answered. */
export function sourceOf({ name, lastMs, nowMs, limitMs = limitOf(name), trouble }: Answered): Source {
  const who = sourceNames[name] ?? name
  const ageMs = lastMs === undefined ? Number.POSITIVE_INFINITY : nowMs - lastMs
  const state = ageMs <= limitMs ? 'live' : ageMs <= limitsUntilForgotten * limitMs ? 'stale' : 'down'
  const silence = lastMs === undefined ? sourceNeverAnswered(who) : sourceSilent({ who, forMs: ageMs })
  return {
    name,
    state,
    lastAt: lastMs === undefined ? null : rfc3339(lastMs),
    limitMs,
    because: state === 'live' ? null : trouble === undefined ? silence : `${silence}: ${trouble}`,
  }
}

/** A source that nobody asks. */
export function sourceOff(name: string, because: string): Source {
  return { name, state: 'off', lastAt: null, limitMs: limitOf(name), because }
}

export function sourceNamed(picture: Picture, name: string): Source | undefined {
  return picture.sources.find(source => source.name === name)
}

/** Why nothing is known of a kind, called as in the API (`pods`); undefined where it is known. */
export function unknownBecause(picture: Picture, kind: string): string | undefined {
  const source = sourceNamed(picture, kind)
  return source?.state === 'down' ? (source.because ?? 'nothing says why') : undefined
}

/** Whether what was measured may still be shown. Where nobody says how the source stands, what is there counts. */
export function isUseShown(picture: Picture): boolean {
  const { state = 'live' } = sourceNamed(picture, 'metrics') ?? {}
  return state === 'live' || state === 'stale'
}

function limitOf(name: string): number {
  const limits: Readonly<Record<string, number>> = sourceLimits
  return (Object.hasOwn(limits, name) ? limits[name] : undefined) ?? 60_000
}
