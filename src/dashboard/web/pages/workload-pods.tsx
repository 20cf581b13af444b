// The pods of a workload, and where each may go.
import type { WorkloadPod, WorkloadView } from '../../contract.ts'
import { nodePath } from '../../words/links.ts'
import { printable, shortName } from '../../words/names.ts'
import { cpuExact, memoryExact, memoryShort } from '../../words/quantity.ts'
import { A } from '../frame/router.tsx'
import { DataTable } from '../widgets/data-table.tsx'
import { Empty } from '../widgets/empty.tsx'
import { Fold } from '../widgets/fold.tsx'
import { narrow } from '../widgets/narrow.ts'
import type { Column } from '../widgets/table-props.ts'
import { When } from '../widgets/when.tsx'

export function WorkloadPods({ view: { pods, podCount, placesAt } }: { view: WorkloadView }) {
  return (
    <Fold title="Pods" count={podCount} open={!narrow.value}>
      <DataTable
        caption="Pods"
        captionHidden
        name="pods"
        columns={columns}
        rows={pods}
        rowKey={pod => pod.name}
        card={{ height: 132, cell: pod => <PodCard pod={pod} /> }}
        empty={<Empty>{podCount === null ? 'Which pods it had then is not kept.' : 'It has no pods now.'}</Empty>}
      />
      {podCount !== null && podCount > pods.length ? (
        <p class="widgets-muted">{`The first ${pods.length} of ${podCount} pods.`}</p>
      ) : null}
      {placesAt === null ? null : (
        <p class="widgets-muted">
          Where they may go, and whether they may be moved, was worked out <When at={placesAt} />.
        </p>
      )}
    </Fold>
  )
}

const columns: readonly Column<WorkloadPod>[] = [
  {
    key: 'name',
    title: 'Pod',
    isHeader: true,
    cell: pod => <span title={pod.name}>{printable(shortName(pod.name, 36))}</span>,
    value: pod => pod.name,
  },
  {
    key: 'node',
    title: 'Node',
    cell: pod => (pod.node === null ? 'not placed' : <A href={nodePath(pod.node)}>{shortName(pod.node, 24)}</A>),
    value: pod => pod.node,
  },
  { key: 'phase', title: 'Phase', cell: pod => phaseOf(pod), value: pod => phaseOf(pod) },
  {
    key: 'cpu',
    title: 'CPU request/use',
    isNumber: true,
    cell: pod => `${cpuExact(pod.cpu.requested)} / ${cpuExact(pod.cpu.used)}`,
    value: pod => pod.cpu.requested,
  },
  {
    key: 'memory',
    title: 'Memory request/use',
    isNumber: true,
    cell: pod => <Memory pod={pod} />,
    value: pod => pod.memory.requested,
  },
  {
    key: 'age',
    title: 'Age',
    isNumber: true,
    cell: pod => <When at={pod.createdAt} as="age" still />,
    value: pod => (pod.createdAt === null ? null : -Date.parse(pod.createdAt)),
  },
  { key: 'goes', title: 'May go to', cell: pod => <MayGo pod={pod} />, value: pod => pod.mayGoCount },
]

/** Requests are exact; what is used is measured and as a rule no round number, so it is told in short. */
function Memory({ pod: { memory } }: { pod: WorkloadPod }) {
  return <span title={memoryExact(memory.used)}>{`${memoryExact(memory.requested)} / ${memoryShort(memory.used)}`}</span>
}

function phaseOf({ phase, ready }: WorkloadPod): string {
  return phase === 'Running' && !ready ? 'Running, not ready' : phase
}

const refusedShown = 3

/** `talos02-gpu; not talos01: full (memory)`. */
function MayGo({ pod: { mayGo, mayGoCount, mayNot } }: { pod: WorkloadPod }) {
  if (mayGoCount === null) return <span class="widgets-muted">–</span>
  return (
    <span class="workload-goes">
      {mayGo.length === 0 ? (
        <b>nowhere else</b>
      ) : (
        mayGo.map((node, index) => (
          <span key={node}>
            {index === 0 ? '' : ', '}
            <A href={nodePath(node)}>{node}</A>
          </span>
        ))
      )}
      {mayGoCount > mayGo.length ? ` and ${mayGoCount - mayGo.length} more` : ''}
      {mayNot.length === 0 ? null : (
        <span class="widgets-muted" title={mayNot.map(({ node, because }) => `${node}: ${because}`).join('\n')}>
          {'; not '}
          {mayNot
            .slice(0, refusedShown)
            .map(({ node, because }) => `${node} (${printable(because)})`)
            .join(', ')}
          {mayNot.length > refusedShown ? ` and ${mayNot.length - refusedShown} more` : ''}
        </span>
      )}
    </span>
  )
}

function PodCard({ pod }: { pod: WorkloadPod }) {
  return (
    <>
      <div class="workload-pod-name">
        <b>{printable(pod.name)}</b>
      </div>
      <div>
        {pod.node ?? 'not placed'} · {phaseOf(pod)} · <When at={pod.createdAt} as="age" still />
      </div>
      <div>
        {cpuExact(pod.cpu.requested)} / {cpuExact(pod.cpu.used)} · <Memory pod={pod} />
      </div>
      <div>
        <MayGo pod={pod} />
      </div>
    </>
  )
}
