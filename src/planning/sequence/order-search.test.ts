// Orders of moves in rooms that are just large enough, or not.
import { expect, test } from 'vitest'
import type { MoveClass, MoveModel } from '../model/move-model.ts'
import { bestOrder, orderOf } from './order-search.ts'

interface Row {
  readonly what: string
  /** Free on each node; all nodes have 1,000. Where there is a third number, that is how far the node may be filled in the end. */
  readonly free: readonly (readonly [free: number, ceiling?: number])[]
  /** Size of each pod, its node, and where it is to go. */
  readonly pods: readonly (readonly [size: number, from: number, to: number])[]
  readonly steps: readonly string[] | undefined
}

function modelOf({ free, pods }: Row): MoveModel {
  const nodes = free.map(([room, ceiling = 1_000], at) => ({
    name: `n${at}`,
    allocatable: { cpu: 1_000, pods: 10 },
    used: { cpu: 1_000 - room, pods: 3 },
    ceiling: { cpu: ceiling, pods: 10 },
  }))
  const classes = pods.map(
    ([cpu, from], at): MoveClass => ({
      name: `p${at}`,
      workload: `p${at}`,
      namespace: 'shop',
      from,
      size: 1,
      requests: { cpu },
      usage: {},
      cost: 1,
      destinations: nodes.flatMap((_, node) => (node === from ? [] : [node])),
      preferred: undefined,
    }),
  )
  const used = nodes[0]?.used.cpu ?? 0
  const common = {
    goal: 'light',
    node: 0,
    resource: 'cpu',
    stat: 'requests',
    bound: 'max',
    allocatable: 1_000,
    hard: false,
  } as const
  const goals = [{ ...common, used, limit: used - 50 }]
  return {
    nodes,
    classes,
    goals,
    rules: [],
    replicated: [],
    limits: { perPlan: 10, perNode: undefined, perNamespace: undefined },
  }
}

// biome-ignore format: a table
const rows: readonly Row[] = [
  { what: 'a chain begins at its end',                free: [[0], [0], [500]],         pods: [[300, 0, 1], [300, 1, 2]],               steps: ['p1 1>2', 'p0 0>1'] },
  { what: 'a swap without a spare place has none',    free: [[0], [100], [200]],       pods: [[400, 0, 1], [300, 1, 0]],               steps: undefined },
  { what: 'a swap with one stops there',              free: [[0], [100], [300]],       pods: [[400, 0, 1], [300, 1, 0]],               steps: ['p1 1>2', 'p0 0>1', 'p1 2>0'] },
  { what: 'also where nothing may stay',              free: [[0], [100], [300, 700]],  pods: [[400, 0, 1], [300, 1, 0]],               steps: ['p1 1>2', 'p0 0>1', 'p1 2>0'] },
  { what: 'a ring of three with one spare place',     free: [[0], [0], [0], [300]],    pods: [[300, 0, 1], [300, 1, 2], [300, 2, 0]],  steps: ['p2 2>3', 'p1 1>2', 'p0 0>1', 'p2 3>0'] },
]

test.each(rows)('$what', row => {
  const model = modelOf(row)
  const order = orderOf(
    model,
    row.pods.map(([, , to], at) => ({ class: at, to, count: 1 })),
  )
  // Which pod of a ring stops is a matter of taste; that there is one stop is not.
  expect(order?.steps.length).toBe(row.steps?.length)
  if (row.steps !== undefined && row.pods.length < 3)
    expect(order?.steps.map(({ class: at, from, to }) => `p${at} ${from}>${to}`)).toEqual(row.steps)
})

test('without a choice given: the cheapest of all orders, and that there is none by proof', () => {
  // The pod of 400 may not stay on node 2, that of 300 may: then one exchange is enough.
  const swap: Row = {
    what: '',
    free: [[0], [100], [300, 700]],
    pods: [
      [400, 0, 1],
      [300, 1, 0],
    ],
    steps: undefined,
  }
  expect(bestOrder(modelOf(swap), 0)).toMatchObject({ shortfall: 0, cost: 3, isProven: true })
  const full: Row = { ...swap, free: [[0], [100], [200]] }
  expect(bestOrder(modelOf(full), 0)).toMatchObject({ shortfall: 5, cost: 0, steps: [], isProven: true })
})
