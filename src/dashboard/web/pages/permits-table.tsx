// The ledger as a table: a line a decision, with one way out.
import { useMemo, useState } from 'preact/hooks'
import type { Permit } from '../../contract.ts'
import { age } from '../../words/age.ts'
import { refPath } from '../../words/links.ts'
import { printable, shortName } from '../../words/names.ts'
import { unknownText } from '../../words/percent.ts'
import { DecisionShape } from '../drawings/decision-shape.tsx'
import { decisionWord } from '../drawings/decision-words.ts'
import { A } from '../frame/router.tsx'
import { DataTable } from '../widgets/data-table.tsx'
import { Empty } from '../widgets/empty.tsx'
import { SentenceText } from '../widgets/sentence-text.tsx'
import type { Column, MoreRows } from '../widgets/table-props.ts'
import { When } from '../widgets/when.tsx'
import { type PermitRow, rowsOf } from './permits-query.ts'

interface PermitsTableProps {
  permits: readonly Permit[]
  /** Ids that the strip's cursor has chosen: only these are shown, until they are let go. */
  chosen: readonly string[]
  more: MoreRows
  csv: string
  keptFrom: string | null
  isFiltered: boolean
  /** False: the ledger could not be read, as the sentence above the table says. */
  isKnown: boolean
}

export function PermitsTable({ permits, chosen, more, csv, keptFrom, isFiltered, isKnown }: PermitsTableProps) {
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set())
  const [letGo, setLetGo] = useState<readonly string[]>([])
  const isChosen = chosen.length > 0 && chosen !== letGo
  const rows = useMemo(
    () => rowsOf(isChosen ? permits.filter(({ id }) => chosen.includes(id)) : permits, opened),
    [permits, opened, chosen, isChosen],
  )
  const columns = useMemo(() => columnsWith(opened, setOpened), [opened])
  return (
    <DataTable
      caption="Decisions, the newest first"
      captionHidden
      columns={columns}
      rows={rows}
      rowKey={({ permit }) => permit.id}
      open={({ permit }) => refPath(permit.target)}
      csv={csv}
      more={isChosen ? undefined : more}
      rowHeight={34}
      card={{ height: 96, cell: row => <PermitCard row={row} opened={opened} setOpened={setOpened} /> }}
      tools={
        isChosen ? (
          <button type="button" class="widgets-chip" onClick={() => setLetGo(chosen)}>
            {chosen.length === 1 ? '1 decision of the drawing' : `${chosen.length} decisions of the drawing`} ✕
          </button>
        ) : null
      }
      empty={
        <Empty>
          {!isKnown
            ? 'Whether there are any is not known.'
            : isFiltered
              ? 'No permit passes these filters.'
              : keptFrom === null
                ? 'No permits yet. They appear when something asks to disrupt a pod.'
                : 'No permits in this time. They appear when something asks to disrupt a pod.'}
        </Empty>
      }
    />
  )
}

interface RowProps {
  row: PermitRow
  opened: ReadonlySet<string>
  setOpened: SetOpened
}

type SetOpened = (opened: ReadonlySet<string>) => void

function columnsWith(opened: ReadonlySet<string>, setOpened: SetOpened): readonly Column<PermitRow>[] {
  return [
    {
      key: 'time',
      title: 'Time',
      width: '6rem',
      cell: ({ permit }) => <When at={permit.at} still />,
      value: ({ permit }) => Date.parse(permit.at),
      isNumber: false,
    },
    {
      key: 'decision',
      title: 'Decision',
      width: '7.25rem',
      cell: ({ permit, isMerged }) => (
        <span class={isMerged ? 'permits-merged' : undefined}>
          <DecisionSign permit={permit} />
        </span>
      ),
      value: ({ permit }) => permit.decision,
    },
    {
      key: 'capability',
      title: 'Who asks',
      width: '6.5rem',
      cell: ({ permit }) => permit.capability,
      value: ({ permit }) => permit.capability,
    },
    { key: 'verb', title: 'Verb', width: '4.75rem', cell: ({ permit }) => permit.verb, value: ({ permit }) => permit.verb },
    {
      key: 'workload',
      title: 'Workload',
      width: '13rem',
      isHeader: true,
      cell: ({ permit }) => <Target permit={permit} />,
      value: ({ permit }) => nameOf(permit),
    },
    {
      key: 'reason',
      title: 'Reason',
      cell: row => (
        <>
          <Merged row={row} opened={opened} setOpened={setOpened} />
          <Reason permit={row.permit} />
        </>
      ),
      value: ({ permit }) => permit.because.text,
    },
    {
      key: 'waited',
      title: 'Waited',
      width: '5rem',
      isNumber: true,
      cell: ({ permit }) => waitedOf(permit),
      value: ({ permit }) => permit.waitedMs,
    },
    {
      key: 'outcome',
      title: 'Outcome',
      width: '9rem',
      cell: ({ permit }) => <Outcome permit={permit} />,
      value: ({ permit }) => permit.outcome,
    },
  ]
}

