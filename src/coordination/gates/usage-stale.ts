// Red for moves of a usage goal while what was measured is old. Goals of requests need no measurements.
import type { Intent } from '../intent.ts'
import type { RedGate } from '../policy/question.ts'
import type { GateContext } from './gate-context.ts'

const freshMs = 120_000

/** An intent of a usage goal says so in the data of a reason: `stat: usage`. */
export function usageStale(intent: Intent, { signals, nowMs }: Pick<GateContext, 'signals' | 'nowMs'>): RedGate | undefined {
  const { usageAgeMs } = signals
  const isOfUsage = intent.reasons.some(({ data }) => data?.['stat'] === 'usage')
  if (!isOfUsage || usageAgeMs === undefined || usageAgeMs <= freshMs) return undefined
  const message = `usage was measured ${Math.round(usageAgeMs / 1000)} s ago`
  return { gate: 'usage-stale', message, sinceMs: nowMs - usageAgeMs + freshMs }
}
