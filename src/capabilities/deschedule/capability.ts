// The descheduler in planned mode: goals to moves, proven, approved, carried out one by one.
import * as z from 'zod'
import { capability } from '#coordination/capability.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import { planMetrics } from '#coordination/plans/plan-metrics.ts'
import { landingPart, planLeftovers, planNeeds, planPermissions } from '#coordination/plans/plan-rights.ts'
import { arbitrationModes } from '#coordination/policy/arbiter-policy.ts'
import type { Clock } from '#kube/clock.ts'
import { coordinationSchema } from './compat/run/coordination-settings.ts'
import { rebalanceAlerts, rebalancePanels } from './monitoring.ts'
import { moveQuestions } from './questions.ts'

/** Reading files takes the host's time, not the cluster's. The drop-in carries nothing of planned mode. */
async function loaded(clock: Clock): Promise<typeof import('./controller.ts')> {
  using _held = clock.hold()
  return await import('./controller.ts')
}

export const deschedule = capability({
  name: 'deschedule',
  document: 'rebalancing.md',
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
  findings: async () => (await import('./doctor/descheduler-checks.ts')).deschedulerFindings,
  rehearses: async () => (await import('./compat/rehearsal/step-policy.ts')).rehearseStep,
  installs: async () => (await import('./deploy/descheduler-process.ts')).deschedulerProcess,
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
  alerts: rebalanceAlerts,
  panels: rebalancePanels,
  commands: [
    {
      name: 'descheduler',
      usage: '[options] [words...]',
      about:
        "runs in the descheduler's place, with its policies, flags, port, metrics and Lease. A program called `descheduler` runs it too",
      inPlaceOf: { programs: ['descheduler'] },
      load: async () => (await import('./commands/descheduler.ts')).defineDescheduler,
    },
    {
      name: 'shadow',
      usage: '[options]',
      about:
        'compares what `ballast descheduler` would evict with what a running descheduler evicts, and prints the differences. It writes nothing',
      load: async () => (await import('./commands/shadow.ts')).defineShadow,
    },
  ],
})
