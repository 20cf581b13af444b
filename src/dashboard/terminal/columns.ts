// Which columns the table has at a width, and how wide each is.
import { shortName } from '../words/names.ts'
import { percentText, unknownText } from '../words/percent.ts'
import { count, watts } from '../words/quantity.ts'
import { bar } from './bar.ts'
import { columnsOf, gap, type Line, type Piece, padded } from './lines.ts'
import { mostWatts } from './order.ts'
import { goalCell, heldTo, type LabelsOf, percentCell, type ResourceName, shareOf, type ViewRow } from './view-rows.ts'

/** From these widths on there are so many bars. */
const widthOfTwoBars = 100
const widthOfOneBar = 80
const shortestBar = 8
/** Share of the first of two bars. */
const firstShare = 0.6
const shortestName = 12

interface Column {
  readonly title: string
  readonly align: 'left' | 'right'
  readonly width: number
  cell(row: ViewRow): Piece
}

interface TableOptions {
  readonly width: number
  readonly resources: readonly ResourceName[]
  /** Keys of labels, each a column. */
  readonly labels: readonly string[]
  readonly labelsOf: LabelsOf | undefined
}

/** The heading and a way to write any of `rows`, within the width. */
export function tableOf(rows: readonly ViewRow[], options: TableOptions): { readonly heading: Line; line(row: ViewRow): Line } {
  const columns = columnsFor(rows, options)
  return {
    heading: spaced(columns.map(({ title, align, width }) => ({ text: padded(title, width, align), tone: 'strong' }))),
    line: row =>
      spaced(
        columns.map(column => {
          const piece = column.cell(row)
          return { ...piece, text: padded(piece.text, column.width, column.align) }
        }),
      ),
  }
}

function spaced(pieces: readonly Piece[]): Line {
  return pieces.flatMap((piece, index) => (index === 0 ? [piece] : [{ text: gap }, piece]))
}

/** A column before it has a width; `bar` takes what is left. */
interface Draft {
  readonly key: string
  readonly title: string
  readonly align: 'left' | 'right'
  readonly bar?: ResourceName
  cell(row: ViewRow, width: number): Piece
}

/** What goes first where there is no room. */
const expendable = ['AFTER', 'zone', 'second used', 'PODS', 'first used', 'second']

function columnsFor(rows: readonly ViewRow[], options: TableOptions): readonly Column[] {
  const { width } = options
  const bars = width >= widthOfTwoBars ? 2 : width >= widthOfOneBar ? 1 : 0
  let drafts = draftsFor(rows, options, bars)
  const nameWidth = Math.max(shortestName, Math.floor(width * 0.28))
  const fixedOf = (draft: Draft) => {
    const widest = rows.reduce((most, row) => Math.max(most, columnsOf(draft.cell(row, 0).text)), columnsOf(draft.title))
    return draft.key === 'NODE' ? Math.max(shortestName, Math.min(nameWidth, widest)) : widest
  }
  const widths = new Map(drafts.map(draft => [draft.key, draft.bar === undefined ? fixedOf(draft) : 0]))
  const spaceFor = (kept: readonly Draft[]) =>
    width - kept.reduce((sum, { key }) => sum + (widths.get(key) ?? 0), 0) - gap.length * (kept.length - 1)
  const leave = (key: string) => {
    drafts = drafts.filter(draft => draft.key !== key)
  }
  const barsOf = () => drafts.filter(draft => draft.bar !== undefined)
  // The second bar goes, then columns, then the first bar.
  if (barsOf().length === 2 && spaceFor(drafts) < 2 * shortestBar) leave('second bar')
  for (const key of expendable) if (spaceFor(drafts) < barsOf().length * shortestBar) leave(key)
  if (spaceFor(drafts) < barsOf().length * shortestBar) leave('first bar')
  const space = Math.max(0, spaceFor(drafts))
  const first = barsOf().length === 2 ? Math.round(space * firstShare) : space
  return drafts.map((draft): Column => {
    const given = draft.key === 'first bar' ? first : space - first
    const own = draft.bar === undefined ? (widths.get(draft.key) ?? 0) : given
    return {
      title: draft.bar === undefined ? draft.title : titleWithin(draft.bar, draft.key === 'first bar', rows, own),
      align: draft.align,
      width: own,
      cell: row => draft.cell(row, own),
    }
  })
}

const resourceTitles: Readonly<Record<ResourceName, string>> = { cpu: 'CPU', memory: 'MEMORY', pods: 'PODS', watts: 'WATTS' }

