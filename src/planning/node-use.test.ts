// Goals of watts and cost: what a plan reaches against all that moves can reach on small clusters, and what it says.

import { afterAll, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { type FleetGoal, type NodeRate, type PartialPolicy, policyWithDefaults } from './goals/policy.ts'
import { makePlan, type PlanInput } from './plan.ts'
import type { Plan } from './plan-record.ts'
import { explanationLines, goalSentence } from './sentences.ts'
import { solveInChild } from './solving/solve.ts'
import { fewestMoves, leastFigure, takenBy } from './testdata/exhaustive.ts'
import { namespace, node, workload } from './testdata/objects.ts'
import { verifyPlan } from './verifier/verify.ts'

const settings = defaultSettings('1.34')
const never = new AbortController().signal
const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

function inputOf(objects: readonly KubeObject[], given: Omit<PartialPolicy, 'name'>): PlanInput {
  const { state, problems } = buildClusterState(objects)
  expect(problems).toEqual([])
  const policy = policyWithDefaults({ name: 'p', objective: 'moves', landing: 'hold', limits: { perPlan: 100 }, ...given })
  return { state, policy, settings, nowMs: 0 }
}

const priced = (node: string, perHour: number): NodeRate => ({ node, unused: 0, idle: perHour, full: perHour })
const useGoal = (measure: 'watts' | 'cost', rates: readonly NodeRate[], given: Partial<FleetGoal>): FleetGoal => ({
  ...{ name: 'cheap', measure, resource: 'cpu', margin: 0, hard: false, rates },
  sets: [{ name: 'all nodes', members: rates.map(({ node: name }) => ({ name, nodes: [name] })) }],
  ...given,
})

const movable = { owner: 'descheduler', budget: { maxUnavailable: 1 } } as const
const agent = workload('kube-system/agent', { kind: 'DaemonSet', cpu: 50, on: ['a', 'b', 'c'] })

/** Three nodes of 1,000m with an agent each; pods of 100m that may all move: four on `a`, one on `b`, two on `c`. */
const three = [
  namespace('shop'),
  namespace('kube-system'),
  ...['a', 'b', 'c'].map(name => node(name, { cpu: 1000 })),
  ...agent,
  ...workload('shop/web', { ...movable, cpu: 100, on: ['a', 'a', 'a', 'a', 'b', 'c', 'c'] }),
]
const prices = [priced('a', 1), priced('b', 2), priced('c', 4)]
const watts = ['a', 'b', 'c'].map((name): NodeRate => ({ node: name, unused: 1, idle: 20, full: 60 }))

describe('what nodes in use take', () => {
  // biome-ignore format: a table
  const cases: readonly (readonly [string, FleetGoal, { moves: number; before: number; after: number; unused: readonly string[] }])[] = [
    ['the dearest node is given back',      useGoal('cost', prices, { max: 3 }),    { moves: 2, before: 7, after: 3, unused: ['c'] }],
    ['the node of the fewest pods',         useGoal('cost', prices, { max: 5 }),    { moves: 1, before: 7, after: 5, unused: ['b'] }],
    ['both',                                useGoal('cost', prices, { max: 1 }),    { moves: 3, before: 7, after: 1, unused: ['b', 'c'] }],
    ['as little as can be',                 useGoal('cost', prices, { max: 0 }),    { moves: 3, before: 7, after: 1, unused: ['b', 'c'] }],
    // Idle 20 each, 40 W for the part of its CPU that is requested: 850m of 1,000m are 34 W.
    ['watts below what the nodes draw',     useGoal('watts', watts, { max: 80 }),   { moves: 1, before: 94, after: 73, unused: ['b'] }],
    ['watts of one node alone',             useGoal('watts', watts, { max: 53 }),   { moves: 3, before: 94, after: 52, unused: ['b', 'c'] }],
  ]
  test.each(cases)('%s', async (_, goal, expected) => {
    const plan = await makePlan(inputOf(three, { fleetGoals: [goal] }), session.solve, never)
    const [outcome] = plan.goals
    expect([plan.moves.length, outcome?.unused]).toEqual([expected.moves, expected.unused])
    expect(outcome?.before).toBeCloseTo(expected.before, 6)
    expect(outcome?.after).toBeCloseTo(expected.after, 6)
    expect(outcome?.state).toBe(goal.max === 0 ? 'missed' : 'met')
    expect(verifyPlan(plan, three, settings)).toEqual([])
  })

  test('a pod that nobody moves keeps its node, and the plan says how low it comes', async () => {
    const objects = [...three, ...workload('shop/db', { cpu: 100, on: ['c'], owner: 'none' })]
    const soft = await makePlan(inputOf(objects, { fleetGoals: [useGoal('cost', prices, { max: 3 })] }), session.solve, never)
    expect(soft.goals[0]?.after).toBe(4)
    expect(explanationLines(soft).join('\n')).toContain(
      'goal cheap: with what may be moved all nodes come to 4 an hour at best (proven), at most 3 are asked for',
    )
    const hard = await makePlan(
      inputOf(objects, { fleetGoals: [useGoal('cost', prices, { max: 3, hard: true })] }),
      session.solve,
      never,
    )
    expect([hard.outcome, hard.moves.length]).toEqual(['infeasible', 0])
  })

  test('is told with its unit, and who gives nodes back', async () => {
    const plan = await makePlan(inputOf(three, { fleetGoals: [useGoal('cost', prices, { max: 3 })] }), session.solve, never)
    expect(plan.goals.map(goalSentence)).toEqual([
      'goal cheap: all nodes cost at most 3 an hour together: 7 an hour now, 3 an hour with the plan; not in use: node c (can be given back, counted as 0; that is left to you)',
    ])
  })

  test.each<[string, (goal: Plan['goals'][number]) => Plan['goals'][number]]>([
    ['a figure', goal => ({ ...goal, after: goal.after + 1 })],
    ['a verdict', goal => ({ ...goal, state: 'missed' })],
    ['a node that is not free', goal => ({ ...goal, unused: ['a'] })],
    ['a price', goal => ({ ...goal, rates: [priced('a', 2), ...(goal.rates ?? []).slice(1)] })],
  ])('the verifier finds %s that was edited', async (_, edit) => {
    const plan = await makePlan(inputOf(three, { fleetGoals: [useGoal('cost', prices, { max: 3 })] }), session.solve, never)
    expect(verifyPlan({ ...plan, goals: plan.goals.map(edit) }, three, settings).map(({ code }) => code)).toContain('goal')
  })
})

test('random clusters: as few moves as exhaustive search, and as little as any moves reach', { timeout: 300_000 }, async () => {
  let [met, lowered] = [0, 0]
  for (let seed = 1; seed <= 24; seed++) {
    const { objects, rates, max, measure } = randomUse(seed)
    const rules = { headroom: { cpu: 100, memory: 100, pods: 100 }, coordination: { requirePDB: false } } as const
    const goal = useGoal(measure, rates, { max })
    const input = inputOf(objects, { ...rules, fleetGoals: [goal] })
    const plan = await makePlan(input, session.solve, never)
    const where = `seed ${seed}, ${measure}`
    expect(verifyPlan(plan, objects, settings), where).toEqual([])
    const best = leastFigure(objects, input.state, { policy: input.policy, plan, figure: world => takenBy(rates, world) })
    expect(plan.outcome === 'met', `${where}: ${best.value} is the least, ${max} the most`).toBe(best.value <= max + 1e-9)
    if (plan.outcome === 'met') {
      expect(plan.moves.length, where).toBe(fewestMoves(objects, input.state, input.policy, plan))
      if (plan.moves.length > 0) met++
      continue
    }
    expect(plan.goals[0]?.after, where).toBeCloseTo(best.value, 6)
    expect(plan.moves.length, where).toBe(best.moves)
    if (best.moves > 0) lowered++
  }
  expect([met > 4, lowered > 4]).toEqual([true, true])
})

/** Three nodes of different sizes and prices, at most six pods that may mostly move, an agent on each node. */
function randomUse(seed: number) {
  const random = seededRandom(seed)
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
  const names = ['a', 'b', 'c']
  const nodes = names.map(name => node(name, { cpu: whole(6, 12) * 100 }))
  const pods = Array.from({ length: whole(2, 3) }, (_, at) =>
    workload(`shop/app-${at}`, {
      ...movable,
      owner: random() < 0.85 ? 'descheduler' : 'none',
      cpu: whole(1, 5) * 50,
      on: Array.from({ length: whole(1, 2) }, () => names[whole(0, 2)] ?? 'a'),
    }),
  )
  const measure = seed % 2 === 0 ? ('watts' as const) : ('cost' as const)
  const rates = names.map((name): NodeRate => {
    const idle = whole(10, 40)
    return measure === 'cost' ? priced(name, idle / 10) : { node: name, unused: whole(0, 3), idle, full: idle + whole(0, 80) }
  })
  const all = rates.reduce((sum, { full }) => sum + full, 0)
  const objects = [namespace('shop'), namespace('kube-system'), ...nodes, ...agent, ...pods.flat()]
  return { objects, rates, measure, max: (all * whole(5, 70)) / 100 }
}
