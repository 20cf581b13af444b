// Work in turns comes to what work in one go comes to, and no turn is long.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { node, pod } from '#cluster/testdata/objects.ts'
import { type Breath, Pace, picked, sorted } from './pace.ts'
import { PodShapes } from './pod-shapes.ts'

function done<Result>(run: Generator<Breath, Result, unknown>): { readonly result: Result; readonly breaths: number } {
  let breaths = 0
  let step = run.next()
  for (; step.done !== true; step = run.next()) breaths++
  return { result: step.value, breaths }
}

test('sorted in turns is sorted, and equal ones stay in their order', () => {
  const items = fc.array(fc.record({ key: fc.nat(50), place: fc.nat() }), { maxLength: 200 }).map(few => {
    // Long enough for several runs that are merged.
    const many = Array.from({ length: 60 }, () => few).flat()
    return many.map(({ key }, place) => ({ key: (key * 7 + place) % 13, place }))
  })
  fc.assert(
    fc.property(items, given => {
      const { result } = done(sorted(given, (a, b) => a.key - b.key, new Pace()))
      expect(result).toEqual(given.toSorted((a, b) => a.key - b.key))
    }),
    { numRuns: 30 },
  )
})

test('a breath comes after every 2,048 looks, whoever counts them', () => {
  const numbers = Array.from({ length: 10_000 }, (_, at) => at)
  const even = done(picked(numbers, at => at % 2 === 0, new Pace()))
  expect(even.result).toEqual(numbers.filter(at => at % 2 === 0))
  expect(even.breaths).toBe(4)
  const pace = new Pace()
  const costly = (at: number) => {
    pace.spend(2_047)
    return at < 3
  }
  expect(done(picked(numbers.slice(0, 10), costly, pace))).toEqual({ result: [0, 1, 2], breaths: 10 })
})

test('pods are grouped in turns as in one go', () => {
  const objects = Array.from({ length: 3_000 }, (_, at) => pod(`shop/web-${at}`, { node: 'n1', labels: { app: `a${at % 7}` } }))
  const { state } = buildClusterState([node('n1'), ...objects])
  const [atOnce, inTurns] = [new PodShapes(state), new PodShapes(state)]
  const { result, breaths } = done(inTurns.groupedByAndBy(state.pods.values(), new Pace()))
  expect(result).toEqual(atOnce.grouped(state.pods.values()))
  expect(breaths).toBe(1)
})
