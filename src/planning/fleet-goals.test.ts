// Goals over several nodes: what each kind asks for, held to exhaustive search on small clusters; figures equal a recount, edits are caught.

import { afterAll, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { explainPod } from './explain.ts'
import { type FleetGoal, type PartialPolicy, policyWithDefaults } from './goals/policy.ts'
import { makePlan, type PlanInput } from './plan.ts'
import type { Plan } from './plan-record.ts'
import { explanationLines } from './sentences.ts'
import { solveInChild } from './solving/solve.ts'
import { fewestMoves } from './testdata/exhaustive.ts'
import { namespace, node, workload } from './testdata/objects.ts'
import { verifyPlan } from './verifier/verify.ts'
import { World } from './verifier/world.ts'

const settings = defaultSettings('1.34')
const never = new AbortController().signal
const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

const common = { resource: 'cpu', margin: 0, hard: false } as const
const alone = (name: string) => ({ name, nodes: [name] })
const each = (...names: string[]) => [{ name: `${names.length} nodes`, members: names.map(alone) }]

function inputOf(objects: readonly KubeObject[], given: Omit<PartialPolicy, 'name'>): PlanInput {
  const { state, problems } = buildClusterState(objects)
  expect(problems).toEqual([])
  return {
    state,
    policy: policyWithDefaults({ name: 'fleet', objective: 'moves', landing: 'hold', ...given }),
    settings,
    nowMs: 0,
  }
}

async function planOf(objects: readonly KubeObject[], given: Omit<PartialPolicy, 'name'>): Promise<Plan> {
  return await makePlan(inputOf(objects, given), session.solve, never)
}

const movable = { owner: 'descheduler', budget: { maxUnavailable: 1 } } as const
const zoned = (name: string, zone: string, cpu = 1000) => node(name, { cpu, labels: { 'topology.kubernetes.io/zone': zone } })
const times = (count: number, name: string) => Array.from({ length: count }, () => name)

/** Three nodes of 1,000m; 800m on `a`, 200m on `b`, nothing on `c`, in pods of 100m that may all move. */
const three = [
  namespace('shop'),
  ...[zoned('a', 'z1'), zoned('b', 'z1'), zoned('c', 'z2')],
  ...workload('shop/web', { ...movable, cpu: 100, on: [...times(8, 'a'), ...times(2, 'b')] }),
]

describe('what each kind asks for on three nodes of 80, 20 and 0 %', () => {
  const zones = [
    { name: 'z1', nodes: ['a', 'b'] },
    { name: 'z2', nodes: ['c'] },
  ]
  const sets = zones.map(zone => ({ name: zone.name, members: [zone] }))
  // biome-ignore format: a table
  const cases: readonly (readonly [string, Partial<FleetGoal>, { moves: number; before: number[]; after: number[] }])[] = [
    ['a zone together at most 35 %',        { measure: 'share', sets: [sets[0] ?? sets].flat(), max: 35 },   { moves: 4, before: [50], after: [30] }],
    ['a zone together at least 20 %',       { measure: 'share', sets: [sets[1] ?? sets].flat(), min: 19 },   { moves: 2, before: [0], after: [20] }],
    ['nodes 20 points apart',               { measure: 'spread', sets: each('a', 'b', 'c'), max: 20 },       { moves: 4, before: [80], after: [20] }],
    ['nodes no points apart: not with ten', { measure: 'spread', sets: each('a', 'b', 'c'), max: 10 },       { moves: 4, before: [80], after: [10] }],
    ['zones 10 points apart',               { measure: 'spread', sets: [{ name: 'zone', members: zones }], max: 10 }, { moves: 3, before: [50], after: [5] }],
    ['5 points from the mean on average',   { measure: 'deviation', sets: each('a', 'b', 'c'), max: 10 },    { moves: 4, before: [31.11], after: [8.89] }],
  ]
  test.each(cases)('%s', async (_, goal, expected) => {
    const fleetGoal: FleetGoal = { ...common, name: 'g', measure: 'share', sets: [], ...goal }
    const plan = await planOf(three, { fleetGoals: [fleetGoal] })
    const figures = (of: 'before' | 'after') => plan.goals.map(outcome => Math.round(outcome[of] * 100) / 100)
    expect([plan.outcome, plan.moves.length]).toEqual(['met', expected.moves])
    expect(figures('before')).toEqual(expected.before)
    expect(figures('after').every((after, at) => Math.abs(after - (expected.after[at] ?? 0)) <= 10)).toBe(true)
    expect(verifyPlan(plan, three, settings)).toEqual([])
  })
})
