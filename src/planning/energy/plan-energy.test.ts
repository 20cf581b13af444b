// Which nodes could be off, and why the others stay on (rebalancing 3.19).
import { afterAll, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type EnergyNode, type EnergyRules, type PartialPolicy, policyWithDefaults } from '../goals/policy.ts'
import { makePlan } from '../plan.ts'
import type { PlanInput } from '../plan-input.ts'
import { solveInChild } from '../solving/solve.ts'
import { namespace, node, workload } from '../testdata/objects.ts'
import { referenceCluster } from '../testdata/reference-cluster.ts'

const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())
const nowMs = Date.parse('2026-03-02T12:00:00Z')

const watts = (name: string, change: Partial<EnergyNode> = {}): EnergyNode => ({
  name,
  idleWatts: 40,
  maxWatts: 120,
  standbyWatts: 1,
  bootSeconds: 180,
  powerDown: 'allowed',
  ...change,
})
const rules = (nodes: readonly EnergyNode[], change: Partial<EnergyRules> = {}): EnergyRules => ({
  nodes,
  minReadyNodes: 2,
  reserve: {},
  minOffMinutes: 60,
  ...change,
})

async function energyOf(objects: readonly KubeObject[], given: Omit<PartialPolicy, 'name'>, more: Partial<PlanInput> = {}) {
  const { state, problems } = buildClusterState(objects)
  expect(problems).toEqual([])
  const policy = policyWithDefaults({ name: 'p', ...given })
  const made = await makePlan(
    { state, policy, settings: defaultSettings('1.34'), nowMs, ...more },
    session.solve,
    new AbortController().signal,
  )
  return made
}
const decisions = ({ energy }: Awaited<ReturnType<typeof energyOf>>) =>
  (energy?.nodes ?? []).map(one => [one.node, one.decision === 'stays' ? one.stays?.code : one.decision])

test('case 31: with the goals of case 1 no node of T4 may be off, each for a reason of its own', async () => {
  const goal = { resource: 'cpu', stat: 'requests', margin: 1, hard: false } as const
  const goals = [
    { ...goal, name: 'cp-light', nodes: ['talos00'], max: 70 },
    { ...goal, name: 'use-talos03', nodes: ['talos03'], min: 30 },
  ]
  const nodes = ['talos00', 'talos01', 'talos02-gpu', 'talos03'].map(name => watts(name))
  const made = await energyOf(referenceCluster(), { objective: 'moves', goals, energy: rules(nodes) })
  expect(made.moves).toHaveLength(15)
  expect(
    made.energy?.nodes.map(({ node: name, stays }) => [name, stays?.code, stays?.data['goal'] ?? stays?.data['pod']]),
  ).toEqual([
    ['talos00', 'ControlPlane', undefined],
    ['talos01', 'PodStays', 'registry/nexus-0'],
    ['talos02-gpu', 'PodStays', expect.stringMatching(/^media\/tdarr-/)],
    ['talos03', 'GoalNeedsNode', 'use-talos03'],
  ])
  expect(made.energy?.nodes.find(one => one.node === 'talos01')?.stays?.data).toMatchObject({
    because: 'VolumePinned',
    pv: 'nexus-local',
  })
  expect(made.energy?.moves).toEqual([])
})

test('power.md case 28: without goals, and with what runs there free to move, talos03 could be off', async () => {
  const free = new Set(['plex', 'jellyfin', 'dev-small'])
  const objects = referenceCluster().flatMap((object): readonly KubeObject[] => {
    const { metadata, kind } = object
    if (kind !== 'Deployment' || !free.has(metadata.name)) return [object]
    const labels = { ...metadata.labels, 'scaling.talos.io/managed-by': 'descheduler' }
    const { name, namespace: space = '' } = metadata
    const selector = { matchLabels: { 'app.kubernetes.io/name': name } }
    const budget = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name, namespace: space, uid: `budget-${name}` },
      spec: { maxUnavailable: 1, selector },
    }
    return [{ ...object, metadata: { ...metadata, labels } }, budget]
  })
  const nodes = ['talos00', 'talos01', 'talos02-gpu', 'talos03'].map(name =>
    watts(name, name === 'talos03' ? { idleWatts: 9.1, maxWatts: 28.2 } : {}),
  )
  const made = await energyOf(objects, { energy: rules(nodes) })
  const talos03 = made.energy?.nodes.find(one => one.node === 'talos03')
  expect([talos03?.decision, talos03?.moves, talos03?.wattsAfter]).toEqual(['power-down', 5, 1])
})

