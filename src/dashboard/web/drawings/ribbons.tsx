// The flows of a plan as ribbons: on the left the nodes that lose pods, on the right those that gain, as wide as there are pods.
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import type { Flow } from '../../contract.ts'
import { flowText } from '../../words/en-plan.ts'
import { counted } from '../../words/grammar.ts'
import { shortName } from '../../words/names.ts'
import { count, cpuExact, memoryExact } from '../../words/quantity.ts'
import { DataTable } from '../widgets/data-table.tsx'
import type { Column } from '../widgets/table-props.ts'
import { CursorDrawing } from './cursor-drawing.tsx'
import { pointOnRibbon, type Ribbon, type RibbonEnd, ribbonLayout, ribbonPath } from './ribbon-layout.ts'
import './drawings.css'

interface RibbonsProps {
  flows: readonly Flow[]
  /** Name of the file, `talos-7f3c-flows`. */
  file: string
  /** Path of the table as CSV. */
  csv?: string | undefined
  /** The pair whose pod moves now: its mark travels once for each new `id`. */
  moving?: { readonly id: string; readonly from: string; readonly to: string } | undefined
}

/** Among many pairs, the smallest become one row without nodes. */
const isGathered = ({ pairs }: Flow): boolean => pairs > 1

const edge = 150

export function Ribbons({ flows, file, csv, moving }: RibbonsProps) {
  const id = useId()
  const drawn = flows.filter(flow => !isGathered(flow))
  const gathered = flows.filter(isGathered)
  const layout = ribbonLayout(drawn)
  const total = flows.reduce((sum, { pods }) => sum + pods, 0)
  const name = `${counted(total, 'pod')} ${total === 1 ? 'moves' : 'move'}: ${flows.slice(0, 3).map(flowWords).join('; ')}${flows.length > 3 ? '; and others' : ''}`
  return (
    <>
      <CursorDrawing
        name={name}
        file={file}
        stops={() =>
          drawn.map(
            flow => `${flowWords(flow)}, ${cpuExact(flow.cpu)} CPU and ${memoryExact(flow.memory)} memory, ${flow.done} done`,
          )
        }
        height={() => layout.height + 8}
        draw={(width, cursor) => (
          <g transform="translate(0 4)">
            <Hatch id={`${id}-planned`} />
            {layout.ribbons.map((ribbon, index) => (
              <RibbonShape
                key={`${ribbon.flow.from} ${ribbon.flow.to}`}
                ribbon={ribbon}
                left={edge}
                right={width - edge}
                pattern={`${id}-planned`}
                isAtCursor={index === cursor}
              />
            ))}
            {layout.left.map(end => (
              <EndLabel key={end.node} end={end} x={edge - 10} anchor="end" verb="leave" />
            ))}
            {layout.right.map(end => (
              <EndLabel key={end.node} end={end} x={width - edge + 10} anchor="start" verb="come" />
            ))}
            {layout.ribbons.map(ribbon => (
              <CountLabel
                key={`${ribbon.flow.from} ${ribbon.flow.to}`}
                ribbon={ribbon}
                left={edge}
                right={width - edge}
                many={drawn.length > 1}
              />
            ))}
            <MovingMark ribbons={layout.ribbons} left={edge} right={width - edge} moving={moving} />
          </g>
        )}
        table={<FlowTable flows={flows} csv={csv} />}
      />
      {gathered.map(flow => (
        <p class="drawings-note" key={`${flow.from}${flow.to}`}>
          {flowText(flow)}
        </p>
      ))}
    </>
  )
}

const flowWords = (flow: Flow): string =>
  isGathered(flow) ? flowText(flow) : `${counted(flow.pods, 'pod')} from ${flow.from} to ${flow.to}`

const columns: readonly Column<Flow>[] = [
  {
    key: 'from',
    title: 'From',
    isHeader: true,
    cell: flow => (isGathered(flow) ? flowText(flow) : flow.from),
    value: flow => flow.from,
  },
  { key: 'to', title: 'To', cell: flow => flow.to, value: flow => flow.to },
  { key: 'pods', title: 'Pods', isNumber: true, cell: flow => count(flow.pods), value: flow => flow.pods },
  { key: 'done', title: 'Done', isNumber: true, cell: flow => count(flow.done), value: flow => flow.done },
  { key: 'cpu', title: 'CPU', isNumber: true, cell: flow => cpuExact(flow.cpu), value: flow => flow.cpu },
  { key: 'memory', title: 'Memory', isNumber: true, cell: flow => memoryExact(flow.memory), value: flow => flow.memory },
]

