// What a table of the page is given.
import type { ComponentChildren } from 'preact'
import type { Sort, SortValue } from './row-sort.ts'

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
