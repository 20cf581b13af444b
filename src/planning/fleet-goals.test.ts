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
import { fewestMoves, isSurvived } from './testdata/exhaustive.ts'
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
  const zone = (at: number) => zones.slice(at, at + 1).map(member => ({ name: member.name, members: [member] }))
  // biome-ignore format: a table
  const cases: readonly (readonly [string, Partial<FleetGoal>, { moves: number; before: number; after: number }])[] = [
    ['a zone together below 35 %',           { measure: 'share', sets: zone(0), max: 35 },                             { moves: 4, before: 50, after: 30 }],
    ['a zone together above 19 %',           { measure: 'share', sets: zone(1), min: 19 },                             { moves: 2, before: 0, after: 20 }],
    ['nodes at most 20 points apart',        { measure: 'spread', sets: each('a', 'b', 'c'), max: 20 },                { moves: 4, before: 80, after: 20 }],
    ['the same by a margin of 10',           { measure: 'spread', sets: each('a', 'b', 'c'), max: 20, margin: 10 },    { moves: 4, before: 80, after: 10 }],
    ['zones at most 20 points apart',        { measure: 'spread', sets: [{ name: 'zone', members: zones }], max: 20 }, { moves: 2, before: 50, after: 20 }],
    ['10 points from the mean on average',   { measure: 'deviation', sets: each('a', 'b', 'c'), max: 10 },             { moves: 4, before: 31.11, after: 8.89 }],
  ]
  test.each(cases)('%s', async (_, goal, expected) => {
    const fleetGoal: FleetGoal = { ...common, name: 'g', measure: 'share', sets: [], ...goal }
    const plan = await planOf(three, { fleetGoals: [fleetGoal] })
    const [outcome] = plan.goals
    const figure = (value = Number.NaN) => Math.round(value * 100) / 100
    expect([plan.outcome, plan.moves.length, figure(outcome?.before)]).toEqual(['met', expected.moves, expected.before])
    expect(figure(outcome?.after)).toBeLessThanOrEqual(Math.max(expected.after, fleetGoal.min === undefined ? 0 : 100))
    expect(verifyPlan(plan, three, settings)).toEqual([])
  })

  test('the quick choice keeps to the same rows', async () => {
    for (const measure of ['spread', 'deviation'] as const) {
      const goal: FleetGoal = { ...common, name: 'g', measure, sets: each('a', 'b', 'c'), max: 20 }
      const plan = await planOf(three, { fleetGoals: [goal], method: 'greedy' })
      expect([plan.method, plan.outcome]).toEqual(['greedy', 'met'])
      expect(verifyPlan(plan, three, settings)).toEqual([])
    }
  })

  test('the heavier of two goals that exclude each other is met', async () => {
    const goals = (low: number, high: number): readonly FleetGoal[] => [
      { ...common, name: 'low', measure: 'share', sets: zone(1), max: 5, weight: low },
      { ...common, name: 'high', measure: 'share', sets: zone(1), min: 45, weight: high },
    ]
    const states = async (low: number, high: number) =>
      (await planOf(three, { fleetGoals: goals(low, high) })).goals.map(({ state }) => state)
    expect(await states(10, 1)).toEqual(['met', 'missed'])
    expect(await states(1, 10)).toEqual(['missed', 'met'])
  })

  test('a hard one that no move reaches moves nothing, and says what stands in the way', async () => {
    const goal: FleetGoal = {
      ...common,
      name: 'all',
      measure: 'share',
      sets: [{ name: 'all', members: [{ name: 'all', nodes: ['a', 'b', 'c'] }] }],
      max: 20,
      hard: true,
    }
    const plan = await planOf(three, { fleetGoals: [goal] })
    expect([plan.moves.length, plan.outcome]).toEqual([0, 'infeasible'])
    expect(explanationLines(plan)).toContain('  goal all: 401m of cpu must leave all, only 0m can')
  })

  test.each([
    [
      'deviation',
      2,
      /goal even: with what may be moved 3 nodes come to 8\.89 points from their mean on average at best \(proven\), at most 2 are asked for/,
    ],
    [
      'spread',
      5,
      /goal even: with what may be moved 3 nodes come to 20 points apart at best \(proven\), at most 5 are asked for/,
    ],
  ] as const)('a hard %s that cannot be had says how near the nodes come', async (measure, max, expected) => {
    // Pods of 200m: 1,000m over three nodes of 1,000m come to 40, 40 and 20 % at best.
    const objects = [
      namespace('shop'),
      ...[zoned('a', 'z1'), zoned('b', 'z1'), zoned('c', 'z2')],
      ...workload('shop/web', { ...movable, cpu: 200, on: [...times(4, 'a'), 'b'] }),
    ]
    const goal: FleetGoal = { ...common, name: 'even', measure, sets: each('a', 'b', 'c'), max, hard: true }
    const plan = await planOf(objects, { fleetGoals: [goal] })
    expect([plan.moves.length, plan.outcome]).toEqual([0, 'infeasible'])
    expect(explanationLines(plan).join('\n')).toMatch(expected)
  })

  test('with a margin the bound is said to be of plans that keep it', async () => {
    const goal = { ...common, name: 'light', measure: 'share', sets: zone(0), max: 35 } as const
    const said = async (margin: number) => {
      const plan = await planOf(three, { fleetGoals: [{ ...goal, margin }] })
      return [plan.moves.length, plan.objective.withMargins ?? false, explanationLines(plan)[0]]
    }
    expect(await said(0)).toEqual([4, false, '4 moves; no plan has fewer (relaxation: 3.01)'])
    expect(await said(10)).toEqual([6, true, '6 moves; no plan that keeps the margins has fewer (relaxation: 5.01)'])
  })

  test('a pod that moves and one that stays are told for which goal', async () => {
    const input = inputOf(three, {
      fleetGoals: [{ ...common, name: 'even', measure: 'spread', sets: each('a', 'b', 'c'), max: 20 }],
    })
    const plan = await makePlan(input, session.solve, never)
    const [move] = plan.moves
    const lines = explainPod(input, plan, `shop/${move?.pod.name}`)
    expect(lines.join('\n')).toContain(
      'for goal even: 3 nodes cpu requests at most 20 points apart: 80.0 points now, 20.0 points with the plan',
    )
  })

  test.each<[string, (goal: Plan['goals'][number]) => Plan['goals'][number]]>([
    ['a figure', goal => ({ ...goal, after: goal.after + 1 })],
    ['a verdict', goal => ({ ...goal, state: 'missed' })],
    ['the nodes that it counts', goal => ({ ...goal, members: [] })],
  ])('the verifier finds %s that was edited', async (_, edit) => {
    const sets = each('a', 'b', 'c')
    const fleetGoals: readonly FleetGoal[] = [
      { ...common, name: 'spread', measure: 'spread', sets, max: 20 },
      { ...common, name: 'deviation', measure: 'deviation', sets, max: 15 },
      { ...common, name: 'share', measure: 'share', sets: [{ name: 'z1', members: zones.slice(0, 1) }], max: 80 },
    ]
    const plan = await planOf(three, { fleetGoals })
    expect(verifyPlan(plan, three, settings)).toEqual([])
    for (const at of fleetGoals.keys()) {
      const goals = plan.goals.map((goal, index) => (index === at ? edit(goal) : goal))
      expect(verifyPlan({ ...plan, goals }, three, settings).map(({ code }) => code)).toContain('goal')
    }
  })
})

