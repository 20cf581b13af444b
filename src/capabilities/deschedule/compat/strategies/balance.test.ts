// Duplicates and topology spread: how many pods go, from where, and which.

import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { node as nodeOf, type PodOptions, pod } from '#cluster/testdata/objects.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { Pace } from '../pace.ts'
import { balance } from './spread-domains.ts'
import { oneCycle } from './testdata/one-cycle.ts'
import { policyText } from './testdata/policies.ts'

const nowMs = Date.UTC(2026, 10, 1)
const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs' }

type Strategy = 'RemoveDuplicates' | 'RemovePodsViolatingTopologySpreadConstraint'

function keysOf(
  strategy: Strategy,
  objects: readonly KubeObject[],
  args: Readonly<Record<string, unknown>> = {},
): readonly string[] {
  return oneCycle(objects, policyText({ strategy, name: '', args }), { nowMs }).evicted.map(({ key }) => key)
}

/** Pods `x/<node>-0`, … on each node, as many as said. */
function spread(counts: Readonly<Record<string, number>>, options: PodOptions = {}): readonly KubeObject[] {
  return Object.entries(counts).flatMap(([name, count]) =>
    Array.from({ length: count }, (_, at) => pod(`x/${name}-${at}`, { node: name, owner, ...options })),
  )
}

const nodes = (...names: readonly string[]) => names.map(name => nodeOf(name))

describe('RemoveDuplicates', () => {
  const duplicates = (objects: readonly KubeObject[], args = {}) => keysOf('RemoveDuplicates', objects, args)

  test('case 13: of nine on four nodes the average stays', () => {
    expect(duplicates([...nodes('n1', 'n2', 'n3', 'n4'), ...spread({ n1: 6, n2: 3 })])).toEqual(['x/n1-3', 'x/n1-4', 'x/n1-5'])
  })

  const taint = { taints: [{ key: 'a', effect: 'NoSchedule' }] }
  const rows: readonly (readonly [string, readonly KubeObject[], readonly string[]])[] = [
    ['one feasible node alone is none', [nodeOf('n1'), nodeOf('n2', taint), ...spread({ n1: 3 })], []],
    ['cordoned nodes count as feasible', [nodeOf('n1'), nodeOf('n2', { unschedulable: true }), ...spread({ n1: 3 })], ['x/n1-2']],
    [
      'a nodeSelector narrows',
      [
        nodeOf('n1'),
        nodeOf('n2', { labels: { a: 'b' } }),
        nodeOf('n3', { labels: { a: 'b' } }),
        ...spread({ n1: 4 }, { nodeSelector: { a: 'b' } }),
      ],
      ['x/n1-2', 'x/n1-3'],
    ],
    [
      'other images are other pods',
      [
        ...nodes('n1', 'n2'),
        ...spread({ n1: 1 }),
        pod('x/other', { node: 'n1', owner, containers: [{ name: 'main', image: 'other' }] }),
      ],
      [],
    ],
    [
      'bare pods have no duplicates',
      [...nodes('n1', 'n2'), pod('x/a', { node: 'n1' }), pod('x/b', { node: 'n1' }), pod('x/c', { node: 'n1' })],
      [],
    ],
    ['finished pods do not count', [...nodes('n1', 'n2'), ...spread({ n1: 3 }, { status: { phase: 'Succeeded' } })], []],
  ]
  test.each(rows)('%s', (_, objects, expected) => {
    expect(duplicates(objects)).toEqual(expected)
  })

  test('kinds of owners that are left out', () => {
    const objects = [...nodes('n1', 'n2'), ...spread({ n1: 4 })]
    expect(duplicates(objects)).toHaveLength(2)
    expect(duplicates(objects, { excludeOwnerKinds: ['ReplicaSet'] })).toEqual([])
  })

  test('a pod with two owners goes once', () => {
    const twice = spread({ n1: 4 }).map(object => ({
      ...object,
      metadata: {
        ...object.metadata,
        ownerReferences: [owner, { ...owner, name: 'second' }].map(one => ({ ...one, uid: one.name })),
      },
    }))
    expect(duplicates([...nodes('n1', 'n2'), ...twice])).toEqual(['x/n1-2', 'x/n1-3'])
  })
})

