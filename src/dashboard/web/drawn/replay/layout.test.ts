// Where tiles are drawn: within their boxes at every step, as large as what they ask for, and never over one another.
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { runsOf } from '#test/runs.ts'
import type { ReplayView } from '../../../contract-replay.ts'
import { replayLayout } from './layout.ts'
import { type Rect, squares } from './squares.ts'

const sentence = { code: 'a', text: 'a', facts: {}, links: [] }
const near = 1e-6

const isWithin = (inner: Rect, outer: Rect): boolean =>
  inner.x >= outer.x - near &&
  inner.y >= outer.y - near &&
  inner.x + inner.width <= outer.x + outer.width + near &&
  inner.y + inner.height <= outer.y + outer.height + near

const overlap = (a: Rect, b: Rect): number =>
  Math.max(0, Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)) *
  Math.max(0, Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y))

test('squares fill their room in proportion, without overlap', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 30 }),
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 400 }),
      (areas, width, height) => {
        const room = { x: 3, y: 5, width, height }
        const placed = squares(areas, room)
        const total = areas.reduce((sum, area) => sum + area, 0)
        for (const [index, rect] of placed.entries()) {
          expect(isWithin(rect, room)).toBe(true)
          if (total > 0) expect(rect.width * rect.height).toBeCloseTo(((areas[index] ?? 0) * width * height) / total, 3)
          for (const other of placed.slice(index + 1)) expect(overlap(rect, other)).toBeLessThan(0.001)
        }
      },
    ),
    { numRuns: runsOf(400) },
  )
})

interface Random {
  readonly allocatable: readonly number[]
  readonly sizes: readonly { readonly box: number; readonly amount: number }[]
  readonly hops: readonly { readonly tile: number; readonly to: number }[]
}

/** A film of nodes, some asked for more than they have, some with nothing. */
function filmOf({ allocatable, sizes, hops }: Random): ReplayView {
  const boxes = allocatable.length
  const at = sizes.map(({ box }) => box % boxes)
  const sums = allocatable.map((_, box) =>
    sizes.filter((_, tile) => at[tile] === box).reduce((sum, { amount }) => sum + amount, 0),
  )
  const start = [...sums]
  const steps = hops.flatMap(({ tile, to }, index) => {
    const which = tile % Math.max(1, sizes.length)
    const from = at[which]
    const target = to % boxes
    if (from === undefined || from === target) return []
    at[which] = target
    const { amount = 0 } = sizes[which] ?? {}
    sums[from] = (sums[from] ?? 0) - amount
    sums[target] = (sums[target] ?? 0) + amount
    const after = [from, target].map(box => ({ box: `n${box}`, requested: [sums[box] ?? 0], pods: 0, missed: [] }))
    const common = { id: `m${index}`, wave: 1, tile: `t${which}`, from: `n${from}`, to: `n${target}`, state: 'planned' as const }
    return [{ ...common, text: sentence, why: sentence, refusals: [], proof: sentence, after }]
  })
  return {
    ...{
      plan: 'p',
      cluster: 'c',
      phase: 'Proposed',
      madeAt: '2025-12-19T14:03:20+01:00',
      pool: null,
      resources: ['cpu'],
      steps,
      moves: steps.length,
    },
    boxes: allocatable.map((amount, box) => ({
      ...{
        name: `n${box}`,
        kind: 'node' as const,
        nodes: 1,
        allocatable: [amount],
        requested: [start[box] ?? 0],
        pods: 0,
        missed: [],
      },
      lines: [{ goal: 'g', resource: 'cpu', min: 10, max: 70 }],
    })),
    tiles: sizes.map(({ box, amount }, tile) => ({
      ...{ id: `t${tile}`, box: `n${box % boxes}`, kind: 'may' as const, pods: 1, pod: null, workload: null, amounts: [amount] },
      ...{ because: sentence, remedy: null },
    })),
    ...{ before: [], afterwards: [], notes: [] },
  }
}

const random = fc.record({
  allocatable: fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 100, max: 64_000 })), { minLength: 1, maxLength: 14 }),
  sizes: fc.array(fc.record({ box: fc.nat(13), amount: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 9_000 })) }), {
    maxLength: 25,
  }),
  hops: fc.array(fc.record({ tile: fc.nat(24), to: fc.nat(13) }), { maxLength: 12 }),
})

test('at every step every tile lies within its box, of the size of what it asks for, over no other', () => {
  fc.assert(
    fc.property(random, fc.constantFrom(320, 400, 760, 1240), (given, width) => {
      const film = filmOf(given)
      const layout = replayLayout(film, 0, width)
      const boxes = new Map(layout.boxes.map(one => [one.box.name, one]))
      for (const { inside, lines } of layout.boxes) {
        expect(isWithin(inside, { x: 0, y: 0, width: layout.width, height: layout.height })).toBe(true)
        for (const { y } of lines) expect(y >= inside.y - near && y <= inside.y + inside.height + near).toBe(true)
      }
      for (const [index, one] of layout.boxes.entries())
        for (const other of layout.boxes.slice(index + 1)) expect(overlap(one.inside, other.inside)).toBe(0)
      const where = new Map(film.tiles.map(({ id, box }) => [id, box]))
      for (let at = 0; at <= film.steps.length; at++) {
        const step = film.steps[at - 1]
        if (step?.to != null) where.set(step.tile, step.to)
        const rects = new Map([...layout.staying, ...layout.moving(at)])
        const byBox = Map.groupBy(rects, ([id]) => where.get(id) ?? '')
        for (const [name, tiles] of byBox) {
          const box = boxes.get(name)
          if (box === undefined) throw new Error(`no box ${name}`)
          for (const [id, rect] of tiles) {
            expect(isWithin(rect, box.inside)).toBe(true)
            const amount = film.tiles.find(tile => tile.id === id)?.amounts[0] ?? 0
            if (amount === 0) continue
            for (const [other, otherRect] of tiles)
              if (other > id && film.tiles.find(tile => tile.id === other)?.amounts[0] !== 0)
                expect(overlap(rect, otherRect)).toBeLessThan(0.01)
          }
          const areas = tiles.flatMap(([id, { width: wide, height }]) => {
            const amount = film.tiles.find(tile => tile.id === id)?.amounts[0] ?? 0
            return amount === 0 ? [] : [(wide * height) / amount]
          })
          // Areas of one box have one scale.
          for (const area of areas) expect(area / (areas[0] ?? 1)).toBeCloseTo(1, 4)
        }
      }
    }),
    { numRuns: runsOf(200) },
  )
})
