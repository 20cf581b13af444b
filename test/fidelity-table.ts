// How much of what real servers answered the twin reproduces, as figures and as a table.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { table } from '#dashboard/terminal/lines.ts'
import { acceptedBy } from './fidelity-accepted.ts'
import type { FieldDifference } from './fidelity-compare.ts'
import { type ClientExchange, type ClientRecording, readRecording } from './fidelity-exchange.ts'
import { type ReplayedExchange, replay, requestLine } from './fidelity-replay.ts'

const fixtures = join(import.meta.dirname, 'fixtures', 'clients')

/** Fidelity in one client's recording. An accepted difference is not reproduced: it counts against the share. */
export interface Fidelity {
  readonly client: string
  readonly version: string
  readonly exchanges: number
  readonly reproducedExchanges: number
  readonly fields: number
  readonly reproducedFields: number
  readonly acceptedFields: number
  /** Differences that are known and that the twin is to lose. */
  readonly toBeMended: number
  /** Differences that no rule covers, as lines. */
  readonly open: readonly string[]
}

export const recordedClients: readonly string[] = globSync('*.json*', { cwd: fixtures }).toSorted()

/** The file of a client's recording; undefined where there is none. */
export function recordedFile(client: string): string | undefined {
  return recordedClients.find(file => file.startsWith(`${client}.json`))
}

export function recordingOf(file: string): ClientRecording {
  return readRecording(file, readFileSync(join(fixtures, file)))
}

/** Replays one recording. */
export async function fidelityOf(file: string): Promise<Fidelity> {
  return fidelityOfRecording(recordingOf(file))
}

/** Fidelity in a fresh recording, whose last events may not have reached the client where `mayLackLast` says so. */
export async function fidelityOfRecording(recording: ClientRecording, mayLackLast = false): Promise<Fidelity> {
  const replayed = await replay(recording, mayLackLast)
  // What prepares the cluster must be answered alike, and is no measure of the client.
  const asked = replayed.filter(({ exchange }) => exchange.isSetup !== true)
  const differing = differencesOf(asked)
  const open = differencesOf(replayed).filter(({ rule }) => rule === undefined)
  const fields = sum(asked.map(({ comparison }) => comparison.fields))
  return {
    client: recording.client,
    version: recording.version,
    exchanges: asked.length,
    reproducedExchanges: asked.filter(isReproduced).length,
    fields,
    reproducedFields: fields - sum(differing.map(({ difference }) => difference.fields)),
    acceptedFields: sum(
      differing.filter(({ rule }) => rule !== undefined && rule.toBeMended !== true).map(({ difference }) => difference.fields),
    ),
    toBeMended: sum(differing.filter(({ rule }) => rule?.toBeMended === true).map(({ difference }) => difference.fields)),
    open: open.map(({ exchange, difference }) => openLine(exchange, difference)),
  }
}

function differencesOf(replayed: readonly ReplayedExchange[]) {
  return replayed.flatMap(({ exchange, comparison }) =>
    comparison.differences.map(difference => ({ exchange, difference, rule: acceptedBy(exchange, difference) })),
  )
}

function isReproduced({ comparison }: ReplayedExchange): boolean {
  return comparison.differences.length === 0
}

function openLine(exchange: ClientExchange, { path, real, twin }: FieldDifference): string {
  const short = (value: unknown) => (JSON.stringify(value) ?? 'nothing').slice(0, 200)
  return `${requestLine(exchange).slice(0, 300)}: ${path}: real ${short(real)}, twin ${short(twin)}`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** The figures, a client a line, with all together at the end. */
export function fidelityTable(rows: readonly Fidelity[]): string {
  const total = (figure: (row: Fidelity) => number) => sum(rows.map(figure))
  const cells = (row: Omit<Fidelity, 'open'>) => [
    row.client,
    row.version,
    String(row.exchanges),
    String(row.reproducedExchanges),
    String(row.fields),
    String(row.reproducedFields),
    `${((100 * row.reproducedFields) / row.fields).toFixed(2)} %`,
    String(row.acceptedFields),
    String(row.toBeMended),
  ]
  const all = {
    client: 'all',
    version: '',
    exchanges: total(row => row.exchanges),
    reproducedExchanges: total(row => row.reproducedExchanges),
    fields: total(row => row.fields),
    reproducedFields: total(row => row.reproducedFields),
    acceptedFields: total(row => row.acceptedFields),
    toBeMended: total(row => row.toBeMended),
  }
  const figures = ['exchanges', 'reproduced', 'fields', 'reproduced', 'share', 'accepted', 'to be mended']
  return table(
    [{ title: 'client' }, { title: 'version' }, ...figures.map(title => ({ title, align: 'right' as const }))],
    [...rows, all].map(cells),
  )
}
