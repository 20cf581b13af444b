// What a shadow prints: the pods on which two deschedulers differ, cycle by cycle, and the sums.
import { table } from '#cli/terminal/terminal.ts'
import { formatTime } from '#kube/time/time.ts'
import type { ShadowCycle } from '../shadow/compare.ts'
import type { ShadowRow } from '../shadow/shadow-row.ts'
import type { isDifferent, shadowSummary } from '../shadow/summary.ts'

type Summary = Parameters<typeof isDifferent>[0]

const verdicts: Readonly<Record<ShadowRow['verdict'], string>> = {
  agreed: 'both',
  alike: 'its like',
  'ours-only': 'ours only',
  'theirs-only': 'upstream only',
  drift: 'cluster changed',
}

/** One cycle: its heading, and a table of the pods that are not simply agreed on; with `all`, of every pod. */
export function cycleLines(cycle: ShadowCycle, number: number, all: boolean): readonly string[] {
  const { rows, skipped, atMs } = cycle
  const shown = rows.filter(({ verdict, why }) => all || verdict !== 'agreed' || why !== undefined)
  const heading = `cycle ${number}, ${formatTime(atMs)}: ${countsText(countsOf(rows))}`
  const lines = [skipped === undefined ? heading : `${heading}; ours did nothing: ${skipped}`]
  if (shown.length > 0) lines.push(rowsTable(shown))
  return lines
}

function rowsTable(rows: readonly ShadowRow[]): string {
  const columns = ['POD', 'NODE', 'OURS', 'UPSTREAM', 'EVICTED BY', 'WHY'].map(title => ({ title }))
  return table(
    columns,
    rows.map(({ pod, node, ours, theirs, verdict, why = '' }) =>
      [pod, node || '-', sideText(ours), sideText(theirs), verdicts[verdict], why].map(oneLine),
    ),
  )
}

function sideText(side: ShadowRow['ours']): string {
  if (side === undefined) return '-'
  const name = [side.profile, side.strategy].filter(word => word !== undefined).join('/')
  if (side.refusal === undefined) return name || 'evicted'
  return name === '' ? 'refused' : `${name} (refused)`
}

/** Words of others in one line, without what moves a terminal's cursor. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
}

/** What all cycles come to. */
export function summaryLines(summary: ReturnType<typeof shadowSummary>): readonly string[] {
  const cycles = summary.cycles === 1 ? '1 cycle' : `${summary.cycles} cycles`
  const strategies = Object.entries(summary.strategies).map(([name, counts]) => `  ${oneLine(name)}: ${countsText(counts)}`)
  return ['', `${cycles}: ${countsText(summary.pods)}`, ...strategies]
}

/** The whole as one document. */
export function shadowDocument(cycles: readonly ShadowCycle[], summary: Summary): object {
  return {
    cycles: cycles.map(({ atMs, ...cycle }) => ({ at: formatTime(atMs), ...cycle })),
    summary,
  }
}

function countsOf(rows: readonly ShadowRow[]): Summary['pods'] {
  const count = (verdict: ShadowRow['verdict']) => rows.filter(row => row.verdict === verdict).length
  return {
    agreed: count('agreed'),
    alike: count('alike'),
    'ours-only': count('ours-only'),
    'theirs-only': count('theirs-only'),
    drift: count('drift'),
  }
}

/** Two pods that are alike count as one decision. */
function countsText({ agreed, alike, drift, ...only }: Summary['pods']): string {
  const parts = [`${agreed} by both`, `${only['ours-only']} by ours only`, `${only['theirs-only']} by upstream only`]
  if (alike > 0) parts.push(`${alike / 2} times one and its like`)
  if (drift > 0) parts.push(`${drift} unclear since the cluster changed`)
  return parts.join(', ')
}
