import { describe, expect, test } from 'vitest'
import type { Condition, Node, Taint } from '#kube/objects/objects.ts'
import { silentConditions, withConditionTaints, withExecuteTaint, type ZoneNode, zoneRates } from './node-health.ts'

const now = '2026-01-01T00:00:00Z'

function node(conditions: readonly Condition[], taints: readonly Taint[] = [], unschedulable = false): Node {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' }, spec: { taints, unschedulable }, status: { conditions } }
}

const ready = (status: Condition['status']): Condition => ({ type: 'Ready', status })
const own: Taint = { key: 'own', effect: 'NoSchedule' }
const cordoned: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule', timeAdded: now }

// biome-ignore format: a table
test.each<[string, Node, readonly string[]]>([
  ['a healthy node keeps its own taints', node([ready('True')], [own]), ['own:NoSchedule']],
  ['a cordoned node', node([ready('True')], [own], true), ['own:NoSchedule', 'node.kubernetes.io/unschedulable:NoSchedule']],
  ['uncordoned again', node([ready('True')], [own, cordoned]), ['own:NoSchedule']],
  ['a silent node', node([ready('Unknown')]), ['node.kubernetes.io/unreachable:NoSchedule']],
  ['a node under memory pressure', node([ready('True'), { type: 'MemoryPressure', status: 'True' }]), ['node.kubernetes.io/memory-pressure:NoSchedule']],
])('NoSchedule taints of %s', (_, given, expected) => {
  expect(withConditionTaints(given, now).map(taint => `${taint.key}:${taint.effect}`)).toEqual(expected)
})

test('taints that are right already come back as the same array', () => {
  const given = node([ready('True')], [own, cordoned], true)
  expect(withConditionTaints(given, now)).toBe(given.spec?.taints)
})

describe('the NoExecute taint', () => {
  const gone: Taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoExecute', timeAdded: now }
  // biome-ignore format: a table
  test.each<[string, Node, boolean, readonly string[]]>([
    ['is added when the rate lets it', node([ready('Unknown')]), true, ['node.kubernetes.io/unreachable']],
    ['is not added before', node([ready('Unknown')]), false, []],
    ['changes with the condition without waiting', node([ready('Unknown')], [gone]), false, ['node.kubernetes.io/unreachable']],
    ['goes when the node is back', node([ready('True')], [gone]), true, []],
  ])('%s', (_, given, mayAdd, expected) => {
    expect(withExecuteTaint(given, now, mayAdd).map(taint => taint.key)).toEqual(expected)
  })
})

test('silence makes all that a kubelet reports Unknown, and what it never reported too', () => {
  const given = node([
    { ...ready('True'), lastTransitionTime: '2025-01-01T00:00:00Z' },
    { type: 'Custom', status: 'True' },
  ])
  const conditions = silentConditions(given, now)
  expect(conditions.map(condition => `${condition.type} ${condition.status} ${condition.reason}`)).toEqual([
    'Ready Unknown NodeStatusUnknown',
    'Custom True undefined',
    'MemoryPressure Unknown NodeStatusNeverUpdated',
    'DiskPressure Unknown NodeStatusNeverUpdated',
    'PIDPressure Unknown NodeStatusNeverUpdated',
  ])
  expect(conditions[0]?.lastTransitionTime).toBe(now)
})

describe('how fast nodes are given up', () => {
  const nodes = (zone: string, ready: number, unready: number): readonly ZoneNode[] => [
    ...Array.from({ length: ready }, () => ({ zone, isReady: true })),
    ...Array.from({ length: unready }, () => ({ zone, isReady: false })),
  ]
  // biome-ignore format: a table
  test.each<[string, readonly ZoneNode[], Readonly<Record<string, number>>]>([
    ['one of four down', nodes('a', 3, 1), { a: 0.1 }],
    ['all down: nobody is given up', nodes('a', 0, 4), { a: 0 }],
    ['one zone down of two', [...nodes('a', 0, 3), ...nodes('b', 3, 0)], { a: 0.1, b: 0.1 }],
    ['most of a small zone down', nodes('a', 2, 3), { a: 0 }],
    ['most of a large zone down', nodes('a', 20, 40), { a: 0.01 }],
    ['two of three down are not yet a disruption', nodes('a', 1, 2), { a: 0.1 }],
  ])('%s', (_, given, expected) => {
    expect(Object.fromEntries(zoneRates(given))).toEqual(expected)
  })
})
