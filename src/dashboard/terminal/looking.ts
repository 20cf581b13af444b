// Looking into the cluster on a terminal: a list of nodes, the pods of one, and why one of them stays or goes. Pure but for what `Inside` reads.
import type { Overview } from '../contract.ts'
import { printable } from '../words/names.ts'
import { percentText } from '../words/percent.ts'
import { count } from '../words/quantity.ts'
import type { Inside } from './inside.ts'
import type { Key } from './keys.ts'
import { clipped, columnsOf, type Line, padded } from './lines.ts'
import { type Order, ordered, wanted } from './order.ts'
import { type LabelsOf, nodesOf, viewRow } from './view-rows.ts'

/** Where somebody is: without a node among the nodes, without a pod among its pods. */
export interface Looking {
  readonly node?: string
  readonly pod?: string
  readonly cursor: number
  /** Cursors of the lists above. */
  readonly above: readonly number[]
}

interface List {
  readonly title: string
  /** Keys of rows that can be opened; none where it is text. */
  readonly keys: readonly string[]
  readonly lines: readonly Line[]
}

interface LookingFacts {
  readonly overview: Overview
  readonly inside: Inside
  readonly width: number
  readonly order: Order | undefined
  readonly filter: string
  readonly labelsOf: LabelsOf | undefined
}

/** What is listed there. */
export function listOf({ node, pod }: Looking, facts: LookingFacts): List {
  const { inside, width } = facts
  if (node === undefined) return nodeList(facts)
  if (pod !== undefined) {
    const lines = inside.whyOf(node, pod).flatMap(text => folded(text, width).map((part): Line => [{ text: part }]))
    return { title: `${printable(pod)} on ${printable(node)}`, keys: [], lines }
  }
  const rows = inside.podsOn(node)
  const widths = [0, 1, 2, 3].map(at => Math.max(0, ...rows.map(({ cells }) => columnsOf(cells[at] ?? ''))))
  return {
    title: `${printable(node)}: ${count(rows.length)} ${rows.length === 1 ? 'pod' : 'pods'}, the largest first`,
    keys: rows.map(({ key }) => key),
    lines: rows.map(({ cells, because }): Line => {
      const [cpu, memory, may, name] = cells.map((cell, at) =>
        padded(cell, Math.min(48, widths[at] ?? 0), at < 2 ? 'right' : 'left'),
      )
      return [{ text: `${cpu}  ${memory}  ${may}  ${name}  ` }, { text: because, tone: 'dim' }]
    }),
  }
}

function nodeList({ overview, order, filter, labelsOf }: LookingFacts): List {
  const goals = new Map(overview.goals.map(goal => [goal.name, goal]))
  const rows = nodesOf(overview).map(node => viewRow(node, goals, Date.parse(overview.now)))
  const found = ordered(wanted(rows, filter, labelsOf), order)
  const longest = Math.min(48, Math.max(0, ...found.map(({ name }) => columnsOf(name))))
  return {
    title: `${count(found.length)} ${found.length === 1 ? 'node' : 'nodes'}: Enter looks into one`,
    keys: found.map(({ name }) => name),
    lines: found.map(
      ({ name, cpu, memory, pods, state }): Line => [
        {
          text: `${padded(printable(name), longest)}  cpu ${padded(percentText(cpu.requested, cpu.allocatable), 5, 'right')}  memory ${padded(percentText(memory.requested, memory.allocatable), 5, 'right')}  pods ${padded(count(pods.count), 5, 'right')}  `,
        },
        state,
      ],
    ),
  }
}

/** The list in `height` lines, the cursor within; below it `footer`. */
export function lookingLines(
  looking: Looking,
  list: List,
  { width, height, footer }: { readonly width: number; readonly height: number; readonly footer: readonly Line[] },
): readonly Line[] {
  const room = Math.max(1, height - 2 - footer.length)
  const cursor = Math.min(looking.cursor, Math.max(0, list.lines.length - 1))
  const from = Math.max(0, Math.min(cursor - Math.floor(room / 2), list.lines.length - room))
  const shown = list.lines.slice(from, from + room)
  const isList = list.keys.length > 0
  const body = shown.map((line, at): Line => {
    if (!isList) return line
    return from + at === cursor
      ? [{ text: '> ', tone: 'strong' }, ...line.map(piece => ({ ...piece, tone: 'strong' as const }))]
      : [{ text: '  ' }, ...line]
  })
  const after = list.lines.length - from - shown.length
  const place =
    list.lines.length > room
      ? `  ${count(from + 1)} to ${count(from + shown.length)} of ${count(list.lines.length)}${after > 0 ? ', PgDn for more' : ''}`
      : ''
  const title: Line = [
    { text: list.title, tone: 'strong' },
    { text: place, tone: 'dim' },
  ]
  const empty: readonly Line[] = list.lines.length === 0 ? [[{ text: 'Nothing is there.' }]] : []
  return [title, [], ...body, ...empty, ...footer].slice(0, height).map(line => clipped(line, width))
}

/** After `key`; undefined: back to the table. */
export function lookedInto(looking: Looking, key: Key, { keys, lines }: List, page: number): Looking | undefined {
  const last = Math.max(0, lines.length - 1)
  const cursor = Math.min(looking.cursor, last)
  const to = (next: number): Looking => ({ ...looking, cursor: Math.max(0, Math.min(last, next)) })
  switch (key) {
    case 'Down':
    case 'j':
      return to(cursor + 1)
    case 'Up':
    case 'k':
      return to(cursor - 1)
    case 'PgDn':
      return to(cursor + page)
    case 'PgUp':
      return to(cursor - page)
    case 'Home':
      return to(0)
    case 'End':
      return to(last)
    case 'Enter': {
      const chosen = keys[cursor]
      if (chosen === undefined) return looking
      const above = [...looking.above, cursor]
      return looking.node === undefined
        ? { node: chosen, cursor: 0, above }
        : { node: looking.node, pod: chosen, cursor: 0, above }
    }
    case 'Esc':
    case 'Backspace': {
      const above = looking.above.slice(0, -1)
      const before = looking.above.at(-1)
      if (before === undefined) return undefined
      return looking.pod === undefined
        ? { cursor: before, above }
        : { ...(looking.node === undefined ? {} : { node: looking.node }), cursor: before, above }
    }
    default:
      return looking
  }
}

/** At words, as wide as the screen; what follows the first line is set in. */
function folded(text: string, width: number): readonly string[] {
  const most = Math.max(20, width)
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (columnsOf(longer) <= most || line.trim() === '') line = longer
    else {
      lines.push(line)
      line = `  ${word}`
    }
  }
  return [...lines, line]
}
