// The reference cluster T4: the cases of rebalancing.md 7.2 and homelab-scenarios.md that a plan answers.

import { afterAll, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { nodeUtilisation } from '#cluster/utilisation.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { explainPod } from './explain.ts'
import { goalOutcomes, nodeShares } from './goals/goals.ts'
import { defaultCoreNamespaces, type Goal, type PartialPolicy, policyWithDefaults } from './goals/policy.ts'
import { makePlan, type PlanInput } from './plan.ts'
import { explanationLines, reasonText } from './sentences.ts'
import { type Solve, solveInChild } from './solving/solve.ts'
import { workload } from './testdata/objects.ts'
import { referenceCluster } from './testdata/reference-cluster.ts'
import { verifyPlan } from './verifier/verify.ts'

const settings = defaultSettings('1.34')
const never = new AbortController().signal
const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())
const mebibyte = 2 ** 20

function goals(margin: number): readonly Goal[] {
  const common = { resource: 'cpu', stat: 'requests', margin, hard: false } as const
  return [
    { ...common, name: 'cp-light', nodes: ['talos00'], max: 70 },
    { ...common, name: 'use-talos03', nodes: ['talos03'], min: 30 },
  ]
}

function inputOf(objects: readonly KubeObject[], given: Omit<PartialPolicy, 'name'>): PlanInput {
  const { state, problems } = buildClusterState(objects)
  expect(problems).toEqual([])
  return { state, policy: policyWithDefaults({ name: 'talos', objective: 'moves', ...given }), settings, nowMs: 0 }
}

async function planOf(objects: readonly KubeObject[], given: Omit<PartialPolicy, 'name'>) {
  return await makePlan(inputOf(objects, given), session.solve, never)
}

test('the fixture has the sums of the table', () => {
  const { state } = buildClusterState(referenceCluster())
  const sums = [...state.nodes.keys()].map(name => {
    const { requested, pods } = nodeUtilisation(state, name)
    return [name, requested['cpu'], (requested['memory'] ?? 0) / mebibyte, pods]
  })
  expect(sums).toEqual([
    ['talos00', 7425, 12772, 59],
    ['talos01', 6475, 22160, 45],
    ['talos02-gpu', 4480, 17600, 11],
    ['talos03', 655, 2239, 9],
  ])
})

// biome-ignore format: a table
const cases = [
  // margin, landing, moves, bound, talos00 prints at most, talos03 prints at least
  [1, 'prefer', 15, 14.63, 68, 31],
  [1, 'hold', 15, 14.63, 68, 31],
  [0, 'prefer', 14, 13.42, 69, 30],
] as const

test.each(cases)(
  'case 1 and H3: margin %d, landing %s: %d moves, relaxation %d',
  async (margin, landing, moves, bound, most, least) => {
    const objects = referenceCluster()
    const plan = await planOf(objects, { goals: goals(margin), landing })
    expect(plan.outcome).toBe('met')
    expect(plan.method).toBe('milp')
    expect(plan.objective.moves).toBe(moves)
    expect(plan.objective.lowerBound).toBeCloseTo(bound, 2)
    expect(plan.objective.gap).toBe(0)
    expect(plan.stages.every(stage => stage.proven)).toBe(true)
    expect(new Set(plan.moves.map(move => move.to))).toEqual(new Set(['talos03']))
    const percent = (node: string, resource: string) =>
      plan.after.find(share => share.node === node && share.resource === resource)?.percent ?? Number.NaN
    expect(Math.trunc(percent('talos00', 'cpu'))).toBeLessThanOrEqual(most)
    expect(Math.trunc(percent('talos03', 'cpu'))).toBeGreaterThanOrEqual(least)
    expect(percent('talos03', 'memory')).toBeLessThanOrEqual(85)
    expect(verifyPlan(plan, objects, settings)).toEqual([])
  },
)

