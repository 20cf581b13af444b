// Tables and lines as wide as the terminal: what is too wide goes on in further lines, and nothing is cut off. Where nobody says how wide
// it is, as in a pipe, everything stays in one line. Pure.
import { stripVTControlCharacters } from 'node:util'
import { type Column, columnsOf, gap, padded, table } from '#dashboard/terminal/lines.ts'

export interface FittedColumn extends Column {
  /** Sentences: where the table is too wide they stand below their row. */
  readonly isBelow?: true
}

/** Narrower a column of words is not made; a table that needs more is as wide as it is. */
const narrowest = 8
const indent = '    '
const mark = '\u001b'

/** `rows` under headings within `width` columns; undefined: as wide as they are. */
export function fittedTable(
  columns: readonly FittedColumn[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
): string {
  const whole = table(columns, rows)
  if (width === undefined || widthOf(whole) <= width) return whole
  const beside = columns.flatMap((column, at) => (column.isBelow === true ? [] : [at]))
  const below = columns.flatMap((column, at) => (column.isBelow === true ? [at] : []))
  const besideColumns = beside.flatMap(at => columns[at] ?? [])
  const all = [columns.map(({ title }) => title), ...rows]
  const widths = fittedWidths(
    besideColumns,
    beside.map(at => Math.max(...all.map(cells => columnsOf(cells[at] ?? '')))),
    width,
  )
  return all
    .flatMap((cells, row) => [
      ...rowLines(
        besideColumns,
        beside.map(at => cells[at] ?? ''),
        widths,
      ),
      // The heading of what stands below would head nothing.
      ...(row === 0
        ? []
        : below.flatMap(at => (isNothing(cells[at]) ? [] : wrapped(`${indent}${cells[at] ?? ''}`, width, indent)))),
    ])
    .join('\n')
}

const isNothing = (cell = ''): boolean => cell === '' || cell === '-'

const widthOf = (text: string): number => Math.max(...text.split('\n').map(columnsOf))

/** The widest column of words gives way first, until all fit or none can. */
function fittedWidths(columns: readonly Column[], natural: readonly number[], width: number): readonly number[] {
  const widths = [...natural]
  const total = () => widths.reduce((sum, one) => sum + one, 0) + gap.length * (widths.length - 1)
  while (total() > width) {
    const at = columns.reduce<number>(
      (widest, { align }, index) =>
        align !== 'right' && (widest < 0 || (widths[index] ?? 0) > (widths[widest] ?? 0)) ? index : widest,
      -1,
    )
    if (at < 0 || (widths[at] ?? 0) <= narrowest) break
    widths[at] = (widths[at] ?? 0) - 1
  }
  return widths
}

function rowLines(columns: readonly Column[], cells: readonly string[], widths: readonly number[]): readonly string[] {
  const parts = cells.map((cell, at) => brokenTo(cell, widths[at] ?? 0))
  const height = Math.max(1, ...parts.map(({ length }) => length))
  return Array.from({ length: height }, (_, line) =>
    columns
      .map(({ align }, at) => padded(parts[at]?.[line] ?? '', widths[at] ?? 0, align))
      .join(gap)
      .trimEnd(),
  )
}

/** A cell in lines of at most `width`: between words, else after the signs that names are made of, else anywhere. */
function brokenTo(cell: string, width: number): readonly string[] {
  // A painted cell is a word or two: its paint would end with its first line.
  if (columnsOf(cell) <= width || width < 1 || cell.includes(mark)) return [cell]
  const lines: string[] = []
  let line = ''
  for (const piece of cell.match(/[^\s/,.-]*(?:[/,.-]+\s?|\s|$)/g) ?? []) {
    if (piece === '') continue
    if (columnsOf((line + piece).trimEnd()) > width && line !== '') {
      lines.push(line.trimEnd())
      line = ''
    }
    line += piece
    while (columnsOf(line.trimEnd()) > width) {
      lines.push(line.slice(0, width))
      line = line.slice(width)
    }
  }
  return line.trimEnd() === '' ? lines : [...lines, line.trimEnd()]
}

/** Lines of text within `width`, what does not fit indented by as much as its line was and two more. Words longer than that stay whole. */
export function fittedText(text: string, width: number | undefined): string {
  if (width === undefined) return text
  return text
    .split('\n')
    .flatMap(line => (columnsOf(line) <= width ? [line] : wrapped(line, width, `${/^ */.exec(line)?.[0] ?? ''}  `)))
    .join('\n')
}

function wrapped(text: string, width: number, rest: string): readonly string[] {
  const lines: string[] = []
  const [, before = '', words = ''] = /^( *)(.*)$/.exec(text) ?? []
  let line = before
  let isEmpty = true
  for (const word of words.split(' ')) {
    if (!isEmpty && columnsOf(line) + 1 + columnsOf(stripVTControlCharacters(word)) > width) {
      lines.push(line.trimEnd())
      line = rest
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line.trimEnd()]
}
