// What happened to a workload, newest first.
import type { Entry } from '#coordination/account/entry.ts'
import type { HistoryPage, HistoryRow, Ref } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { decisionSigns } from '../../words/en-permits.ts'
import * as words from '../../words/en-workload.ts'
import { rfc3339 } from '../../words/time.ts'
import { isNotThere, type NotThere } from '../not-there.ts'
import { accountFor, type WorkloadSubject, workloadSubject } from './workload-subject.ts'

const defaultRows = 100
const mostRows = 500

/** A page of the workload's history. A page follows on its cursor whatever has come since. */
export function historyPage(
  picture: Picture,
  ref: Ref,
  page: { readonly cursor?: string; readonly limit?: number },
): HistoryPage | NotThere {
  const subject = workloadSubject(picture, ref)
  return isNotThere(subject) ? subject : historyOf(picture, subject, page)
}

/** As `historyPage`, of a subject that was found. */
export function historyOf(
  picture: Picture,
  subject: WorkloadSubject,
  { cursor, limit = defaultRows }: { readonly cursor?: string; readonly limit?: number },
): HistoryPage {
  const lines = placed(accountFor(picture, subject).entries)
  const after = cursor === undefined ? undefined : readCursor(cursor)
  const rest =
    after === undefined
      ? lines
      : lines.filter(({ atMs, order }) => atMs < after.atMs || (atMs === after.atMs && order < after.order))
  const shown = rest.slice(0, Math.min(mostRows, Math.max(1, Math.trunc(limit))))
  const last = shown.at(-1)
  return {
    history: shown.map(({ entry }) => rowOf(picture, entry)),
    next: last === undefined || shown.length === rest.length ? null : `${last.atMs}.${last.order}`,
  }
}

function readCursor(text: string): { readonly atMs: number; readonly order: number } | undefined {
  const [, atMs, order] = /^(-?\d{1,16})\.(\d{1,9})$/.exec(text) ?? []
  return atMs === undefined || order === undefined ? undefined : { atMs: Number(atMs), order: Number(order) }
}

interface Placed {
  readonly entry: Entry
  readonly atMs: number
  /** Among those of one moment, from 0; what comes later is later in it. */
  readonly order: number
}

/** Newest first. */
function placed(entries: readonly Entry[]): readonly Placed[] {
  let atMs: number | undefined
  let order = 0
  const all = entries.map(entry => {
    order = entry.atMs === atMs ? order + 1 : 0
    atMs = entry.atMs
    return { entry, atMs: entry.atMs, order }
  })
  return all.reverse()
}

const signs = {
  Granted: decisionSigns.granted,
  Queued: decisionSigns.queued,
  Denied: decisionSigns.denied,
  NoOp: decisionSigns['no-op'],
  Coalesced: decisionSigns.coalesced,
  Dropped: decisionSigns.dropped,
  Observed: decisionSigns.observed,
} as const

function rowOf(picture: Picture, entry: Entry): HistoryRow {
  return {
    at: rfc3339(entry.atMs),
    sign: entry.decision === undefined ? '–' : signs[entry.decision],
    who: entry.who,
    sentence: movedSentence(picture, entry) ?? words.happened({ what: entry.what, how: entry.sentence }),
    permit: entry.permit ?? null,
  }
}

/** Sentence for a move that was made. */
function movedSentence({ book }: Picture, { permit: id, decision, outcome, seconds, data }: Entry) {
  if (decision !== 'Granted' || outcome !== 'done' || id === undefined || data?.['purpose'] !== 'move') return undefined
  const permit = book.permits.find(
    ({ record }) => `${record.namespace}/${record.name}` === id && record.grant?.token === data['token'],
  )
  const to = /^landed on (\S+)/.exec(permit?.object.status?.reason ?? '')?.[1]
  const from = permit?.record.relocation?.from
  const pod = permit?.record.targets.find(({ kind }) => kind === 'Pod')?.name
  if (to === undefined || from === undefined || pod === undefined) return undefined
  return words.movedPod({ pod, from, to, seconds: seconds ?? 0 })
}
