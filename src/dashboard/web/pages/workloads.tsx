// All workloads that have pods, to be searched.
import { useEffect, useMemo, useState } from 'preact/hooks'
import type { WorkloadPage as Page, WorkloadRow } from '../../contract.ts'
import { noWorkloadsText } from '../../words/en-empty.ts'
import { apiPath, nodePath, workloadPath } from '../../words/links.ts'
import { printable, shortName } from '../../words/names.ts'
import { unknownText } from '../../words/percent.ts'
import { count, cpuExact, memoryExact } from '../../words/quantity.ts'
import { PageTitle } from '../frame/page-title.tsx'
import { A, address, setQuery } from '../frame/router.tsx'
import { sources } from '../live/live.ts'
import { ApiProblem, getJson } from '../live/requests.ts'
import { useAnswer } from '../widgets/answered.ts'
import { DataTable } from '../widgets/data-table.tsx'
import { Empty } from '../widgets/empty.tsx'
import { StateNote } from '../widgets/state-note.tsx'
import type { Column } from '../widgets/table-props.ts'
import './workload.css'

const searchAfterMs = 200

export function WorkloadsPage() {
  const asked = address.value.query.get('q') ?? ''
  const query = asked === '' ? {} : { q: asked }
  const answer = useAnswer<Page>(apiPath(['workloads'], query))
  const [typed, setTyped] = useState(asked)
  useEffect(() => {
    if (typed === asked) return
    const timer = setTimeout(() => setQuery({ q: typed === '' ? null : typed }), searchAfterMs)
    return () => clearTimeout(timer)
  }, [typed])
  return (
    <>
      <PageTitle text="Workloads" />
      <form
        class="workload-search"
        onSubmit={event => {
          event.preventDefault()
          setQuery({ q: typed === '' ? null : typed })
        }}
      >
        <label for="workloads-search">
          Part of a namespace or a name
          <input
            id="workloads-search"
            class="widgets-input"
            type="search"
            autoComplete="off"
            maxLength={253}
            value={typed}
            onInput={event => setTyped(event.currentTarget.value)}
          />
        </label>
      </form>
      <StateNote topic={answer} what="workloads" retry={answer.reload}>
        {page => <Workloads key={asked} page={page} query={query} />}
      </StateNote>
    </>
  )
}

const columns: readonly Column<WorkloadRow>[] = [
  {
    key: 'name',
    title: 'Workload',
    width: '20rem',
    isHeader: true,
    cell: row => <Name row={row} />,
    value: ({ ref }) => `${ref.namespace ?? ''}/${ref.name}`,
  },
  { key: 'kind', title: 'Kind', width: '8rem', cell: ({ ref }) => ref.kind, value: ({ ref }) => ref.kind },
  {
    key: 'pods',
    title: 'Pods',
    width: '4.5rem',
    isNumber: true,
    cell: row => known(row.pods, count),
    value: row => row.pods ?? '',
  },
  {
    key: 'ready',
    title: 'Ready',
    width: '5rem',
    isNumber: true,
    cell: row => known(row.ready, count),
    value: row => row.ready ?? '',
  },
  { key: 'owner', title: 'Owner', width: '8rem', cell: row => row.owner, value: row => row.owner },
  {
    key: 'cpu',
    title: 'CPU requested',
    width: '9rem',
    isNumber: true,
    cell: row => known(row.cpu, cpuExact),
    value: row => row.cpu ?? '',
  },
  {
    key: 'memory',
    title: 'Memory requested',
    width: '10rem',
    isNumber: true,
    cell: row => known(row.memory, memoryExact),
    value: row => row.memory ?? '',
  },
  { key: 'nodes', title: 'Nodes', cell: row => <Nodes nodes={row.nodes} />, value: row => row.nodes.join(' ') },
]

/** `–` where nobody knows. */
function known(value: number | null, write: (value: number) => string): string {
  return value === null ? unknownText : write(value)
}

function Name({ row: { ref } }: { row: WorkloadRow }) {
  const full = `${ref.namespace ?? ''}/${ref.name}`
  return (
    <A href={workloadPath(ref)} title={full}>
      {printable(`${ref.namespace ?? ''}/${shortName(ref.name, 34)}`)}
    </A>
  )
}

const nodesNamed = 4

function Nodes({ nodes }: { nodes: readonly string[] }) {
  return (
    <span title={nodes.join(', ')}>
      {nodes.slice(0, nodesNamed).map((node, index) => (
        <span key={node}>
          {index === 0 ? '' : ', '}
          <A href={nodePath(node)}>{node}</A>
        </span>
      ))}
      {nodes.length > nodesNamed ? ` and ${nodes.length - nodesNamed} more` : ''}
    </span>
  )
}

function Workloads({ page, query }: { page: Page; query: Readonly<Record<string, string>> }) {
  const [later, setLater] = useState<Page>()
  const [loading, setLoading] = useState(false)
  const [problem, setProblem] = useState<string>()
  const rows = useMemo(() => (later === undefined ? page.workloads : [...page.workloads, ...later.workloads]), [page, later])
  const next = later === undefined ? page.next : later.next
  const load = async (cursor: string) => {
    setLoading(true)
    try {
      const answer = await getJson<Page>(apiPath(['workloads'], { ...query, cursor }))
      setLater({ ...answer, workloads: [...(later?.workloads ?? []), ...answer.workloads] })
      setProblem(undefined)
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error
      setProblem(`More workloads could not be read: ${error.message}`)
    } finally {
      setLoading(false)
    }
  }
  return (
    <>
      {problem === undefined ? null : (
        <p class="widgets-note" role="alert">
          {problem}
        </p>
      )}
      <DataTable
        caption={page.total === 1 ? '1 workload' : `${count(page.total)} workloads`}
        columns={columns}
        rows={rows}
        rowKey={({ ref }) => `${ref.kind} ${ref.namespace}/${ref.name}`}
        open={({ ref }) => workloadPath(ref)}
        csv={apiPath(['export', 'workloads.csv'], query)}
        more={{ next, total: page.total, loading, load: () => next !== null && !loading && void load(next) }}
        card={{ height: 88, cell: row => <WorkloadCard row={row} /> }}
        empty={
          <Empty>
            {page.total === null
              ? 'Which workloads there were then is not kept.'
              : query['q'] === undefined
                ? noWorkloadsText(sources.value)
                : `No workload has ${JSON.stringify(query['q'])} in its namespace or name.`}
          </Empty>
        }
      />
    </>
  )
}

function WorkloadCard({ row }: { row: WorkloadRow }) {
  return (
    <>
      <div>
        <Name row={row} />
      </div>
      <div>
        {known(row.ready, count)} of {known(row.pods, count)} ready · {row.owner} · {known(row.cpu, cpuExact)}{' '}
        {known(row.memory, memoryExact)}
      </div>
      <div class="widgets-muted">
        {row.ref.kind} on {row.nodes.slice(0, 3).join(', ') || (row.pods === null ? unknownText : 'no node')}
        {row.nodes.length > 3 ? ` and ${row.nodes.length - 3} more` : ''}
      </div>
    </>
  )
}
