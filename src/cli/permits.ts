// `ballast permits`: the arbiter's ledger; who disrupted what, why, for how long, and how it ended.

import { stringify } from 'yaml'
import { type Book, keptPermits } from '#coordination/account/book.ts'
import { endOf, type LedgerRow, ledgerRows, rowOf, type Sum, sumsOf } from '#coordination/account/ledger-rows.ts'
import { type DisruptionPermit, disruptionPermits } from '#coordination/api.ts'
import type { Observations } from '#coordination/observed/observation.ts'
import type { Picture } from '#dashboard/picture.ts'
import { refusedEntries } from '#dashboard/views/ledger/permits-refused.ts'
import { systemClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { formatTime } from '#kube/time/time.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { about } from './about.ts'
import { type AccountOptions, loadAccounts, timeOption, withAccounts } from './account/account-source.ts'
import { type DefineCommand, oneOf, type Surroundings } from './command-line.ts'
import { fixedPicture } from './source/fixed-picture.ts'
import { kubeconfigOf, openLiveApi } from './source/live-source.ts'
import { fittedTable, fittedText } from './terminal/fitted.ts'
import { harmless } from './terminal/paragraph.ts'

interface PermitsOptions extends AccountOptions {
  readonly namespace?: string
  readonly allNamespaces?: boolean
  readonly active?: boolean
  readonly since?: string
  readonly output: 'table' | 'json' | 'yaml'
  readonly watch?: boolean
}

export const definePermits: DefineCommand = (program, surroundings) => {
  withAccounts(program.command('permits'))
    .description(about.permits)
    .option('-n, --namespace <name>', 'only what lies in this namespace')
    .option('-A, --all-namespaces', 'all namespaces, and disruptions of nodes (the default)')
    .option('--active', 'only permits that are out and requests that wait')
    .option('--since <time>', 'only what began since: 2026-03-04T05:06:07Z, or how long ago, such as 2h')
    .option('-o, --output <format>', 'one of table, json, yaml', oneOf('table', 'json', 'yaml'), 'table')
    .option('-w, --watch', 'follow a live cluster and print each change, until stopped')
    .addHelpText(
      'after',
      '\nTimes are UTC. Lines with the decision Observed are disruptions by others, who did not ask.\nExample: ballast permits --kubeconfig .ballast/kubeconfig --since 2h',
    )
    .action(async (options: PermitsOptions) => surroundings.end(await printPermits(options, surroundings)))
}

async function printPermits(options: PermitsOptions, surroundings: Surroundings): Promise<ExitCode> {
  const { terminal } = surroundings
  if (options.namespace !== undefined && options.allNamespaces === true) throw new CommandRefused('-n and -A exclude each other')
  if (options.watch === true && options.cluster !== undefined)
    throw new CommandRefused('-w needs a live cluster: a dump does not change')
  if (options.watch === true && options.output !== 'table') throw new CommandRefused('-w needs -o table')
  const read = await loadAccounts(options, surroundings)
  const { book, observed, nowMs } = read
  const sinceMs = options.since === undefined ? Number.NEGATIVE_INFINITY : timeOption('--since', options.since, nowMs)
  const rows = rowsOf(book, observed).filter(row => isWanted(row, options, sinceMs))
  const refused = refusedOf(fixedPicture(read), options, sinceMs)
  const whole = { at: formatTime(nowMs), permits: rows.map(document), sums: sumsOf(rows), refused }
  switch (options.output) {
    case 'json':
      terminal.write(JSON.stringify(whole, undefined, 2))
      return exitCodes.done
    case 'yaml':
      terminal.write(stringify(whole, { lineWidth: 0 }).trimEnd())
      return exitCodes.done
    case 'table':
      for (const line of [...ledgerLines(rows, terminal.columns), ...refusedLines(refused)])
        terminal.write(fittedText(line, terminal.columns))
  }
  if (options.watch === true) await follow(options, surroundings, book)
  return exitCodes.done
}

/** How many wishes were refused, or wait, of which no permit is kept: the page counts them among the others. */
function refusedOf(picture: Picture, options: PermitsOptions, sinceMs: number): Readonly<Record<string, number>> {
  const wanted = refusedEntries(picture).filter(
    ({ atMs, namespace, decision }) =>
      atMs >= sinceMs &&
      (options.namespace === undefined || namespace === options.namespace) &&
      (options.active !== true || decision === 'queued'),
  )
  return Object.fromEntries(
    Array.from(
      Map.groupBy(wanted, one => one.decision),
      ([decision, all]) => [decision, all.length],
    ),
  )
}

function refusedLines(refused: Readonly<Record<string, number>>): readonly string[] {
  const parts = Object.entries(refused).map(([decision, count]) => `${count} ${decision}`)
  return parts.length === 0 ? [] : [`besides, without a permit: ${parts.join(', ')} (ballast why tells each)`]
}

function rowsOf(book: Book, observed: Observations): readonly LedgerRow[] {
  return ledgerRows(book.permits, observed.since(Number.NEGATIVE_INFINITY))
}

function isWanted(row: LedgerRow, options: PermitsOptions, sinceMs: number): boolean {
  if (row.atMs < sinceMs) return false
  if (options.namespace !== undefined && row.namespace !== options.namespace) return false
  return options.active !== true || row.ending === 'out' || (row.decision === 'Queued' && row.permit !== undefined)
}

/** The table, and below it the sums by cause. */
function ledgerLines(rows: readonly LedgerRow[], width: number | undefined): readonly string[] {
  if (rows.length === 0) return ['no permits']
  return [
    fittedTable(
      [
        { title: 'WHEN' },
        { title: 'WHO' },
        { title: 'CLASS' },
        { title: 'VERB' },
        { title: 'TARGET' },
        { title: 'END' },
        { title: 'S', align: 'right' },
        { title: 'WHY', isBelow: true },
      ],
      rows.flatMap(row => [cells(row, ''), ...row.joined.map(one => cells(one, '└ '))]),
      width,
    ),
    '',
    ...sumsOf(rows).map(sumLine),
  ]
}

function cells(row: LedgerRow, indent: string): readonly string[] {
  return [
    formatTime(row.atMs).replace('T', ' ').replace('Z', ''),
    `${indent}${row.who}`,
    row.class ?? '-',
    row.verb,
    row.target,
    endOf(row),
    row.seconds === undefined ? '-' : String(row.seconds),
    row.why,
  ].map(harmless)
}

function sumLine({ who, verb, count, endings }: Sum): string {
  const parts = Object.entries(endings).map(([ending, number]) => `${number} ${ending}`)
  return `${count} ${verb} by ${who}: ${parts.join(', ')}`
}

function document({ atMs, joined, ...row }: LedgerRow): object {
  return { at: formatTime(atMs), ...row, ...(joined.length === 0 ? {} : { joined: joined.map(document) }) }
}

/** Prints each permit that comes or changes, until the command is stopped. */
async function follow(options: PermitsOptions, { terminal, environment, signal }: Surroundings, seen: Book): Promise<void> {
  const { api } = await openLiveApi({
    kubeconfig: kubeconfigOf(options.kubeconfig, environment),
    context: options.context,
    environment,
    signal,
  })
  const known = new Map(seen.permits.map(({ object }) => [object.metadata.uid, object.metadata.resourceVersion]))
  try {
    await using informers = new Informers(api, { clock: systemClock, random: systemRandom, log: silentLog, signal })
    const permits = informers.of<DisruptionPermit>(disruptionPermits)
    permits.onChange(({ type, object }) => {
      if (type === 'DELETED' || known.get(object.metadata.uid) === object.metadata.resourceVersion) return
      const rows = keptPermits(object).map(rowOf)
      for (const row of rows.filter(one => isWanted(one, { ...options, active: false }, Number.NEGATIVE_INFINITY)))
        for (const line of [cells(row, ''), ...row.joined.map(one => cells(one, '└ '))])
          terminal.write(fittedText(line.join('  '), terminal.columns))
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
    await promise
  } finally {
    await api.close()
  }
}
