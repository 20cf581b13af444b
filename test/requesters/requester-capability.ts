// The shape that all requesters have as a capability: one part on the leader, acting as its upstream would unless told otherwise.
import * as z from 'zod'
import { type Capability, type ControllerContext, capability, type Running } from '#coordination/capability.ts'
import { clusterNeeds } from '#coordination/facts/cluster-view.ts'
import type { Verb } from '#coordination/intent.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import type { Need, Permission } from '#coordination/needs.ts'
import { arbitrationModes } from '#coordination/policy/arbiter-policy.ts'

interface RequesterShape {
  readonly name: string
  readonly disrupts: Verb
  /** Beyond what the cluster's model reads. */
  readonly needs?: readonly Need[]
  /** The right of its effect. */
  readonly permission: Permission
  start<Config>(context: ControllerContext, signal: AbortSignal): Promise<Running<Config>>
}

export function requesterCapability({ name, disrupts, needs = [], permission, start }: RequesterShape): Capability {
  return capability({
    name,
    config: z.object({ arbitration: z.enum(arbitrationModes).default('observe') }),
    kinds: ballastKinds,
    replaces: [],
    disrupts: [disrupts],
    parts: [
      {
        process: 'controller',
        presence: 'leading',
        trust: 'core',
        needs: [...clusterNeeds, ...needs],
        permissions: [permission],
        listeners: [],
        offers: [],
        takes: [],
        start: (context, _config, signal) => start(context, signal),
      },
    ],
    leaves: [],
  })
}
