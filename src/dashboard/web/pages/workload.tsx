// One workload: all that was done to it and was not, by every capability, and what would happen if somebody asked now.
import { useState } from 'preact/hooks'
import type { HistoryPage, HistoryRow, Ref, WorkloadView } from '../../contract.ts'
import { ago } from '../../words/age.ts'
import { apiPath, pagePaths, permitsPath } from '../../words/links.ts'
import { PageTitle } from '../frame/page-title.tsx'
import { A, address } from '../frame/router.tsx'
import { now } from '../frame/time.ts'
import { ApiProblem, getJson } from '../live/requests.ts'
import { useTopic } from '../live/topics.ts'
import { ActionBar, useActions } from '../widgets/action-bar.tsx'
import { CopyButton } from '../widgets/copy-button.tsx'
import { Empty } from '../widgets/empty.tsx'
import { Fold } from '../widgets/fold.tsx'
import { MomentLink } from '../widgets/moment-link.tsx'
import { narrow } from '../widgets/narrow.ts'
import { RefLink } from '../widgets/ref-link.tsx'
import { SentenceText } from '../widgets/sentence-text.tsx'
import { StateNote } from '../widgets/state-note.tsx'
import { When } from '../widgets/when.tsx'
import { WorkloadPods } from './workload-pods.tsx'
import './workload.css'

export function WorkloadPage() {
  const { namespace = '', kind = '', name = '' } = address.value.params
  const path = `${namespace}/${kind}/${name}`
  const topic = useTopic<WorkloadView>(`workload:${path}`)
  return (
    <StateNote topic={topic} title={`${kind} ${namespace}/${name}`} what={`${namespace}/${name}`} gone={<NotThere name={name} />}>
      {view => <Workload key={path} view={view} path={path} />}
    </StateNote>
  )
}

function NotThere({ name }: { name: string }) {
  return (
    <p>
      <A href={`${pagePaths.workloads}?q=${encodeURIComponent(name)}`}>Search for {name}</A>, or see{' '}
      <A href={pagePaths.workloads}>all workloads</A>.
    </p>
  )
}

function Workload({ view, path }: { view: WorkloadView; path: string }) {
  const { ref, ready, owner, verdict, about, freeze, deletedAt, buttons, wouldBe, dependsOn, budgets, podCount } = view
  const acting = useActions(`${freeze?.since} ${freeze?.reason} ${buttons.map(({ action }) => action).join()}`)
  const full = ref.namespace === null ? ref.name : `${ref.namespace}/${ref.name}`
  const isOpen = !narrow.value
  return (
    <article class="workload">
      <header class="workload-head">
        <div class="workload-title">
          <PageTitle text={`${ref.kind} ${full}`}>
            <span class="workload-kind">{ref.kind}</span> {full}
          </PageTitle>
          <p class="workload-facts">
            {deletedAt === null ? (
              ready === null ? null : (
                <span>{`${ready.ready} of ${ready.wanted} ready`}</span>
              )
            ) : (
              <span>Deleted {ago(now.value - Date.parse(deletedAt))}.</span>
            )}
            <span>
              owner <b>{owner.value}</b> <span class="widgets-muted">({owner.origin})</span>
            </span>
          </p>
        </div>
        <ActionBar
          buttons={buttons}
          acting={acting}
          of={full}
          notice={
            freeze === null || verdict.sentences.some(({ code }) => code === 'thing-frozen') ? undefined : (
              <span class="workload-frozen">
                Frozen by {freeze.by}
                {freeze.since === null ? '' : ' since '}
                {freeze.since === null ? '' : <When at={freeze.since} />}: {freeze.reason}
              </span>
            )
          }
        />
      </header>
      <div class="workload-says">
        {verdict.sentences.map(sentence => (
          <p key={sentence.code + sentence.text}>
            <SentenceText of={sentence} />
          </p>
        ))}
        {about.map(text => (
          <p key={text} class="widgets-muted">
            <SentenceText of={{ text, links: [] }} />
          </p>
        ))}
      </div>
      <div class="workload-columns">
        <History view={view} path={path} />
        <Fold title="What would happen if asked now" count={podCount === null ? null : wouldBe.length}>
          {podCount === null ? <Empty>What would have been answered then is not kept.</Empty> : <WouldBe rows={wouldBe} />}
        </Fold>
      </div>
      <WorkloadPods view={view} />
      <div class="workload-columns">
        <Fold title="Depends on" count={podCount === null ? null : dependsOn.length} open={isOpen}>
          {podCount === null ? (
            <Empty>{notKept}</Empty>
          ) : dependsOn.length === 0 ? (
            <Empty>It names no Secret and no ConfigMap.</Empty>
          ) : (
            <Dependencies refs={dependsOn} />
          )}
        </Fold>
        <Fold title="Budgets" count={podCount === null ? null : budgets.length} open={isOpen}>
          {podCount === null ? (
            <Empty>{notKept}</Empty>
          ) : budgets.length === 0 ? (
            <Empty>No PodDisruptionBudget covers it.</Empty>
          ) : (
            <ul class="workload-list">
              {budgets.map(({ name, allowed, healthy, desired }) => (
                <li key={name}>
                  <b>{name}</b>: {allowed === 1 ? '1 disruption' : `${allowed} disruptions`} allowed now{' '}
                  <span class="widgets-muted">{`${healthy} healthy, ${desired} needed`}</span>
                </li>
              ))}
            </ul>
          )}
        </Fold>
      </div>
      <p class="workload-files">
        <CopyButton label="Copy account as JSON" text={() => JSON.stringify(view.account, null, 2)} />
        <MomentLink />
      </p>
    </article>
  )
}

