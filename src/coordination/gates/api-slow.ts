// Red while the API server answers slowly or fails: more writes would make it worse, and what we see may be old.
import type { RedGate } from '../policy/question.ts'
import { isApiSlow } from './api-health.ts'
import type { GateContext } from './gate-context.ts'

export function apiSlow({ signals: { api } }: Pick<GateContext, 'signals'>): RedGate | undefined {
  if (api === undefined || !isApiSlow(api)) return undefined
  const percent = Math.round(api.errorShare * 1000) / 10
  const message = `of the API server's last ${api.requests} answers 99 in 100 took up to ${api.p99Ms} ms, ${percent} % failed`
  return { gate: 'api-slow', message, sinceMs: api.sinceMs }
}