test('case 2: talos00 emptied of what is not core, and talos03 filled: 23 moves', async () => {
  const isolation = {
    nodes: ['talos00'],
    taint: 'node-role.kubernetes.io/control-plane',
    coreNamespaces: defaultCoreNamespaces,
    exceptions: [],
    keda: 'evict',
    includeUnmanaged: true,
  } as const
  const [, useTalos03] = goals(1)
  const objects = referenceCluster().map((object): KubeObject => {
    if (object.kind !== 'Node' || object.metadata.name !== 'talos00') return object
    return { ...object, spec: { taints: [{ key: isolation.taint, effect: 'NoSchedule' }] } }
  })
  const plan = await planOf(objects, { goals: useTalos03 === undefined ? [] : [useTalos03], isolation })
  expect([plan.outcome, plan.moves.length]).toEqual(['met', 23])
  expect(plan.isolation).toEqual({ nodes: ['talos00'], toMove: 23, left: [] })
  expect(new Set(plan.moves.map(move => move.from))).toEqual(new Set(['talos00']))
  const share = (resource: string) => plan.after.find(each => each.node === 'talos00' && each.resource === resource)
  expect(share('pods')?.used).toBe(36)
  expect(share('cpu')?.percent.toFixed(1)).toBe('32.1')
  expect(plan.goals.every(goal => goal.state === 'met')).toBe(true)
  const stays = Map.groupBy(plan.unmovable, each => each.code)
  expect(Object.fromEntries([...stays].map(([code, pods]) => [code, pods.length]))).toEqual({ Core: 35, DaemonSet: 1 })
  expect(verifyPlan(plan, objects, settings)).toEqual([])
})

test('only labelled pods with a budget move, each workload at most once a wave', async () => {
  const plan = await planOf(referenceCluster(), { goals: goals(1) })
  const waves = plan.moves.map(move => `${move.wave} ${move.workload.kind} ${move.workload.namespace}/${move.workload.name}`)
  expect(new Set(waves).size).toBe(waves.length)
  expect(
    plan.moves
      .filter(move => move.action === 'surge')
      .every(move => move.workload.kind === 'Deployment' && move.certificate.budget === undefined),
  ).toBe(true)
  expect(
    plan.moves.filter(move => move.action === 'evict').every(move => (move.certificate.budget?.allowedBefore ?? 0) > 0),
  ).toBe(true)
  const counts = Map.groupBy(plan.unmovable, each => reasonText(each))
  expect(Object.fromEntries([...counts].map(([code, pods]) => [code, pods.length]))).toEqual({
    KedaManaged: 7,
    OwnerNone: 50,
    Unlabelled: 20,
    'VolumePinned:nexus-local': 1,
  })
})

test('nothing is moved while the goals hold, be it without their margins', async () => {
  const common = { resource: 'cpu', stat: 'requests', margin: 1, hard: false } as const
  const plan = await planOf(referenceCluster(), { goals: [{ ...common, name: 'as-it-is', nodes: ['talos00'], max: 93.5 }] })
  expect([plan.outcome, plan.moves.length, plan.method]).toEqual(['met', 0, 'none'])
})

test('the same input gives the same bytes', async () => {
  const objects = referenceCluster()
  const first = JSON.stringify(await planOf(objects, { goals: goals(1) }))
  const second = JSON.stringify(await planOf(objects.toReversed(), { goals: goals(1) }))
  expect(second).toBe(first)
})

test('the greedy method reaches the goals without a solver', async () => {
  const objects = referenceCluster()
  const plan = await makePlan(
    inputOf(objects, { goals: goals(1), method: 'greedy' }),
    () => Promise.reject(new Error('no solver is asked')),
    never,
  )
  expect([plan.outcome, plan.method]).toEqual(['met', 'greedy'])
  expect(plan.objective.moves).toBeGreaterThanOrEqual(15)
  expect(plan.objective.lowerBound).toBeLessThanOrEqual(15)
  expect(verifyPlan(plan, objects, settings)).toEqual([])
})

test('a solver that fails leaves the greedy plan', async () => {
  const solve = () => Promise.resolve({ stages: [], peakKilobytes: 0, failure: 'ended with SIGKILL' })
  const plan = await makePlan(inputOf(referenceCluster(), { goals: goals(1) }), solve, never)
  expect([plan.outcome, plan.method]).toEqual(['met', 'greedy'])
})

test('a solver that lies is not believed', async () => {
  const solve: Solve = async (model, options, signal) => {
    const solution = await session.solve(model, options, signal)
    const stages = solution.stages.map(stage =>
      stage.values === undefined ? stage : { ...stage, values: stage.values.map(value => value + 2) },
    )
    return { ...solution, stages }
  }
  const objects = referenceCluster()
  const plan = await makePlan(inputOf(objects, { goals: goals(1) }), solve, never)
  expect(plan.outcome).toBe('met')
  expect(verifyPlan(plan, objects, settings)).toEqual([])
})

