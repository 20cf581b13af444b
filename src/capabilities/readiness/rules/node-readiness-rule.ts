// NodeReadinessRule as its own project serves it: group, version, fields, rules of the schema and their words are kept, so that objects,
// dashboards and scripts of before go on.
import { z } from 'zod'
import type { ServedKind } from '#coordination/capability.ts'
import type { KubeObject, LabelSelector, Taint } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { crd } from '#kube/schema/crd.ts'
import type { ConditionStatus } from '../node-facts.ts'

export const ruleGroup = 'readiness.node.x-k8s.io'
export const ruleVersion = 'v1alpha1'
const ruleKind = 'NodeReadinessRule'

export const nodeReadinessRules: GroupVersionResource = {
  group: ruleGroup,
  version: ruleVersion,
  resource: 'nodereadinessrules',
}

const statuses = ['True', 'False', 'Unknown'] as const
/** Nodes that a status may name. */
export const mostNodes = 5_000
const longestName = 253
const nodeNamePattern = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'

function immutable(field: string) {
  return { cel: { rule: 'self == oldSelf', message: `${field} is immutable` } }
}

const unchanged = (field: string) => ({
  rule: `!has(oldSelf.${field}) || self.${field} == oldSelf.${field}`,
  message: `taint ${field} is immutable`,
})

const taintSchema = z
  .object({
    key: z.string().max(1_024).describe('starts with readiness.k8s.io/'),
    value: z.string().max(1_024).optional(),
    effect: z.string().max(64).describe('NoSchedule, PreferNoSchedule or NoExecute'),
    timeAdded: z.iso.datetime().optional(),
  })
  .meta({
    cel: [
      { rule: "self.key.startsWith('readiness.k8s.io/')", message: "taint key must start with 'readiness.k8s.io/'" },
      { rule: 'self.key.size() <= 253', message: 'taint key length must be at most 253 characters' },
      {
        rule: "size(self.key.split('/')) == 2",
        message: "taint key must have exactly one '/' separator (prefix/name format)",
      },
      {
        rule: "size(self.key.split('/')[1]) > 0 && size(self.key.split('/')[1]) <= 63",
        message: 'taint key name part must be 1-63 characters',
      },
      {
        rule: "self.key.split('/')[1].matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",
        message:
          "taint key name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
      },
      { rule: '!has(self.value) || self.value.size() <= 63', message: 'taint value length must be at most 63 characters' },
      {
        rule: "self.effect in ['NoSchedule', 'PreferNoSchedule', 'NoExecute']",
        message: "taint effect must be one of 'NoSchedule', 'PreferNoSchedule', 'NoExecute'",
      },
      unchanged('key'),
      unchanged('effect'),
      unchanged('value'),
    ],
  })

const nodeSelector = z
  .object({
    matchLabels: z.record(z.string(), z.string()).optional(),
    matchExpressions: z
      .array(
        z.object({
          key: z.string(),
          operator: z.string().max(64),
          values: z.array(z.string()).meta({ listType: 'atomic' }).optional(),
        }),
      )
      .meta({ listType: 'atomic' })
      .optional(),
  })
  .meta({ mapType: 'atomic', ...immutable('nodeSelector') })

const ruleSpec = z
  .object({
    conditions: z
      .array(
        z.object({
          type: z.string().min(1).max(316),
          requiredStatus: z.enum(statuses),
          defaultStatus: z.enum(statuses).optional().describe('of a condition that the node lacks; Unknown where it is left out'),
        }),
      )
      .min(1)
      .max(32)
      .meta({ listType: 'map', keys: ['type'], ...immutable('conditions') }),
    conditionPolicy: z.enum(['allOf', 'anyOf']).optional().describe('allOf where it is left out; not anyOf with bootstrap-only'),
    enforcementMode: z.enum(['bootstrap-only', 'continuous']).meta(immutable('enforcementMode')),
    taint: taintSchema,
    nodeSelector,
    dryRun: z.boolean().optional(),
  })
  .meta({
    cel: {
      rule: "(!has(oldSelf.conditionPolicy) ? 'allOf' : oldSelf.conditionPolicy) == (!has(self.conditionPolicy) ? 'allOf' : self.conditionPolicy)",
      message: 'conditionPolicy is immutable',
    },
  })

const nodeName = z.string().min(1).max(longestName).regex(new RegExp(nodeNamePattern))
const count = z.int32().min(0).optional()

