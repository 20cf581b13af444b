// A table that reads without a script, and on a phone as a list of cards: each cell knows its title.
import { element, type Markup } from './markup.ts'

type Content = Markup | string | undefined | readonly (Markup | string)[]

export interface DrawnColumn<Row> {
  readonly title: string
  readonly cell: (row: Row) => Content
  readonly isNumber?: boolean
  /** Names the row. */
  readonly isHeader?: boolean
}

interface TableFacts<Row> {
  /** Says what it lists; it is there for screen readers, a heading above says the same. */
  readonly caption: string
  readonly columns: readonly DrawnColumn<Row>[]
  readonly rows: readonly Row[]
  readonly rowKey: (row: Row) => string
  /** In place of a table without rows. */
  readonly empty: string
}

/** Where it is wider than its place it scrolls, by keyboard too. Roles are said, since a phone shows it as no table. */
export function tableMarkup<Row>({ caption, columns, rows, rowKey, empty }: TableFacts<Row>): Markup {
  if (rows.length === 0) return element('p', { class: 'drawn-quiet' }, empty)
  return element(
    'div',
    { class: 'widgets-table-region', role: 'region', 'aria-label': caption, tabindex: 0 },
    element(
      'table',
      { class: 'widgets-table drawn-table', role: 'table' },
      element('caption', { class: 'frame-unseen' }, caption),
      element(
        'thead',
        { role: 'rowgroup' },
        element(
          'tr',
          { role: 'row' },
          columns.map(({ title, isNumber }) =>
            element(
              'th',
              { scope: 'col', role: 'columnheader', key: title, 'data-number': isNumber === true ? 'true' : undefined },
              title,
            ),
          ),
        ),
      ),
      element(
        'tbody',
        { role: 'rowgroup' },
        rows.map(row =>
          element(
            'tr',
            { key: rowKey(row), role: 'row', 'data-row': true },
            columns.map(column => cellMarkup(column, row)),
          ),
        ),
      ),
    ),
  )
}

function cellMarkup<Row>({ title, cell, isNumber, isHeader }: DrawnColumn<Row>, row: Row): Markup {
  const content = cell(row)
  return element(
    isHeader === true ? 'th' : 'td',
    {
      key: title,
      role: isHeader === true ? 'rowheader' : 'cell',
      scope: isHeader === true ? 'row' : undefined,
      'data-number': isNumber === true ? 'true' : undefined,
      'data-title': content === undefined || content === '' ? undefined : title,
    },
    content,
  )
}

/** A link to the same as a file. */
export function csvLink(href: string): Markup {
  return element('a', { class: 'widgets-link', href, download: true }, 'CSV')
}
