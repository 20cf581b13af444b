import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { type LinearModel, LinearModelBuilder } from '../model/linear-model.ts'
import { lpText } from '../model/lp-text.ts'
import { childSolver, solveInChild } from './solve.ts'

const never = new AbortController().signal

/** Two kinds of coins for 7 units of change, the fewest coins first, then the fewest of the small ones. */
function coins(): LinearModelBuilder {
  const build = new LinearModelBuilder()
  const [three, two] = [
    build.column('three', { upper: 10, isInteger: true }),
    build.column('two', { upper: 10, isInteger: true }),
  ]
  build.row(
    'change',
    [
      [three, 3],
      [two, 2],
    ],
    { atLeast: 7 },
  )
  build.objective(
    'coins',
    [
      [three, 1],
      [two, 1],
    ],
    true,
  )
  build.objective('small', [[two, 1]], true)
  return build
}

test('stages in order: the bound, the fewest, and among those the next objective', async () => {
  const solution = await solveInChild(
    coins(),
    {
      stages: [
        { objective: 'coins', kind: 'relaxation', nodes: 1 },
        { objective: 'coins', kind: 'integer', nodes: 100 },
        { objective: 'small', kind: 'integer', nodes: 100 },
      ],
    },
    never,
  )
  expect(solution.failure).toBeUndefined()
  expect(solution.stages.map(stage => [stage.name, stage.kind, stage.status])).toEqual([
    ['coins', 'relaxation', 'optimal'],
    ['coins', 'integer', 'optimal'],
    ['small', 'integer', 'optimal'],
  ])
  expect(solution.stages[0]?.objective).toBeCloseTo(7 / 3)
  expect(solution.stages[1]?.objective).toBe(3)
  expect(solution.stages[2]?.values?.map(Math.round)).toEqual([3, 0])
  expect(solution.peakKilobytes).toBeGreaterThan(10_000)
})

test('a program without an answer is said to be so, and the stages after it are left out', async () => {
  const build = coins()
  build.row(
    'few',
    [
      [0, 1],
      [1, 1],
    ],
    { atMost: 2 },
  )
  const solution = await solveInChild(
    build,
    {
      stages: [
        { objective: 'coins', kind: 'integer', nodes: 100 },
        { objective: 'small', kind: 'integer', nodes: 100 },
      ],
    },
    never,
  )
  expect(solution.stages.map(stage => [stage.status, stage.values])).toEqual([['infeasible', undefined]])
})

test('a session solves several models in one process', async () => {
  using session = solveInChild.session()
  const stages = [{ objective: 'coins', kind: 'integer', nodes: 100 }] as const
  const first = await session.solve(coins(), { stages }, never)
  const second = await session.solve(coins(), { stages }, never)
  expect(second.stages).toEqual(first.stages)
  expect(second.peakKilobytes).toBeGreaterThanOrEqual(first.peakKilobytes)
})

/** A knapsack of many nearly equal things: far more work than a test waits for. */
function endless(): LinearModel {
  const build = new LinearModelBuilder()
  const columns = Array.from({ length: 60 }, (_, at) => build.column(`x_${at}`, { upper: 1, isInteger: true }))
  for (let row = 0; row < 12; row++) {
    const terms = columns.map((column, at) => [column, ((at * 7919 + row * 104_729) % 1000) + 1] as const)
    const half = Math.floor(terms.reduce((sum, [, weight]) => sum + weight, 0) / 2)
    build.row(`half_${row}`, terms, { atLeast: half, atMost: half })
  }
  build.objective(
    'count',
    columns.map(column => [column, 1] as const),
    true,
  )
  return build
}

describe('a solver that takes too long', () => {
  const stages = [{ objective: 'count', kind: 'integer', nodes: 1_000_000_000 }] as const

  test('stops at its node limit', async () => {
    const solution = await solveInChild(endless(), { stages: [{ ...stages[0], nodes: 5 }] }, never)
    expect(solution.failure).toBeUndefined()
    expect(solution.stages.map(stage => stage.status)).not.toContain('optimal')
  })

  test('is ended at the safety limit, and the session goes on with the next model', async () => {
    const clock = new VirtualClock(0)
    using session = childSolver({ clock, safetySeconds: 30 }).session()
    const waiting = session.solve(endless(), { stages }, never)
    await clock.advance(30_000)
    const solution = await waiting
    expect(solution.failure).toBe('no answer within 30 s')
    expect(solution.stages).toEqual([])
    const next = await session.solve(coins(), { stages: [{ objective: 'coins', kind: 'integer', nodes: 100 }] }, never)
    expect(next.stages[0]?.status).toBe('optimal')
  })

  test('ends by itself where nobody ends it any more', async () => {
    // This clock never moves: nothing from outside ends the solver.
    const solution = await childSolver({ clock: new VirtualClock(0), safetySeconds: 0.2 })(endless(), { stages }, never)
    expect(solution.failure).toBeUndefined()
    expect(solution.stages.map(stage => stage.status)).not.toContain('optimal')
  })

  test('is ended when its caller gives up, who hears its own reason', async () => {
    const controller = new AbortController()
    const waiting = solveInChild(endless(), { stages }, controller.signal)
    controller.abort(new Error('shutdown'))
    await expect(waiting).rejects.toThrow('shutdown')
    await expect(solveInChild(coins(), { stages }, controller.signal)).rejects.toThrow('shutdown')
  })
})

test('the text of a program is what other solvers read', () => {
  const build = coins()
  const half = build.column('half', { lower: 0.5 })
  build.row(
    'equal',
    [
      [half, 1],
      [0, -1],
    ],
    { atLeast: 0, atMost: 0 },
  )
  build.row(
    'between',
    [
      [half, 0.25],
      [0, 2],
      [0, -2],
    ],
    { atLeast: -1, atMost: 1 },
  )
  expect(lpText(build, 'coins')).toBe(`Minimize
 coins: + three + two
Subject To
 change: + 3 three + 2 two >= 7
 equal: - three + half = 0
 between: + 0.25 half <= 1
 between_low: + 0.25 half >= -1
Bounds
 0 <= three <= 10
 0 <= two <= 10
 0.5 <= half <= +inf
Generals
 three two
End
`)
})
