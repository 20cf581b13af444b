// ScaledJob as KEDA serves it. Of the Job that it starts only what we read is in the schema: the API server checks each Job that is made of it.
import { z } from 'zod'
import type { KubeObject } from '#kube/objects/objects.ts'
import { crd } from '#kube/schema/crd.ts'
import { kedaGroup, kedaVersion } from '../names.ts'
import { activity, conditionColumn, conditions, count, int, names, trigger } from './triggers.ts'

const rollouts = ['gradual', 'immediate'] as const

const spec = z.object({
  jobTargetRef: z.looseObject({ template: z.looseObject({}) }).describe('the spec of the Jobs'),
  pollingInterval: int.min(1).optional().describe('seconds between two looks at the triggers; 30 where it is left out'),
  minReplicaCount: count.optional(),
  maxReplicaCount: int.min(1).optional().describe('100 where it is left out'),
  successfulJobsHistoryLimit: count.optional().describe('100 where it is left out'),
  failedJobsHistoryLimit: count.optional().describe('100 where it is left out'),
  envSourceContainerName: z.string().optional(),
  rolloutStrategy: z.enum(rollouts).optional().describe('deprecated: rollout.strategy'),
  rollout: z
    .object({
      strategy: z.enum(rollouts).optional().describe('gradual leaves Jobs of an earlier spec alone; otherwise they are deleted'),
      propagationPolicy: z.enum(['foreground', 'background']).optional(),
    })
    .optional(),
  scalingStrategy: z
    .object({
      strategy: z.enum(['default', 'custom', 'accurate', 'eager']).optional(),
      customScalingQueueLengthDeduction: int.optional(),
      customScalingRunningJobPercentage: z.string().optional(),
      pendingPodConditions: names,
      multipleScalersCalculation: z.enum(['min', 'avg', 'sum', 'max']).optional(),
    })
    .optional(),
  triggers: z.array(trigger).min(1),
})

const status = z.object({
  lastActiveTime: z.iso.datetime().optional(),
  conditions,
  /** Upstream's capital letter. */
  Paused: z.string().optional(),
  triggersTypes: z.string().optional(),
  authenticationsTypes: z.string().optional(),
  externalMetricNames: names,
  triggersActivity: activity,
})

type ScaledJobSpec = z.output<typeof spec>
type ScaledJobStatus = z.output<typeof status>

export interface ScaledJob extends KubeObject {
  readonly spec: ScaledJobSpec
  readonly status?: ScaledJobStatus
}

export const scaledJobSpec = spec

export const scaledJobDefinition = crd({
  group: kedaGroup,
  kind: 'ScaledJob',
  scope: 'Namespaced',
  isBounded: false,
  shortNames: ['sj'],
  versions: [
    {
      name: kedaVersion,
      spec,
      status,
      readyColumn: false,
      printerColumns: [
        { name: 'Min', type: 'integer', jsonPath: '.spec.minReplicaCount' },
        { name: 'Max', type: 'integer', jsonPath: '.spec.maxReplicaCount' },
        ...['Ready', 'Active', 'Paused'].map(conditionColumn),
        { name: 'Triggers', type: 'string', jsonPath: '.status.triggersTypes' },
        { name: 'Authentications', type: 'string', jsonPath: '.status.authenticationsTypes' },
      ],
    },
  ],
})
