// What is kept of a node is enough: rules come out on it as on all of its features.

import { expect, test } from 'vitest'
import { ruleQuestions } from '#test/real/features/rule-questions.ts'
import { templateQuestions } from '#test/real/features/template-questions.ts'
import type { FeatureSet } from '../matching/feature-set.ts'
import { type Rule, runRule } from '../matching/rule.ts'
import { RuleFailure } from '../matching/rule-failure.ts'
import { decideNode, type OutcomeSettings } from './node-outcome.ts'
import { readFeatures, readRule } from './read-rule.ts'
import { covers, prunedSpec, referencesOf } from './references.ts'
import { featuresSchema, nodeFeatureSpec, ruleSchema } from './rule-schema.ts'

function outcome(rule: Rule, features: FeatureSet): unknown {
  try {
    const { looks: _, ...rest } = runRule(rule, features)
    return rest
  } catch (error) {
    if (error instanceof RuleFailure) return error.message
    throw error
  }
}

test('each rule by chance, and each template, comes out the same', () => {
  for (const { rule, features } of [...ruleQuestions(7, 2_000), ...templateQuestions]) {
    const read = readRule(ruleSchema.parse(rule))
    const all = readFeatures(featuresSchema.parse(features))
    const { features: kept } = nodeFeatureSpec.parse(prunedSpec({ features }, referencesOf([read])))
    expect(outcome(read, readFeatures(kept ?? {})), JSON.stringify(rule)).toEqual(outcome(read, all))
  }
})

const settings: OutcomeSettings = {
  enableTaints: true,
  autoPrefix: true,
  disableLabels: false,
  disableAnnotations: false,
  disableExtendedResources: false,
  disableTaints: false,
  denyNodeFeatureLabels: false,
  extraLabelNs: new Set(),
  denyLabelNs: [],
}

test.each([
  ['a label of a rule', { labels: { x: '@cpu.model.family' } }, {}],
  ['a resource of a rule', { extendedResources: { x: '@cpu.model.family' } }, {}],
  ['a label that the worker asks for', {}, { x: '@cpu.model.family' }],
  ['a template', { labelsTemplate: 'x=@cpu.model.family', matchFeatures: [{ feature: 'cpu.model' }] }, {}],
])('what %s names is kept', (_what, rule, labels) => {
  const read = readRule(ruleSchema.parse({ name: 'r', ...rule }))
  const features = { attributes: { 'cpu.model': { elements: { family: '6', id: '1' } }, 'no.body': { elements: { asks: '1' } } } }
  const kept = nodeFeatureSpec.parse(prunedSpec({ features, labels }, referencesOf([read])))
  const source = {
    namespace: 'nfd',
    name: 'n1',
    features: readFeatures(kept.features ?? {}),
    labels: new Map(Object.entries(labels)),
  }
  const { labels: given, extendedResources } = decideNode([source], [{ name: 'o', rules: [read] }], settings, {
    node: 'n1',
    ownNamespace: 'nfd',
  })
  expect([...given.values(), ...extendedResources.values()].map(({ value }) => value)).toEqual(['6'])
})

test.each([[undefined], ['text'], [{ features: [] }], [{ features: { flags: 'x', attributes: { 'a.b': 'x' } } }]])(
  'what is no spec is left for whoever checks it: %j',
  spec => {
    const read = readRule(ruleSchema.parse({ name: 'r', matchFeatures: [{ feature: 'a.b' }] }))
    expect(prunedSpec(spec, referencesOf([read]))).toEqual(spec)
  },
)

test('what is looked at by more rules is not covered by less', () => {
  const of = (...terms: readonly object[]) => referencesOf([readRule(ruleSchema.parse({ name: 'r', matchFeatures: terms }))])
  const some = of({ feature: 'cpu.model', matchExpressions: { family: { op: 'Exists' } } })
  const more = of({ feature: 'CPU.model', matchExpressions: { id: { op: 'Exists' }, family: { op: 'Exists' } } })
  const names = of({ feature: 'cpu.model', matchName: { op: 'InRegexp', value: ['a'] } })
  expect([covers(more, some), covers(some, more)]).toEqual([true, false])
  expect([covers(names, more), covers(more, names), covers(names, names)]).toEqual([false, false, true])
  expect([covers(undefined, names), covers(names, undefined)]).toEqual([true, false])
})

test('of a feature whose names are judged those are kept that the judgement takes', () => {
  const read = readRule(
    ruleSchema.parse({ name: 'r', matchFeatures: [{ feature: 'a.b', matchName: { op: 'InRegexp', value: ['^x'] } }] }),
  )
  const features = { attributes: { 'a.b': { elements: { x1: '1', y: '2', x2: '3' } } } }
  expect(prunedSpec({ features }, referencesOf([read]))).toEqual({
    features: { attributes: { 'a.b': { elements: { x1: '1', x2: '3' } } } },
  })
})
