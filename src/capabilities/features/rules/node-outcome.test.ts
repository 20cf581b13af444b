// What the rules of a cluster make of a node: who wins, what is left out, what a rule sees of those before it.

import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { parsePattern } from '#kube/values/regex.ts'
import { clusterFeatures } from './cluster-features.ts'
import { decideNode, type NodeOutcome, type OutcomeSettings } from './node-outcome.ts'
import { unknownFeatures, whyNot } from './rule-words.ts'

const own = 'nfd'

function nodeFeature(key: string, spec: object): KubeObject {
  const [namespace = '', name = ''] = key.split('/')
  const labels = { 'nfd.node.kubernetes.io/node-name': 'n1' }
  return { apiVersion: 'nfd.k8s-sigs.io/v1alpha1', kind: 'NodeFeature', metadata: { name, namespace, labels }, spec }
}

function rules(name: string, ...of: readonly object[]): KubeObject {
  const all = of.map((rule, at) => ({ name: `r${at}`, ...rule }))
  return { apiVersion: 'nfd.k8s-sigs.io/v1alpha1', kind: 'NodeFeatureRule', metadata: { name }, spec: { rules: all } }
}

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

function decided(objects: readonly KubeObject[], more: Partial<OutcomeSettings> = {}): NodeOutcome {
  const { sources, rules: read, problems } = clusterFeatures(objects)
  expect(problems).toEqual([])
  return decideNode(sources.get('n1') ?? [], read, { ...settings, ...more }, { node: 'n1', ownNamespace: own })
}

const plain = nodeFeature('nfd/n1', { features: { attributes: { 'a.b': { elements: { x: '5', 'sgx.epc': '8388608' } } } } })
const labelsOf = ({ labels }: NodeOutcome) => Object.fromEntries([...labels].map(([key, { value }]) => [key, value]))

describe('who wins', () => {
  test('own namespace first, then by name, then by namespace; later ones win', () => {
    const objects = [
      nodeFeature('nfd/n1', { labels: { a: '1' } }),
      nodeFeature('z/n1', { labels: { a: '2' } }),
      nodeFeature('nfd/x', { labels: { a: '3' } }),
    ]
    expect(labelsOf(decided(objects))).toEqual({ 'feature.node.kubernetes.io/a': '2' })
    expect(labelsOf(decided(objects.toReversed()))).toEqual({ 'feature.node.kubernetes.io/a': '2' })
  })

  test('a key with its namespace wins over the same without it, in one object', () => {
    const both = { 'feature.node.kubernetes.io/a': 'full', a: 'plain' }
    expect(labelsOf(decided([nodeFeature('nfd/n1', { labels: both })]))).toEqual({ 'feature.node.kubernetes.io/a': 'full' })
  })

  test('labels of rules win over those that were asked for without one', () => {
    const outcome = decided([nodeFeature('nfd/n1', { labels: { a: '1' } }), rules('r', { labels: { a: '2' } })])
    expect(outcome.labels.get('feature.node.kubernetes.io/a')).toEqual({ value: '2', by: 'r/r0' })
  })
})

describe('what a rule sees of those before it', () => {
  const sets = { labels: { x: '1' }, vars: { v: 'yes' } }
  const asks = {
    labels: { seen: 'true' },
    matchFeatures: [
      { feature: 'rule.matched', matchExpressions: { x: { op: 'In', value: ['1'] }, v: { op: 'In', value: ['yes'] } } },
    ],
  }

  test('labels as they were written and variables, by the names of the objects', () => {
    expect(labelsOf(decided([plain, rules('b', asks), rules('a', sets)]))['feature.node.kubernetes.io/seen']).toBe('true')
    expect(labelsOf(decided([plain, rules('a', asks), rules('b', sets)]))).not.toHaveProperty('feature.node.kubernetes.io/seen')
  })

  test('a rule that fails stops no other', () => {
    const outcome = decided([
      plain,
      rules('r', { labelsTemplate: '{{ .missing.thing }}', matchFeatures: [{ feature: 'a.b' }] }, sets),
    ])
    expect(outcome.reports.map(report => report.outcome)).toEqual(['failed', 'matched'])
    expect(outcome.reports.map(whyNot)).toEqual(['template line 1: map has no entry for key "missing"', ''])
  })

  test('a rule without matchers matches every node', () => {
    expect(labelsOf(decided([plain, rules('r', { labels: { all: 'yes' } })]))).toEqual({
      'feature.node.kubernetes.io/all': 'yes',
    })
  })
})

