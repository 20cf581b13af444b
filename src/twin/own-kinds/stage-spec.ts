// What a TwinStage says: objects of a kind whose controller is not there go from one state to the next by themselves.
import { z } from 'zod'
import { duration } from '#kube/schema/crd-fields.ts'
import { conditions } from './status-fields.ts'

export const stageSpec = z
  .strictObject({
    ref: z.strictObject({ group: z.string().max(253), kind: z.string().min(1).max(63) }),
    match: z.string().min(1).max(8192).describe('CEL over self: in which state an object is taken on'),
    weight: z.int().min(0).max(1_000_000).exactOptional().describe('among the stages that match at once; 1 when left out'),
    delay: duration().exactOptional(),
    jitter: duration().exactOptional().describe('up to so much longer'),
    patch: z
      .strictObject({
        subresource: z.enum(['status']).exactOptional().describe('left out: the object itself'),
        merge: z
          .record(z.string(), z.unknown())
          .describe('a merge patch; a text $(...) stands for the value of that CEL over self and now'),
      })
      .exactOptional(),
    event: z
      .strictObject({
        type: z.enum(['Normal', 'Warning']),
        reason: z.string().min(1).max(128),
        message: z.string().max(1024),
      })
      .exactOptional(),
    delete: z.boolean().exactOptional(),
  })
  .meta({
    cel: {
      rule: 'has(self.patch) || has(self.event) || (has(self.delete) && self.delete)',
      message: 'one of patch, event, delete is needed',
    },
  })

export const stageStatus = z.strictObject({ played: z.int().exactOptional(), conditions })

export type StageSpec = z.infer<typeof stageSpec>