/** Shown for an earlier moment. */
const notKept = 'What it was then is not kept.'

function WouldBe({ rows }: { rows: WorkloadView['wouldBe'] }) {
  if (rows.length === 0) return <Empty>No capability is on that would ask.</Empty>
  return (
    <ul class="workload-would">
      {rows.map(({ capability, allowed, rule, because, until }) => (
        <li key={capability}>
          <b>{capability}</b>
          <span>
            <span class={allowed ? 'workload-allowed' : 'workload-refused'}>{allowed ? '✓ allowed' : '✕ refused'}</span>
            {allowed ? null : ': '}
            {allowed && because.text === 'allowed' ? null : (
              <>
                {allowed ? ', ' : ''}
                <SentenceText of={because} />
              </>
            )}
            {until === null || because.text.includes('until') ? null : (
              <>
                {' '}
                until <When at={until} /> (<When at={until} as="until" />)
              </>
            )}
            {rule === null || because.links.some(({ path: to }) => to === permitsPath({ rule })) ? null : (
              <>
                {' '}
                <A class="workload-rule" href={permitsPath({ rule })}>
                  all {rule}
                </A>
              </>
            )}
          </span>
        </li>
      ))}
    </ul>
  )
}

const historyShown = 20

function History({ view: { history }, path }: { view: WorkloadView; path: string }) {
  const [older, setOlder] = useState<{ readonly rows: readonly HistoryRow[]; readonly next: string | null }>()
  const [isWhole, showWhole] = useState(false)
  const [problem, setProblem] = useState<string>()
  const rows = older === undefined ? history : [...history, ...older.rows]
  const shown = isWhole ? rows : rows.slice(0, historyShown)
  const load = async () => {
    showWhole(true)
    if (history.length < 100 && older === undefined) return
    try {
      // The first page is what is shown already; its end says where the next begins.
      const cursor = older?.next ?? (await getJson<HistoryPage>(historyPath(path))).next
      if (cursor === null) {
        setOlder({ rows: older?.rows ?? [], next: null })
        return
      }
      const page = await getJson<HistoryPage>(historyPath(path, cursor))
      setOlder({ rows: [...(older?.rows ?? []), ...page.history], next: page.next })
      setProblem(undefined)
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error
      setProblem(`More could not be read: ${error.message}`)
    }
  }
  const isMore = shown.length < rows.length || (history.length >= 100 && older?.next !== null)
  return (
    <Fold title="What happened" count={rows.length}>
      {rows.length === 0 ? (
        <Empty>Nothing was done to it and nothing was asked, as far back as the ledger goes.</Empty>
      ) : (
        <ol class="workload-history">
          {shown.map((row, index) => (
            <li key={`${row.at} ${row.permit ?? row.sentence.code} ${index}`}>
              <When at={row.at} />
              <span aria-hidden="true" class="workload-sign" data-sign={row.sign}>
                {row.sign}
              </span>
              <span>
                <SentenceText of={row.sentence} /> <span class="widgets-muted">{row.who}</span>
              </span>
            </li>
          ))}
        </ol>
      )}
      {problem === undefined ? null : (
        <p class="widgets-note" role="alert">
          {problem}
        </p>
      )}
      <div class="widgets-tools">
        {isMore ? (
          <button type="button" class="widgets-button" onClick={load}>
            Show older
          </button>
        ) : null}
        {rows.length === 0 ? null : (
          <A class="widgets-link" href={apiPath(['export', 'history.csv'], { workload: path })} download>
            CSV
          </A>
        )}
      </div>
    </Fold>
  )
}

function historyPath(path: string, cursor?: string): string {
  return apiPath(['workloads', ...path.split('/'), 'history'], { cursor })
}

function Dependencies({ refs }: { refs: readonly Ref[] }) {
  return (
    <ul class="workload-list">
      {[...Map.groupBy(refs, ({ kind }) => kind)].map(([kind, own]) => (
        <li key={kind}>
          <b>{kind}</b>{' '}
          {own.map((ref, index) => (
            <span key={ref.name}>
              {index === 0 ? '' : ', '}
              {hasPage(ref) ? <RefLink of={ref} /> : ref.name}
            </span>
          ))}
        </li>
      ))}
    </ul>
  )
}

const kindsWithPage = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob', 'Pod', 'Node']

function hasPage({ kind }: Ref): boolean {
  return kindsWithPage.includes(kind)
}
