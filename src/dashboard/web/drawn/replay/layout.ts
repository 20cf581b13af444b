// Where boxes and tiles of a replay are drawn, for one width and one resource. What stays never shifts: it lies at the bottom of its box, and
// what moves lies above it. Areas are amounts: within a box always, between nodes as long as their widths are to scale. Pure.
import type { ReplayBox, ReplayTile, ReplayView } from '../../../contract-replay.ts'
import { replayMoment } from './moment.ts'
import { type Rect, squares } from './squares.ts'

export interface DrawnBox {
  readonly box: ReplayBox
  /** Inside of its frame. */
  readonly inside: Rect
  /** Height of 100 percent: the top, but where more is requested than there is. */
  readonly fullY: number
  readonly lines: readonly { readonly goal: string; readonly kind: 'min' | 'max'; readonly percent: number; readonly y: number }[]
  /** Pods that stay and ask for nothing of the resource: they have no area. */
  readonly unsized: number
}

export interface ReplayLayout {
  readonly width: number
  readonly height: number
  readonly boxes: readonly DrawnBox[]
  /** Places of tiles that never move. */
  readonly staying: ReadonlyMap<string, Rect>
  /** Widths of nodes say how large they are. */
  readonly isToScale: boolean
  /** Places of tiles that move, after so many steps; one that has no node stands below the boxes. */
  moving(at: number): ReadonlyMap<string, Rect>
}

/** Above a box its name, below it its share and its pods. */
const headHeight = 20
const footHeight = 38
const gap = 14
const narrowestBox = 92
const widestBox = 340
/** A node is drawn at most so many times as wide as another. */
const ratioOfWidths = 4
/** What moves and asks for nothing is seen all the same. */
const chip = 7

/** Height of the row in which tiles without a node stand. */
const homelessHeight = 26

/** `resource`: its place in the view's. */
export function replayLayout(view: ReplayView, resource: number, width: number): ReplayLayout {
  const grid = gridOf(view, resource, width)
  const most = mostRequested(view, resource)
  const moverIds = new Set(view.steps.map(({ tile }) => tile))
  const tilesOf = Map.groupBy(view.tiles, ({ box }) => box)
  const tileById = new Map(view.tiles.map(tile => [tile.id, tile]))
  const amountOf = (tile: ReplayTile | undefined) => tile?.amounts[resource] ?? 0
  const staying = new Map<string, Rect>()
  const tops = new Map<string, number>()
  const capacities = new Map<string, number>()
  const boxes = view.boxes.map((box, index): DrawnBox => {
    const inside = grid.rects[index] ?? { x: 0, y: 0, width: 0, height: 0 }
    const allocatable = box.allocatable[resource] ?? 0
    const capacity = Math.max(allocatable, most.get(box.name) ?? 0)
    capacities.set(box.name, capacity)
    const here = (tilesOf.get(box.name) ?? []).filter(({ id }) => !moverIds.has(id))
    const ordered = here.toSorted((a, b) => amountOf(b) - amountOf(a))
    const sum = ordered.reduce((all, tile) => all + amountOf(tile), 0)
    const height = capacity > 0 ? (inside.height * sum) / capacity : 0
    const room = { ...inside, y: inside.y + inside.height - height, height }
    const rects = squares(ordered.map(amountOf), room)
    for (const [at, tile] of ordered.entries()) {
      const rect = rects[at]
      if (rect !== undefined && amountOf(tile) > 0) staying.set(tile.id, rect)
    }
    tops.set(box.name, room.y)
    const yOf = (percent: number) =>
      inside.y + inside.height - (capacity > 0 ? (inside.height * allocatable * percent) / 100 / capacity : 0)
    const lines = box.lines
      .filter(line => line.resource === view.resources[resource])
      .flatMap(({ goal, min, max }) => [
        ...(max === null ? [] : [{ goal, kind: 'max' as const, percent: max, y: yOf(max) }]),
        ...(min === null ? [] : [{ goal, kind: 'min' as const, percent: min, y: yOf(min) }]),
      ])
    const unsized = here.filter(tile => amountOf(tile) === 0).reduce((all, { pods }) => all + pods, 0)
    return { box, inside, fullY: yOf(100), lines, unsized }
  })
  const drawn = new Map(boxes.map(one => [one.box.name, one]))
  const homelessY = grid.height
  const moving = (at: number): ReadonlyMap<string, Rect> => {
    const { boxOf } = replayMoment(view, at)
    const rects = new Map<string, Rect>()
    const inBoxes = Map.groupBy(moverIds, id => boxOf.get(id) ?? '')
    for (const [name, ids] of inBoxes) {
      const box = drawn.get(name)
      if (box === undefined) {
        for (const [index, id] of ids.entries())
          rects.set(id, { x: index * (chip + 3), y: homelessY + homelessHeight - chip - 4, width: chip, height: chip })
        continue
      }
      placeMovers(ids, { box, top: tops.get(name) ?? 0, capacity: capacities.get(name) ?? 0 })
    }
    // In one order at every step: what changes its place among its kin does not travel.
    return new Map(
      [...moverIds].flatMap(id => {
        const rect = rects.get(id)
        return rect === undefined ? [] : [[id, rect] as const]
      }),
    )

    function placeMovers(ids: readonly string[], { box, top, capacity }: { box: DrawnBox; top: number; capacity: number }): void {
      const { inside } = box
      const sized = ids.filter(id => amountOf(tileById.get(id)) > 0)
      const ordered = sized.toSorted((a, b) => amountOf(tileById.get(b)) - amountOf(tileById.get(a)))
      const sum = ordered.reduce((all, id) => all + amountOf(tileById.get(id)), 0)
      const height = capacity > 0 ? Math.min(top - inside.y, (inside.height * sum) / capacity) : 0
      const placed = squares(
        ordered.map(id => amountOf(tileById.get(id))),
        { ...inside, y: top - height, height },
      )
      for (const [index, id] of ordered.entries()) rects.set(id, placed[index] ?? { ...inside, width: 0, height: 0 })
      const perRow = Math.max(1, Math.floor(inside.width / (chip + 2)))
      for (const [index, id] of ids.filter(one => !sized.includes(one)).entries())
        rects.set(id, {
          x: inside.x + (index % perRow) * (chip + 2),
          y: Math.max(inside.y, top - height - (Math.floor(index / perRow) + 1) * (chip + 2)),
          width: chip,
          height: chip,
        })
    }
  }
  const hasHomeless = view.steps.some(({ to }) => to === null)
  return {
    width,
    height: grid.height + (hasHomeless ? homelessHeight : 0),
    boxes,
    staying,
    isToScale: grid.isToScale,
    moving,
  }
}