const owned = { owner: 'descheduler', budget: { maxUnavailable: 1 } } as const
/** Three nodes of 4 cores at 30, 30 and 20 % of cpu, in pods of 400 and less. */
const three = (change: { readonly cpu?: number } = {}): readonly KubeObject[] => [
  namespace('shop'),
  ...['a', 'b', 'c'].map(name => node(name, change)),
  ...workload('shop/one', { cpu: 400, memoryMi: 100, on: ['a', 'a', 'a', 'b', 'b', 'b'], ...owned }),
  ...workload('shop/two', { cpu: 400, memoryMi: 100, on: ['c', 'c'], ...owned }),
]
const all = ['a', 'b', 'c'].map(name => watts(name))

describe('case 32: three equal nodes at 30, 30 and 20 %, no goals, two stay ready', () => {
  test('the one at 20 % is emptied, since its pods fit and the reserve holds', async () => {
    const made = await energyOf(three(), { energy: rules(all) })
    expect(decisions(made)).toEqual([
      ['a', 'TooFewNodes'],
      ['b', 'TooFewNodes'],
      ['c', 'power-down'],
    ])
    expect(made.moves).toEqual([])
    expect(made.energy?.moves.map(({ from }) => from)).toEqual(['c', 'c'])
    expect(made.energy?.certainty).toBe('proven')
    // 40 + 80 · 0.3 twice and 40 + 80 · 0.2; then 40 + 80 · 0.4 twice and the standby.
    expect(made.energy?.watts).toEqual({ before: 184, after: 145 })
  })

  // biome-ignore format: a table
  test.each<readonly [string, Omit<PartialPolicy, 'name'>, Partial<PlanInput>, string | undefined]>([
    ['not where its pods would not fit under the headroom',     { headroom: { cpu: 35 }, energy: rules(all) },                                    {}, 'NoRoom'],
    ['not where no node would keep the reserve',                { energy: rules(all, { reserve: { cpu: 3300 } }) },                               {}, 'NoReserve'],
    ['not where three nodes are to stay ready',                 { energy: rules(all, { minReadyNodes: 3 }) },                                     {}, 'TooFewNodes'],
    ['not where a day has seen more than two nodes carry',      { energy: rules(all) },                                                           { demandBefore: [{ cpu: 8000, memory: 0 }] }, 'NoRoomToWake'],
    ['where a day has seen less',                               { energy: rules(all) },                                                           { demandBefore: [{ cpu: 5000, memory: 0 }] }, undefined],
    ['not where it may never be off',                           { energy: rules(all.map(one => ({ ...one, powerDown: 'never' as const }))) },     {}, 'PowerDownNever'],
    ['not where off draws what idle does',                      { energy: rules(all.map(one => ({ ...one, standbyWatts: 40 }))) },                {}, 'SavesNothing'],
    ['not outside of the window',                               { energy: rules(all, { window: '0 23 * * *;6h;UTC' }) },                          {}, 'OutsideWindow'],
    ['not for less than it has to be off',                      { energy: rules(all, { window: '30 11 * * *;1h;UTC' }) },                         {}, 'OffTooShort'],
    ['inside of a window that is long enough',                  { energy: rules(all, { window: '0 11 * * *;6h;UTC' }) },                          {}, undefined],
    ['with the quick method too',                               { method: 'greedy', energy: rules(all) },                                         {}, undefined],
    ['not where nobody may move its pods',                      { scope: { namespaces: { exclude: ['shop'] } }, energy: rules(all) },             {}, 'PodStays'],
  ])('%s', async (_name, given, more, expected) => {
    const made = await energyOf(three(), given, more)
    const c = made.energy?.nodes.find(one => one.node === 'c')
    expect(c?.decision === 'power-down' ? undefined : c?.stays?.code).toBe(expected)
    if (expected !== undefined) expect(made.energy?.moves).toEqual([])
  })

  test('what sleeps at zero may wake: there has to be room for it', async () => {
    const scaler = {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name: 's', namespace: 'shop' },
      spec: { scaleTargetRef: { name: 'big' } },
    }
    const big = workload('shop/big', { cpu: 3500, on: [], owner: 'keda' })
    const made = await energyOf([...three(), scaler, ...big], { energy: rules(all) })
    expect(decisions(made)).toEqual([
      ['a', 'TooFewNodes'],
      ['b', 'TooFewNodes'],
      ['c', 'power-down'],
    ])
    const two = workload('shop/bigger', { cpu: 3500, on: [], owner: 'keda' })
    const other = { ...scaler, metadata: { name: 't', namespace: 'shop' }, spec: { scaleTargetRef: { name: 'bigger' } } }
    expect(decisions(await energyOf([...three(), scaler, ...big, other, ...two], { energy: rules(all) })).at(2)).toEqual([
      'c',
      'NoRoomToWake',
    ])
  })
})

