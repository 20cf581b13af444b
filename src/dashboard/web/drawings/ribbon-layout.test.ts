import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Flow } from '../../contract.ts'
import { pointOnRibbon, ribbonLayout, ribbonPath, ribbonThickness } from './ribbon-layout.ts'

const flow = (from: string, to: string, pods: number, done = 0): Flow => ({
  from,
  to,
  pairs: 1,
  pods,
  cpu: pods * 100,
  memory: pods,
  done,
})

test.each([
  { pods: 0, expected: 3 },
  { pods: 1, expected: 3 },
  { pods: 2, expected: 4 },
  { pods: 14, expected: 28 },
  { pods: 30, expected: 60 },
  { pods: 5000, expected: 60 },
])('ribbonThickness of $pods', ({ pods, expected }) => expect(ribbonThickness(pods)).toBe(expected))

describe('ribbonLayout', () => {
  test('the plan of the homelab: two nodes lose, one gains', () => {
    const { left, right, ribbons, height } = ribbonLayout([flow('talos00', 'talos03', 14, 7), flow('talos01', 'talos03', 1)])
    expect(left.map(({ node, pods, y }) => ({ node, pods, y }))).toEqual([
      { node: 'talos00', pods: 14, y: 0 },
      { node: 'talos01', pods: 1, y: 48 },
    ])
    expect(right).toEqual([{ node: 'talos03', pods: 15, y: 22.5, height: 37 }])
    expect(height).toBe(82)
    expect(ribbons.map(({ thickness, doneThickness, fromY, toY }) => ({ thickness, doneThickness, fromY, toY }))).toEqual([
      { thickness: 28, doneThickness: 14, fromY: 3, toY: 22.5 },
      { thickness: 3, doneThickness: 0, fromY: 63.5, toY: 56.5 },
    ])
  })
  test('no flows', () => expect(ribbonLayout([])).toEqual({ left: [], right: [], ribbons: [], height: 0 }))

  const node = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const flows = fc.uniqueArray(
    fc
      .tuple(node, node, fc.integer({ min: 1, max: 400 }))
      .chain(([from, to, pods]) => fc.nat(pods).map(done => flow(from, to, pods, done))),
    { selector: ({ from, to }) => `${from} ${to}`, maxLength: 12 },
  )
  test('ribbons lie within their nodes and never upon each other', () =>
    fc.assert(
      fc.property(flows, given => {
        const { left, right, ribbons, height } = ribbonLayout(given)
        expect(ribbons.map(ribbon => ribbon.flow)).toEqual(given)
        for (const [ends, side, place] of [
          [left, 'from', 'fromY'],
          [right, 'to', 'toY'],
        ] as const) {
          const spans = ribbons
            .map(ribbon => [ribbon[place], ribbon[place] + ribbon.thickness] as const)
            .sort((a, b) => a[0] - b[0])
          for (const [index, [start]] of spans.entries()) expect(start).toBeGreaterThanOrEqual(spans[index - 1]?.[1] ?? 0)
          for (const ribbon of ribbons) {
            const end = ends.find(({ node: name }) => name === ribbon.flow[side])
            expect(ribbon[place]).toBeGreaterThanOrEqual(end?.y ?? Number.POSITIVE_INFINITY)
            expect(ribbon[place] + ribbon.thickness).toBeLessThanOrEqual((end?.y ?? 0) + (end?.height ?? 0) + 1e-9)
          }
          expect(ends.reduce((sum, { pods }) => sum + pods, 0)).toBe(given.reduce((sum, { pods }) => sum + pods, 0))
        }
        for (const { thickness, doneThickness } of ribbons) expect(doneThickness).toBeLessThanOrEqual(thickness)
        for (const { y, height: own } of [...left, ...right]) expect(y + own).toBeLessThanOrEqual(height + 1e-9)
      }),
    ))
})

test('a mark travels from end to end', () => {
  const ribbon = { fromY: 10, toY: 90, thickness: 20 }
  expect(pointOnRibbon(ribbon, 0, 100, 0)).toEqual({ x: 0, y: 20 })
  expect(pointOnRibbon(ribbon, 0, 100, 0.5)).toEqual({ x: 50, y: 60 })
  expect(pointOnRibbon(ribbon, 0, 100, 1)).toEqual({ x: 100, y: 100 })
})

test('a ribbon is a closed outline', () =>
  expect(ribbonPath({ fromY: 0, toY: 50 }, 10, 0, 100)).toBe('M0 0 C50 0 50 50 100 50 L100 60 C50 60 50 10 0 10Z'))
