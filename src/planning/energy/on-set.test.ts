// Random clusters: what is chosen holds in integers, is never worth less than the quick choice, and for small ones nothing is worth more.
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import type { Assignment, MoveClass, MoveModel } from '../model/move-model.ts'
import { solveInChild } from '../solving/solve.ts'
import { allOn, brokenOnSet, greedyOnSet, type OnSet, type OnSetModel, worthOf } from './on-set.ts'
import { chooseOnSet } from './on-set-program.ts'

const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

const nodeCount = 4
const clusters = fc
  .record({
    pods: fc.array(
      fc.record({
        from: fc.nat(nodeCount - 1),
        cpu: fc.integer({ min: 100, max: 1500 }),
        cost: fc.constantFrom(1000, 2000, 3000),
      }),
      { maxLength: 6 },
    ),
    fixed: fc.array(fc.nat(1500), { minLength: nodeCount, maxLength: nodeCount }),
    watts: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: nodeCount, maxLength: nodeCount }),
    down: fc.subarray([0, 1, 2, 3]),
    minReady: fc.nat(3),
    reserve: fc.nat(2500),
    toCome: fc.nat(6000),
  })
  .map(({ pods, fixed, watts, down, minReady, reserve, toCome }): OnSetModel => {
    const moving = pods.filter(({ from }) => down.includes(from))
    const classes = moving.map(
      ({ from, cpu, cost }, at): MoveClass => ({
        name: `p${at}`,
        workload: `w${at}`,
        namespace: 'shop',
        from,
        size: 1,
        requests: { cpu },
        usage: {},
        cost,
        destinations: [0, 1, 2, 3].filter(node => node !== from),
        preferred: undefined,
      }),
    )
    const used = fixed.map((cpu, node) => cpu + pods.filter(({ from }) => from === node).reduce((sum, pod) => sum + pod.cpu, 0))
    const moves: MoveModel = {
      nodes: used.map((cpu, node) => ({
        name: `n${node}`,
        allocatable: { cpu: 4000, pods: 110 },
        used: { cpu, pods: 1 },
        ceiling: { cpu: 3400, pods: 104 },
      })),
      classes,
      goals: [],
      rules: [],
      replicated: [],
      limits: { perPlan: 1e9, perNode: undefined, perNamespace: undefined },
    }
    const saves = new Map(down.map(node => [node, watts[node] ?? 1]))
    return { moves, down: saves, ready: [0, 1, 2, 3], minReady, reserve: { cpu: reserve }, toCome: { cpu: toCome } }
  })

/** Every way to have nodes off and every place for each of their pods. */
function best(model: OnSetModel): number {
  const down = [...model.down.keys()]
  let most = 0
  for (let bits = 0; bits < 2 ** down.length; bits++) {
    const off = new Set(down.filter((_, at) => (bits >> at) & 1))
    const leaving = model.moves.classes.flatMap((each, index) => (off.has(each.from) ? [{ each, index }] : []))
    const place = (at: number, assignment: Assignment): void => {
      const next = leaving[at]
      if (next === undefined) {
        const found: OnSet = { off, assignment }
        if (brokenOnSet(model, found).length === 0) most = Math.max(most, worthOf(model, found))
        return
      }
      for (const to of next.each.destinations)
        if (!off.has(to)) place(at + 1, [...assignment, { class: next.index, to, count: 1 }])
    }
    place(0, [])
  }
  return most
}

test('what is chosen holds, and no other choice is worth more', { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(clusters, async model => {
      const quick = greedyOnSet(model)
      expect(brokenOnSet(model, quick)).toEqual([])
      const chosen = await chooseOnSet(model, { method: 'auto' }, session.solve, new AbortController().signal)
      expect(brokenOnSet(model, chosen)).toEqual([])
      expect(worthOf(model, chosen)).toBeGreaterThanOrEqual(worthOf(model, quick) - 1e-6)
      expect(worthOf(model, chosen)).toBeCloseTo(best(model), 5)
      expect(chosen.isProven).toBe(true)
    }),
    { numRuns: 60, seed: 7 },
  )
})

test('a solver that lies or fails is not believed', async () => {
  const [model] = fc.sample(
    clusters.filter(({ down, moves }) => down.size > 1 && moves.classes.length > 1),
    { numRuns: 1, seed: 3 },
  )
  if (model === undefined) throw new Error('no cluster was drawn')
  const { signal } = new AbortController()
  const lying = await chooseOnSet(
    model,
    { method: 'auto' },
    async ({ columns }) => ({
      peakKilobytes: 0,
      stages: [{ name: 'watts', kind: 'integer', status: 'optimal', objective: 0, bound: 0, values: columns.map(() => 0) }],
    }),
    signal,
  )
  expect([brokenOnSet(model, lying), lying.isProven]).toEqual([[], false])
  const failed = await chooseOnSet(
    model,
    { method: 'auto' },
    async () => ({ peakKilobytes: 0, stages: [], failure: 'ended' }),
    signal,
  )
  expect([failed.off, failed.isProven]).toEqual([greedyOnSet(model).off, false])
})

test('all nodes on is always sound', () => {
  fc.assert(
    fc.property(clusters, model => {
      expect(brokenOnSet({ ...model, minReady: 0 }, allOn)).toEqual([])
    }),
    { numRuns: 50 },
  )
})