test('of nodes that could be off the one that saves most is; a max goal is not broken for it', async () => {
  const nodes = [watts('a'), watts('b'), watts('c', { idleWatts: 12 })]
  const made = await energyOf(three(), { energy: rules(nodes) })
  expect(made.energy?.nodes.filter(one => one.decision === 'power-down').map(one => one.node)).not.toContain('c')
  const goals = ['a', 'b', 'c'].map(name => ({
    name,
    nodes: [name],
    resource: 'cpu' as const,
    stat: 'requests' as const,
    max: 39,
    margin: 1,
    hard: false,
  }))
  expect(decisions(await energyOf(three(), { goals, energy: rules(all) }))).toEqual([
    ['a', 'NoRoom'],
    ['b', 'NoRoom'],
    ['c', 'NoRoom'],
  ])
})

test('nodes of a NodePool, nodes that are off already, and unmeasured ones', async () => {
  const objects = three().map(object => {
    if (object.kind !== 'Node') return object
    const { metadata } = object
    if (metadata.name === 'a')
      return { ...object, metadata: { ...metadata, labels: { ...metadata.labels, 'karpenter.sh/nodepool': 'spot' } } }
    return object
  })
  const off: KubeObject = {
    ...node('d', { taints: [{ key: 'ballast.dev/off', effect: 'NoSchedule' }] }),
    status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'Unknown' }] },
  }
  const made = await energyOf(
    [...objects, off],
    { energy: rules([...all, watts('d')]) },
    { measured: { nodes: new Map([['b', { cpu: 400, memory: 1 }]]), pods: new Map() } },
  )
  expect(decisions(made)).toEqual([
    ['a', 'NodeClaim'],
    ['b', 'TooFewNodes'],
    ['c', 'power-down'],
    ['d', 'off'],
  ])
  expect(made.energy?.nodes.map(one => [one.by, one.watts])).toEqual([
    ['requests', 64],
    ['usage', 48],
    ['requests', 56],
    ['requests', 1],
  ])
})

test('a scheduler that spreads works against fewer nodes: that is said, unless landings are held', async () => {
  expect((await energyOf(three(), { energy: rules(all) })).energy?.warnings).toEqual([expect.stringMatching(/LeastAllocated/)])
  expect((await energyOf(three(), { landing: 'hold', energy: rules(all) })).energy?.warnings).toEqual([])
})