describe('losses', () => {
  const survives = (...names: string[]): FleetGoal => ({
    ...common,
    name: 'loss',
    measure: 'survives',
    sets: [{ name: 'any one node', members: names.map(alone) }],
  })
  const two = [node('a', { cpu: 1000 }), node('b', { cpu: 1000 })]
  const lossOf = (plan: Plan) => plan.goals.map(({ state, loss }) => [state, loss?.lost, loss?.pending.length ?? 0])

  // biome-ignore format: a table
  const cases: readonly (readonly [string, readonly KubeObject[], readonly unknown[]])[] = [
    ['room for all of it',                       [...two, ...workload('shop/web', { cpu: 400, on: ['a', 'b'] })],                                             ['met', undefined, 0]],
    ['no room',                                  [...two, ...workload('shop/web', { cpu: 600, on: ['a', 'b'] })],                                             ['missed', 'a', 1]],
    ['room for the sum, not for the pod',        [...two, node('c', { cpu: 1000 }), ...workload('shop/web', { cpu: 600, on: ['a', 'b', 'c'] })],               ['missed', 'a', 1]],
    ['room, but above the headroom',             [...two, ...workload('shop/web', { cpu: 450, on: ['a', 'b'] })],                                             ['missed', 'a', 1]],
    ['a DaemonSet ends with its node',           [...two, ...workload('shop/agent', { kind: 'DaemonSet', cpu: 600, on: ['a', 'b'] })],                        ['met', undefined, 0]],
    ['a cordoned node takes nothing over',       [node('a', { cpu: 1000 }), node('b', { cpu: 1000, unschedulable: true }), ...workload('shop/web', { cpu: 400, on: ['a'] })], ['missed', 'a', 1]],
  ]
  test.each(cases)('%s', async (_, objects, expected) => {
    const given = [namespace('shop'), ...objects]
    const names = given.filter(({ kind }) => kind === 'Node').map(({ metadata }) => metadata.name)
    const plan = await planOf(given, { fleetGoals: [survives(...names)] })
    expect(plan.moves).toEqual([])
    expect(lossOf(plan)).toEqual([expected])
    expect(verifyPlan(plan, given, settings)).toEqual([])
    // Nothing that is said of a loss can be turned round unseen, where headroom alone does not decide.
    const [goal] = plan.goals
    const turned = goal?.state === 'met' ? 'missed' : 'met'
    const isHeadroom = goal?.loss?.because.includes('headroom') === true
    const edited = { ...plan, goals: plan.goals.map(one => ({ ...one, state: turned }) as const) }
    expect(verifyPlan(edited, given, settings).length > 0).toBe(!isHeadroom)
  })

  // Only `a` and `b` have the disk that `db` asks for, and `web` sits in the way on `b`.
  const pinned = [
    namespace('shop'),
    ...['a', 'b'].map(name => node(name, { cpu: 1000, labels: { disk: 'ssd' } })),
    node('c', { cpu: 1000 }),
    ...workload('shop/db', { cpu: 300, on: ['a', 'a'], spec: { nodeSelector: { disk: 'ssd' } } }),
    ...workload('shop/web', { ...movable, cpu: 200, on: ['b', 'b', 'b'] }),
  ]

  test('what can run on some nodes only gets room made there', async () => {
    const plan = await planOf(pinned, { fleetGoals: [survives('a')] })
    expect(plan.moves.map(({ from }) => from)).toEqual(['b', 'b'])
    expect([plan.outcome, ...lossOf(plan).flat()]).toEqual(['met', 'met', undefined, 0])
    expect(plan.goals[0]?.before).toBe(1)
    expect(verifyPlan(plan, pinned, settings)).toEqual([])
  })

  test.each([
    [
      'in pieces',
      [...two, node('c', { cpu: 1000 }), ...workload('shop/web', { cpu: 600, on: ['a', 'b', 'c'] })],
      'shop/web-0 needs 600m of cpu, b has the most room for it: 400m, so 200m are missing; together there are 800m, in pieces',
    ],
    [
      'too little',
      [...two, ...workload('shop/web', { cpu: 600, on: ['a', 'b'] })],
      'shop/web-0 needs 600m of cpu, b has the most room for it: 400m, so 200m are missing; together there are 400m',
    ],
    [
      'free, but kept by the headroom',
      [...two, ...workload('shop/web', { cpu: 450, on: ['a', 'b'] })],
      'shop/web-0 needs 450m of cpu, b has the most room for it: 400m, so 50m are missing; together there are 400m',
    ],
  ] as const)('room that is %s is told with what is missing', async (_, objects, expected) => {
    const given = [namespace('shop'), ...objects]
    const names = given.filter(({ kind }) => kind === 'Node').map(({ metadata }) => metadata.name)
    const plan = await planOf(given, { fleetGoals: [survives(...names)] })
    const line = explanationLines(plan).find(text => text.includes('after the loss'))
    expect(line?.replaceAll(/shop\/web-[\w-]+ needs/g, 'shop/web-0 needs')).toContain(expected)
    expect(line?.endsWith(expected.slice(-12))).toBe(true)
  })

  test('a hard one that stays out of reach moves nothing, and names the loss and the pod', async () => {
    const goal = { ...survives('a', 'b', 'c'), hard: true }
    const objects = [...pinned, ...workload('shop/big', { cpu: 300, on: ['c', 'c', 'c'], owner: 'none' })]
    const plan = await planOf(objects, { fleetGoals: [goal] })
    expect([plan.moves.length, plan.goals[0]?.state]).toEqual([0, 'missed'])
    expect(explanationLines(plan).join('\n')).toMatch(/goal loss; after the loss of . pods? shop\/.* stays? Pending/)
  })
})

