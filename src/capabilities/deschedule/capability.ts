// The descheduler in planned mode: goals to moves, proven, approved, carried out one by one.
import * as z from 'zod'
import { capability } from '#coordination/capability.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import { planMetrics } from '#coordination/plans/plan-metrics.ts'
import { landingPart, planLeftovers, planNeeds, planPermissions } from '#coordination/plans/plan-rights.ts'
import { arbitrationModes } from '#coordination/policy/arbiter-policy.ts'
import type { Clock } from '#kube/clock.ts'
import { coordinationSchema } from './compat/run/coordination-settings.ts'
import { moveQuestions } from './questions.ts'

/** Reading files takes the host's time, not the cluster's. The drop-in carries nothing of planned mode. */
async function loaded(clock: Clock): Promise<typeof import('./controller.ts')> {
  using _held = clock.hold()
  return await import('./controller.ts')
}

export const deschedule = capability({
  name: 'deschedule',
  config: z.object({
    arbitration: z.enum(arbitrationModes).default('enforce').describe('which rules of the arbiter hold for planned moves'),
    coordination: coordinationSchema
      .optional()
      .describe('for `ballast descheduler` alone; planned mode has it in each RebalancePolicy'),
  }),
  kinds: ballastKinds,
  replaces: [],
  disrupts: ['evict', 'restart', 'taint'],
  upstreams: async () => [(await import('./swap/descheduler.ts')).descheduler],
  findings: async () => ({ cluster: (await import('./doctor/descheduler-checks.ts')).checkDeschedulers }),
  parts: [
    {
      process: 'controller',
      presence: 'leading',
      trust: 'core',
      needs: planNeeds,
      permissions: planPermissions,
      listeners: [],
      offers: [],
      takes: [],
      start: async (context, _config, signal) => (await loaded(context.clock)).startDeschedule(context, signal),
    },
    landingPart(),
  ],
  leaves: planLeftovers,
  questions: moveQuestions,
  metrics: registry => void planMetrics(registry),
})

export { readPolicy } from './compat/policy/read-policy.ts'
export { deschedulerRules } from './compat/rights.ts'
export { type Coordination, descheduleConfiguration } from './compat/run/coordination-settings.ts'
export { DeschedulerFailed } from './compat/run/descheduler-failed.ts'
export type { DeschedulerLog, LogFields } from './compat/run/descheduler-log.ts'
export type { ShadowCycle } from './shadow/compare.ts'
export type { ShadowObserver } from './shadow/observer.ts'
export type { ShadowRow } from './shadow/shadow-row.ts'
export type { isDifferent, shadowSummary } from './shadow/summary.ts'

/** `ballast descheduler`, as `compat/run/descheduler.ts` has it. */
export const runDescheduler: typeof import('./compat/run/descheduler.ts')['runDescheduler'] = async (...given) =>
  (await import('./compat/run/descheduler.ts')).runDescheduler(...given)

/** What a policy would do to a copy of a cluster, as `compat/rehearsal/rehearsal.ts` has it. */
export const openRehearsal = async (
  ...given: Parameters<typeof import('./compat/rehearsal/rehearsal.ts')['openRehearsal']>
): Promise<ReturnType<typeof import('./compat/rehearsal/rehearsal.ts')['openRehearsal']>> =>
  (await import('./compat/rehearsal/rehearsal.ts')).openRehearsal(...given)

/** `ballast shadow`: ours beside a running descheduler, compared cycle by cycle. */
export const loadShadow = async (): Promise<typeof import('./shadow/face.ts')> => await import('./shadow/face.ts')