const ruleStatus = z.object({
  observedGeneration: z.int().min(1).optional(),
  appliedNodes: z.array(z.string().max(longestName)).max(mostNodes).meta({ listType: 'set' }).optional(),
  failedNodes: z
    .array(
      z.object({
        nodeName,
        reason: z.string().min(1).max(256).optional(),
        message: z.string().min(1).max(10_240).optional(),
        lastEvaluationTime: z.iso.datetime(),
      }),
    )
    .max(mostNodes)
    .meta({ listType: 'map', keys: ['nodeName'] })
    .optional(),
  nodeEvaluations: z
    .array(
      z.object({
        nodeName,
        conditionResults: z
          .array(
            z.object({
              type: z.string().min(1).max(316),
              currentStatus: z.enum(statuses),
              requiredStatus: z.enum(statuses),
              defaultStatus: z.enum(statuses).optional(),
            }),
          )
          .max(mostNodes)
          .meta({ listType: 'map', keys: ['type'] }),
        taintStatus: z.enum(['Present', 'Absent']),
        lastEvaluationTime: z.iso.datetime(),
      }),
    )
    .max(mostNodes)
    .meta({ listType: 'map', keys: ['nodeName'] })
    .optional(),
  dryRunResults: z
    .object({
      affectedNodes: count,
      taintsToAdd: count,
      taintsToRemove: count,
      riskyOperations: count,
      summary: z.string().min(1).max(4_096),
    })
    .optional(),
})

export interface ConditionResult {
  readonly type: string
  readonly currentStatus: ConditionStatus
  readonly requiredStatus: ConditionStatus
  readonly defaultStatus?: ConditionStatus
}

export interface RuleStatus {
  readonly observedGeneration?: number
  readonly appliedNodes?: readonly string[]
  readonly failedNodes?: readonly {
    readonly nodeName: string
    readonly reason?: string
    readonly message?: string
    readonly lastEvaluationTime: string
  }[]
  readonly nodeEvaluations?: readonly {
    readonly nodeName: string
    readonly conditionResults: readonly ConditionResult[]
    readonly taintStatus: 'Present' | 'Absent'
    readonly lastEvaluationTime: string
  }[]
  readonly dryRunResults?: {
    readonly affectedNodes?: number
    readonly taintsToAdd?: number
    readonly taintsToRemove?: number
    readonly riskyOperations?: number
    readonly summary: string
  }
}

export interface NodeReadinessRule extends KubeObject {
  readonly spec: {
    readonly conditions: readonly {
      readonly type: string
      readonly requiredStatus: ConditionStatus
      readonly defaultStatus?: ConditionStatus
    }[]
    readonly conditionPolicy?: 'allOf' | 'anyOf'
    readonly enforcementMode: 'bootstrap-only' | 'continuous'
    readonly taint: Taint
    readonly nodeSelector: LabelSelector
    readonly dryRun?: boolean
  }
  readonly status?: RuleStatus
}

/** Whether `object` has the shape of a rule. A server without our definition may hold anything. */
export function isRule(object: KubeObject): object is NodeReadinessRule {
  return ruleSpec.safeParse(object['spec']).success
}

const definition = crd({
  group: ruleGroup,
  kind: ruleKind,
  plural: nodeReadinessRules.resource,
  scope: 'Cluster',
  shortNames: ['nrr'],
  versions: [
    {
      name: ruleVersion,
      spec: ruleSpec,
      status: ruleStatus,
      readyColumn: false,
      selectableFields: ['.spec.enforcementMode', '.spec.taint.key', '.spec.dryRun'],
      printerColumns: [
        { name: 'Mode', type: 'string', jsonPath: '.spec.enforcementMode' },
        { name: 'Taint', type: 'string', jsonPath: '.spec.taint.key' },
        { name: 'Effect', type: 'string', jsonPath: '.spec.taint.effect' },
        { name: 'DryRun', type: 'boolean', jsonPath: '.spec.dryRun' },
      ],
    },
  ],
})

/** Adopted where upstream's definition is there already; never deleted. */
export const nodeReadinessRuleKind: ServedKind = {
  group: ruleGroup,
  version: ruleVersion,
  kind: ruleKind,
  plural: nodeReadinessRules.resource,
  scope: 'Cluster',
  owner: 'upstream',
  definition: { ...definition },
}