/** Where there is no room for ribbons. */
export function FlowList({ flows }: { flows: readonly Flow[] }) {
  return (
    <ul class="drawings-flows">
      {flows.map(flow => (
        <li key={`${flow.from} ${flow.to}`}>
          <span>{flowText(flow)}</span>
          {isGathered(flow) ? null : <b>{counted(flow.pods, 'pod')}</b>}
          <span class="drawings-flow-amounts">
            {`${cpuExact(flow.cpu)} ${memoryExact(flow.memory)}`}
            {flow.done > 0 ? `, ${flow.done} done` : ''}
          </span>
        </li>
      ))}
    </ul>
  )
}

/** The same as a table. */
function FlowTable({ flows, csv }: { flows: readonly Flow[]; csv?: string | undefined }) {
  return (
    <DataTable
      caption="Pods that move, by pair of nodes"
      captionHidden
      name="flows"
      columns={columns}
      rows={flows}
      rowKey={flow => `${flow.from} ${flow.to}`}
      takesKeys={false}
      csv={csv}
    />
  )
}

/** Planned is hatched, done is solid. */
function Hatch({ id }: { id: string }) {
  return (
    <defs>
      <pattern id={id} width={6} height={6} patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect width={6} height={6} class="drawings-hatch-ground" />
        <rect width={2.5} height={6} class="drawings-hatch-line" />
      </pattern>
    </defs>
  )
}

interface RibbonShapeProps {
  ribbon: Ribbon
  left: number
  right: number
  pattern: string
  isAtCursor: boolean
}

function RibbonShape({ ribbon, left, right, pattern, isAtCursor }: RibbonShapeProps) {
  const { flow, thickness, doneThickness } = ribbon
  return (
    <g>
      <title>{flowWords(flow)}</title>
      <path d={ribbonPath(ribbon, thickness, left, right)} fill={`url(#${pattern})`} class="drawings-ribbon" />
      {doneThickness > 0 ? <path d={ribbonPath(ribbon, doneThickness, left, right)} class="drawings-ribbon-done" /> : null}
      {isAtCursor ? (
        <path
          d={ribbonPath({ fromY: ribbon.fromY - 3, toY: ribbon.toY - 3 }, thickness + 6, left, right)}
          class="drawings-at-cursor"
          data-not-exported
        />
      ) : null}
    </g>
  )
}

interface EndLabelProps {
  end: RibbonEnd
  x: number
  anchor: 'start' | 'end'
  verb: string
}

function EndLabel({ end, x, anchor, verb }: EndLabelProps) {
  const middle = end.y + end.height / 2
  return (
    <g text-anchor={anchor}>
      <title>{end.node}</title>
      <text x={x} y={middle - 3} class="drawings-label">
        {shortName(end.node, 18)}
      </text>
      <text x={x} y={middle + 13} class="drawings-small">
        {`${counted(end.pods, 'pod')} ${end.pods === 1 ? `${verb}s` : verb}`}
      </text>
    </g>
  )
}

interface CountLabelProps {
  ribbon: Ribbon
  left: number
  right: number
  many: boolean
}

/** On the ribbon's middle, on a ground of its own, so that it reads on hatch and on solid. */
function CountLabel({ ribbon, left, right }: CountLabelProps) {
  const { x, y } = pointOnRibbon(ribbon, left, right, 0.3)
  const text = counted(ribbon.flow.pods, 'pod')
  const half = text.length * 3.6 + 6
  return (
    <g>
      <rect x={x - half} y={y - 10} width={half * 2} height={20} rx={10} class="drawings-count-ground" />
      <text x={x} y={y + 4} text-anchor="middle" class="drawings-small drawings-strong">
        {text}
      </text>
    </g>
  )
}

const travelMs = 600

interface MovingMarkProps extends Pick<RibbonsProps, 'moving'> {
  ribbons: readonly Ribbon[]
  left: number
  right: number
}

/** A pod's mark on its way; where motion is not wanted it stands in the middle of its ribbon. */
function MovingMark({ ribbons, left, right, moving }: MovingMarkProps) {
  const [part, setPart] = useState(1)
  const first = useRef(true)
  useEffect(() => {
    if (moving === undefined) return
    if (matchMedia('(prefers-reduced-motion: reduce)').matches || first.current) {
      first.current = false
      setPart(0.5)
      return
    }
    const start = performance.now()
    let frame = requestAnimationFrame(function step(at) {
      const gone = Math.min(1, (at - start) / travelMs)
      setPart(gone)
      if (gone < 1) frame = requestAnimationFrame(step)
    })
    return () => cancelAnimationFrame(frame)
  }, [moving?.id])
  useEffect(() => {
    first.current = false
  }, [])
  const ribbon = ribbons.find(({ flow }) => flow.from === moving?.from && flow.to === moving?.to)
  if (ribbon === undefined) return null
  const { x, y } = pointOnRibbon(ribbon, left, right, part)
  return <circle cx={x} cy={y} r={6} class="drawings-moving" />
}
