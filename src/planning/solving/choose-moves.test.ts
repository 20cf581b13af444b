import loadHighs from 'highs'
import { afterAll, describe, expect, test } from 'vitest'
import { type Assignment, type DomainRule, type GoalRow, type MoveClass, type MoveModel, movedPods } from '../model/move-model.ts'
import { brokenRules, shortfallOf, tallyOf } from '../model/tally.ts'
import { chooseMoves, gapOf } from './choose-moves.ts'
import { countingBound, greedyAssignment } from './greedy.ts'
import { solveInChild } from './solve.ts'

const never = new AbortController().signal
const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

/** Nodes of 1000m with what is on them; classes as [node, size, cpu]; the goal asks node 0 to at most `most`. */
function modelOf(options: {
  readonly used: readonly number[]
  readonly classes: readonly (readonly [from: number, size: number, cpu: number])[]
  readonly most: number
  readonly cost?: (index: number) => number
  readonly rules?: readonly DomainRule[]
  readonly perPlan?: number
  readonly ceiling?: number
  readonly hard?: boolean
}): MoveModel {
  const nodes = options.used.map((cpu, index) => ({
    name: `n${index}`,
    allocatable: { cpu: 1000, pods: 10 },
    used: { cpu, pods: 3 },
    ceiling: { cpu: options.ceiling ?? 850, pods: 9 },
  }))
  const goal: GoalRow = {
    goal: 'down',
    node: 0,
    resource: 'cpu',
    stat: 'requests',
    bound: 'max',
    limit: options.most,
    used: options.used[0] ?? 0,
    allocatable: 1000,
    hard: options.hard ?? false,
  }
  const classes = options.classes.map(
    ([from, size, cpu], index): MoveClass => ({
      name: `c${index}`,
      workload: `w${index}`,
      namespace: 'shop',
      from,
      size,
      requests: { cpu },
      usage: {},
      cost: options.cost?.(index) ?? 1,
      destinations: nodes.flatMap((_, node) => (node === from ? [] : [node])),
      preferred: undefined,
    }),
  )
  return {
    nodes,
    classes,
    goals: [goal],
    rules: options.rules ?? [],
    replicated: [],
    limits: { perPlan: options.perPlan ?? 30, perNode: undefined, perNamespace: undefined },
  }
}

const flows = (assignment: Assignment) => assignment.map(flow => `${flow.count} of c${flow.class} → n${flow.to}`)
const domains = (count: number, fixed: readonly number[] = []) =>
  Array.from({ length: count }, (_, node) => ({ value: `n${node}`, nodes: [node], fixed: fixed[node] ?? 0 }))

describe('the solver and the greedy search', () => {
  // biome-ignore format: a table
  const cases: readonly (readonly [string, MoveModel, number, number])[] = [
    // case, model, moves, shortfall left
    ['nothing to do',                            modelOf({ used: [500, 100], classes: [[0, 2, 200]], most: 690 }), 0, 0],
    ['one large pod rather than two small',      modelOf({ used: [900, 100], classes: [[0, 3, 110], [0, 1, 220]], most: 690 }), 1, 0],
    ['two where one is not enough',              modelOf({ used: [900, 100], classes: [[0, 3, 110]], most: 690 }), 2, 0],
    ['no more than fits under the ceiling',      modelOf({ used: [900, 700, 700], classes: [[0, 4, 110]], most: 690 }), 2, 0],
    ['as near as it gets, the rest is missing',  modelOf({ used: [900, 700], classes: [[0, 4, 110]], most: 690 }), 1, 10],
    ['no more than the limit allows',            modelOf({ used: [900, 100], classes: [[0, 4, 50]], most: 690, perPlan: 2 }), 2, 11],
    ['at most one in each domain',               modelOf({ used: [900, 100, 100], classes: [[0, 3, 110]], most: 690, rules: [{ kind: 'at-most', name: 'apart', members: [0], domains: domains(3), limit: 1 }] }), 2, 0],
    ['an even spread: three, three, three',      modelOf({ used: [900, 100, 100], classes: [[0, 9, 70]], most: 480, rules: [{ kind: 'skew', name: 'spread', members: [0], domains: domains(3), limit: 1 }] }), 6, 0],
    ['away from what may not stand beside it',   modelOf({ used: [900, 100, 100], classes: [[0, 1, 220], [1, 1, 50]], most: 690, rules: [{ kind: 'apart', name: 'enemies', members: [0], others: [1], domains: domains(3) }] }), 1, 0],
  ]

  test.each(cases)('%s', async (_, model, moves, shortfall) => {
    const choice = await chooseMoves(model, { method: 'milp' }, session.solve, never)
    expect(brokenRules(model, choice.assignment)).toEqual([])
    expect(choice.shortfall).toBeCloseTo(shortfall, 6)
    expect(movedPods(choice.assignment)).toBe(moves)
    expect(Math.ceil(choice.lowerBound - 1e-6)).toBeLessThanOrEqual(moves)
    expect(choice.certainty).toBe('proven')
    const quick = greedyAssignment(model)
    expect(brokenRules(model, quick)).toEqual([])
    expect(tallyOf(model, quick).shortfall()).toBeGreaterThanOrEqual(choice.shortfall - 1e-6)
    if (choice.shortfall === 0) expect(movedPods(quick)).toBeGreaterThanOrEqual(moves)
  })
})