function titleWithin(resource: ResourceName, isFirst: boolean, rows: readonly ViewRow[], width: number): string {
  const name = resourceTitles[resource]
  if (!isFirst) return name
  if (resource === 'watts') return [`${name}  # of the highest`, name].find(text => text.length <= width) ?? ''
  const hasGoals = rows.some(row => heldTo(row, resource).length > 0)
  const signs = resource === 'pods' ? ['= there'] : ['# used', '= requested']
  const all = [...signs, ...(hasGoals ? ['| goal'] : [])]
  const short = all.map(text => text.replace(' ', '').replace('requested', 'req'))
  return [[name, ...all].join('  '), [name, ...short].join(' '), name].find(text => text.length <= width) ?? ''
}

function draftsFor(rows: readonly ViewRow[], options: TableOptions, bars: number): readonly Draft[] {
  const [first = 'cpu', ...others] = options.resources
  const second = others[0]
  const top = mostWatts(rows)
  return [
    {
      key: 'NODE',
      title: 'NODE',
      align: 'left',
      cell: (row, width) => ({ text: width === 0 ? row.name : shortName(row.name, width) }),
    },
    ...options.labels.map((label): Draft => {
      const title = label.slice(label.lastIndexOf('/') + 1).toUpperCase()
      return {
        key: `label ${label}`,
        title,
        align: 'left',
        cell: row => ({ text: options.labelsOf?.(row.name)[label] ?? unknownText }),
      }
    }),
    ...resourceDrafts('first', first, rows, { bars: bars >= 1, top }),
    ...(second === undefined ? [] : resourceDrafts('second', second, rows, { bars: bars >= 2, top })),
    ...others.slice(1).flatMap(resource => resourceDrafts(resource, resource, rows, { bars: false, top })),
    ...(options.resources.includes('pods')
      ? []
      : [{ key: 'PODS', title: 'PODS', align: 'right', cell: row => ({ text: count(row.pods.count) }) } satisfies Draft]),
    { key: 'STATE', title: 'STATE', align: 'left', cell: row => row.state },
  ]
}

function resourceDrafts(
  key: string,
  resource: ResourceName,
  rows: readonly ViewRow[],
  { bars, top }: { readonly bars: boolean; readonly top: number },
): readonly Draft[] {
  const drawn: Draft = {
    key: `${key} bar`,
    title: resourceTitles[resource],
    align: 'left',
    bar: resource,
    cell: (row, width) => {
      const goals = heldTo(row, resource).flatMap(({ goal }) => [goal.min, goal.max].filter(bound => bound !== null))
      return { text: bar({ ...shareOf(row, resource, top), goals }, width) }
    },
  }
  const name = resource === 'memory' ? 'MEM' : resourceTitles[resource]
  if (resource === 'watts') {
    return [
      ...(bars ? [drawn] : []),
      { key, title: bars ? 'NOW' : name, align: 'right', cell: row => ({ text: watts(row.watts.now) }) },
      { key: `${key} source`, title: 'BY', align: 'left', cell: row => ({ text: row.watts.source ?? unknownText }) },
    ]
  }
  const requested: Draft = {
    key,
    title: bars ? 'REQ' : name,
    align: 'right',
    cell: row => ({ text: percentCell(row, resource, 'requests'), ...(isOver(row, resource) ? { tone: 'over' } : {}) }),
  }
  const used: Draft = {
    key: `${key} used`,
    title: 'USED',
    align: 'right',
    cell: row => ({ text: percentCell(row, resource, 'usage') }),
  }
  const counted: Draft = { key: `${key} count`, title: 'COUNT', align: 'right', cell: row => ({ text: count(row.pods.count) }) }
  const goals: Draft = { key: `${key} goal`, title: 'GOAL', align: 'left', cell: row => goalCell(row, resource) }
  const after: Draft = {
    key: key === 'first' ? 'AFTER' : `${key} after`,
    title: 'AFTER',
    align: 'right',
    cell: row => ({ text: percentText(row.after?.[resource] ?? null, shareOf(row, resource).allocatable) }),
  }
  const hasGoals = rows.some(row => heldTo(row, resource).length > 0)
  const isPlanned = key === 'first' && rows.some(row => row.after !== null)
  return [
    ...(bars ? [drawn] : []),
    requested,
    ...(resource === 'pods' ? [counted] : [used]),
    ...(hasGoals ? [goals] : []),
    ...(isPlanned ? [after] : []),
  ]
}

/** More is requested than there is. */
function isOver(row: ViewRow, resource: ResourceName): boolean {
  const { allocatable, requested } = shareOf(row, resource)
  return requested !== null && allocatable > 0 && requested > allocatable
}