describe('H2: nothing is labelled', () => {
  test('no move, every pod Unlabelled, and what would help is said', async () => {
    const plan = await planOf(referenceCluster({ labels: false }), { goals: goals(1) })
    expect(plan.moves).toEqual([])
    expect(new Set(plan.unmovable.map(each => each.code))).toEqual(new Set(['Unlabelled']))
    expect(plan.unmovable).toHaveLength(124)
    const querier = plan.unmovable.find(each => each.pod.name.startsWith('mimir-querier'))
    expect(querier?.also.map(reason => reason.code)).toEqual(['NoPDB'])
    expect(plan.outcome).toBe('infeasible')
    const lines = explainPod(
      inputOf(referenceCluster({ labels: false }), { goals: goals(1) }),
      plan,
      `monitoring/${querier?.pod.name}`,
    )
    expect(lines.join('\n')).toContain('label its workload ballast.dev/managed-by=descheduler')
    expect(lines.join('\n')).toContain('--emit-pdbs')
  })
})

test('H8: nexus is pinned by its volume; the wish for it is reported and not forced', async () => {
  const preferences = [{ namespaces: ['registry'], nodes: ['talos02-gpu'] }]
  const plan = await planOf(referenceCluster(), { goals: goals(1), preferences })
  const nexus = plan.unmovable.find(each => each.pod.name === 'nexus-0')
  expect(nexus && reasonText(nexus)).toBe('VolumePinned:nexus-local')
  expect(plan.wishes).toEqual([
    {
      pod: { namespace: 'registry', name: 'nexus-0', uid: 'pod-registry-nexus-0' },
      node: 'talos01',
      wished: ['talos02-gpu'],
      because: 'VolumePinned',
    },
  ])
  expect(plan.objective.moves).toBe(15)
  expect(explanationLines(plan).join('\n')).toContain('registry/nexus-0 on talos02-gpu: stays open')
})

test('H9: the moves of the document alone leave use-talos03 short by 22.8 points', () => {
  // The mimir stack and loki to the GPU node, postgresql to talos03.
  const { state, policy } = inputOf(referenceCluster(), { goals: goals(1) })
  const requests = new Map([
    ['talos00', { cpu: -2900 }],
    ['talos01', { cpu: -1000 }],
    ['talos02-gpu', { cpu: 3400 }],
    ['talos03', { cpu: 500 }],
  ])
  const shares = nodeShares(state, requests).filter(share => share.resource === 'cpu')
  expect(shares.map(share => [share.node, share.percent.toFixed(1)])).toEqual([
    ['talos00', '56.9'],
    ['talos01', '45.8'],
    ['talos02-gpu', '56.5'],
    ['talos03', '7.2'],
  ])
  const outcomes = goalOutcomes(policy, state, { requests, usage: new Map() }, undefined)
  expect(outcomes.map(goal => [goal.goal, goal.state, goal.shortBy.toFixed(1)])).toEqual([
    ['cp-light', 'met', '0.0'],
    ['use-talos03', 'missed', '22.8'],
  ])
})

