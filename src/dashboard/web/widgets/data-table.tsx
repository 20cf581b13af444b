// A table of any length: sortable by each column, with only the rows in the document that are seen.

import { useMemo } from 'preact/hooks'
import { count } from '../../words/quantity.ts'
import { A, address, setQuery } from '../frame/router.tsx'
import { narrow } from './narrow.ts'
import { type Sort, sortAfterClick, sortedRows, sortKeys, sortOfAddress } from './row-sort.ts'
import { TableBody } from './table-body.tsx'
import type { Column, DataTableProps } from './table-props.ts'
import './widgets.css'

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
