// The descheduler in planned mode: goals to moves, proven, approved, carried out one by one.
import * as z from 'zod'
import { capability } from '#coordination/capability.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import { planMetrics } from '#coordination/plans/plan-metrics.ts'
import { landingPart, planLeftovers, planNeeds, planPermissions } from '#coordination/plans/plan-rights.ts'
import { arbitrationModes } from '#coordination/policy/arbiter-policy.ts'
import { coordinationSchema } from './compat/run/coordination-settings.ts'
import { startDeschedule } from './controller.ts'

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
      start: (context, _config, signal) => startDeschedule(context, signal),
    },
    landingPart(),
  ],
  leaves: planLeftovers,
  metrics: registry => void planMetrics(registry),
})

export { readPolicy } from './compat/policy/read-policy.ts'
export { deschedulerRules } from './compat/rights.ts'
