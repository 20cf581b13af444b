import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { node, workload } from '../testdata/objects.ts'
import { proposeGoals } from './proposals.ts'

/** A node of 4000m and 8192 Mi with one pod of so many percent of each. */
function loaded(name: string, [cpu, memory]: readonly [number, number], change: Partial<KubeObject> = {}): readonly KubeObject[] {
  const of = workload(`shop/on-${name}`, { cpu: cpu * 40, memoryMi: Math.round(memory * 81.92), on: [name] })
  const made = node(name)
  return [{ ...made, ...change, metadata: { ...made.metadata, ...change.metadata } }, ...of]
}

const plane = { metadata: { name: 'cp', labels: { 'node-role.kubernetes.io/control-plane': '' } } }
const tainted = { ...plane, spec: { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] } }
const lost = { status: { ...(node('x')['status'] as object), conditions: [{ type: 'Ready', status: 'False' }] } }

describe('what stands out', () => {
  // biome-ignore format: a table
  test.each<[string, readonly (readonly KubeObject[])[], readonly string[]]>([
    ['nothing in a cluster that is balanced',      [loaded('a', [40, 40]), loaded('b', [50, 45])],                          []],
    ['nothing in one that is nearly empty',        [loaded('a', [5, 28]), loaded('b', [1, 48]), loaded('c', [6, 29])],      []],
    ['a full node beside one with room',           [loaded('a', [90, 20]), loaded('b', [65, 20])],                          ['overfull cpu-not-full max 80 a']],
    ['memory and cpu by themselves',               [loaded('a', [90, 20]), loaded('b', [65, 95]), loaded('c', [65, 66])],   ['overfull cpu-not-full max 80 a', 'overfull memory-not-full max 80 b', 'uneven memory-even spread 20 a,b,c']],
    ['a cluster that is full: no goal',            [loaded('a', [90, 20]), loaded('b', [88, 20])],                          ['full-cluster - -']],
    ['a node that is not ready is no node',        [loaded('a', [90, 20], lost), loaded('b', [50, 20])],                    []],
    ['a control plane that carries others',        [loaded('cp', [70, 20], plane), loaded('b', [30, 20])],                  ['control-plane control-plane-cpu max 60 Exists']],
    ['not one that is kept by its taint',          [loaded('cp', [70, 20], tainted), loaded('b', [30, 20])],                []],
    ['not one as full as the others',              [loaded('cp', [60, 20], plane), loaded('b', [50, 20])],                  []],
    ['uneven nodes',                               [loaded('a', [75, 20]), loaded('b', [30, 20])],                          ['uneven cpu-even spread 20 a,b']],
    ['an idle node, and what is uneven with it',   [loaded('a', [75, 20]), loaded('b', [5, 2])],                            ['uneven cpu-even spread 20 a,b', 'idle idle-nodes min 25 b']],
  ])('%s', (_name, parts, expected) => {
    const { state } = buildClusterState(parts.flat())
    const told = proposeGoals(state).map(({ finding, goal }) => {
      const bound =
        goal?.max !== undefined ? `max ${goal.max}` : goal?.min !== undefined ? `min ${goal.min}` : `spread ${goal?.spread?.max}`
      const where = goal?.nodes?.join(',') ?? goal?.nodeSelector?.matchExpressions[0]?.operator
      return goal === undefined ? `${finding} - -` : `${finding} ${goal.name} ${bound} ${where}`
    })
    expect(told).toEqual(expected)
    expect(proposeGoals(state)).toEqual(proposeGoals(buildClusterState(parts.flat().toReversed()).state))
  })

  test('measured memory that runs out comes first, and unknown use is no finding', () => {
    const { state } = buildClusterState([...loaded('a', [90, 20]), ...loaded('b', [20, 20])])
    const measured = { nodes: new Map([['b', { memory: 0.9 * 8192 * 2 ** 20 }]]), pods: new Map() }
    expect(proposeGoals(state, measured)[0]).toEqual({
      finding: 'memory-at-risk',
      sentence: 'b 90 % of memory in use: the kubelet evicts pods where it runs out',
      goal: { name: 'memory-safe', nodes: ['b'], resource: 'memory', stat: 'usage', max: 80 },
    })
    expect(proposeGoals(state).some(({ finding }) => finding === 'memory-at-risk')).toBe(false)
  })
})
