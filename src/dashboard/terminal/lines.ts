// Lines of a terminal: text in pieces with a tone, measured in columns, cut where there is no more room, painted only where colours are wanted.
import { stripVTControlCharacters } from 'node:util'

/** How a piece is meant. Colour never says it alone: the words and signs beside it do. */
type Tone = 'over' | 'under' | 'good' | 'dim' | 'strong'

export interface Piece {
  readonly text: string
  readonly tone?: Tone
}

export type Line = readonly Piece[]

/** Codes of ECMA-48: red, yellow, green, faint, bold. */
const graphicRendition: Readonly<Record<Tone, string>> = { over: '31', under: '33', good: '32', dim: '2', strong: '1' }

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u
const withoutWidth = /[\p{Mn}\p{Me}\p{Cf}]/u
const plainText = /^[\x20-\x7e]*$/

/** Between two columns of a table. */
export const gap = '  '

/** How many columns `text` takes; its colours take none. */
export function columnsOf(text: string): number {
  if (plainText.test(text)) return text.length
  return [...stripVTControlCharacters(text)].reduce((sum, character) => sum + columnsOfOne(character), 0)
}

function columnsOfOne(character: string): number {
  if (withoutWidth.test(character)) return 0
  return wide.test(character) ? 2 : 1
}

/** As much of `text` as `columns` hold; where something is cut off the last one is `…`. */
export function cutTo(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text
  if (columns < 1) return ''
  let kept = ''
  let left = columns - 1
  for (const character of text) {
    left -= columnsOfOne(character)
    if (left < 0) break
    kept += character
  }
  return `${kept}…`
}

/** `text` in exactly `columns`. */
export function padded(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const cut = cutTo(text, columns)
  const space = ' '.repeat(Math.max(0, columns - columnsOf(cut)))
  return align === 'left' ? cut + space : space + cut
}

/** A column of a table: its heading and on which side its cells stand. */
export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** Rows under headings, without borders, each column as wide as its widest cell; one line a row. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const all = [columns.map(({ title }) => title), ...rows]
  const widths = columns.map((_, at) => all.reduce((most, cells) => Math.max(most, columnsOf(cells[at] ?? '')), 0))
  const line = (cells: readonly string[]) =>
    columns.map(({ align }, at) => padded(cells[at] ?? '', widths[at] ?? 0, align)).join(gap)
  return all.map(cells => line(cells).trimEnd()).join('\n')
}

/** A line within `columns`, without blanks at its end. */
export function clipped(line: Line, columns: number): Line {
  const kept: Piece[] = []
  let left = columns
  for (const piece of line) {
    const text = cutTo(piece.text, left)
    left -= columnsOf(text)
    kept.push({ ...piece, text })
    if (text !== piece.text) break
  }
  for (let last = kept.pop(); last !== undefined; last = kept.pop()) {
    const text = last.text.trimEnd()
    if (text === '') continue
    kept.push({ ...last, text })
    break
  }
  return kept
}

/** The words of a line. */
export function plain(line: Line): string {
  return line.map(({ text }) => text).join('')
}

/** The line with escapes for its tones. */
export function painted(line: Line): string {
  return line
    .map(({ text, tone }) => (tone === undefined || text === '' ? text : `\x1b[${graphicRendition[tone]}m${text}\x1b[0m`))
    .join('')
}
