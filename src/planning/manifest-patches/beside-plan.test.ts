// Both answers to one question, over random clusters: what single moves reach, manifests reach too, or say which workload they cannot place and why.

import { afterAll, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { runsOf } from '#test/runs.ts'
import { type Goal, type GoalResource, type PartialPolicy, policyWithDefaults, workloadKey } from '../goals/policy.ts'
import { makePlan } from '../plan.ts'
import { solveInChild } from '../solving/solve.ts'
import { node, workload } from '../testdata/objects.ts'
import { randomCluster } from '../testdata/random-cluster.ts'
import { planDescription } from './description.ts'
import { makeManifestPlan } from './manifest-plan.ts'

const never = new AbortController().signal
const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

const resources: readonly GoalResource[] = ['cpu', 'memory', 'pods']

async function bothAnswers(seed: number) {
  const { objects, goals } = randomCluster(seed, { nodes: [2, 4], mostPods: 14 })
  const { state } = buildClusterState(objects)
  const resource = resources[seed % resources.length] ?? 'cpu'
  const shares = [...state.nodes.values()].map(({ name, allocatable }) => {
    const used = state.podsOn(name).reduce((sum, { requests }) => sum + (resource === 'pods' ? 1 : (requests[resource] ?? 0)), 0)
    return { name, share: (used * 100) / (allocatable[resource] ?? 1) }
  })
  const fullest = shares.toSorted((a, b) => b.share - a.share)[0]
  const down: Goal = {
    name: 'down',
    nodes: [fullest?.name ?? ''],
    resource,
    stat: 'requests',
    margin: 1,
    hard: false,
    max: Math.max(5, Math.floor((fullest?.share ?? 0) * 0.8)),
  }
  const input = {
    state,
    policy: policyWithDefaults({ name: 'p', goals: resource === 'cpu' ? goals : [down] }),
    settings: defaultSettings('1.34'),
    nowMs: 0,
  }
  const plan = await makePlan(input, session.solve, never)
  const git = await makeManifestPlan(input, { objects, firm: false }, session.solve, never)
  return { plan, git }
}

test('over random clusters: the same goals, or each workload that manifests cannot place with its reason', async () => {
  const met = { plan: 0, git: 0 }
  for (let seed = 1; seed <= runsOf(60); seed++) {
    const { plan, git } = await bothAnswers(seed)
    expect(plan.problems, `seed ${seed}`).toEqual([])
    if (plan.outcome === 'met') met.plan++
    if (git.outcome === 'met') met.git++
    if (git.outcome === 'met') continue
    const named = new Map(git.unsaid.map(({ workload, because }) => [workload, because]))
    const placed = new Set(git.moves.map(({ workload }) => workloadKey(workload)))
    const missing = plan.moves.map(({ workload }) => workloadKey(workload)).filter(key => !placed.has(key))
    for (const key of missing) expect(named.get(key), `seed ${seed}: ${key}`).toMatch(/\w+ \w+/)
    if (plan.outcome === 'met')
      expect(named.size + git.stuck.length, `seed ${seed}: a plan meets the goals, and nothing is named`).toBeGreaterThan(0)
  }
  // A template sends all of its pods, so it meets a goal now and then that single moves within their budgets do not.
  expect(met.git).toBeGreaterThanOrEqual(met.plan)
})

const goal: Goal = { name: 'light', nodes: ['a'], resource: 'memory', stat: 'requests', margin: 1, hard: false, max: 50 }
const owned = { owner: 'descheduler', budget: { maxUnavailable: 1 } } as const

async function gitPlan(objects: readonly KubeObject[], given: Partial<Omit<PartialPolicy, 'name'>> = {}) {
  const { state } = buildClusterState(objects)
  const policy = policyWithDefaults({ name: 'p', goals: [goal], ...given })
  const input = { state, policy, settings: defaultSettings('1.34'), nowMs: 0 }
  return await makeManifestPlan(input, { objects, firm: false }, session.solve, never)
}

test('replicas that stand apart: those of the full node leave it, those of others may stay', async () => {
  const apart = {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { 'app.kubernetes.io/name': 'web' } } },
        ],
      },
    },
  }
  const objects = ['a', 'b', 'c', 'd'].flatMap(name => [node(name)])
  const web = workload('s/web', {
    ...owned,
    on: ['a', 'b'],
    memoryMi: 5000,
    spec: apart,
    strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
  })
  const plan = await gitPlan([...objects, ...web])
  expect([plan.outcome, plan.moves.map(({ to }) => to.length), plan.unsaid]).toEqual(['met', [2], []])
  expect(plan.moves[0]?.to).not.toContain('a')
})

// biome-ignore format: a table
test.each([
  ['OnDelete', { updateStrategy: { type: 'OnDelete' } }, 'its update strategy is OnDelete: a changed template replaces no pod by itself'],
  ['a partition', { updateStrategy: { rollingUpdate: { partition: 1 } } }, 'its update strategy has a partition: only part of its pods is replaced'],
])('%s: named with its reason, while a plan of single moves meets the goal', async (_what, given, because) => {
  const made = workload('s/web', { ...owned, kind: 'StatefulSet', on: ['a'], memoryMi: 5000 })
  const objects = [node('a'), node('b'), ...made.map(object => (object.kind === 'StatefulSet' ? { ...object, spec: { ...(object['spec'] as object), ...given } } : object))]
  const plan = await gitPlan(objects)
  expect([plan.outcome, plan.moves, plan.unsaid]).toEqual(['not-met', [], [{ workload: 's/StatefulSet/web', because }]])
  expect(planDescription(plan, [])).toContain(`- s/StatefulSet/web: ${because}`)
})

test('more pods than a plan may replace, of which single moves need one', async () => {
  const objects = [node('a'), node('b'), ...workload('s/web', { ...owned, on: ['a', 'a', 'a'], memoryMi: 1500 })]
  const plan = await gitPlan(objects, { limits: { perPlan: 1 } })
  expect(plan.unsaid).toEqual([
    {
      workload: 's/Deployment/web',
      because: 'a changed template replaces all of its 3 pods, and a plan may replace 1 (limits.perPlan)',
    },
  ])
})

test('goals of measured use: what pods used goes with them', async () => {
  const objects = [
    node('a'),
    node('b'),
    ...workload('s/one', { ...owned, on: ['a'] }),
    ...workload('s/two', { ...owned, on: ['a'] }),
  ]
  const { state } = buildClusterState(objects)
  const use = (cpu: number) => ({ cpu, memory: 0 })
  const pods = new Map([...state.pods.keys()].map((key, at) => [key, use(at === 0 ? 1000 : 2000)]))
  const measured = {
    nodes: new Map([
      ['a', use(3000)],
      ['b', use(0)],
    ]),
    pods,
  }
  const policy = policyWithDefaults({ name: 'p', goals: [{ ...goal, resource: 'cpu', stat: 'usage' }] })
  const input = { state, policy, settings: defaultSettings('1.34'), nowMs: 0, measured }
  const plan = await makeManifestPlan(input, { objects, firm: false }, session.solve, never)
  expect([plan.outcome, plan.moves.map(({ workload: { name } }) => name)]).toEqual(['met', ['two']])
  expect(plan.goals.map(({ before, after }) => [before, after])).toEqual([[75, 25]])
})
