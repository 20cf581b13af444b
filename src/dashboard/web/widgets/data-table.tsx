// A table of any length: sortable by each column, with only the rows in the document that are seen.
import type { ComponentChildren } from 'preact'
import { useMemo } from 'preact/hooks'
import { count } from '../../words/quantity.ts'
import { A, address, setQuery } from '../frame/router.tsx'
import { narrow } from './narrow.ts'
import { type Sort, type SortValue, sortAfterClick, sortedRows, sortKeys, sortOfAddress } from './row-sort.ts'
import { TableBody } from './table-body.tsx'
import './widgets.css'

export interface Column<Row> {
  /** Its name in the address. */
  readonly key: string
  readonly title: string
  readonly cell: (row: Row) => ComponentChildren
  /** What it is sorted by. */
  readonly value: (row: Row) => SortValue
  /** Numbers stand at the end of their cell, and are sorted from the greatest first. */
  readonly isNumber?: boolean
  /** Names the row. */
  readonly isHeader?: boolean
  /** Width in CSS; without it the column takes what is left. */
  readonly width?: string
}

/** Rows of a table that come in pages. */
export interface MoreRows {
  /** Whether there are more. */
  readonly next: string | null
  /** Total of all pages; null: unknown. */
  readonly total: number | null
  readonly load: () => void
  readonly loading: boolean
}

export interface DataTableProps<Row> {
  caption: string
  /** For screen readers only: where a heading above says the same. */
  captionHidden?: boolean
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  rowKey: (row: Row) => string
  /** Where a page has several tables: which of them the parameters `NAME.sort` and `NAME.dir` sort. */
  name?: string
  /** The order while the address asks for none; without it rows stay as they come. */
  sort?: Sort | undefined
  /** Path of the same as CSV. */
  csv?: string | undefined
  /** Path that Enter on a row opens. */
  open?: (row: Row) => string | undefined
  more?: MoreRows | undefined
  /** Said where there are no rows. */
  empty?: ComponentChildren
  /** A row where there is only room for one column, and how high it is there. */
  card?: { readonly height: number; readonly cell: (row: Row) => ComponentChildren }
  /** Height of a row in a table so long that it has its own scroll region. */
  rowHeight?: number
  /** `j` and `k` come here from anywhere on the page. */
  takesKeys?: boolean
  /** Beside the CSV link. */
  tools?: ComponentChildren
}

export function DataTable<Row>(props: DataTableProps<Row>) {
  const { columns, rows, name, csv, card, more, empty, tools } = props
  const { sort: asked, unknown } = sortOfAddress(
    address.value.query,
    name,
    columns.map(({ key }) => key),
  )
  const sort = asked ?? props.sort
  const sorted = useMemo(() => {
    const column = columns.find(({ key }) => key === sort?.column)
    return sort === undefined || column === undefined ? rows : sortedRows(rows, column.value, sort.descending)
  }, [rows, columns, sort?.column, sort?.descending])
  const isCards = narrow.value && card !== undefined
  return (
    <div class="widgets-table-frame">
      <div class="widgets-table-tools">
        {isCards && rows.length > 1 ? <SortChooser columns={columns} sort={sort} name={name} /> : null}
        {unknown === undefined ? null : (
          <p
            class="widgets-note"
            role="status"
          >{`There is no column ${JSON.stringify(unknown)} to sort by: ${columns.map(({ key }) => key).join(', ')}.`}</p>
        )}
        {more !== undefined && more.next !== null && asked !== undefined ? (
          <p class="widgets-note">{`Sorted among the ${count(rows.length)} rows that are loaded.`}</p>
        ) : null}
        <span class="widgets-spring" />
        {tools}
        {csv === undefined ? null : (
          <A class="widgets-link" href={csv} download>
            CSV
          </A>
        )}
      </div>
      {rows.length === 0 && empty !== undefined ? (
        empty
      ) : (
        <TableBody
          {...props}
          rows={sorted}
          sort={sort}
          isCards={isCards}
          onSort={column => sortBy(name, sortAfterClick(sort, column.key, column.isNumber === true))}
        />
      )}
      {more === undefined || more.next === null ? null : (
        <button type="button" class="widgets-button widgets-more" disabled={more.loading} onClick={more.load}>
          {more.loading ? 'Loading more…' : `Show more${more.total === null ? '' : ` of ${count(more.total)}`}`}
        </button>
      )}
    </div>
  )
}

function sortBy(name: string | undefined, { column, descending }: Sort): void {
  const keys = sortKeys(name)
  setQuery({ [keys.sort]: column, [keys.direction]: descending ? 'desc' : null })
}

interface SortChooserProps<Row> {
  columns: readonly Column<Row>[]
  sort: Sort | undefined
  name: string | undefined
}

/** Cards have no headings to click on. */
function SortChooser<Row>({ columns, sort, name }: SortChooserProps<Row>) {
  return (
    <select
      class="widgets-select"
      aria-label="Sort by"
      value={sort === undefined ? '' : `${sort.column}${sort.descending ? ' desc' : ''}`}
      onChange={event => {
        const [column = '', direction] = event.currentTarget.value.split(' ')
        sortBy(name, { column, descending: direction === 'desc' })
      }}
    >
      {sort === undefined ? <option value="">Sort by…</option> : null}
      {columns.flatMap(({ key, title, isNumber }) => [
        <option key={key} value={key}>{`${title}, ${isNumber === true ? 'least first' : 'a to z'}`}</option>,
        <option key={`${key} desc`} value={`${key} desc`}>{`${title}, ${isNumber === true ? 'most first' : 'z to a'}`}</option>,
      ])}
    </select>
  )
}
