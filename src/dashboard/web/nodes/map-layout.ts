// Where the tiles of the node map lie: zone by zone, each from the left, as many in a row as fit. Pure.
import type { NodeRow } from '../../contract.ts'

interface Tile {
  readonly node: NodeRow
  readonly x: number
  readonly y: number
}

interface MapGroup {
  readonly title: string
  /** Height of its heading's baseline. */
  readonly y: number
  readonly count: number
}

export interface MapLayout {
  readonly size: number
  readonly tiles: readonly Tile[]
  readonly groups: readonly MapGroup[]
  readonly height: number
  /** How many tiles a row has. */
  readonly perRow: number
}

const headingHeight = 22
const betweenGroups = 10
const gap = 2

/** Tiles are the smaller the more there are, so that the map stays within a screen as long as they can still be told apart. */
function tileSize(count: number, width: number): number {
  const size = Math.floor(Math.sqrt((width * 460) / Math.max(1, count))) - gap
  return Math.min(28, Math.max(9, size))
}

/** `nodes` in their order, grouped by zone; those without one come last. */
export function mapLayout(nodes: readonly NodeRow[], width: number): MapLayout {
  const size = tileSize(nodes.length, width)
  const perRow = Math.max(1, Math.floor((width + gap) / (size + gap)))
  const byZone = Map.groupBy(nodes, ({ zone }) => zone ?? '')
  const zones = [...byZone.keys()].sort((a, b) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1))
  const tiles: Tile[] = []
  const groups: MapGroup[] = []
  let y = 0
  for (const zone of zones) {
    const members = byZone.get(zone) ?? []
    const isTitled = zones.length > 1
    if (isTitled) {
      groups.push({ title: zone === '' ? 'no zone' : zone, y: y + headingHeight - 7, count: members.length })
      y += headingHeight
    }
    for (const [index, node] of members.entries())
      tiles.push({ node, x: (index % perRow) * (size + gap), y: y + Math.floor(index / perRow) * (size + gap) })
    y += Math.ceil(members.length / perRow) * (size + gap) + betweenGroups
  }
  return { size, tiles, groups, height: Math.max(0, y - betweenGroups), perRow }
}

/** The tile that an arrow leads to from `index`; undefined for another key. */
export function tileAfterKey(
  key: string,
  index: number,
  { tiles, perRow }: Pick<MapLayout, 'tiles' | 'perRow'>,
): number | undefined {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow, ArrowUp: -perRow }[key]
  if (key === 'Home') return 0
  if (key === 'End') return tiles.length - 1
  return step === undefined ? undefined : Math.min(tiles.length - 1, Math.max(0, index + step))
}

/** The tile at a place of the map. */
export function tileAt({ tiles, size }: Pick<MapLayout, 'tiles' | 'size'>, x: number, y: number): number {
  return tiles.findIndex(tile => x >= tile.x && x < tile.x + size + gap && y >= tile.y && y < tile.y + size + gap)
}
