// Gives pods a greatest age: the worked example of docs/writing-a-capability.md.
import * as z from 'zod'
import { capability } from '#coordination/capability.ts'
import { restartPermission } from '#coordination/effects/restart.ts'
import { clusterNeeds } from '#coordination/facts/cluster-view.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import { arbitrationModes } from '#coordination/policy/arbiter-policy.ts'
import { startRefresh } from './controller.ts'

export const refresh = capability({
  name: 'refresh',
  config: z.object({
    arbitration: z.enum(arbitrationModes).default('enforce').describe('which rules of the arbiter hold for it'),
    interval: z.int().min(1).max(3600).default(60).describe('seconds between two looks'),
  }),
  kinds: ballastKinds,
  replaces: [],
  disrupts: ['restart'],
  parts: [
    {
      process: 'controller',
      presence: 'leading',
      trust: 'core',
      needs: clusterNeeds,
      permissions: [restartPermission],
      listeners: [],
      offers: [],
      takes: [],
      start: (context, config, signal) => startRefresh(context, config, signal),
    },
  ],
  leaves: [],
})
