// What `why` and `permits` are made from: the cluster with its permits, plans and events, and the moment that counts as now.
import type { Command } from 'commander'
import { type Book, bookOf } from '#coordination/account/book.ts'
import { observedPast } from '#coordination/account/observed-past.ts'
import { disruptionPermits, rebalancePlans } from '#coordination/api.ts'
import type { Observations } from '#coordination/observed/observation.ts'
import { viewOf } from '#coordination/permits/ledger-view.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { problemSentence } from '#kube/problem.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { latestTraceMs, parseTime } from '#kube/time/time.ts'
import { CommandRefused } from '#process/surroundings.ts'
import type { Surroundings } from '../command-line.ts'
import { type LoadedCluster, loadCluster, type SourceOptions, withSource } from '../source/cluster-source.ts'
import {
  type ConfigurationOptions,
  type InstalledSettings,
  installedSettings,
  withConfiguration,
} from '../source/installed-settings.ts'

export type AccountOptions = SourceOptions & ConfigurationOptions

export interface AccountSource extends InstalledSettings {
  readonly cluster: LoadedCluster
  readonly book: Book
  /** What others did. */
  readonly observed: Observations
  /** The cluster's present. */
  readonly nowMs: number
}

/** Adds the options that say where cluster and configuration come from. */
export function withAccounts(command: Command): Command {
  return withConfiguration(withSource(command))
}

/** Reads the cluster (of a live one with the kinds of `also`), the books and the configuration. What cannot be read of the books is told and left out. @throws as `loadCluster` */
export async function loadAccounts(
  options: AccountOptions,
  surroundings: Surroundings,
  also: readonly GroupVersionResource[] = [],
): Promise<AccountSource> {
  const cluster = await loadCluster(options, surroundings, [
    ...also,
    disruptionPermits,
    rebalancePlans,
    builtIn.events,
    builtIn.horizontalpodautoscalers,
    builtIn.leases,
  ])
  const book = bookOf(cluster.objects)
  for (const problem of book.problems) surroundings.terminal.say(`set aside: ${problemSentence(problem)}`)
  const nowMs = presentOf(cluster, book)
  const ledger = viewOf(book.permits.flatMap(({ record }) => (record.grant === undefined ? [] : [record])))
  const events = cluster.objects.filter(({ kind }) => kind === 'Event')
  const observed = observedPast({ state: cluster.state, events, ledger, nowMs })
  return { cluster, book, observed, nowMs, ...(await installedSettings(options, cluster, surroundings)) }
}

/**
 * A dump is of the time of its newest trace. Of a live cluster it is our clock's, unless the cluster is ahead of it: a twin's clock may run
 * faster.
 */
function presentOf({ objects, isLive }: LoadedCluster, book: Book): number {
  const newestMs = newestTrace(objects, book)
  return isLive || newestMs === undefined ? Math.max(systemClock.now(), newestMs ?? 0) : newestMs
}

function newestTrace(objects: readonly KubeObject[], book: Book): number | undefined {
  let newest: number | undefined
  const see = (ms: number | undefined) => {
    if (ms !== undefined && ms <= latestTraceMs && ms > (newest ?? Number.NEGATIVE_INFINITY)) newest = ms
  }
  for (const { kind, metadata, ...object } of objects) {
    see(Date.parse(metadata.creationTimestamp ?? ''))
    const spec = object['spec']
    if (kind === 'Lease' && typeof spec === 'object' && spec !== null && 'renewTime' in spec)
      see(Date.parse(String(spec.renewTime)))
  }
  for (const { lastMs } of book.events) see(lastMs)
  for (const { record } of book.permits) for (const ms of [record.grant?.atMs, record.releasedAtMs]) see(ms)
  for (const { status } of book.plans)
    for (const time of [status?.finishedAt, status?.progressAt, status?.checkedAt]) see(Date.parse(time ?? ''))
  return newest
}

/** `2026-03-04T05:06:07Z`, or how long ago: `2h`. @throws CommandRefused for anything else and for what is yet to come */
export function timeOption(option: string, text: string, nowMs: number): number {
  const duration = parseDurationMs(text)
  const time = parseTime(text)
  const ms = duration.ok ? nowMs - duration.value : time.ok ? time.value : undefined
  if (ms === undefined)
    throw new CommandRefused(
      `${option}: found ${JSON.stringify(text)}, expected a time such as 2026-03-04T05:06:07Z or how long ago, such as 2h30m`,
    )
  if (ms > nowMs)
    throw new CommandRefused(
      `${option}: found ${JSON.stringify(text)}, which is yet to come (it is ${new Date(nowMs).toISOString()} there)`,
    )
  return ms
}
