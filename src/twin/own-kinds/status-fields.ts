// Fields that the status of each of our kinds has.
import { z } from 'zod'

const condition = z.strictObject({
  type: z.string().max(64),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().max(128),
  message: z.string().max(4096),
  observedGeneration: z.int().exactOptional(),
  lastTransitionTime: z.string().max(64).exactOptional(),
})

export const conditions = z
  .array(condition)
  .max(4)
  .exactOptional()
  .meta({ listType: 'map', keys: ['type'] })