describe('what is allowed', () => {
  test.each([
    ['example.com/x', '1', {}, '1'],
    ['example.kubernetes.io/x', '1', {}, undefined],
    ['example.kubernetes.io/x', '1', { extraLabelNs: new Set(['example.kubernetes.io']) }, '1'],
    ['a.feature.node.kubernetes.io/x', '1', {}, '1'],
    ['profile.node.kubernetes.io/x', '1', {}, '1'],
    ['a.corp.io/x', '1', { denyLabelNs: ['*.corp.io', 'bad.io'] }, undefined],
    ['corp.io/x', '1', { denyLabelNs: ['*.corp.io', 'bad.io'] }, '1'],
    ['bad.io/x', '1', { denyLabelNs: ['*.corp.io', 'bad.io'] }, undefined],
    ['bad.io/x', '1', { denyLabelNs: ['bad.io'], extraLabelNs: new Set(['bad.io']) }, '1'],
    ['example.com/x', '@a.b.sgx.epc', {}, '8388608'],
    ['example.com/x', '@a.b.missing', {}, undefined],
    ['example.com/x', '@nothing', {}, undefined],
    ['example.com/x', 'not a value', {}, undefined],
    ['example.com/_x', '1', {}, undefined],
    ['x', '1', { autoPrefix: false }, undefined],
  ] as const)('label %s=%s', (key, value, more, expected) => {
    const outcome = decided([plain, rules('r', { labels: { [key]: value } })], more)
    expect(outcome.labels.get(key)?.value).toBe(expected)
    expect(outcome.leftOut).toHaveLength(expected === undefined ? 1 : 0)
  })

  test('labels whose names are not on the white list are left out, with the reason', () => {
    const pattern = parsePattern('^cpu')
    if (!pattern.ok) throw new Error('the pattern does not parse')
    const outcome = decided([plain, rules('r', { labels: { 'cpu-a': '1', gpu: '1' } })], { labelWhiteList: pattern.value })
    expect(Object.keys(labelsOf(outcome))).toEqual(['feature.node.kubernetes.io/cpu-a'])
    expect(outcome.leftOut.map(({ why }) => why)).toEqual(['"gpu" does not match labelWhiteList'])
  })

  test('annotations of 1024 bytes, quantities, and taints of known effects', () => {
    const outcome = decided([
      plain,
      rules('r', {
        annotations: { long: 'x'.repeat(1_025), short: 'x'.repeat(1_024) },
        extendedResources: { good: '5', bad: 'five', epc: '@a.b.sgx.epc' },
        taints: [
          { key: 'example.com/a', effect: 'NoSchedule' },
          { key: 'example.com/b', effect: 'Nope' },
          { key: 'plain', effect: 'NoSchedule' },
        ],
      }),
    ])
    expect([...outcome.annotations.keys()]).toEqual(['feature.node.kubernetes.io/short'])
    expect([...outcome.extendedResources.keys()]).toEqual(['feature.node.kubernetes.io/good', 'feature.node.kubernetes.io/epc'])
    expect(outcome.taints.map(({ key }) => key)).toEqual(['example.com/a'])
    expect(outcome.leftOut).toHaveLength(4)
  })

  test('taints count only where they are enabled', () => {
    const tainted = rules('r', { taints: [{ key: 'example.com/a', effect: 'NoSchedule' }] })
    const outcome = decided([plain, tainted], { enableTaints: false })
    expect(outcome.taints).toEqual([])
    expect(outcome.leftOut.map(({ why }) => why)).toEqual(['enableTaints is off'])
  })
})

test('features that no node has are named once', () => {
  const asks = (feature: string) => ({ matchFeatures: [{ feature, matchExpressions: { x: { op: 'Exists' } } }] })
  const outcome = decided([plain, rules('r', asks('a.b'), asks('cpu.cpuidd'), asks('CPU.cpuidd'))])
  expect(unknownFeatures([outcome.reports])).toEqual(['cpu.cpuidd'])
  expect(whyNot(outcome.reports[1] ?? { object: '', rule: '', outcome: 'matched' })).toBe('the node has no feature cpu.cpuidd')
})

test('what is no NodeFeature of a node, or has another shape, is set aside by name', () => {
  const { problems, rules: read } = clusterFeatures([
    { apiVersion: 'nfd.k8s-sigs.io/v1alpha1', kind: 'NodeFeature', metadata: { name: 'lost', namespace: 'nfd' }, spec: {} },
    {
      apiVersion: 'nfd.k8s-sigs.io/v1alpha1',
      kind: 'NodeFeatureRule',
      metadata: { name: 'odd' },
      spec: { rules: [{ labels: 5 }] },
    },
    rules('good', { labels: { a: '1' } }),
  ])
  expect(read.map(({ name }) => name)).toEqual(['good'])
  expect(problems.map(({ where }) => where)).toEqual([
    'NodeFeature nfd/lost: metadata.labels',
    'NodeFeatureRule odd: spec: rules[0].name',
    'NodeFeatureRule odd: spec: rules[0].labels',
  ])
})
