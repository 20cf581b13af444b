// One node: how full it is, what holds it, and its pods with what may leave.
import { useMemo, useState } from 'preact/hooks'
import type { NodePod, NodePodPage, NodeView } from '../../contract.ts'
import { counted } from '../../words/grammar.ts'
import { apiPath, refPath } from '../../words/links.ts'
import { shortName } from '../../words/names.ts'
import { unknownText } from '../../words/percent.ts'
import { cpuExact, memoryExact, memoryShort } from '../../words/quantity.ts'
import { Drawn } from '../drawn/drawn.tsx'
import { goalsMarkup } from '../drawn/goals.ts'
import { legendMarkup, nodeRowsMarkup } from '../drawn/node-rows.ts'
import { onHost } from '../frame/base-path.ts'
import { PageTitle } from '../frame/page-title.tsx'
import { A, address, keepingMoment, setQuery } from '../frame/router.tsx'
import { now, zone } from '../frame/time.ts'
import { sources } from '../live/live.ts'
import { useTopic } from '../live/topics.ts'
import { usePages } from '../nodes/pages-of-rows.ts'
import { DataTable } from '../widgets/data-table.tsx'
import { Fold } from '../widgets/fold.tsx'
import { MomentLink } from '../widgets/moment-link.tsx'
import { SentenceText } from '../widgets/sentence-text.tsx'
import { StateNote } from '../widgets/state-note.tsx'
import type { Column } from '../widgets/table-props.ts'
import { NodeOverTime } from './node-over-time.tsx'

export function NodePage({ params }: { params: Readonly<Record<string, string>> }) {
  const name = params['name'] ?? ''
  const topic = useTopic<NodeView>(`node:${name}`)
  return (
    <>
      <PageTitle text={`Node ${name}`} />
      <StateNote topic={topic} what={`the node ${name}`} gone={<A href="/">All nodes</A>}>
        {view => <Shown view={view} />}
      </StateNote>
    </>
  )
}

function Shown({ view }: { view: NodeView }) {
  const { row, goals, verdict, labels, conditions, podCount } = view
  const surroundings = { nowMs: now.value, zone: zone.value, link: (path: string) => onHost(keepingMoment(path)) }
  return (
    <>
      <p class="nodes-verdict">
        {verdict.sentences.map(sentence => (
          <span key={sentence.code}>
            <SentenceText of={sentence} />{' '}
          </span>
        ))}
      </p>
      <section class="overview-section" aria-label="How full it is">
        <Drawn of={nodeRowsMarkup({ nodes: [row], goals, sources: sources.value }, surroundings)} />
        <Drawn of={legendMarkup()} />
      </section>
      {goals.length === 0 ? null : (
        <section class="overview-section" aria-labelledby="goals">
          <h2 id="goals">Goals</h2>
          <Drawn of={goalsMarkup({ goals, goalsEmpty: null }, surroundings)} />
        </section>
      )}
      <NodeOverTime node={row.name} />
      <section class="overview-section nodes-pods" aria-labelledby="pods">
        <h2 id="pods">
          Pods <span class="drawn-count">{podCount ?? unknownText}</span>
        </h2>
        <Pods node={row.name} changed={podCount ?? 0} />
      </section>
      <Fold title="Taints" count={row.taints.length} open={row.taints.length > 0}>
        {row.taints.length === 0 ? <p class="drawn-quiet">No taints.</p> : <Words of={row.taints} />}
      </Fold>
      <Fold title="Labels" count={Object.keys(labels).length} open={false}>
        <Words of={Object.entries(labels).map(([key, value]) => (value === '' ? key : `${key}=${value}`))} />
      </Fold>
      <Fold title="Conditions" count={conditions.length} open={row.ready === false}>
        <ul class="nodes-words">
          {conditions.map(({ type, status, message }) => (
            <li key={type}>
              <b>{type}</b> {status}
              {message === null ? '' : `: ${message}`}
            </li>
          ))}
        </ul>
      </Fold>
      <MomentLink />
    </>
  )
}

function Words({ of }: { of: readonly string[] }) {
  return (
    <ul class="nodes-words">
      {of.map(word => (
        <li key={word}>
          <code>{word}</code>
        </li>
      ))}
    </ul>
  )
}

/** Use is measured to the byte: its short form reads, the exact one is in the title. */
const amount = (
  { requested, used }: NodePod['cpu'],
  exact: (amount: number | null) => string,
  short: (amount: number | null) => string = exact,
) => (
  <span title={`${exact(requested)} requested, ${exact(used)} used`}>
    {exact(requested)} <span class="drawn-muted">/ {short(used)}</span>
  </span>
)

