// The parts of pages without a script: sentences as paragraphs, and tables of what may be long, which say how much of it they show.
import type { Ref, Sentence } from '../../contract.ts'
import { element, type Markup, type Surroundings } from '../../web/drawn/markup.ts'
import { sentenceMarkup } from '../../web/drawn/sentence.ts'
import { type DrawnColumn, tableMarkup } from '../../web/drawn/table.ts'
import { refPath } from '../../words/links.ts'
import { count } from '../../words/quantity.ts'

/** Rows of a table in a page that nobody can scroll on by a script. */
export const plainRows = 100

/** Each sentence as a paragraph. */
export const paragraphs = (sentences: readonly Sentence[], surroundings: Surroundings): readonly Markup[] =>
  sentences.map((sentence, index) => element('p', { key: `${index}` }, sentenceMarkup(sentence, surroundings)))

/** A heading, and below it what it heads. */
export const part = (title: string, ...content: readonly (Markup | undefined)[]): Markup =>
  element('section', { class: 'overview-section', key: title }, element('h2', {}, title), ...content)

interface PlainTable<Row> {
  readonly caption: string
  readonly columns: readonly DrawnColumn<Row>[]
  readonly rows: readonly Row[]
  /** All that there are; null: nobody knows. */
  readonly total?: number | null
  readonly empty: string
}

/** At most `plainRows` rows, and below them how many there are. */
export function plainTable<Row>({ caption, columns, rows, total = rows.length, empty }: PlainTable<Row>): readonly Markup[] {
  const shown = rows.slice(0, plainRows)
  const keys = new Map(shown.map((row, index) => [row, String(index)]))
  const table = tableMarkup({ caption, columns, rows: shown, rowKey: row => keys.get(row) ?? '', empty })
  if (total === null || shown.length >= total) return [table]
  return [table, element('p', { class: 'drawn-muted' }, `The first ${count(shown.length)} of ${count(total)}.`)]
}

/** A thing by its name, with the way to its page. */
export function refLink(ref: Ref, { link }: Surroundings): Markup {
  return element('a', { href: link(refPath(ref)) }, ref.namespace === null ? ref.name : `${ref.namespace}/${ref.name}`)
}
