// The face of the shadow: ours beside a running descheduler, compared cycle by cycle.

export { UsageProviders } from '../compat/usage/usage-providers.ts'
export { compareCycle, type ShadowCycle } from './compare.ts'
export { ShadowObserver } from './observer.ts'
export { readShadowedPolicy } from './read-shadowed-policy.ts'
export type { ShadowRow } from './shadow-row.ts'
export { isDifferent, shadowSummary } from './summary.ts'
export { TheirLog } from './their-log.ts'