const columns: readonly Column<NodePod>[] = [
  {
    key: 'name',
    title: 'Pod',
    isHeader: true,
    cell: ({ ref, workload }) => (
      <A href={refPath(workload ?? ref)} title={`${ref.namespace}/${ref.name}`}>
        {ref.namespace}/{shortName(ref.name, 40)}
      </A>
    ),
    value: ({ ref }) => `${ref.namespace}/${ref.name}`,
    width: '34%',
  },
  {
    key: 'cpu',
    title: 'CPU requested / used',
    isNumber: true,
    cell: ({ cpu }) => amount(cpu, cpuExact),
    value: ({ cpu }) => cpu.requested,
    width: '11rem',
  },
  {
    key: 'memory',
    title: 'Memory requested / used',
    isNumber: true,
    cell: ({ memory }) => amount(memory, memoryExact, memoryShort),
    value: ({ memory }) => memory.requested,
    width: '13rem',
  },
  {
    key: 'movable',
    title: 'May it leave?',
    cell: ({ movable, because }) => (
      <>
        <span class={movable ? 'nodes-movable' : 'drawn-muted'}>{movable ? '✓ movable' : '– stays'}</span>{' '}
        <SentenceText of={because} />
      </>
    ),
    value: ({ movable, because }) => `${movable ? 0 : 1}${because.text}`,
  },
]

const rowsOfPage = 100
/** Columns that the server sorts all pods of the node by. */
const sortedByServer = ['name', 'cpu', 'memory']

const isWhole = (rows: readonly NodePod[], total: number | null) => total === null || rows.length === total

/** All pods of the node, page by page, in the order that the address asks for. */
function Pods({ node, changed }: { node: string; changed: number }) {
  const { query } = address.value
  const asked = query.get('sort') ?? 'cpu'
  const sort = sortedByServer.includes(asked) ? asked : 'cpu'
  const isDescending = query.has('sort') ? query.get('dir') === 'desc' : true
  const [text, setText] = useState(query.get('q') ?? '')
  const path = useMemo(
    () =>
      apiPath(['nodes', node, 'pods'], {
        sort,
        dir: isDescending ? 'desc' : 'asc',
        limit: rowsOfPage,
        q: query.get('q') === '' ? null : query.get('q'),
      }),
    [node, sort, isDescending, query.get('q')],
  )
  const pages = usePages<NodePodPage, NodePod>(path, changed, page => ({ rows: page.pods, next: page.next, total: page.total }))
  return (
    <StateNote topic={pages.topic} what="pods" retry={pages.reload}>
      {({ rows, next, total }) => (
        <>
          <p class={isWhole(rows, total) && !query.get('q') ? 'frame-unseen' : 'drawn-muted'} role="status">
            {isWhole(rows, total) ? counted(total, 'pod') : `${rows.length} of ${counted(total, 'pod')}`}
          </p>
          <DataTable
            caption={`Pods of ${node}`}
            captionHidden
            columns={columns}
            rows={rows}
            rowKey={({ ref }) => `${ref.namespace}/${ref.name}`}
            sort={{ column: 'cpu', descending: true }}
            csv={apiPath(['export', 'pods.csv'], { node })}
            open={({ ref, workload }) => refPath(workload ?? ref)}
            more={{ next, total, load: pages.more, loading: pages.isLoading }}
            empty={
              <p class="drawn-quiet">
                {total === null
                  ? 'Which pods it carried then is not kept.'
                  : query.get('q')
                    ? 'No pod is called so.'
                    : 'No pods.'}
              </p>
            }
            tools={
              <input
                class="widgets-input"
                type="text"
                aria-label="Only pods that are called"
                placeholder="Filter"
                value={text}
                onInput={event => setText(event.currentTarget.value)}
                onChange={() => setQuery({ q: text.trim() === '' ? null : text.trim() })}
              />
            }
            card={{
              height: 104,
              cell: pod => (
                <>
                  <div>
                    <A href={refPath(pod.workload ?? pod.ref)}>
                      {pod.ref.namespace}/{shortName(pod.ref.name)}
                    </A>
                  </div>
                  <div>
                    {amount(pod.cpu, cpuExact)} · {amount(pod.memory, memoryExact, memoryShort)}
                  </div>
                  <div class="drawn-muted">
                    <SentenceText of={pod.because} />
                  </div>
                </>
              ),
            }}
          />
        </>
      )}
    </StateNote>
  )
}
