// What rules see of a Node, and that no rule can set off itself by what it writes.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Node } from '#kube/objects/objects.ts'
import { nodeChanges } from '../labelling/node-changes.ts'
import type { Rule } from '../matching/rule.ts'
import { decideNode, type OutcomeSettings } from './node-outcome.ts'
import { featuresOfNode } from './node-own.ts'
import { readRule } from './read-rule.ts'
import { namedReferences } from './references.ts'
import { ruleSchema } from './rule-schema.ts'

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
const rule = (fields: object) => readRule(ruleSchema.parse({ name: 'r', ...fields }))
const looks = (key: string, op: string, ...value: readonly string[]) => ({
  feature: 'node.label',
  matchExpressions: { [key]: { op, ...(value.length === 0 ? {} : { value }) } },
})

function nodeWith(labels: Record<string, string>, annotations: Record<string, string> = {}): Node {
  const nodeInfo = { kubeletVersion: 'v1.36.4', architecture: 'arm64', machineID: 'secret', bootID: 'x' }
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', labels, annotations }, status: { nodeInfo } }
}

/** The node as it is after what rules make of it was written. */
function written(
  node: Node,
  rules: readonly Rule[],
  instance = '',
): { readonly node: Node; readonly leftOut: readonly string[] } {
  const ofNode = featuresOfNode(node, namedReferences(rules))
  const source = { namespace: 'nfd', name: 'n1', features: { flags: new Map(), attributes: new Map(), instances: new Map() } }
  const outcome = decideNode([{ ...source, labels: new Map() }], [{ name: 'o', rules }], settings, {
    node: 'n1',
    ofNode,
    ownNamespace: 'nfd',
  })
  const changes = nodeChanges(node, outcome, { instance, allowOverwrite: true })
  const patched = (now: Readonly<Record<string, string>> = {}, patch: Readonly<Record<string, string | null>>) =>
    Object.fromEntries(Object.entries({ ...now, ...patch }).flatMap(([key, value]) => (value === null ? [] : [[key, value]])))
  const { labels, annotations } = node.metadata
  const metadata = {
    ...node.metadata,
    labels: patched(labels, changes.labels),
    annotations: patched(annotations, changes.annotations),
  }
  return { node: { ...node, metadata }, leftOut: outcome.leftOut.map(({ key }) => key) }
}

// biome-ignore format: a table
test.each<[string, Record<string, string>, object, boolean]>([
  ['a label of the cluster', { 'topology.kubernetes.io/zone': 'a' }, looks('topology.kubernetes.io/zone', 'In', 'a'), true],
  ['another value', { 'topology.kubernetes.io/zone': 'b' }, looks('topology.kubernetes.io/zone', 'In', 'a'), false],
  ['a label that is not there', {}, looks('example.com/pool', 'DoesNotExist'), true],
  ['a label by its name', { 'example.com/pool-x': '1' }, { feature: 'node.label', matchName: { op: 'InRegexp', value: ['^example'] } }, true],
  ['the version of the kubelet', {}, { feature: 'node.info', matchExpressions: { kubeletVersion: { op: 'Ge', value: ['1.36'], type: 'version' } } }, true],
  ['what names a machine', {}, { feature: 'node.info', matchExpressions: { machineID: { op: 'Exists' } } }, false],
])('a rule that looks at %s', (_what, labels, term, matches) => {
  const { node } = written(nodeWith(labels), [rule({ labels: { 'x.example.com/y': 'z' }, matchFeatures: [term] })])
  expect(node.metadata.labels?.['x.example.com/y']).toBe(matches ? 'z' : undefined)
})

test('labels that masters list as theirs are not seen, of whichever instance', () => {
  const labels = { 'feature.node.kubernetes.io/a': '1', 'example.com/b': '1', 'example.com/c': '1' }
  const annotations = {
    'nfd.node.kubernetes.io/feature-labels': 'a',
    'blue.nfd.node.kubernetes.io/feature-labels': 'example.com/b',
  }
  const all = namedReferences([rule({ matchFeatures: [{ feature: 'node.label', matchName: { op: 'Exists' } }] })])
  expect([...(featuresOfNode(nodeWith(labels, annotations), all).attributes.get('node.label') ?? [])]).toEqual([
    ['example.com/c', '1'],
  ])
})

test('a label of somebody else that rules look at is left to him; one that no rule looks at is taken over', () => {
  const node = nodeWith({ 'example.com/gpu': 'yes', 'example.com/other': 'old' })
  const rules = [
    rule({
      labels: { 'example.com/gpu': 'no', 'example.com/other': 'new' },
      matchFeatures: [looks('example.com/gpu', 'Exists')],
    }),
  ]
  const { node: after, leftOut } = written(node, rules)
  expect(leftOut).toEqual(['example.com/gpu'])
  expect(after.metadata.labels).toEqual({ 'example.com/gpu': 'yes', 'example.com/other': 'new' })
})

test('what a template makes up takes no label from anybody, and gives none to it', () => {
  const node = nodeWith({ 'example.com/gpu': 'yes' })
  const template = rule({
    labelsTemplate: 'example.com/gpu=new\nexample.com/copy=@node.label.example.com/gpu',
    matchFeatures: [{ feature: 'node.info', matchExpressions: { architecture: { op: 'Exists' } } }],
  })
  const { node: after, leftOut } = written(node, [template])
  expect(after.metadata.labels).toEqual({ 'example.com/gpu': 'new' })
  expect(leftOut).toEqual(['example.com/copy'])
})

test('what the Node says counts, whatever a NodeFeature says in its place', () => {
  const rules = [rule({ labels: { 'x.example.com/y': 'z' }, matchFeatures: [looks('example.com/pool', 'Exists')] })]
  const attributes = new Map([['node.label', new Map([['example.com/pool', 'forged']])]])
  const forged = { flags: new Map(), attributes, instances: new Map() }
  const outcome = decideNode(
    [{ namespace: 'nfd', name: 'n1', features: forged, labels: new Map() }],
    [{ name: 'o', rules }],
    settings,
    { node: 'n1', ofNode: featuresOfNode(nodeWith({}), namedReferences(rules)), ownNamespace: 'nfd' },
  )
  expect([...outcome.labels]).toEqual([])
})

test('whatever rules look at and write, the second look writes nothing', () => {
  const keys = ['a.example.com/a', 'b.example.com/b', 'c.example.com/c', 'd.example.com/d']
  const key = fc.constantFrom(...keys)
  const values = fc.constantFrom('1', '2')
  const rules = fc.array(
    fc.record({
      labels: fc.dictionary(key, values, { maxKeys: 2 }),
      matchFeatures: fc.array(
        fc.oneof(
          fc.tuple(key, fc.constantFrom('Exists', 'DoesNotExist')).map(([name, op]) => looks(name, op)),
          fc.tuple(key, fc.constantFrom('In', 'NotIn'), values).map(([name, op, value]) => looks(name, op, value)),
        ),
        { maxLength: 2 },
      ),
    }),
    { minLength: 1, maxLength: 5 },
  )
  const property = fc.property(rules, fc.dictionary(key, values), fc.boolean(), (all, labels, hasOwn) => {
    const read = all.map(rule)
    const annotations = hasOwn ? { 'nfd.node.kubernetes.io/feature-labels': keys.slice(0, 2).join() } : {}
    const first = written(nodeWith(labels, annotations), read)
    expect(written(first.node, read).node).toEqual(first.node)
  })
  fc.assert(property, { numRuns: 2_000 })
})
