// Goals on resources that some nodes have only: graphics cards, local disk, huge pages. Plans are held to exhaustive search and to the verifier.

import { afterAll, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { goalOutcomes, policyProblems } from './goals/goals.ts'
import { type FleetGoal, type Goal, type PartialPolicy, policyWithDefaults } from './goals/policy.ts'
import { makePlan } from './plan.ts'
import type { Plan } from './plan-record.ts'
import { explanationLines, goalSentence } from './sentences.ts'
import { solveInChild } from './solving/solve.ts'
import { fewestMoves } from './testdata/exhaustive.ts'
import { namespace, node, workload } from './testdata/objects.ts'
import { verifyPlan } from './verifier/verify.ts'

const settings = defaultSettings('1.34')
const never = new AbortController().signal
const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

const card = 'gpu.intel.com/i915'

/** A node with further resources. */
function withMore(given: KubeObject, more: Readonly<Record<string, string>>): KubeObject {
  const amounts = { cpu: '4', memory: '8Gi', pods: '110', ...more }
  return { ...given, status: { ...(given['status'] as object), allocatable: amounts, capacity: amounts } }
}

/** Pods of 100m and 128Mi that ask for more than that. */
function asking(name: string, on: readonly string[], more: Readonly<Record<string, string>>): readonly KubeObject[] {
  const resources = { requests: { cpu: '100m', memory: '128Mi', ...more }, limits: more }
  const spec = { containers: [{ name: 'main', image: 'registry.example/ml:1', resources }] }
  return workload(`ml/${name}`, { owner: 'descheduler', budget: { maxUnavailable: 1 }, on, spec })
}

/** Eight cards on `a`, all in use; eight free ones on `b`; none on `c`. */
const cards = [
  namespace('ml'),
  withMore(node('a'), { [card]: '8' }),
  withMore(node('b'), { [card]: '8' }),
  node('c'),
  ...asking('train', ['a', 'a', 'a', 'a'], { [card]: '1' }),
  ...asking('infer', ['a', 'a'], { [card]: '2' }),
  ...workload('ml/web', { owner: 'descheduler', budget: { maxUnavailable: 1 }, on: ['a', 'a'] }),
]

async function planOf(objects: readonly KubeObject[], given: Omit<PartialPolicy, 'name'>): Promise<Plan> {
  const { state, problems } = buildClusterState(objects)
  expect(problems).toEqual([])
  const policy = policyWithDefaults({ name: 'p', objective: 'moves', landing: 'hold', ...given })
  return await makePlan({ state, policy, settings, nowMs: 0 }, session.solve, never)
}

const goal = (more: Partial<Goal>): Goal => ({
  name: 'g',
  nodes: ['a'],
  resource: card,
  stat: 'requests',
  margin: 1,
  hard: false,
  ...more,
})
const fleet = (more: Partial<FleetGoal>): FleetGoal => ({
  name: 'g',
  measure: 'spread',
  resource: card,
  sets: [],
  margin: 0,
  hard: false,
  ...more,
})
const each = (...names: string[]) => [{ name: 'all', members: names.map(name => ({ name, nodes: [name] })) }]

describe('eight cards on one node of two', () => {
  // biome-ignore format: a table
  test.each<[string, Omit<PartialPolicy, 'name'>, number, number]>([
    ['at most half on the full one', { goals: [goal({ max: 50 })] },                                                  3, 37.5],
    ['at least 40 % on the free one', { goals: [goal({ nodes: ['b'], min: 40 })] },                                   2, 50],
    ['at most 30 points apart',       { fleetGoals: [fleet({ sets: each('a', 'b'), max: 30 })] },                     2, 0],
    ['15 points from the mean',       { fleetGoals: [fleet({ measure: 'deviation', sets: each('a', 'b'), max: 15 })] }, 2, 0],
    ['the free one together above 10 %', { fleetGoals: [fleet({ measure: 'share', sets: each('b'), min: 10 })] },     1, 25],
  ])('%s', async (_, given, moves, after) => {
    const plan = await planOf(cards, given)
    expect([plan.outcome, plan.moves.length]).toEqual(['met', moves])
    expect(plan.goals[0]?.after).toBeCloseTo(after, 6)
    expect(verifyPlan(plan, cards, settings)).toEqual([])
    expect(plan.moves.every(({ to, certificate }) => to === 'b' && (certificate.requests[card] ?? 0) > 0)).toBe(true)
    // An edited figure is named by its node and resource.
    const edited = { ...plan, after: plan.after.map(share => (share.resource === card ? { ...share, used: share.used + 1 } : share)) }
    expect(verifyPlan(edited, cards, settings).map(({ field }) => field)).toEqual(expect.arrayContaining([`after: ${card} of a: used`]))
  })

  test('shares of the resource are told of nodes that have any', async () => {
    const plan = await planOf(cards, { goals: [goal({ max: 50 })] })
    expect(plan.after.filter(({ resource }) => resource === card).map(({ node: name, used }) => [name, used])).toEqual([
      ['a', 3],
      ['b', 5],
    ])
  })

  test('what cannot leave is said in pieces of the resource', async () => {
    const held = cards.map(object =>
      object.metadata.name === 'infer' || object.metadata.name === 'train'
        ? {
            ...object,
            metadata: { ...object.metadata, labels: { ...object.metadata.labels, 'scaling.talos.io/managed-by': 'none' } },
          }
        : object,
    )
    const plan = await planOf(held, { goals: [goal({ max: 50 })] })
    expect(explanationLines(plan).join('\n')).toContain(`goal g: 5 of ${card} must leave a, only 0 can`)
  })
})

describe('what is not there is told', () => {
  const { state } = buildClusterState(cards)
  const found = (given: Omit<PartialPolicy, 'name'>) =>
    policyProblems(policyWithDefaults({ name: 'p', ...given }), state).map(
      ({ code, found: given, expected }) => `${code}: ${given}; ${expected}`,
    )

  // biome-ignore format: a table
  test.each<[string, Omit<PartialPolicy, 'name'>, RegExp]>([
    ['a resource that no node has', { goals: [goal({ resource: 'gpu.intel.com/i951', max: 50 })] }, /^goal-resource: gpu\.intel\.com\/i951, which no node has; a resource that a node of this cluster has \(cpu, gpu\.intel\.com\/i915, memory, pods\); gpu\.intel\.com\/i915 perhaps$/],
    ['nodes without any of it', { goals: [goal({ nodes: ['c'], max: 50 })] }, /^goal-resource: gpu\.intel\.com\/i915, of which none of its nodes has any; nodes that have some of it \(a, b\)$/],
    ['nodes compared by it', { fleetGoals: [fleet({ resource: 'nvidia.com/gpu', sets: each('a', 'b'), max: 5 })] }, /^goal-resource: nvidia\.com\/gpu, which no node has/],
    ['what nobody measures', { goals: [goal({ stat: 'usage', max: 50 })] }, /^goal-stat: usage of gpu\.intel\.com\/i915; requests: only cpu and memory are measured$/],
  ])('%s', async (_, given, expected) => {
    expect(found(given)).toEqual([expect.stringMatching(expected)])
    const plan = await planOf(cards, given)
    expect([plan.outcome, plan.moves.length, plan.problems.length]).toEqual(['infeasible', 0, 1])
  })

  test('and no goal is met by it', () => {
    const policy = policyWithDefaults({
      name: 'p',
      goals: [goal({ name: 'n', resource: 'x/y', max: 50 })],
      fleetGoals: [fleet({ name: 'f', resource: 'x/y', sets: each('a', 'b'), max: 5 })],
    })
    const outcomes = goalOutcomes(policy, state, { requests: new Map(), usage: new Map() }, undefined)
    expect(outcomes.map(outcome => [outcome.goal, outcome.state, goalSentence(outcome).split(': ').at(-1)])).toEqual([
      ['n', 'unknown', 'there is no x/y'],
      ['f', 'unknown', 'there is no x/y'],
    ])
  })
})

// Whole pieces and bytes by the hundred thousand million: the solver is asked in units that suit it.
test('40 random clusters: as few moves as exhaustive search, and every number is right', { timeout: 300_000 }, async () => {
  let moved = 0
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed)
    const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
    const resource = ['nvidia.com/gpu', 'ephemeral-storage', 'hugepages-2Mi'][seed % 3] ?? ''
    const unit = resource === 'nvidia.com/gpu' ? 1 : resource === 'ephemeral-storage' ? 10 * 2 ** 30 : 2 ** 21
    const objects: KubeObject[] = [namespace('ml')]
    const sizes = [whole(4, 8), whole(4, 8), seed % 4 === 0 ? 0 : whole(2, 6)]
    for (const [at, size] of sizes.entries())
      objects.push(size === 0 ? node(`n${at}`) : withMore(node(`n${at}`), { [resource]: String(size * unit) }))
    let left = sizes[0] ?? 0
    for (let at = 0; at < 4 && left > 0; at++) {
      const size = Math.min(left, whole(1, 3))
      left -= size
      objects.push(...asking(`w${at}`, ['n0'], { [resource]: String(size * unit) }))
    }
    const { state } = buildClusterState(objects)
    const policy = policyWithDefaults({
      ...{ name: 'p', objective: 'moves', landing: 'hold' },
      goals: [
        goal({ resource, nodes: ['n0'], max: whole(30, 90) }),
        ...(seed % 2 === 0 ? [goal({ name: 'up', resource, nodes: ['n1'], min: whole(5, 40) })] : []),
      ],
    })
    const plan = await makePlan({ state, policy, settings, nowMs: 0 }, session.solve, never)
    expect(verifyPlan(plan, objects, settings), `seed ${seed}`).toEqual([])
    const least = fewestMoves(objects, state, { ...policy, goals: policy.goals.map(one => ({ ...one, margin: 0 })) }, plan)
    const fewest = least === 0 ? 0 : fewestMoves(objects, state, policy, plan)
    expect(plan.outcome === 'met', `seed ${seed}`).toBe(least !== undefined)
    if (fewest !== undefined) expect(plan.moves.length, `seed ${seed}`).toBe(fewest)
    moved += plan.moves.length
  }
  expect(moved).toBeGreaterThan(20)
})
