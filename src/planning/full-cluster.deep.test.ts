// Fifty Deployments of twenty pods on forty full nodes, all of the way: the plan makes room for what has to leave, in an order that can be
// carried out, with the landing that is the default where no webhook is.
import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { policyWithDefaults } from './goals/policy.ts'
import { makePlan } from './plan.ts'
import { mostMovesOf } from './sequence/plan-size.ts'
import { solveInChild } from './solving/solve.ts'
import { namespace, node, workload } from './testdata/objects.ts'
import { verifyPlan } from './verifier/verify.ts'

const settings = defaultSettings('1.34')
const names = Array.from({ length: 40 }, (_, at) => `n${String(at).padStart(2, '0')}`)

const movable = { owner: 'descheduler', budget: { maxUnavailable: 1 } } as const

/** All nodes but the first and the last are filled to their last milli of CPU; the last has room, and is closed to what is too much on the first. */
function fullCluster(seed: number): readonly KubeObject[] {
  const random = seededRandom(seed)
  const sizes = Array.from({ length: 50 }, () => 200 + 10 * Math.floor(random() * 90))
  const on = sizes.map((_, deployment) =>
    Array.from({ length: 20 }, (_pod, at) => names[1 + ((at * 7 + deployment * 3) % (names.length - 2))] ?? ''),
  )
  const usedOn = (name: string) =>
    on.reduce((sum, places, deployment) => sum + places.filter(place => place === name).length * (sizes[deployment] ?? 0), 0)
  const size = 25_000
  return [
    namespace('shop'),
    ...names.map(name =>
      node(name, {
        cpu: size,
        memoryMi: 131_072,
        ...(name === 'n39' ? { taints: [{ key: 'only', value: 'small', effect: 'NoSchedule' }] } : {}),
      }),
    ),
    ...sizes.flatMap((cpu, deployment) =>
      workload(`shop/d${deployment}`, {
        cpu,
        on: on[deployment] ?? [],
        ...movable,
        spec: { tolerations: [{ key: 'only', operator: 'Exists' }] },
      }),
    ),
    // What fills a node to the brim stays where it is.
    ...names.slice(1, -1).flatMap(name =>
      workload(`shop/fill-${name}`, {
        kind: 'DaemonSet',
        cpu: size - usedOn(name),
        on: [name],
        spec: { nodeSelector: { 'kubernetes.io/hostname': name } },
      }),
    ),
    ...workload('shop/large', { cpu: 6_000, on: ['n00', 'n00', 'n00', 'n00'], ...movable }),
    ...workload('shop/rest', { kind: 'DaemonSet', cpu: size - 7_000, on: ['n39'] }),
  ]
}

test.each([1, 2])(
  'seed %i: the goal is met with as few moves as a node needs to make room, each of them verified',
  { timeout: 600_000 },
  async seed => {
    const objects = fullCluster(seed)
    const { state } = buildClusterState(objects)
    const policy = policyWithDefaults({
      name: 'full',
      goals: [{ name: 'light', nodes: ['n00'], resource: 'cpu', stat: 'requests', max: 80, margin: 0, hard: false }],
      headroom: { cpu: 100, memory: 100 },
    })
    const plan = await makePlan({ state, policy, settings, nowMs: 0 }, solveInChild, new AbortController().signal)
    expect([plan.outcome, verifyPlan(plan, objects, settings)]).toEqual(['met', []])
    expect(plan.moves.filter(({ from }) => from === 'n00')).toHaveLength(1)
    // No pod has more than 1,090m, so six have to leave where 6,000m are to come.
    expect(plan.objective.moves).toBe(7)
    expect(plan.objective.lowerBound).toBeLessThanOrEqual(7)
  },
)

test('a plan that is as large as an object can be says so, and not that its goals are out of reach', {
  timeout: 600_000,
}, async () => {
  // Certificates of a cluster below 100 nodes name each of them, and names may be long.
  const long = Array.from({ length: 3 }, () => 'x'.repeat(60)).join('.')
  const many = Array.from({ length: 99 }, (_, at) => `m${at}.${long}`)
  const objects = [
    namespace('shop'),
    ...many.map(name => node(name, { cpu: 20_000 })),
    ...workload('shop/web', {
      cpu: 100,
      on: Array.from({ length: 100 }, () => many[0] ?? ''),
      owner: 'descheduler',
      budget: { maxUnavailable: 50 },
    }),
  ]
  const { state } = buildClusterState(objects)
  const goals = [
    { name: 'light', nodes: many.slice(0, 1), resource: 'cpu', stat: 'requests', max: 15, margin: 0, hard: false },
  ] as const
  const policy = policyWithDefaults({ name: 'large', goals, limits: { perPlan: 1_000 } })
  const plan = await makePlan({ state, policy, settings, nowMs: 0 }, solveInChild, new AbortController().signal)
  expect([plan.outcome, plan.moves.length]).toEqual(['not-met', mostMovesOf(many)])
  expect(plan.explanation?.blockers).toContainEqual(expect.objectContaining({ kind: 'limit', limit: 'size' }))
  expect(verifyPlan(plan, objects, settings)).toEqual([])
})
