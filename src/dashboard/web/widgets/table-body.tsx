// The scroll region of a table, its rows in the document, and the keys that move among them.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { lettersOn, onKey } from '../frame/keys.ts'
import { go } from '../frame/router.tsx'
import { printing } from './narrow.ts'
import type { Sort } from './row-sort.ts'
import { rowAfterKey, rowWindow, topThatShows, type Viewport } from './row-window.ts'
import type { Column, DataTableProps } from './table-props.ts'

/** Shorter tables are in the document as they are and scroll with the page. */
const rowsWithoutWindow = 60
const headerHeight = 36
/** From so near to the end on the next page is asked for. */
const rowsBeforeEnd = 20

interface TableBodyProps<Row> extends DataTableProps<Row> {
  sort: Sort | undefined
  isCards: boolean
  onSort: (column: Column<Row>) => void
}

export function TableBody<Row>(props: TableBodyProps<Row>) {
  const { caption, captionHidden, columns, rows, rowKey, sort, onSort, open, more, card, isCards, takesKeys = true } = props
  const region = useRef<HTMLElement>(null)
  const isWindowed = rows.length > rowsWithoutWindow
  const rowHeight = isCards ? (card?.height ?? 84) : (props.rowHeight ?? 36)
  const header = isCards ? 0 : headerHeight
  const [view, setView] = useState<Viewport>({ top: 0, height: 600 })
  const drawn = isWindowed ? rowWindow(rows.length, rowHeight, view) : { first: 0, end: rows.length, above: 0, below: 0 }
  const [marked, mark] = useState<string>()
  const toFocus = useRef<string>(undefined)

  useLayoutEffect(() => {
    const element = region.current
    if (element === null || !isWindowed) return
    const measure = () => setView({ top: element.scrollTop, height: element.clientHeight - header })
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [isWindowed, header])

  useLayoutEffect(() => {
    const element = region.current
    if (element === null || toFocus.current === undefined) return
    const row = element.querySelector<HTMLElement>(`[data-row="${CSS.escape(toFocus.current)}"]`)
    row?.focus({ preventScroll: isWindowed })
    if (row !== null) toFocus.current = undefined
  })

  // A row that has the focus may be scrolled out of the document: its table takes it, or the keys would lead nowhere.
  const hasFocus = useRef(false)
  useLayoutEffect(() => {
    if (!hasFocus.current || document.activeElement !== document.body) return
    hasFocus.current = false
    region.current?.focus({ preventScroll: true })
  })

  const nearEnd = isWindowed && rows.length - drawn.end < rowsBeforeEnd
  useEffect(() => {
    if (nearEnd && more !== undefined && more.next !== null && !more.loading) more.load()
  }, [nearEnd, more?.next])

  const moveTo = (index: number) => {
    const row = rows[index]
    const element = region.current
    if (row === undefined || element === null) return
    if (isWindowed) {
      element.scrollTop = topThatShows(index, rowHeight, header, { top: element.scrollTop, height: element.clientHeight })
      setView({ top: element.scrollTop, height: element.clientHeight - header })
    }
    toFocus.current = rowKey(row)
    mark(rowKey(row))
  }
  const indexOfMarked = () => (marked === undefined ? -1 : rows.findIndex(row => rowKey(row) === marked))
  const rowsOfPage = Math.max(1, Math.floor(view.height / rowHeight) - 1)
  const onKeyDown = (event: KeyboardEvent) => {
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      (event.target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName))
    )
      return
    const at = indexOfMarked()
    const row = rows[at]
    if (event.key === 'Enter' && event.target instanceof HTMLTableRowElement && row !== undefined) {
      const path = open?.(row)
      if (path === undefined) return
      event.preventDefault()
      go(path)
      return
    }
    if (event.key.length === 1 && !lettersOn.value) return
    const next = rowAfterKey(event.key, at, rows.length, rowsOfPage)
    if (next === undefined) return
    event.preventDefault()
    moveTo(next)
  }
  useTableKeys(
    takesKeys,
    () => rows.length > 0,
    step => moveTo(rowAfterKey(step, indexOfMarked(), rows.length, rowsOfPage) ?? 0),
  )

  const total = more === undefined || more.next === null ? rows.length : (more.total ?? -1)
  return (
    <section
      ref={region}
      class="widgets-table-region"
      aria-label={caption}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
      tabIndex={0}
      data-windowed={isWindowed && !printing.value}
      onScroll={
        isWindowed
          ? event => setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight - header })
          : undefined
      }
      onKeyDown={onKeyDown}
    >
      <div style={{ paddingTop: `${drawn.above}px`, paddingBottom: `${drawn.below}px` }}>
        <table class="widgets-table" data-cards={isCards} aria-rowcount={isWindowed ? (total < 0 ? -1 : total + 1) : undefined}>
          <caption class={captionHidden === true ? 'frame-unseen' : undefined}>{caption}</caption>
          {isCards ? null : (
            <>
              <colgroup>
                {columns.map(column => (
                  <col key={column.key} style={column.width === undefined ? undefined : { width: column.width }} />
                ))}
              </colgroup>
              <thead>
                <tr aria-rowindex={isWindowed ? 1 : undefined}>
                  {columns.map(column => (
                    <Heading key={column.key} column={column} sort={sort} onSort={onSort} />
                  ))}
                </tr>
              </thead>
            </>
          )}
          <tbody>
            {rows.slice(drawn.first, drawn.end).map((row, place) => (
              <tr
                key={rowKey(row)}
                data-row={rowKey(row)}
                data-marked={rowKey(row) === marked}
                tabIndex={-1}
                aria-rowindex={isWindowed ? drawn.first + place + 2 : undefined}
                style={isWindowed ? { height: `${rowHeight}px` } : undefined}
                onFocus={() => {
                  hasFocus.current = true
                  mark(rowKey(row))
                }}
                onBlur={event => {
                  const { currentTarget } = event
                  queueMicrotask(() => {
                    const isInRow = region.current?.querySelector('tbody')?.contains(document.activeElement) === true
                    if (currentTarget.isConnected && !isInRow) hasFocus.current = false
                  })
                }}
              >
                {isCards && card !== undefined ? (
                  <td>{card.cell(row)}</td>
                ) : (
                  columns.map(column =>
                    column.isHeader === true ? (
                      <th key={column.key} scope="row" data-number={column.isNumber}>
                        {column.cell(row)}
                      </th>
                    ) : (
                      <td key={column.key} data-number={column.isNumber}>
                        {column.cell(row)}
                      </td>
                    ),
                  )
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

function useTableKeys(takes: boolean, canMove: () => boolean, move: (key: 'j' | 'k') => void): void {
  const latest = useRef({ canMove, move })
  latest.current = { canMove, move }
  useEffect(() => {
    if (!takes) return
    const step = (key: 'j' | 'k') => () => latest.current.canMove() && latest.current.move(key)
    const ends = [onKey('j', 'Next row', step('j')), onKey('k', 'Row before', step('k'))]
    return () => {
      for (const end of ends) end()
    }
  }, [takes])
}

interface HeadingProps<Row> {
  column: Column<Row>
  sort: Sort | undefined
  onSort: (column: Column<Row>) => void
}

function Heading<Row>({ column, sort, onSort }: HeadingProps<Row>) {
  const direction = sort?.column !== column.key ? 'none' : sort.descending ? 'descending' : 'ascending'
  return (
    <th scope="col" aria-sort={direction} data-number={column.isNumber}>
      <button type="button" class="widgets-sort" onClick={() => onSort(column)}>
        {column.title}
        <span aria-hidden="true" class="widgets-sort-sign">
          {direction === 'none' ? '↕' : direction === 'ascending' ? '↑' : '↓'}
        </span>
      </button>
    </th>
  )
}
