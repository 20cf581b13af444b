// What every drawing has: a name that states its finding, a cursor for the keyboard, the same as a table, and itself as a file.
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { useKey } from '../frame/keys.ts'
import { announce } from '../frame/live-region.tsx'
import { savePng, saveSvg } from './export.ts'
import './drawings.css'

interface CursorDrawingProps {
  /** Its finding: `15 pods move: 14 from talos00 to talos03, 1 from talos01 to talos03`. */
  name: string
  /** Name of the file. */
  file: string
  /** What the cursor stops at, in words, in order. */
  stops: (width: number) => readonly string[]
  /** Draws it `width` pixels wide with the cursor at that stop, −1 for none. */
  draw: (width: number, cursor: number) => ComponentChildren
  /** Its height, to keep the space. */
  height: (width: number) => number
  /** The same as a table. */
  table: ComponentChildren
  /** Enter at a stop. */
  onChoose?: (stop: number, width: number) => void
}

export function CursorDrawing({ name, file, draw, height, table, onChoose, ...props }: CursorDrawingProps) {
  const frame = useRef<HTMLDivElement>(null)
  const svg = useRef<SVGSVGElement>(null)
  const [width, setWidth] = useState(0)
  const [cursor, setCursor] = useState(-1)
  const [isTable, showTable] = useState(false)
  const id = useId()
  const stops = props.stops(width)
  useLayoutEffect(() => {
    const element = frame.current
    if (element === null) return
    const measure = () => setWidth(Math.floor(element.clientWidth))
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [isTable])
  useEffect(() => {
    if (cursor >= stops.length) setCursor(stops.length - 1)
  }, [stops.length])
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === 'Enter' && cursor >= 0 && onChoose !== undefined) {
      event.preventDefault()
      onChoose(cursor, width)
      return
    }
    const next = stopAfterKey(event.key, cursor, stops.length)
    if (next === undefined) return
    event.preventDefault()
    setCursor(next)
  }
  useKey('e', 'Export the drawing as SVG', () => svg.current !== null && saveSvg(svg.current, file, name))
  return (
    <div class="drawings-frame">
      {isTable ? (
        table
      ) : (
        <div class="drawings-ground" ref={frame} onFocusOut={() => setCursor(-1)}>
          {stops.length === 0 ? null : (
            <div
              class="drawings-cursor"
              role="listbox"
              tabIndex={0}
              aria-label={name}
              aria-activedescendant={cursor < 0 ? undefined : `${id}-stop`}
              onKeyDown={onKeyDown}
              onFocus={() => cursor < 0 && setCursor(0)}
            >
              {cursor < 0 ? null : (
                <div
                  id={`${id}-stop`}
                  role="option"
                  aria-selected="true"
                  aria-posinset={cursor + 1}
                  aria-setsize={stops.length}
                  tabIndex={-1}
                >
                  {stops[cursor]}
                </div>
              )}
            </div>
          )}
          <svg
            ref={svg}
            class="drawings-svg"
            width={width}
            height={height(width)}
            viewBox={`0 0 ${width} ${height(width)}`}
            aria-hidden={stops.length > 0}
            role={stops.length > 0 ? undefined : 'img'}
            aria-label={stops.length > 0 ? undefined : name}
          >
            {width === 0 ? null : draw(width, cursor)}
          </svg>
        </div>
      )}
      <div class="drawings-tools">
        <button type="button" class="widgets-link" aria-pressed={isTable} onClick={() => showTable(!isTable)}>
          {isTable ? 'Show as drawing' : 'Show as table'}
        </button>
        {isTable ? null : (
          <>
            <button type="button" class="widgets-link" onClick={() => svg.current !== null && saveSvg(svg.current, file, name)}>
              SVG
            </button>
            <button
              type="button"
              class="widgets-link"
              onClick={() => {
                if (svg.current !== null)
                  savePng(svg.current, file, name).catch((error: Error) => announce(`No picture: ${error.message}.`, true))
              }}
            >
              PNG
            </button>
          </>
        )}
      </div>
    </div>
  )
}

function stopAfterKey(key: string, at: number, count: number): number | undefined {
  if (count === 0) return undefined
  switch (key) {
    case 'ArrowRight':
    case 'ArrowDown':
      return Math.min(count - 1, at + 1)
    case 'ArrowLeft':
    case 'ArrowUp':
      return Math.max(0, at - 1)
    case 'Home':
      return 0
    case 'End':
      return count - 1
    default:
      return undefined
  }
}