/** The most that is requested in each box at any step. */
function mostRequested({ boxes, steps }: ReplayView, resource: number): ReadonlyMap<string, number> {
  const most = new Map(boxes.map(({ name, requested }) => [name, requested[resource] ?? 0]))
  for (const { after } of steps)
    for (const { box, requested } of after) most.set(box, Math.max(most.get(box) ?? 0, requested[resource] ?? 0))
  return most
}

interface Grid {
  readonly rects: readonly Rect[]
  readonly height: number
  readonly isToScale: boolean
}

/** Rows of boxes, as even as they go. */
function gridOf({ boxes }: ReplayView, resource: number, width: number): Grid {
  const fitting = Math.max(1, Math.floor((width + gap) / (narrowestBox + gap)))
  const rows = Math.max(1, Math.ceil(boxes.length / fitting))
  const perRow = Math.max(1, Math.ceil(boxes.length / rows))
  const inner = rows === 1 ? (width < 600 ? 190 : 280) : rows === 2 ? 180 : 120
  const largest = Math.max(1, ...boxes.map(({ allocatable }) => allocatable[resource] ?? 0))
  const weightOf = ({ kind, allocatable }: ReplayBox) =>
    kind === 'node' ? Math.max(largest / ratioOfWidths, allocatable[resource] ?? 0) / largest : 1
  const isSingle = rows === 1
  const rects: Rect[] = []
  for (let row = 0; row < rows; row++) {
    const here = boxes.slice(row * perRow, (row + 1) * perRow)
    const room = Math.min(width - gap * (perRow - 1), widestBox * perRow)
    const weights = here.map(box => (isSingle ? weightOf(box) : 1))
    const all = isSingle ? weights.reduce((sum, weight) => sum + weight, 0) : perRow
    const widths = isSingle
      ? withLeast(
          weights.map(weight => (room * weight) / all),
          narrowestBox,
        )
      : weights.map(() => room / perRow)
    let x = 0
    for (const wide of widths) {
      rects.push({ x, y: row * (headHeight + inner + footHeight + 6) + headHeight, width: wide, height: inner })
      x += wide + gap
    }
  }
  const clamped = boxes.some(box => (box.allocatable[resource] ?? 0) < largest / ratioOfWidths)
  return {
    rects,
    height: rows * (headHeight + inner + footHeight + 6),
    isToScale: (isSingle && !clamped && new Set(boxes.map(({ kind }) => kind)).size <= 1) || allEqual(boxes, resource),
  }
}

function allEqual(boxes: readonly ReplayBox[], resource: number): boolean {
  return new Set(boxes.map(({ allocatable }) => allocatable[resource] ?? 0)).size <= 1
}

/** What is below the least is made as wide, and the others give of what they have beyond it. */
function withLeast(widths: readonly number[], least: number): readonly number[] {
  const lacking = widths.reduce((sum, width) => sum + Math.max(0, least - width), 0)
  const beyond = widths.reduce((sum, width) => sum + Math.max(0, width - least), 0)
  if (lacking === 0 || beyond <= lacking) return beyond <= lacking && lacking > 0 ? widths.map(() => average(widths)) : widths
  return widths.map(width => (width <= least ? least : width - ((width - least) * lacking) / beyond))
}

const average = (widths: readonly number[]): number => widths.reduce((sum, width) => sum + width, 0) / Math.max(1, widths.length)
