// What a TwinUsage says: which containers use how much, as a function of time.
import { z } from 'zod'
import { quantity } from '#kube/schema/crd-fields.ts'
import { conditions } from './status-fields.ts'

const sources = ['constant', 'curve', 'ofRequest', 'expression'] as const

const curvePoint = z.strictObject({
  at: z
    .string()
    .max(9)
    .regex(/^((Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?([01][0-9]|2[0-3]):[0-5][0-9]$/)
    .describe('08:30 of each day, or Mon 08:30 of each week; UTC'),
  value: quantity(),
})

const amount = z
  .strictObject({
    constant: quantity().exactOptional(),
    curve: z.array(curvePoint).min(1).max(168).exactOptional().describe('straight lines between the points'),
    ofRequest: z.number().min(0).max(100).exactOptional().describe('times the container requests'),
    expression: z
      .string()
      .min(1)
      .max(4096)
      .exactOptional()
      .describe('CEL over now (seconds since 1970), pod, node and replicas: cores or bytes, or a quantity'),
    noise: z
      .number()
      .min(0)
      .max(2)
      .exactOptional()
      .describe('standard deviation as a share of the value; it wanders with a time constant of a minute'),
  })
  .meta({
    cel: {
      rule: `[${sources.map(source => `has(self.${source})`).join(', ')}].filter(x, x).size() == 1`,
      message: `exactly one of ${sources.join(', ')} is needed`,
    },
  })

export const usageSpec = z
  .strictObject({
    selector: z
      .strictObject({
        namespace: z.string().max(63).exactOptional(),
        workload: z.string().max(300).exactOptional().describe('a name, or kind and name as in Deployment/web'),
        pod: z.string().max(253).exactOptional(),
        labels: z.record(z.string().max(317), z.string().max(63)).exactOptional(),
        container: z.string().max(63).exactOptional(),
      })
      .exactOptional()
      .describe('all containers when left out; of several TwinUsages the most specific counts'),
    cpu: amount.exactOptional(),
    memory: amount.exactOptional(),
  })
  .meta({ cel: { rule: 'has(self.cpu) || has(self.memory)', message: 'cpu or memory is needed' } })

export const usageStatus = z.strictObject({ conditions })

export type UsageSpec = z.infer<typeof usageSpec>
export type UsageAmount = z.infer<typeof amount>