test('random clusters: as few moves as exhaustive search, figures as counted anew', { timeout: 300_000 }, async () => {
  let compared = 0
  let survived = 0
  for (let seed = 1; seed <= 40; seed++) {
    const { objects, goal } = randomFleet(seed)
    const input = inputOf(objects, {
      fleetGoals: [goal],
      headroom: { cpu: 100, memory: 100, pods: 100 },
      coordination: { requirePDB: false },
    })
    const plan = await makePlan(input, session.solve, never)
    const where = `seed ${seed}, ${goal.measure}`
    expect(verifyPlan(plan, objects, settings), where).toEqual([])
    if (goal.measure === 'survives') {
      if (plan.goals[0]?.state !== 'met') continue
      const world = new World(objects)
      for (const { pod, to } of plan.moves) moveTo(world, `${pod.namespace}/${pod.name}`, to)
      for (const { nodes } of goal.sets[0]?.members ?? []) expect(isSurvived(world, nodes), where).toBe(true)
      survived++
      continue
    }
    const least = fewestMoves(objects, input.state, { ...input.policy, fleetGoals: [goal] }, plan)
    expect(plan.outcome === 'met', `${where}: exhaustive search needs ${least}`).toBe(least !== undefined)
    if (least === undefined) continue
    expect(plan.moves.length, where).toBe(least)
    if (least > 0) compared++
  }
  expect(compared).toBeGreaterThan(8)
  expect(survived).toBeGreaterThan(2)
})

