// What is written to a node, and what is left alone.

import { describe, expect, test } from 'vitest'
import type { Node, Taint } from '#kube/objects/objects.ts'
import type { NodeOutcome } from '../rules/node-outcome.ts'
import { isNothing, lacksOwn, nodeChanges, nothingWanted } from './node-changes.ts'

const by = 'rule'
const settings = { instance: '', allowOverwrite: true }
const tracking = 'nfd.node.kubernetes.io'

interface Present {
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly taints?: readonly Taint[]
  readonly capacity?: Readonly<Record<string, string>>
}

function node({ taints = [], capacity = {}, ...metadata }: Present): Node {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', ...metadata }, spec: { taints }, status: { capacity } }
}

function wanted(of: {
  readonly labels?: object
  readonly annotations?: object
  readonly resources?: object
  readonly taints?: NodeOutcome['taints']
}): Parameters<typeof nodeChanges>[1] {
  const values = (all: object = {}) => new Map(Object.entries(all).map(([key, value]) => [key, { value: String(value), by }]))
  return {
    labels: values(of.labels),
    annotations: values(of.annotations),
    extendedResources: values(of.resources),
    taints: of.taints ?? [],
  }
}

test('a first label is written with the list of what is ours', () => {
  const changes = nodeChanges(node({}), wanted({ labels: { 'feature.node.kubernetes.io/b': '1', 'a.io/a': '2' } }), settings)
  expect(changes).toEqual({
    labels: { 'feature.node.kubernetes.io/b': '1', 'a.io/a': '2' },
    annotations: { [`${tracking}/feature-labels`]: 'a.io/a,b' },
    resources: {},
  })
})

test('what is so already is not written', () => {
  const present = node({
    labels: { 'feature.node.kubernetes.io/b': '1' },
    annotations: { [`${tracking}/feature-labels`]: 'b', [`${tracking}/extended-resources`]: 'r' },
    capacity: { 'feature.node.kubernetes.io/r': '1k' },
  })
  const same = wanted({ labels: { 'feature.node.kubernetes.io/b': '1' }, resources: { 'feature.node.kubernetes.io/r': '1000' } })
  expect(isNothing(nodeChanges(present, same, settings))).toBe(true)
})

test('what was ours and is not wanted goes, what never was ours stays', () => {
  const present = node({
    labels: { 'feature.node.kubernetes.io/old': '1', 'somebody.io/s': '1' },
    annotations: {
      [`${tracking}/feature-labels`]: 'old',
      [`${tracking}/feature-annotations`]: 'n.io/n',
      'n.io/n': 'x',
      'other.io/o': 'y',
    },
    capacity: { cpu: '4' },
  })
  expect(nodeChanges(present, nothingWanted, settings)).toEqual({
    labels: { 'feature.node.kubernetes.io/old': null },
    annotations: { [`${tracking}/feature-labels`]: null, [`${tracking}/feature-annotations`]: null, 'n.io/n': null },
    resources: {},
  })
})

test('annotations of old versions go', () => {
  const present = node({ annotations: { [`${tracking}/master.version`]: 'v0.14', [`${tracking}/worker.version`]: 'v0.14' } })
  expect(nodeChanges(present, nothingWanted, settings).annotations).toEqual({
    [`${tracking}/master.version`]: null,
    [`${tracking}/worker.version`]: null,
  })
})

describe('what somebody changed', () => {
  const present = node({
    labels: { 'a.io/own': 'theirs', 'a.io/foreign': 'theirs' },
    annotations: { [`${tracking}/feature-labels`]: 'a.io/own' },
  })
  const want = wanted({ labels: { 'a.io/own': 'ours', 'a.io/foreign': 'ours' } })
  test.each([
    [true, { 'a.io/own': 'ours', 'a.io/foreign': 'ours' }],
    // As upstream has it: the switch protects what is ours alone.
    [false, { 'a.io/foreign': 'ours' }],
  ])('with allowOverwrite %s', (allowOverwrite, labels) => {
    const changes = nodeChanges(present, want, { ...settings, allowOverwrite })
    expect(changes.labels).toEqual(labels)
    expect(changes.annotations).toEqual({ [`${tracking}/feature-labels`]: 'a.io/foreign,a.io/own' })
  })
})

test('an instance has lists of its own; the list of taints is everybody’s', () => {
  const taints = [{ key: 'a.io/t', value: 'v', effect: 'NoSchedule', by }]
  const changes = nodeChanges(node({}), wanted({ labels: { 'a.io/x': '1' }, taints }), { ...settings, instance: 'blue' })
  expect(changes.annotations).toEqual({ [`blue.${tracking}/feature-labels`]: 'a.io/x' })
  expect(changes.taints?.annotations).toEqual({ [`${tracking}/taints`]: 'a.io/t=v:NoSchedule' })
})

describe('taints', () => {
  const listed = (text: string) => ({ [`${tracking}/taints`]: text })
  const taint = { key: 'a.io/t', value: 'v', effect: 'NoSchedule' }
  test.each([
    ['comes', {}, [], [taint], { add: [taint], remove: [] }],
    ['is there', listed('a.io/t=v:NoSchedule'), [taint], [taint], undefined],
    ['changes its value', listed('a.io/t=old:NoSchedule'), [{ ...taint, value: 'old' }], [taint], { add: [taint], remove: [] }],
    ['goes', listed('a.io/t=v:NoSchedule'), [taint], [], { add: [], remove: [taint] }],
    ['is another’s', {}, [taint], [], undefined],
    ['was taken away by somebody', listed('a.io/t=v:NoSchedule'), [], [], { add: [], remove: [] }],
  ])('one that %s', (_what, annotations, present, want, changed) => {
    const { taints } = nodeChanges(
      node({ annotations, taints: present }),
      wanted({ taints: want.map(one => ({ ...one, by })) }),
      settings,
    )
    if (changed === undefined) expect(taints).toBeUndefined()
    else expect(taints).toMatchObject(changed)
  })
})

test.each([
  ['a label of ours', { labels: {}, annotations: { [`${tracking}/feature-labels`]: 'b' } }, true],
  ['a resource of ours', { annotations: { [`${tracking}/extended-resources`]: 'r' } }, true],
  [
    'nothing',
    { labels: { 'feature.node.kubernetes.io/b': 'other' }, annotations: { [`${tracking}/feature-labels`]: 'b' } },
    false,
  ],
])('it is seen that %s is gone', (_what, of, expected) => expect(lacksOwn(node(of), '')).toBe(expected))