function nameOf({ target }: Permit): string {
  return target.namespace === null ? target.name : `${target.namespace}/${target.name}`
}

function Target({ permit }: { permit: Permit }) {
  return (
    <A href={refPath(permit.target)} title={`${permit.target.kind} ${nameOf(permit)}`}>
      {printable(shortName(nameOf(permit), 34))}
    </A>
  )
}

/** What it came to, or when it is asked again. */
function Outcome({ permit }: { permit: Permit }) {
  if (permit.retryAt === null || permit.decision !== 'queued') return <>{outcomeOf(permit)}</>
  return (
    <>
      asked again <When at={permit.retryAt} as="until" still />
    </>
  )
}

/** From asked to granted; `–` where that is not written down, nothing of what was not granted. */
function waitedOf({ waitedMs, decision }: Permit): string {
  if (waitedMs !== null) return age(waitedMs)
  return decision === 'granted' || decision === 'coalesced' ? unknownText : ''
}

/** `on talos03 in 21s`; of what nobody told the outcome how long it lasted. */
function outcomeOf({ outcome, releasedAt, at, token, decision }: Permit): string {
  const lasted = releasedAt === null ? undefined : age(Date.parse(releasedAt) - Date.parse(at))
  if (outcome !== null) return outcome
  if (lasted !== undefined) return `ended after ${lasted}`
  return decision === 'granted' && token !== null ? 'under way' : ''
}

function DecisionSign({ permit }: { permit: Permit }) {
  return (
    <span class="permits-decision">
      <svg width={14} height={14} viewBox="-7 -7 14 14" aria-hidden="true">
        <DecisionShape decision={permit.decision} x={0} y={0} />
      </svg>{' '}
      {decisionWord(permit.decision)}
    </span>
  )
}

function Merged({ row: { permit, merged }, opened, setOpened }: RowProps) {
  if (merged.length === 0) return null
  const isOpen = opened.has(permit.id)
  return (
    <button
      type="button"
      class="widgets-link"
      aria-expanded={isOpen}
      onClick={() => setOpened(isOpen ? new Set([...opened].filter(id => id !== permit.id)) : new Set([...opened, permit.id]))}
    >
      {`${isOpen ? '▾' : '▸'} ${merged.length} merged`}
    </button>
  )
}

/** Why, what the whole policy would have said of it, and the way out. */
function Reason({ permit: { because, wouldBe, remedy, into } }: { permit: Permit }) {
  const title = [because.text, remedy?.text].filter(text => text !== undefined).join(' · ')
  return (
    <span title={title}>
      <SentenceText of={because} />
      {wouldBe === null ? null : <span class="permits-would">{` · would be ${wouldBe.decision}: ${wouldBe.rule}`}</span>}
      {into === null ? null : <span class="widgets-muted">{` · merged into ${into}`}</span>}
      {remedy === null ? null : (
        <span class="widgets-muted">
          {' · '}
          <SentenceText of={remedy} />
        </span>
      )}
    </span>
  )
}

function PermitCard({ row, opened, setOpened }: RowProps) {
  const { permit, isMerged } = row
  return (
    <div class={isMerged ? 'permits-card permits-merged' : 'permits-card'}>
      <div>
        <When at={permit.at} still /> <DecisionSign permit={permit} /> <span class="widgets-muted">{permit.capability}</span>
      </div>
      <div class="permits-card-target">
        {permit.verb} <Target permit={permit} />
        {permit.waitedMs ? <span class="widgets-muted"> waited {age(permit.waitedMs)}</span> : null}
      </div>
      <div class="permits-card-reason">
        <Merged row={row} opened={opened} setOpened={setOpened} />
        <Reason permit={permit} />
      </div>
    </div>
  )
}
