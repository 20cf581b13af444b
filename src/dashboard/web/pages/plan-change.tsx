// What a plan changes: requests of its nodes before and after, and between them the flows.
import type { NodeShareRow, PlanView } from '../../contract.ts'
import { apiPath, nodePath } from '../../words/links.ts'
import { shortName } from '../../words/names.ts'
import { percentText } from '../../words/percent.ts'
import { cpuExactOf, memoryExactOf } from '../../words/quantity.ts'
import { FlowList, Ribbons } from '../drawings/ribbons.tsx'
import { A } from '../frame/router.tsx'
import { DataTable } from '../widgets/data-table.tsx'
import { Empty } from '../widgets/empty.tsx'
import { narrow } from '../widgets/narrow.ts'
import type { Column } from '../widgets/table-props.ts'

interface Change {
  readonly node: string
  readonly before: NodeShareRow
  readonly after: NodeShareRow
}

interface PlanChangeProps {
  view: PlanView
  moving: { readonly id: string; readonly from: string; readonly to: string } | undefined
}

export function PlanChange({ view, moving }: PlanChangeProps) {
  const changes = changesOf(view)
  const csv = apiPath(['export', 'flows.csv'], { plan: view.head.name })
  const unchanged = view.before.length - changes.length
  if (view.moveCount === 0) return <Empty>Nothing to move.</Empty>
  return (
    <section class="plan-change" aria-label="Before and after">
      {narrow.value ? (
        <>
          <ChangeTable changes={changes} />
          <h2>Moves between nodes</h2>
          <FlowList flows={view.flows} />
        </>
      ) : (
        <div class="plan-change-columns">
          <Shares title="Before" rows={changes.map(({ before }) => before)} />
          <div class="plan-flows">
            <h2>Moves between nodes</h2>
            <Ribbons flows={view.flows} csv={csv} file={`${view.head.name}-flows`} moving={moving} />
          </div>
          <Shares title="After" rows={changes.map(({ after }) => after)} />
        </div>
      )}
      {unchanged > 0 ? (
        <p class="widgets-muted plan-unchanged">
          {unchanged === 1 ? 'One other node stays as it is.' : `${unchanged} other nodes stay as they are.`}
        </p>
      ) : null}
    </section>
  )
}

/** Nodes of which anything changes. */
function changesOf({ before, after }: PlanView): readonly Change[] {
  const later = new Map(after.map(row => [row.node, row]))
  return before.flatMap(row => {
    const then = later.get(row.node) ?? row
    const isSame =
      then.cpu.requested === row.cpu.requested &&
      then.memory.requested === row.memory.requested &&
      then.pods.count === row.pods.count
    return isSame ? [] : [{ node: row.node, before: row, after: then }]
  })
}

const rowsOfShares = 12

function Shares({ title, rows }: { title: string; rows: readonly NodeShareRow[] }) {
  return (
    <div class="plan-shares">
      <h2>{title}</h2>
      <table>
        <caption class="frame-unseen">{`Requests ${title.toLowerCase()} the plan, in percent of what is allocatable`}</caption>
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">CPU</th>
            <th scope="col">Memory</th>
            <th scope="col">Pods</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, rowsOfShares).map(({ node, cpu, memory, pods }) => (
            <tr key={node}>
              <th scope="row">
                <A href={nodePath(node)} title={node}>
                  {shortName(node, 16)}
                </A>
              </th>
              <td title={cpuExactOf(cpu.requested, cpu.allocatable)}>{percentText(cpu.requested, cpu.allocatable)}</td>
              <td title={memoryExactOf(memory.requested, memory.allocatable)}>
                {percentText(memory.requested, memory.allocatable)}
              </td>
              <td>{pods.count}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > rowsOfShares ? <p class="widgets-muted">{`and ${rows.length - rowsOfShares} more`}</p> : null}
    </div>
  )
}

const columns: readonly Column<Change>[] = [
  {
    key: 'node',
    title: 'Node',
    isHeader: true,
    cell: ({ node }) => <A href={nodePath(node)}>{node}</A>,
    value: ({ node }) => node,
  },
  {
    key: 'cpu',
    title: 'CPU',
    isNumber: true,
    cell: ({ before, after }) =>
      arrow(percentText(before.cpu.requested, before.cpu.allocatable), percentText(after.cpu.requested, after.cpu.allocatable)),
    value: ({ after }) => (after.cpu.allocatable === 0 ? null : after.cpu.requested / after.cpu.allocatable),
  },
  {
    key: 'memory',
    title: 'Memory',
    isNumber: true,
    cell: ({ before, after }) =>
      arrow(
        percentText(before.memory.requested, before.memory.allocatable),
        percentText(after.memory.requested, after.memory.allocatable),
      ),
    value: ({ after }) => (after.memory.allocatable === 0 ? null : after.memory.requested / after.memory.allocatable),
  },
  {
    key: 'pods',
    title: 'Pods',
    isNumber: true,
    cell: ({ before, after }) => arrow(String(before.pods.count), String(after.pods.count)),
    value: ({ after }) => after.pods.count,
  },
]

/** `93 → 45%`: the first unit is left out where both are the same. */
function arrow(before: string, after: string): string {
  return `${before.endsWith('%') && after.endsWith('%') ? before.slice(0, -1) : before} → ${after}`
}

function ChangeTable({ changes }: { changes: readonly Change[] }) {
  return (
    <DataTable
      caption="Requests before and after, in percent of what is allocatable"
      name="nodes"
      columns={columns}
      rows={changes}
      rowKey={({ node }) => node}
      takesKeys={false}
    />
  )
}
