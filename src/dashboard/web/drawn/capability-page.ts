// A capability's page: its sentences and tables, as the server writes it and as the script keeps it up.
import type { CapabilityView } from '../../contract.ts'
import { count } from '../../words/quantity.ts'
import { element, type Markup, type Surroundings } from './markup.ts'
import { sentenceMarkup } from './sentence.ts'
import { tableMarkup } from './table.ts'

type Table = CapabilityView['tables'][number]
type Row = Table['rows'][number]

export function capabilityMarkup({ sentences, tables }: CapabilityView, surroundings: Surroundings): readonly Markup[] {
  return [
    ...sentences.map(sentence => element('p', { key: sentence.code }, ...sentenceMarkup(sentence, surroundings))),
    ...tables.map(table => sectionMarkup(table, surroundings)),
  ]
}

/** The table is a landmark of its own by its caption: the section is none besides. */
function sectionMarkup({ name, title, columns, rows, total, empty }: Table, { link }: Surroundings): Markup {
  return element(
    'section',
    { class: 'overview-section', key: name },
    element('h2', { id: name }, title),
    rows.length < total
      ? element('p', { class: 'drawn-quiet' }, `The first ${count(rows.length)} of ${count(total)}.`)
      : undefined,
    tableMarkup<Row>({
      caption: title,
      columns: columns.map(({ title: head, isNumber }, at) => ({
        title: head,
        isNumber,
        isHeader: at === 0,
        cell: row => cellOf(row, at, link),
      })),
      rows,
      rowKey: ({ key }) => key,
      empty,
    }),
  )
}

/** Characters of a word that is not broken. */
const longestWhole = 16

/** Unknown is not zero: what is null is a dash. */
function cellOf({ cells, path }: Row, at: number, link: Surroundings['link']): Markup | string {
  const value = cells[at] ?? null
  const text = value === null ? '–' : typeof value === 'number' ? count(value) : value
  if (at === 0 && path !== null) return element('a', { href: link(path) }, text)
  // Short words stay whole, however narrow the column; long ones may break, or one of them would stretch the table.
  const areShort = text.split(' ').every(word => word.length <= longestWhole)
  return areShort ? element('span', { class: 'drawn-whole' }, text) : text
}
