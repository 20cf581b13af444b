// The terminal's view of a cluster: pure, an overview and a size to lines. `ballast top`, `ballast up` on a terminal and
// `curl -H 'Accept: text/plain'` show the same lines.
import type { Overview } from '../contract.ts'
import { count } from '../words/quantity.ts'
import { tableOf } from './columns.ts'
import { headingLines } from './heading.ts'
import { clipped, type Line, painted, plain } from './lines.ts'
import { type Order, ordered, wanted } from './order.ts'
import { groupRows, type LabelsOf, mostWithoutGroups, nodesOf, type ResourceName, viewRow } from './view-rows.ts'

/** The width where nobody says one. */
export const plainWidth = 100

export interface ViewOptions {
  /** Columns of the screen. */
  readonly width: number
  /** Rows of the screen; without it all nodes are shown. */
  readonly height?: number | undefined
  /** The first has goals and the widest bar. */
  readonly resources?: readonly ResourceName[]
  readonly order?: Order | undefined
  readonly filter?: string
  /** The first node that is shown. */
  readonly offset?: number
  /** IANA name; UTC where nobody says. */
  readonly zone?: string
  /** Keys of labels that are columns. */
  readonly labels?: readonly string[]
  readonly labelsOf?: LabelsOf | undefined
  /** Whether keys are read: only then they are offered. */
  readonly hasKeys?: boolean
  /** Below the table, always shown. */
  readonly footer?: readonly Line[]
}

export interface View {
  readonly lines: readonly Line[]
  /** How many nodes there are after the filter, how many of them are shown, and from which on. */
  readonly rows: { readonly of: number; readonly shown: number; readonly from: number }
}

const usual: readonly ResourceName[] = ['cpu', 'memory']

/** The view, every line within the width. */
export function terminalView(overview: Overview, options: ViewOptions): View {
  const { width, height, resources = usual, labels = [], labelsOf, zone = 'UTC', footer = [] } = options
  const fitted = (lines: readonly Line[]) => lines.map(line => clipped(line, width))
  const heading = headingLines(overview, { width, zone, hasKeys: options.hasKeys ?? false })
  if (overview.loading !== null) return { lines: fitted([...heading, ...footer]), rows: { of: 0, shown: 0, from: 0 } }
  const nodes = nodesOf(overview)
  const goals = new Map(overview.goals.map(goal => [goal.name, goal]))
  const nowMs = Date.parse(overview.now)
  const rows = nodes.map(node => viewRow(node, goals, nowMs))
  const groups = nodes.length > mostWithoutGroups ? groupRows(nodes, labelsOf) : []
  const table = tableOf([...groups, ...rows], { width, resources, labels, labelsOf })
  const found = ordered(wanted(rows, options.filter ?? '', labelsOf), options.order)
  const room = height === undefined ? undefined : height - heading.length - 1 - footer.length
  const shownGroups = fittedGroups(groups.map(table.line), room)
  const above = [...heading, table.heading, ...shownGroups, ...(shownGroups.length === 0 ? [] : [[]])]
  const left = height === undefined ? undefined : Math.max(1, height - above.length - footer.length)
  const page = pageOf(found.length, left, options.offset ?? 0)
  const body = found.slice(page.from, page.from + page.shown).map(table.line)
  const lines = [...above, ...body, ...restLines(page, options), ...footer]
  return { lines: fitted(height === undefined ? lines : lines.slice(0, height)), rows: page }
}

/** Groups take half of the room at most. */
function fittedGroups(lines: readonly Line[], room: number | undefined): readonly Line[] {
  const most = room === undefined ? lines.length : Math.max(1, Math.floor(room / 2) - 1)
  if (lines.length <= most) return lines
  const kept = lines.slice(0, most - 1)
  return [...kept, [{ text: `… ${count(lines.length - kept.length)} more groups`, tone: 'dim' }]]
}

function pageOf(of: number, room: number | undefined, offset: number): View['rows'] {
  if (room === undefined || of <= room) return { of, shown: of, from: 0 }
  const shown = Math.max(0, room - 1) // one line says how many more there are
  return { of, shown, from: Math.max(0, Math.min(offset, of - shown)) }
}

function restLines({ of, shown, from }: View['rows'], { filter = '' }: ViewOptions): readonly Line[] {
  if (of === 0 && filter !== '') return [[{ text: `No node has ${JSON.stringify(filter)} in its name, zone, labels or state.` }]]
  if (of === 0) return [[{ text: 'No nodes.' }]]
  const after = of - from - shown
  const parts = [...(from > 0 ? [`${count(from)} before (PgUp)`] : []), ...(after > 0 ? [`${count(after)} more (PgDn)`] : [])]
  return parts.length === 0 ? [] : [[{ text: `… ${parts.join(', ')}`, tone: 'dim' }]]
}

/** The view as text that ends with a newline, with escapes only where colours are wanted. */
export function terminalText(overview: Overview, options: ViewOptions & { readonly hasColours?: boolean }): string {
  const { lines } = terminalView(overview, options)
  return lines.map(line => `${options.hasColours === true ? painted(line) : plain(line)}\n`).join('')
}
