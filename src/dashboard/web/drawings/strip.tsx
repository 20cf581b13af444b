// The permits' strip: who asked when, what was decided, and how long what was granted lasted.
import type { ComponentChildren } from 'preact'
import type { Permit } from '../../contract.ts'
import { age } from '../../words/age.ts'
import { counted } from '../../words/grammar.ts'
import { cutText } from '../../words/names.ts'
import { timeOfDay } from '../../words/time.ts'
import { now, zone } from '../frame/time.ts'
import { CursorDrawing } from './cursor-drawing.tsx'
import { DecisionShape } from './decision-shape.tsx'
import { decisionWord } from './decision-words.ts'
import { type Piece, type Span, ticksOf } from './folded-time.ts'
import { type StripMark, type StripRow, stripLayout } from './strip-layout.ts'
import './drawings.css'

interface StripProps {
  permits: readonly Permit[]
  range: Span
  /** The same as a table. */
  table: ComponentChildren
  /** Enter on a mark, or a click: its permits. */
  onChoose: (permits: readonly Permit[]) => void
}

const rowHeight = 38
const laneBelow = 11
const axisHeight = 28
const widestLabels = 116
const ticksApart = 86

export function Strip({ permits, range, table, onChoose }: StripProps) {
  const labelsWidth = (width: number) => Math.min(widestLabels, width * 0.28)
  const layoutAt = (width: number) => stripLayout(permits, range, Math.max(10, width - labelsWidth(width) - 12))
  const stopsAt = (width: number) => stopsOf(layoutAt(width).rows)
  const { rows } = layoutAt(1000)
  const height = rows.length * rowHeight + axisHeight
  return (
    <CursorDrawing
      name={`${counted(permits.length, 'decision')} by time and by who asked: ${rows.map(({ capability }) => capability).join(', ')}`}
      file="permits"
      stops={width => stopsAt(width).map(({ capability, mark }) => markWords(capability, mark))}
      height={() => height}
      draw={(width, cursor) => {
        const layout = layoutAt(width)
        const at = stopsAt(width)[cursor]?.mark
        return (
          <>
            {layout.rows.map((row, index) => (
              <g key={row.capability} transform={`translate(0 ${index * rowHeight + rowHeight / 2})`}>
                <text x={0} y={4} class="drawings-small">
                  {cutText(row.capability, Math.floor(labelsWidth(width) / 7.4))}
                </text>
                <g transform={`translate(${labelsWidth(width)} 0)`}>
                  <StripRowShapes row={row} pieces={layout.pieces} at={at} onChoose={onChoose} />
                </g>
              </g>
            ))}
            <g transform={`translate(${labelsWidth(width)} 0)`}>
              <Axis pieces={layout.pieces} height={rows.length * rowHeight} />
            </g>
          </>
        )
      }}
      table={table}
      onChoose={(stop, width) => {
        const chosen = stopsAt(width)[stop]
        if (chosen !== undefined) onChoose(chosen.mark.permits)
      }}
    />
  )
}

interface Stop {
  readonly capability: string
  readonly mark: StripMark
}

function stopsOf(rows: readonly StripRow[]): readonly Stop[] {
  return rows.flatMap(({ capability, marks }) => marks.map(mark => ({ capability, mark })))
}

function markWords(capability: string, { permits, decision }: StripMark): string {
  const [first] = permits
  if (first === undefined) return capability
  const time = timeOfDay(Date.parse(first.at), zone.value, now.value)
  const word = decisionWord(decision)
  if (permits.length > 1) return `${time}, ${capability}: ${permits.length} times ${word}`
  const of = first.target.namespace === null ? first.target.name : `${first.target.namespace}/${first.target.name}`
  return `${time} ${word}, ${capability}: ${first.verb} ${of}${first.rule === null ? '' : `, ${first.rule}`}`
}

interface RowShapesProps {
  row: StripRow
  pieces: readonly Piece[]
  at: StripMark | undefined
  onChoose: (permits: readonly Permit[]) => void
}

function StripRowShapes({ row, pieces, at, onChoose }: RowShapesProps) {
  return (
    <>
      {pieces.map(piece => (
        <line
          key={piece.startMs}
          x1={piece.x}
          x2={piece.x + piece.width}
          y1={0}
          y2={0}
          class={piece.folded ? 'drawings-folded-line' : 'drawings-line'}
        />
      ))}
      {row.bars.map(bar => (
        <rect
          key={bar.permit}
          x={bar.x}
          y={-3}
          width={Math.max(2, bar.width)}
          height={6}
          class={bar.open ? 'drawings-bar-open' : 'drawings-bar'}
        />
      ))}
      {row.marks.map(mark => (
        // biome-ignore lint/a11y/noStaticElementInteractions: the drawing's cursor does the same by keyboard
        <g
          key={`${mark.x} ${mark.decision}`}
          class="drawings-mark"
          transform={`translate(0 ${mark.lane * laneBelow})`}
          onClick={() => onChoose(mark.permits)}
        >
          <title>{markWords(row.capability, mark)}</title>
          {/* Wide enough for a finger, and hides the bar behind the shape. */}
          <rect x={mark.x - 7} y={-12} width={14} height={24} class="drawings-hit" />
          <circle cx={mark.x} cy={0} r={8} class="drawings-mark-ground" />
          <DecisionShape decision={mark.decision} x={mark.x} y={0} />
          {at?.permits[0] === mark.permits[0] ? (
            <rect x={mark.x - 11} y={-12} width={22} height={24} rx={4} class="drawings-at-cursor" data-not-exported />
          ) : null}
        </g>
      ))}
      {row.marks
        .filter(({ permits }) => permits.length > 1)
        .map(({ x, decision, lane, permits }) => (
          <text key={`${x} ${decision}`} x={x} y={lane === 0 ? -9 : laneBelow + 16} text-anchor="middle" class="drawings-tiny">
            {permits.length}
          </text>
        ))}
    </>
  )
}

function Axis({ pieces, height }: { pieces: readonly Piece[]; height: number }) {
  const last = pieces.at(-1)
  const end = last === undefined ? 0 : last.x + last.width
  return (
    <g>
      {ticksOf(pieces, ticksApart)
        .filter(({ x }) => x <= end - 24)
        .map(({ ms, x }) => (
          <g key={ms}>
            <line x1={x} x2={x} y1={height - 2} y2={height + 4} class="drawings-line" />
            <text x={x} y={height + 18} text-anchor={x < 24 ? 'start' : 'middle'} class="drawings-tiny">
              {timeOfDay(ms, zone.value, now.value)}
            </text>
          </g>
        ))}
      {pieces
        .filter(piece => piece.folded)
        .map(({ startMs, endMs, x, width }) => (
          <g key={startMs}>
            <title>{`Nothing happened for ${age(endMs - startMs)}`}</title>
            <rect x={x} y={0} width={width} height={height} class="drawings-fold" />
            <text x={x + width / 2} y={height + 18} text-anchor="middle" class="drawings-tiny">
              {`⋯ ${age(endMs - startMs)} ⋯`}
            </text>
          </g>
        ))}
    </g>
  )
}