describe('RemovePodsViolatingTopologySpreadConstraint', () => {
  const constraint = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { app: 'a' } },
  }
  const spreading = (more: object = {}): PodOptions => ({
    labels: { app: 'a' },
    topologySpreadConstraints: [{ ...constraint, ...more }],
  })
  const violators = (objects: readonly KubeObject[], args = {}) =>
    keysOf('RemovePodsViolatingTopologySpreadConstraint', objects, args)

  test('case 12: the biggest domain gives to the smallest until they are near enough', () => {
    const objects = [...nodes('n1', 'n2', 'n3'), ...spread({ n1: 1, n2: 1, n3: 8 }, spreading())]
    expect(violators(objects)).toEqual(['x/n3-3', 'x/n3-4', 'x/n3-5', 'x/n3-6', 'x/n3-7'])
    const { state } = buildClusterState(objects)
    const domains = ['n1', 'n2', 'n3'].map(value => ({ value, pods: [...state.podsOn(value)] }))
    const run = balance(domains, { maxSkew: 1, mean: 10 / 3, fits: () => true, pace: new Pace() })
    let step = run.next()
    while (step.done !== true) step = run.next()
    expect(step.value).toHaveLength(5)
  })

  const rows: readonly (readonly [string, readonly KubeObject[], Readonly<Record<string, unknown>>, readonly string[]])[] = [
    [
      'the highest priority goes first',
      [
        ...nodes('n1', 'n2'),
        ...[30, 10, 20].map(priority => pod(`x/p${priority}`, { node: 'n1', owner, priority, ...spreading() })),
      ],
      {},
      ['x/p30'],
    ],
    [
      'what asks for nodes goes last',
      [
        ...nodes('n1', 'n2'),
        pod('x/a', { node: 'n1', owner, priority: 9, affinity: { nodeAffinity: {} }, ...spreading() }),
        pod('x/b', { node: 'n1', owner, priority: 1, ...spreading() }),
      ],
      {},
      ['x/b'],
    ],
    [
      'soft constraints are left alone',
      [...nodes('n1', 'n2'), ...spread({ n1: 4 }, spreading({ whenUnsatisfiable: 'ScheduleAnyway' }))],
      {},
      [],
    ],
    [
      'soft constraints where the policy names them',
      [...nodes('n1', 'n2'), ...spread({ n1: 4 }, spreading({ whenUnsatisfiable: 'ScheduleAnyway' }))],
      { constraints: ['ScheduleAnyway'] },
      ['x/n1-2', 'x/n1-3'],
    ],
    [
      'a domain of a tainted node counts',
      [nodeOf('n1'), nodeOf('n2', { taints: [{ key: 'a', effect: 'NoSchedule' }] }), ...spread({ n1: 4 }, spreading())],
      {},
      [],
    ],
    [
      'and its pods go where nobody asks whether they fit',
      [nodeOf('n1'), nodeOf('n2', { taints: [{ key: 'a', effect: 'NoSchedule' }] }), ...spread({ n1: 4 }, spreading())],
      { topologyBalanceNodeFit: false },
      ['x/n1-2', 'x/n1-3'],
    ],
    [
      'under nodeTaintsPolicy Honor it is none',
      [
        nodeOf('n1'),
        nodeOf('n2', { taints: [{ key: 'a', effect: 'NoSchedule' }] }),
        ...spread({ n1: 4 }, spreading({ nodeTaintsPolicy: 'Honor' })),
      ],
      { topologyBalanceNodeFit: false },
      [],
    ],
    [
      'a constraint without a selector means no pod',
      [
        ...nodes('n1', 'n2'),
        ...spread(
          { n1: 4 },
          {
            labels: { app: 'a' },
            topologySpreadConstraints: [
              { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' },
            ],
          },
        ),
      ],
      {},
      [],
    ],
    [
      'matchLabelKeys tells revisions apart',
      [
        ...nodes('n1', 'n2'),
        ...['1', '2'].flatMap(revision =>
          pod(`x/r${revision}`, {
            node: 'n1',
            owner,
            ...spreading({ matchLabelKeys: ['revision'] }),
            labels: { app: 'a', revision },
          }),
        ),
      ],
      {},
      [],
    ],
    [
      'terminating pods are not counted',
      [
        ...nodes('n1', 'n2'),
        ...spread({ n1: 1 }, spreading()),
        ...spread({ n2: 4 }, { ...spreading(), deletionTimestamp: '2026-10-31T00:00:00Z' }),
      ],
      {},
      [],
    ],
  ]
  test.each(rows)('%s', (_, objects, args, expected) => {
    expect(violators(objects, args)).toEqual(expected)
  })
})
