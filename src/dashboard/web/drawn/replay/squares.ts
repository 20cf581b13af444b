// Areas as rectangles that are as square as they can be, side by side in one rectangle (squarified treemap: Bruls, Huizing, van Wijk, 2000). Pure.

export interface Rect {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** A rectangle for each of `areas`, in their order, that together fill `room`; largest first looks best. Nothing has no rectangle's width. */
export function squares(areas: readonly number[], room: Rect): readonly Rect[] {
  const total = areas.reduce((sum, area) => sum + area, 0)
  const placed: Rect[] = areas.map(() => ({ x: room.x, y: room.y + room.height, width: 0, height: 0 }))
  if (!(total > 0) || room.width <= 0 || room.height <= 0) return placed
  const scale = (room.width * room.height) / total
  const indices = areas.flatMap((area, index) => (area > 0 ? [index] : []))
  let left = room
  let row: number[] = []
  const areaOf = (index: number) => (areas[index] ?? 0) * scale
  const place = () => {
    left = placeRow(row, areaOf, left, placed)
    row = []
  }
  for (const index of indices) {
    const side = Math.min(left.width, left.height)
    if (row.length > 0 && worst([...row, index], areaOf, side) > worst(row, areaOf, side)) place()
    row.push(index)
  }
  place()
  return placed
}

/** How long the longest of a row is beside its width. */
function worst(row: readonly number[], areaOf: (index: number) => number, side: number): number {
  const areas = row.map(areaOf)
  const sum = areas.reduce((all, area) => all + area, 0)
  return Math.max(...areas.map(area => Math.max((side * side * area) / (sum * sum), (sum * sum) / (side * side * area))))
}

/** Along the shorter side, from the bottom up or from left to right; returns the room that is left. */
function placeRow(row: readonly number[], areaOf: (index: number) => number, room: Rect, placed: Rect[]): Rect {
  if (row.length === 0) return room
  const sum = row.reduce((all, index) => all + areaOf(index), 0)
  const isUpright = room.width >= room.height
  const depth = Math.min(sum / (isUpright ? room.height : room.width), isUpright ? room.width : room.height)
  let along = 0
  for (const index of row) {
    const length = depth > 0 ? areaOf(index) / depth : 0
    placed[index] = isUpright
      ? { x: room.x, y: room.y + along, width: depth, height: length }
      : { x: room.x + along, y: room.y + room.height - depth, width: length, height: depth }
    along += length
  }
  return isUpright
    ? { ...room, x: room.x + depth, width: Math.max(0, room.width - depth) }
    : { ...room, height: Math.max(0, room.height - depth) }
}
