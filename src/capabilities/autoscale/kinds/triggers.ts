// What ScaledObjects and ScaledJobs share: triggers, and conditions without times.
import { z } from 'zod'

export const trigger = z.object({
  type: z.string().min(1),
  name: z.string().optional().describe('what a formula calls it'),
  metadata: z.record(z.string(), z.string()).describe('parameters of the type; all of them texts'),
  authenticationRef: z
    .object({
      name: z.string(),
      kind: z.enum(['TriggerAuthentication', 'ClusterTriggerAuthentication']).optional(),
    })
    .optional(),
  metricType: z.string().optional().describe('AverageValue, Value; Utilization of cpu and memory only'),
  useCachedMetrics: z.boolean().optional().describe('the autoscaler is told the value of the last poll'),
})

export type Trigger = z.output<typeof trigger>

export const conditions = z
  .array(z.object({ type: z.string(), status: z.string(), reason: z.string().optional(), message: z.string().optional() }))
  .optional()

/** One condition of a status; upstream's have no times. */
export type ScalerCondition = NonNullable<z.output<typeof conditions>>[number]

export const int = z.int32()
export const count = int.min(0)

export const activity = z.record(z.string(), z.object({ isActive: z.boolean().optional() })).optional()
export const names = z.array(z.string()).optional()

/** The column of a table that has the status of one condition. */
export const conditionColumn = (type: string) => ({
  name: type,
  type: 'string' as const,
  jsonPath: `.status.conditions[?(@.type=="${type}")].status`,
})
