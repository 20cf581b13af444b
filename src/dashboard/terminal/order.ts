// In which order rows are shown, and which.
import { exactPercent } from '../words/percent.ts'
import { type LabelsOf, mostWithoutGroups, shareOf, shortfallOf, type ViewRow } from './view-rows.ts'

export const sortColumns = ['name', 'cpu', 'cpu-used', 'memory', 'memory-used', 'pods', 'watts', 'goal', 'zone', 'state'] as const
type SortColumn = (typeof sortColumns)[number]

export interface Order {
  readonly by: SortColumn
  /** Against the column's own direction, which is the greatest first for numbers and A first for texts. */
  readonly isReversed: boolean
}

/** `memory`, `-memory`; `undefined` for anything else. */
export function parseOrder(text: string): Order | undefined {
  const isReversed = text.startsWith('-')
  const by = sortColumns.find(column => column === (isReversed ? text.slice(1) : text))
  return by === undefined ? undefined : { by, isReversed }
}

type Key = string | number | null

const keyOf: { readonly [Column in SortColumn]: (row: ViewRow) => Key } = {
  name: row => row.name,
  cpu: row => exactPercent(row.cpu.requested, row.cpu.allocatable),
  'cpu-used': row => exactPercent(row.cpu.used, row.cpu.allocatable),
  memory: row => exactPercent(row.memory.requested, row.memory.allocatable),
  'memory-used': row => exactPercent(row.memory.used, row.memory.allocatable),
  pods: row => row.pods.count,
  watts: row => row.watts.now,
  goal: shortfallOf,
  zone: row => row.zone,
  state: row => (row.isReady ? row.state.text : ''),
}

/** Where nobody asked: by name, and many nodes by how far they are from their goals, then by what is requested of their CPU. */
export function ordered(rows: readonly ViewRow[], order: Order | undefined): readonly ViewRow[] {
  if (order !== undefined) return sortedBy(rows, keyOf[order.by], order.isReversed)
  const byName = sortedBy(rows, keyOf.name, false)
  return rows.length <= mostWithoutGroups ? byName : sortedBy(sortedBy(byName, keyOf.cpu, false), shortfallOf, false)
}

/** What is not known comes last, in either direction. Of equals the order stays. */
function sortedBy(rows: readonly ViewRow[], key: (row: ViewRow) => Key, isReversed: boolean): readonly ViewRow[] {
  const sign = isReversed ? -1 : 1
  return rows
    .map(row => ({ row, of: key(row) }))
    .sort((one, other) => {
      if (one.of === null || other.of === null) return Number(one.of === null) - Number(other.of === null)
      if (one.of === other.of) return 0
      const isFirst = typeof one.of === 'string' ? one.of < String(other.of) : one.of > Number(other.of)
      return isFirst ? -sign : sign
    })
    .map(({ row }) => row)
}

/** Those in whose name, zone, state or labels the words of `filter` are. */
export function wanted(rows: readonly ViewRow[], filter: string, labelsOf: LabelsOf | undefined): readonly ViewRow[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return rows
  return rows.filter(row => {
    const labels = Object.entries(labelsOf?.(row.name) ?? {}).map(([name, value]) => `${name}=${value}`)
    const text = [row.name, row.zone ?? '', row.state.text, ...labels].join(' ').toLowerCase()
    return words.every(word => text.includes(word))
  })
}

/** The greatest number of watts, which stands for a full bar. */
export function mostWatts(rows: readonly ViewRow[]): number {
  return rows.reduce((most, row) => Math.max(most, shareOf(row, 'watts').used ?? 0), 0)
}
