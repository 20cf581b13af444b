// Order of a table's rows, and its place in the address: `sort=cpu&dir=desc`, with the table's name before it where a page has several.

/** What rows are ordered by; null is unknown and comes last in either direction. */
export type SortValue = string | number | boolean | null

export interface Sort {
  readonly column: string
  readonly descending: boolean
}

/** The rows in order. Rows that compare equal stay as they were, so that updates don't shuffle them. */
export function sortedRows<Row>(rows: readonly Row[], ofRow: (row: Row) => SortValue, descending: boolean): readonly Row[] {
  const direction = descending ? -1 : 1
  // Thousands of rows are sorted at each update: what they are compared by is made once.
  return rows
    .map((row, place) => ({ row, place, value: inAnyCase(ofRow(row)) }))
    .sort((a, b) => compared(a.value, b.value, direction) || a.place - b.place)
    .map(({ row }) => row)
}

function inAnyCase(value: SortValue): SortValue {
  return typeof value === 'string' ? value.toLowerCase() : value
}

function compared(a: SortValue, b: SortValue, direction: number): number {
  if (a === b) return 0
  if (a === null) return 1
  if (b === null) return -1
  return a < b ? -direction : direction
}

/** Names of the two parameters in the address. */
export function sortKeys(table: string | undefined): { readonly sort: string; readonly direction: string } {
  return table === undefined ? { sort: 'sort', direction: 'dir' } : { sort: `${table}.sort`, direction: `${table}.dir` }
}

/** The order that the address asks for. A column that is not there counts as none asked for, and is given back to be told. */
export function sortOfAddress(
  query: URLSearchParams,
  table: string | undefined,
  columns: readonly string[],
): { readonly sort: Sort | undefined; readonly unknown: string | undefined } {
  const keys = sortKeys(table)
  const column = query.get(keys.sort)
  if (column === null) return { sort: undefined, unknown: undefined }
  if (!columns.includes(column)) return { sort: undefined, unknown: column }
  return { sort: { column, descending: query.get(keys.direction) === 'desc' }, unknown: undefined }
}

/** The order after a click on a column's heading: numbers begin with the greatest; the second click turns it round. */
export function sortAfterClick(current: Sort | undefined, column: string, isNumber: boolean): Sort {
  if (current?.column === column) return { column, descending: !current.descending }
  return { column, descending: isNumber }
}
