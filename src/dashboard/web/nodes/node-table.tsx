// The nodes as a table: what bars and map show, exactly.
import type { NodeRow } from '../../contract.ts'
import { nodeStateText } from '../../words/en.ts'
import { counted } from '../../words/grammar.ts'
import { nodePath } from '../../words/links.ts'
import { exactPercent, percentText } from '../../words/percent.ts'
import { count, cpuExact, memoryExact, watts } from '../../words/quantity.ts'
import { A } from '../frame/router.tsx'
import { now } from '../frame/time.ts'
import { DataTable } from '../widgets/data-table.tsx'
import type { Column } from '../widgets/table-props.ts'

const share = (part: number | null, whole: number, exact: (amount: number | null) => string) => (
  <span title={`${exact(part)} of ${exact(whole)}`}>{percentText(part, whole)}</span>
)

const columns: readonly Column<NodeRow>[] = [
  {
    key: 'name',
    title: 'Node',
    isHeader: true,
    cell: ({ name }) => <A href={nodePath(name)}>{name}</A>,
    value: ({ name }) => name,
    width: '14rem',
  },
  {
    key: 'cpu',
    title: 'CPU requested',
    isNumber: true,
    cell: ({ cpu }) => share(cpu.requested, cpu.allocatable, cpuExact),
    value: ({ cpu }) => exactPercent(cpu.requested, cpu.allocatable),
  },
  {
    key: 'used-cpu',
    title: 'used',
    isNumber: true,
    cell: ({ cpu }) => share(cpu.used, cpu.allocatable, cpuExact),
    value: ({ cpu }) => exactPercent(cpu.used, cpu.allocatable),
  },
  {
    key: 'memory',
    title: 'Memory requested',
    isNumber: true,
    cell: ({ memory }) => share(memory.requested, memory.allocatable, memoryExact),
    value: ({ memory }) => exactPercent(memory.requested, memory.allocatable),
  },
  {
    key: 'used-memory',
    title: 'used',
    isNumber: true,
    cell: ({ memory }) => share(memory.used, memory.allocatable, memoryExact),
    value: ({ memory }) => exactPercent(memory.used, memory.allocatable),
  },
  { key: 'pods', title: 'Pods', isNumber: true, cell: ({ pods }) => count(pods.count), value: ({ pods }) => pods.count },
  {
    key: 'after',
    title: 'After: CPU / memory',
    isNumber: true,
    cell: ({ after, cpu, memory }) =>
      after === null ? '–' : `${percentText(after.cpu, cpu.allocatable)} / ${percentText(after.memory, memory.allocatable)}`,
    value: ({ after, cpu }) => (after === null ? null : exactPercent(after.cpu, cpu.allocatable)),
  },
  { key: 'zone', title: 'Zone', cell: ({ zone }) => zone ?? '–', value: ({ zone }) => zone ?? '' },
  { key: 'state', title: 'State', cell: node => nodeStateText(node, now.value), value: node => nodeStateText(node, now.peek()) },
]

const wattsColumn: Column<NodeRow> = {
  key: 'watts',
  title: 'Power',
  isNumber: true,
  cell: ({ watts: { now: drawn, source } }) =>
    drawn === null ? '–' : `${watts(drawn)}${source === 'model' ? ' (modelled)' : ''}`,
  value: ({ watts: { now: drawn } }) => drawn,
}

export function NodeTable({ nodes }: { nodes: readonly NodeRow[] }) {
  const hasWatts = nodes.some(({ watts: { now: drawn } }) => drawn !== null)
  return (
    <DataTable
      caption="Nodes"
      captionHidden
      name="nodes"
      columns={hasWatts ? [...columns, wattsColumn] : columns}
      rows={nodes}
      rowKey={({ name }) => name}
      csv="/api/v1/export/nodes.csv"
      open={({ name }) => nodePath(name)}
      takesKeys={false}
      card={{
        height: 84,
        cell: node => (
          <>
            <div>
              <A href={nodePath(node.name)}>{node.name}</A> <span class="drawn-muted">{counted(node.pods.count, 'pod')}</span>
            </div>
            <div>
              CPU {percentText(node.cpu.requested, node.cpu.allocatable)} ({percentText(node.cpu.used, node.cpu.allocatable)}{' '}
              used) · memory {percentText(node.memory.requested, node.memory.allocatable)} (
              {percentText(node.memory.used, node.memory.allocatable)} used)
            </div>
          </>
        ),
      }}
    />
  )
}