test('a spread that is broken already takes nobody in until it is whole', async () => {
  // n0 and n1 are one zone with three pods, n2 another with one: within the first nothing may move, beyond it one must.
  const zones = [
    { value: 'x', nodes: [0, 1], fixed: 0 },
    { value: 'y', nodes: [2], fixed: 1 },
  ]
  const model = modelOf({
    used: [900, 100, 100],
    classes: [[0, 3, 110]],
    most: 690,
    rules: [{ kind: 'skew', name: 'spread', members: [0], domains: zones, limit: 1 }],
  })
  const choice = await chooseMoves(model, { method: 'milp' }, session.solve, never)
  expect(flows(choice.assignment)).toContain('1 of c0 → n2')
  expect(brokenRules(model, [{ class: 0, to: 1, count: 2 }])).toEqual(['spread: 3 in x'])
})

test('cost decides before the number of moves', async () => {
  const model = modelOf({
    used: [900, 100],
    classes: [
      [0, 3, 110],
      [0, 1, 220],
    ],
    most: 690,
    cost: index => (index === 0 ? 1000 : 3000),
  })
  const choice = await chooseMoves(model, { method: 'milp' }, session.solve, never)
  expect(flows(choice.assignment)).toEqual(['2 of c0 → n1'])
  expect(choice.stages.find(stage => stage.name === 'cost')).toEqual({ name: 'cost', value: 2000, proven: true })
})

test('a hard goal out of reach leaves nothing to do', async () => {
  const model = modelOf({ used: [900, 800], classes: [[0, 4, 110]], most: 690, hard: true })
  const choice = await chooseMoves(model, { method: 'milp' }, session.solve, never)
  expect([choice.isFeasible, choice.certainty, choice.assignment]).toEqual([false, 'proven', []])
})

test('a room that must be made first: the greedy search finds none, the solver does', async () => {
  // Only n1 is small enough a step for the large pod, when its own pod goes to n2.
  const model = modelOf({
    used: [900, 500, 600],
    classes: [
      [0, 1, 400],
      [1, 1, 100],
    ],
    most: 590,
  })
  expect(tallyOf(model, greedyAssignment(model)).shortfall()).toBeGreaterThan(0)
  const choice = await chooseMoves(model, { method: 'auto' }, session.solve, never)
  expect(flows(choice.assignment)).toEqual(['1 of c0 → n1', '1 of c1 → n2'])
  expect(choice.shortfall).toBe(0)
})

test('the exported text has the same optimum when it is read back', async () => {
  const model = modelOf({
    used: [900, 700, 700],
    classes: [
      [0, 4, 110],
      [0, 2, 60],
    ],
    most: 640,
  })
  const choice = await chooseMoves(model, { method: 'milp' }, session.solve, never)
  const loader: unknown = loadHighs
  const highs = await (loader as typeof loadHighs.default)()
  const solution = highs.solve(choice.lp, { output_flag: false })
  expect(solution.Status).toBe('Optimal')
  expect(solution.ObjectiveValue).toBe(movedPods(choice.assignment))
})

test('the count of what must leave and what must enter is a bound', () => {
  const model = modelOf({
    used: [900, 100],
    classes: [
      [0, 3, 110],
      [0, 1, 150],
    ],
    most: 690,
  })
  expect(countingBound(model)).toBe(2)
  const enter: GoalRow = {
    goal: 'up',
    node: 1,
    resource: 'cpu',
    stat: 'requests',
    bound: 'min',
    limit: 460,
    used: 100,
    allocatable: 1000,
    hard: false,
  }
  expect(countingBound({ ...model, goals: [...model.goals, enter] })).toBe(3)
})

// biome-ignore format: a table
test.each([
  [0, 0, 0], [15, 14.63, 0], [15, 14, 1 / 15], [16, 14.63, 1 / 16], [15, 15.0000001, 0], [4, 0, 1],
])('gap of %d moves over a bound of %d', (moves, bound, gap) => {
  expect(gapOf(moves, bound)).toBeCloseTo(gap, 12)
})

test('shortfall counts percentage points beyond the bound', () => {
  const goal = modelOf({ used: [900], classes: [], most: 690 }).goals[0]
  expect(goal && [690, 700, 890].map(used => shortfallOf(goal, used))).toEqual([0, 1, 20])
})