function moveTo(world: World, key: string, to: string): void {
  const from = world.nodeOf(key)
  const pod = from?.pods.get(key)
  if (from === undefined || pod === undefined) throw new Error(`no pod ${key}`)
  from.pods.delete(key)
  world.nodes.get(to)?.pods.set(key, pod)
}

/** Three nodes of different sizes, at most seven pods, and a goal of one of the kinds in turn. */
function randomFleet(seed: number): { readonly objects: readonly KubeObject[]; readonly goal: FleetGoal } {
  const random = seededRandom(seed)
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
  const names = ['a', 'b', 'c']
  const objects = names.map((name, at) => zoned(name, at < 2 ? 'z1' : 'z2', whole(8, 14) * 100))
  const pods = Array.from({ length: whole(2, 4) }, (_, at) =>
    workload(`shop/app-${at}`, {
      ...movable,
      owner: random() < 0.85 ? 'descheduler' : 'none',
      cpu: whole(1, 4) * 50,
      on: times(whole(1, 2), random() < 0.6 ? 'a' : (names[whole(0, 2)] ?? 'a')),
      ...(random() < 0.2 ? { spec: { nodeSelector: { 'topology.kubernetes.io/zone': 'z1' } } } : {}),
    }),
  )
  const zones = [
    { name: 'z1', nodes: ['a', 'b'] },
    { name: 'z2', nodes: ['c'] },
  ]
  const kinds: readonly Pick<FleetGoal, 'measure' | 'sets' | 'max'>[] = [
    { measure: 'share', sets: [{ name: 'z1', members: zones.slice(0, 1) }], max: whole(10, 40) },
    { measure: 'spread', sets: each(...names), max: whole(5, 40) },
    { measure: 'spread', sets: [{ name: 'zone', members: zones }], max: whole(5, 30) },
    { measure: 'deviation', sets: each(...names), max: whole(4, 20) },
    { measure: 'survives', sets: [{ name: 'any one node', members: names.map(alone) }] },
  ]
  const kind = kinds[seed % kinds.length] ?? { measure: 'spread', sets: [] }
  return { objects: [namespace('shop'), ...objects, ...pods.flat()], goal: { ...common, name: 'g', ...kind } }
}
