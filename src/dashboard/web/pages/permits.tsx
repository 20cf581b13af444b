// The ledger: who asked for what, what was decided and why, over time.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Permit, PermitCounts, PermitPage } from '../../contract.ts'
import { count } from '../../words/quantity.ts'
import { Strip } from '../drawings/strip.tsx'
import { PageTitle } from '../frame/page-title.tsx'
import { address, setQuery } from '../frame/router.tsx'
import { now } from '../frame/time.ts'
import { ApiProblem, getJson } from '../live/requests.ts'
import { useTopic } from '../live/topics.ts'
import { useAnswer } from '../widgets/answered.ts'
import { Chips, setFilter } from '../widgets/chips.tsx'
import { type Filter, filtersOfAddress } from '../widgets/filters.ts'
import { Fold } from '../widgets/fold.tsx'
import { MomentLink } from '../widgets/moment-link.tsx'
import { narrow } from '../widgets/narrow.ts'
import { SentenceText } from '../widgets/sentence-text.tsx'
import { StateNote } from '../widgets/state-note.tsx'
import { filterDefinitions, permitsQuery, rangeOf, ranges } from './permits-query.ts'
import { PermitsTable } from './permits-table.tsx'
import './permits.css'

export function PermitsPage() {
  const { filters } = filtersOfAddress(address.value.query, filterDefinitions)
  const range = rangeOf(address.value.query)
  const path = permitsQuery(['permits'], range.value, filters)
  const news = useNews()
  const answer = useAnswer<PermitPage>(path, news)
  return (
    <>
      <div class="permits-head">
        <PageTitle text="Permits" />
        <select
          class="widgets-select"
          aria-label="How far back"
          value={range.value}
          onChange={event => setQuery({ since: event.currentTarget.value, cursor: null })}
        >
          {ranges.map(({ value, text }) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
        <Chips definitions={filterDefinitions} choices={choicesOf(answer.value.value)} />
        <span class="widgets-spring" />
        <MomentLink />
      </div>
      <StateNote topic={answer} what="permits" retry={answer.reload}>
        {page => <Ledger key={path} page={page} filters={filters} since={range.value} rangeMs={range.ms} />}
      </StateNote>
    </>
  )
}

const newsEveryMs = 2_000

/** Changes when the ledger has changed, at most every two seconds: the stream has the latest permits without filters. */
function useNews(): number {
  const latest = useTopic<PermitPage>('permits').value.value
  const [times, setTimes] = useState(0)
  const known = useRef<PermitPage | undefined>(undefined)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  useEffect(() => {
    const before = known.current
    known.current = latest
    // A change while one waits to be told is told with it: who waited for a pause would wait as long as a plan runs.
    if (before === undefined || latest === before || timer.current !== undefined) return
    timer.current = setTimeout(() => {
      timer.current = undefined
      setTimes(one => one + 1)
    }, newsEveryMs)
  }, [latest])
  useEffect(() => () => clearTimeout(timer.current), [])
  return times
}

function choicesOf(page: PermitPage | undefined): Readonly<Record<string, Readonly<Record<string, number>>>> {
  if (page === undefined) return {}
  const { byDecision, byRule, byCapability } = page.counts
  const namespaces = Object.groupBy(page.permits, ({ target }) => target.namespace ?? '')
  const byNamespace = Object.fromEntries(
    Object.entries(namespaces)
      .filter(([name]) => name !== '')
      .sort()
      .map(([name, permits]) => [name, permits?.length ?? 0]),
  )
  return { decision: byDecision, rule: byRule, capability: byCapability, namespace: byNamespace }
}

interface LedgerProps {
  page: PermitPage
  filters: readonly Filter[]
  since: string
  rangeMs: number
}

function Ledger({ page, filters, since, rangeMs }: LedgerProps) {
  const more = useMore(page, cursor => permitsQuery(['permits'], since, filters, cursor))
  const [chosen, choose] = useState<readonly string[]>([])
  const { counts, keptFrom } = page
  const endMs = Math.ceil(now.value / 60_000) * 60_000
  const range = useMemo(
    () => ({ startMs: startOf(endMs - rangeMs, keptFrom, more.permits), endMs }),
    [endMs, rangeMs, keptFrom, more.permits],
  )
  const table = (
    <PermitsTable
      permits={more.permits}
      chosen={chosen}
      more={{ next: more.next, total: null, load: more.load, loading: more.loading }}
      csv={permitsQuery(['export', 'permits.csv'], since, filters)}
      keptFrom={keptFrom}
      isFiltered={filters.length > 0}
      isKnown={counts.sentence.code !== 'permits-not-known'}
    />
  )
  return (
    <>
      <p class="permits-says">
        <SentenceText of={counts.sentence} />
      </p>
      {more.permits.length === 0 ? null : (
        <section class="permits-strip" aria-label="By time">
          <Strip
            permits={more.permits}
            range={range}
            table={<p class="widgets-muted">The table below has the same decisions.</p>}
            onChoose={permits => choose(permits.map(({ id }) => id))}
          />
        </section>
      )}
      {more.problem === undefined ? null : (
        <p class="widgets-note" role="alert">
          {more.problem}
        </p>
      )}
      <div class="permits-columns">
        {Object.keys(counts.byRule).length === 0 ? null : narrow.value ? (
          <Fold title="Rules" count={Object.keys(counts.byRule).length} open={false}>
            <Rules counts={counts} filters={filters} />
          </Fold>
        ) : (
          <section aria-label="By rule" class="permits-rules-section">
            <h2>By rule</h2>
            <Rules counts={counts} filters={filters} />
          </section>
        )}
        <div class="permits-table">{table}</div>
      </div>
    </>
  )
}

/** Where little is kept, or shown, the strip begins with it: nothing is known of before. */
function startOf(askedMs: number, keptFrom: string | null, permits: readonly Permit[]): number {
  const kept = keptFrom === null ? askedMs : Math.max(askedMs, Date.parse(keptFrom))
  const first = permits.reduce((least, { at }) => Math.min(least, Date.parse(at)), Number.POSITIVE_INFINITY)
  return Math.min(kept, Math.max(askedMs, first))
}

function useMore(page: PermitPage, pathOf: (cursor: string) => string) {
  const [later, setLater] = useState<{ readonly permits: readonly Permit[]; readonly next: string | null }>()
  const [loading, setLoading] = useState(false)
  const [problem, setProblem] = useState<string>()
  const next = later === undefined ? page.next : later.next
  const permits = useMemo(() => {
    if (later === undefined) return page.permits
    const first = new Set(page.permits.map(({ id }) => id))
    return [...page.permits, ...later.permits.filter(({ id }) => !first.has(id))]
  }, [page, later])
  const load = async (cursor: string) => {
    setLoading(true)
    try {
      const answer = await getJson<PermitPage>(pathOf(cursor))
      setLater({ permits: [...(later?.permits ?? []), ...answer.permits], next: answer.next })
      setProblem(undefined)
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error
      setProblem(`More permits could not be read: ${error.message}`)
    } finally {
      setLoading(false)
    }
  }
  return {
    permits,
    next,
    loading,
    problem,
    load: () => {
      if (next !== null && !loading) void load(next)
    },
  }
}

/** How often each rule said no; a click filters by it. */
function Rules({ counts: { byRule }, filters }: { counts: PermitCounts; filters: readonly Filter[] }) {
  const rules = Object.entries(byRule).sort(([, a], [, b]) => b - a)
  const most = rules[0]?.[1] ?? 1
  const chosen = filters.find(({ name }) => name === 'rule')?.value
  return (
    <ul class="permits-rules">
      {rules.map(([rule, times]) => (
        <li key={rule}>
          <button type="button" aria-pressed={rule === chosen} onClick={() => setFilter('rule', rule === chosen ? '' : rule)}>
            <span class="permits-rule-name">{rule}</span>
            <span class="permits-rule-times">{count(times)}</span>
            <span class="permits-rule-bar" aria-hidden="true" style={{ inlineSize: `${Math.max(2, (times / most) * 100)}%` }} />
          </button>
        </li>
      ))}
    </ul>
  )
}
