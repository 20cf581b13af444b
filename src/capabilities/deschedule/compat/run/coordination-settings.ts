// What a BallastConfiguration says of coordination for the drop-in, in the section `capabilities.deschedule`.

import * as z from 'zod'
import { unlabelledOwners } from '#cluster/ownership.ts'
import { arbitrationModes } from '#coordination/policy/arbiter-policy.ts'

export const coordinationSchema = z.strictObject({
  enforce: z.boolean().default(false).describe('whether owner labels hold, and nothing runs all the time'),
  unlabelled: z.enum(unlabelledOwners).default('none').describe('whose a workload without any owner label is'),
  requirePDB: z.boolean().default(true).describe('whether a disruption budget is demanded of what is moved'),
  kedaPresence: z
    .enum(['exclude', 'ignore'])
    .default('exclude')
    .describe("exclude: what a ScaledObject or ScaledJob targets is KEDA's whatever its label says"),
})

export type Coordination = z.output<typeof coordinationSchema>

/** The section as the drop-in reads it. */
export const descheduleConfiguration = z.object({
  arbitration: z.enum(arbitrationModes).default('observe').describe('which rules of the arbiter hold for evictions'),
  coordination: coordinationSchema.prefault({}),
})
