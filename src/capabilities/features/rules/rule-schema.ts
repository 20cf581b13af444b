// NodeFeatureRule and NodeFeature as node-feature-discovery serves them: group, version and fields are kept, so that
// rules of vendors apply as they are.

import { z } from 'zod'
import { operators } from '../matching/expression.ts'

const names = z.record(z.string(), z.string())

const expressionSchema = z.object({
  op: z.enum(operators),
  value: z.array(z.string()).optional(),
  type: z.string().optional().describe('`version` compares versions, empty compares whole numbers'),
})

const termSchema = z.object({
  feature: z.string().describe('domain and feature, such as `pci.device`'),
  matchExpressions: z.record(z.string(), expressionSchema).nullish(),
  matchName: expressionSchema.nullish(),
})

const matcher = z.array(termSchema)

/** A rule of a NodeFeatureGroup: it writes nothing. */
const groupRuleSchema = z.object({
  name: z.string(),
  vars: names.optional().describe('for later rules, as `rule.matched`'),
  varsTemplate: z.string().optional(),
  matchFeatures: matcher.optional().describe('all must hold'),
  matchAny: z
    .array(z.object({ matchFeatures: matcher }))
    .optional()
    .describe('one must hold'),
})

export const ruleSchema = groupRuleSchema.extend({
  labels: names.optional(),
  labelsTemplate: z.string().optional(),
  annotations: names.optional(),
  taints: z
    .array(
      z.object({
        key: z.string(),
        value: z.string().optional(),
        effect: z.string(),
        timeAdded: z.iso.datetime().optional(),
      }),
    )
    .optional(),
  extendedResources: names.optional(),
})

export const featuresSchema = z.object({
  flags: z.record(z.string(), z.object({ elements: z.record(z.string(), z.looseObject({})) })).optional(),
  attributes: z.record(z.string(), z.object({ elements: names })).optional(),
  instances: z.record(z.string(), z.object({ elements: z.array(z.object({ attributes: names })) })).optional(),
})

export const nodeFeatureSpec = z.object({
  features: featuresSchema.optional(),
  labels: names.optional().describe('asked for without a rule'),
})

export const nodeFeatureRuleSpec = z.object({ rules: z.array(ruleSchema) })

export const nodeFeatureGroupSpec = z.object({
  featureGroupRules: z.array(groupRuleSchema).describe('a node is in it that one of them matches'),
})