describe('what is said before anything moves', () => {
  const common = { resource: 'cpu', stat: 'requests', margin: 1, hard: false } as const
  const talos03 = { ...common, name: 'use-talos03', nodes: ['talos03'], min: 30 }

  test('goals that cannot be met name what is missing', async () => {
    const plan = await planOf(referenceCluster(), { goals: [{ ...talos03, min: 60 }] })
    expect([plan.outcome, plan.explanation?.certainty]).toEqual(['infeasible', 'proven'])
    const lines = explanationLines(plan).join('\n')
    expect(lines).toContain('no choice of moves meets all goals')
    expect(lines).toMatch(/goal use-talos03: \d+m of cpu must come to talos03, only \d+m can/)
  })

  test('an excluded namespace that puts the goals out of reach is named', async () => {
    const namespaces = { include: [], exclude: ['monitoring', 'catalyst'] }
    const plan = await planOf(referenceCluster(), { goals: goals(1), scope: { namespaces } })
    expect(plan.outcome).toBe('infeasible')
    expect(plan.explanation?.blockers).toContainEqual(
      expect.objectContaining({ kind: 'excluded', code: 'NamespaceExcluded', namespaces: ['catalyst', 'monitoring'] }),
    )
    expect(explanationLines(plan).join('\n')).toContain('if the policy did not leave out namespaces catalyst, monitoring')
  })

  test('a hard goal out of reach moves nothing; a soft one is approached', async () => {
    const far = { ...talos03, min: 60 }
    const hard = await planOf(referenceCluster(), { goals: [{ ...far, hard: true }] })
    expect([hard.outcome, hard.moves.length]).toEqual(['infeasible', 0])
    const soft = await planOf(referenceCluster(), { goals: [far] })
    expect(soft.moves.length).toBeGreaterThan(0)
    expect(soft.goals[0]?.after).toBeGreaterThan(30)
  })

  test('a limit that is too low is no proof that the goals cannot be met', async () => {
    const plan = await planOf(referenceCluster(), { goals: goals(1), limits: { perPlan: 10 } })
    expect([plan.outcome, plan.moves.length]).toEqual(['not-met', 10])
    expect(plan.explanation?.blockers).toContainEqual({ kind: 'limit', limit: 'perPlan', moves: 14 })
    // The goals without their margins take one less than the 15 of the whole plan. What ten moves leave is the least that ten moves can.
    const { left = 0, atLeast = 0 } = plan.shortfall ?? {}
    expect(left).toBeGreaterThan(0)
    expect(atLeast).toBeCloseTo(left)
    const lines = explanationLines(plan)
    expect(lines).toContainEqual(expect.stringContaining('no plan within these limits comes closer (proven)'))
    expect(lines).toContainEqual(expect.stringContaining('by 14 moves'))
  })

  test('problems of the policy stop everything and come all at once', async () => {
    const plan = await planOf(referenceCluster(), {
      goals: [
        { ...talos03, nodes: ['talos09'] },
        { ...common, name: 'down', nodes: ['talos00'], max: 40 },
        { ...common, name: 'up', nodes: ['talos00'], min: 60 },
      ],
    })
    expect([plan.outcome, plan.moves.length]).toEqual(['infeasible', 0])
    expect(plan.problems.map(problem => problem.code)).toEqual(['node-missing', 'goals-contradict'])
  })
})

test('case 14: a pod that tolerates everything moves to a node with two taints', async () => {
  const objects = referenceCluster().map((object): KubeObject => {
    if (object.kind !== 'Node' || object.metadata.name === 'talos00') return object
    const taints = [
      { key: 'one', effect: 'NoSchedule' },
      { key: 'two', effect: 'NoSchedule' },
    ]
    return { ...object, spec: { taints } }
  })
  const guest = workload('guests/tolerant', {
    on: ['talos00', 'talos00'],
    cpu: 100,
    owner: 'descheduler',
    budget: { maxUnavailable: 1 },
    spec: { tolerations: [{ operator: 'Exists' }] },
  })
  const common = { resource: 'cpu', stat: 'requests', margin: 0, hard: false } as const
  const plan = await planOf([...objects, ...guest], { goals: [{ ...common, name: 'down', nodes: ['talos00'], max: 95 }] })
  expect(plan.moves.map(move => move.workload.name)).toEqual(['tolerant'])
  expect(plan.outcome).toBe('met')
})

test('case 18: minAvailable 1 over one replica is PDBNeverAllows', async () => {
  const alone = workload('shop/alone', { on: ['talos00'], owner: 'descheduler', budget: { minAvailable: 1 } })
  const plan = await planOf([...referenceCluster(), ...alone], { goals: goals(1) })
  const held = plan.unmovable.find(each => each.workload?.name === 'alone')
  expect(held?.code).toBe('PDBNeverAllows')
  expect(held?.data).toEqual({ budget: 'alone', expected: '1', desired: '1' })
})

test('case 22: a workload that a ScaledObject targets is KedaManaged whatever its label says', async () => {
  const scaled: KubeObject = {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: 'querier', namespace: 'monitoring' },
    spec: { scaleTargetRef: { name: 'mimir-querier' } },
  }
  const plan = await planOf([...referenceCluster(), scaled], { goals: goals(1) })
  const held = plan.unmovable.filter(each => each.workload?.name === 'mimir-querier')
  expect(held.map(each => [each.code, each.data['contradicting']])).toEqual([
    ['KedaManaged', 'descheduler'],
    ['KedaManaged', 'descheduler'],
  ])
  expect(plan.moves.some(move => move.workload.name === 'mimir-querier')).toBe(false)
})
