// ScaledObject as KEDA serves it: fields, rules, status and columns are kept.
import { z } from 'zod'
import type { KubeObject } from '#kube/objects/objects.ts'
import { crd } from '#kube/schema/crd.ts'
import { quantity } from '#kube/schema/crd-fields.ts'
import { kedaGroup, kedaVersion } from '../names.ts'
import { activity, conditionColumn, conditions, count, int, names, trigger } from './triggers.ts'

/** Replicas at most, where nobody says. */
export const defaultMostReplicas = 100
export const defaultPollingSeconds = 30
export const defaultCooldownSeconds = 300

const scalingRules = z
  .object({
    policies: z
      .array(z.object({ type: z.string(), value: int, periodSeconds: int }))
      .meta({ listType: 'atomic' })
      .optional(),
    selectPolicy: z.string().optional(),
    stabilizationWindowSeconds: int.optional(),
    tolerance: quantity().optional(),
  })
  .optional()

const behaviors = ['static', 'currentReplicas', 'currentReplicasIfHigher', 'currentReplicasIfLower', 'scalingModifiers'] as const

const spec = z
  .object({
    scaleTargetRef: z.object({
      name: z.string().min(1),
      apiVersion: z.string().optional().describe('apps/v1 where it is left out'),
      kind: z.string().optional().describe('Deployment where it is left out; any kind with a scale'),
      envSourceContainerName: z
        .string()
        .optional()
        .describe('whose variables FromEnv means; the first container where it is left out'),
    }),
    pollingInterval: int.min(1).optional().describe('seconds between two looks at the triggers; 30 where it is left out'),
    initialCooldownPeriod: count.optional().describe('seconds from its creation before it may go to zero for the first time'),
    cooldownPeriod: count
      .optional()
      .describe('seconds after the last activity before it goes to zero or idle; 300 where it is left out'),
    idleReplicaCount: count.optional().describe('replicas while nothing is active; less than minReplicaCount'),
    minReplicaCount: count.optional().describe('0 where it is left out'),
    maxReplicaCount: int.min(1).optional().describe('100 where it is left out'),
    advanced: z
      .object({
        horizontalPodAutoscalerConfig: z
          .object({
            name: z.string().optional().describe('keda-hpa-NAME where it is left out'),
            behavior: z.object({ scaleUp: scalingRules, scaleDown: scalingRules }).optional(),
          })
          .optional(),
        restoreToOriginalReplicaCount: z.boolean().optional(),
        scalingModifiers: z
          .object({
            formula: z.string().optional().describe('over the names of triggers, in expr-lang'),
            target: z.string().optional(),
            activationTarget: z.string().optional(),
            metricType: z.enum(['AverageValue', 'Value']).optional(),
          })
          .optional(),
      })
      .optional(),
    triggers: z.array(trigger).min(1),
    fallback: z
      .object({
        failureThreshold: count,
        replicas: count,
        behavior: z.enum(behaviors).default('static'),
      })
      .optional()
      .describe('replicas to aim at while a trigger fails'),
  })
  .meta({
    cel: {
      rule: '!has(self.minReplicaCount) || self.minReplicaCount <= (has(self.maxReplicaCount) ? self.maxReplicaCount : 100)',
      message: 'minReplicaCount must be less than or equal to maxReplicaCount',
    },
  })

const status = z.object({
  scaleTargetKind: z.string().optional(),
  scaleTargetGVKR: z.object({ group: z.string(), version: z.string(), kind: z.string(), resource: z.string() }).optional(),
  originalReplicaCount: int.optional(),
  lastActiveTime: z.iso.datetime().optional(),
  externalMetricNames: names,
  resourceMetricNames: names,
  compositeScalerName: z.string().optional(),
  conditions,
  health: z.record(z.string(), z.object({ numberOfFailures: int.optional(), status: z.string().optional() })).optional(),
  triggersActivity: activity,
  pausedReplicaCount: int.optional(),
  hpaName: z.string().optional(),
  triggersTypes: z.string().optional(),
  authenticationsTypes: z.string().optional(),
})

export type ScaledObjectSpec = z.output<typeof spec>
export type ScaledObjectStatus = z.output<typeof status>

export interface ScaledObject extends KubeObject {
  readonly spec: ScaledObjectSpec
  readonly status?: ScaledObjectStatus
}

export const scaledObjectSpec = spec

export const scaledObjectDefinition = crd({
  group: kedaGroup,
  kind: 'ScaledObject',
  scope: 'Namespaced',
  isBounded: false,
  shortNames: ['so'],
  versions: [
    {
      name: kedaVersion,
      spec,
      status,
      readyColumn: false,
      printerColumns: [
        { name: 'ScaleTargetKind', type: 'string', jsonPath: '.status.scaleTargetKind' },
        { name: 'ScaleTargetName', type: 'string', jsonPath: '.spec.scaleTargetRef.name' },
        { name: 'Min', type: 'integer', jsonPath: '.spec.minReplicaCount' },
        { name: 'Max', type: 'integer', jsonPath: '.spec.maxReplicaCount' },
        ...['Ready', 'Active', 'Fallback', 'Paused'].map(conditionColumn),
        { name: 'Triggers', type: 'string', jsonPath: '.status.triggersTypes' },
        { name: 'Authentications', type: 'string', jsonPath: '.status.authenticationsTypes' },
      ],
    },
  ],
})
