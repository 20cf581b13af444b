// From what the API server serves to what is evaluated.

import type { z } from 'zod'
import type { Expression } from '../matching/expression.ts'
import { type FeatureSet, noFeatures } from '../matching/feature-set.ts'
import type { Term } from '../matching/matcher.ts'
import type { Rule } from '../matching/rule.ts'
import type { featuresSchema, ruleSchema } from './rule-schema.ts'

type ServedRule = z.output<typeof ruleSchema>
type ServedTerm = NonNullable<ServedRule['matchFeatures']>[number]
type ServedExpression = NonNullable<ServedTerm['matchName']>

/** A rule of a NodeFeatureRule as it is evaluated. */
export function readRule(rule: ServedRule): Rule {
  return {
    name: rule.name,
    vars: mapOf(rule.vars),
    ...(rule.varsTemplate === undefined ? {} : { varsTemplate: rule.varsTemplate }),
    matchFeatures: (rule.matchFeatures ?? []).map(readTerm),
    matchAny: (rule.matchAny ?? []).map(({ matchFeatures }) => matchFeatures.map(readTerm)),
    labels: mapOf(rule.labels),
    ...(rule.labelsTemplate === undefined ? {} : { labelsTemplate: rule.labelsTemplate }),
    annotations: mapOf(rule.annotations),
    taints: (rule.taints ?? []).map(({ key, value, effect }) => ({ key, effect, ...(value === undefined ? {} : { value }) })),
    extendedResources: mapOf(rule.extendedResources),
  }
}

function readTerm({ feature, matchExpressions, matchName }: ServedTerm): Term {
  return {
    feature,
    ...(matchExpressions == null
      ? {}
      : { matchExpressions: new Map(Object.entries(matchExpressions).map(([name, one]) => [name, readExpression(one)])) }),
    ...(matchName == null ? {} : { matchName: readExpression(matchName) }),
  }
}

function readExpression({ op, value, type }: ServedExpression): Expression {
  return { op, ...(value === undefined ? {} : { value }), ...(type === undefined ? {} : { type }) }
}

/** The features of a NodeFeature; names of features are taken in small letters. */
export function readFeatures(features: z.output<typeof featuresSchema>): FeatureSet {
  const read = noFeatures()
  for (const [name, { elements }] of Object.entries(features.flags ?? {})) read.flags.set(name, new Set(Object.keys(elements)))
  for (const [name, { elements }] of Object.entries(features.attributes ?? {})) read.attributes.set(name, mapOf(elements))
  for (const [name, { elements }] of Object.entries(features.instances ?? {}))
    read.instances.set(
      name,
      elements.map(({ attributes }) => mapOf(attributes)),
    )
  return read
}

function mapOf(values: Readonly<Record<string, string>> | undefined): Map<string, string> {
  return new Map(Object.entries(values ?? {}))
}
