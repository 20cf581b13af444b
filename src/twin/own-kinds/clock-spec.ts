// What a TwinClock says. There is one, named `clock`; writing it drives the cluster's time.
import { z } from 'zod'
import type { KubeObject } from '#kube/objects/objects.ts'
import { duration } from '#kube/schema/crd-fields.ts'
import { twinGroup } from '../faults/fault-spec.ts'
import { conditions } from './status-fields.ts'

export const clockName = 'clock'

/** With the clock that can be steered from the start, unless they have one: it asks for nothing. */
export function withClock(objects: readonly KubeObject[]): readonly KubeObject[] {
  if (objects.some(({ kind }) => kind === 'TwinClock')) return objects
  return [...objects, { apiVersion: `${twinGroup}/v1alpha1`, kind: 'TwinClock', metadata: { name: clockName }, spec: {} }]
}

export const clockSpec = z.strictObject({
  speed: z
    .string()
    .max(16)
    .regex(/^(max|[0-9]{1,5}(\.[0-9]{1,3})?)$/)
    .exactOptional()
    .describe('seconds of the cluster in one of ours, 0.001 to 10000; max: from one event to the next'),
  paused: z.boolean().exactOptional().describe('time stands still'),
  advance: duration()
    .exactOptional()
    .describe('goes so far ahead at once, working off what happens on the way; the field is cleared when it is done'),
  next: z
    .int()
    .min(1)
    .max(1_000)
    .exactOptional()
    .describe(
      'goes to the next so many things that happen in the cluster by themselves, heartbeats and other periodic work aside; where nothing is going to happen, to the next timer; the field is cleared when it is done',
    ),
})

export const clockStatus = z.strictObject({
  now: z.string().max(64).exactOptional(),
  speed: z.string().max(16).exactOptional(),
  paused: z.boolean().exactOptional(),
  pendingTimers: z.int().exactOptional(),
  settled: z.boolean().exactOptional().describe('nothing is going to happen by itself, periodic work aside'),
  advanced: z.string().max(64).exactOptional().describe('how far the clock was advanced, in all'),
  conditions,
})

export type ClockSpec = z.infer<typeof clockSpec>
