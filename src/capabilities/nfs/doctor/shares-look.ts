// What the controller noted of shares, and nodes of their mounts: servers are not reached from here, so what was last seen is told, with when that was.

import type { Looked, LookOptions } from '#doctor/capability-findings.ts'
import { type Finding, findingsOf, kind } from '#doctor/finding.ts'
import { messageOf } from '#kube/log.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { StatusError } from '#kube/objects/status.ts'
import type { Named, ShareInventory } from '../inventory/inventory.ts'
import { type InventoryReport, readReport, reportLabel } from '../inventory/report.ts'
import { oneLine } from '../inventory/told.ts'
import { staleReason } from '../names.ts'

export const shareKinds = {
  'nfs-share-unseen': kind('warn', 'nfs', 'a share that the controller could not look at'),
  'nfs-volume-without-folder': kind('error', 'nfs', 'volumes whose folders are not on the server'),
  'nfs-orphaned-folder': kind('warn', 'nfs', 'folders that were made for volumes and belong to none any more'),
  'nfs-orphaned-snapshot': kind('warn', 'nfs', 'archives of snapshots that no object of the cluster names'),
  'nfs-archived-folder': kind('info', 'nfs', 'folders of deleted volumes that were archived'),
  'nfs-mount-stale': kind('warn', 'nfs', 'mounts on a node that lead nowhere any more'),
}
const finding = findingsOf(shareKinds)
const capability = 'nfs'

/** Names in one sentence. */
const mostTold = 5
/** Reports and Events that are looked at. */
const mostReports = 20
const mostEvents = 1_000

export async function lookAtShares({ api, signal, clock }: LookOptions): Promise<Looked> {
  const unread: { kind: string; why: string }[] = []
  const read = async (
    what: string,
    resource: typeof builtIn.events,
    wish: object,
    most: number,
  ): Promise<readonly KubeObject[]> => {
    const found: KubeObject[] = []
    try {
      for await (const { items } of api.resource<KubeObject>(resource).pages({ ...wish, signal })) {
        found.push(...items)
        if (found.length >= most) break
      }
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      unread.push({ kind: what, why: messageOf(error) })
    }
    return found.slice(0, most)
  }
  const maps = await read('reports of NFS shares', builtIn.configmaps, { labelSelector: reportLabel }, mostReports)
  const events = await read(
    'Events of mounts',
    builtIn.events,
    { namespace: 'default', fieldSelector: `reason=${staleReason}` },
    mostEvents,
  )
  const reports: InventoryReport[] = []
  for (const map of maps) {
    const report = readReport(map)
    if (report === undefined)
      unread.push({
        kind: `ConfigMap ${map.metadata.namespace}/${map.metadata.name}`,
        why: 'it is no report of ours: delete it, and it is written anew',
      })
    else reports.push(report)
  }
  return {
    lines: reports.flatMap(report => reportLines(report, clock.now())),
    document: { shares: reports },
    findings: [...reports.flatMap(({ shares }) => shares.flatMap(shareFindings)), ...staleFindings(events)],
    unread,
  }
}

const nameOf = ({ server, share }: Pick<ShareInventory, 'server' | 'share'>): string => oneLine(`${server}:/${share}`)

/** A line a share, with what is on it. */
function reportLines({ shares, atMs, driver }: InventoryReport, nowMs: number): readonly string[] {
  const minutes = Math.max(0, Math.round((nowMs - atMs) / 60_000))
  const counts = ({ volumes, orphans, snapshots, archived, others, unnamed }: ShareInventory) =>
    [
      `${volumes} volumes`,
      `${orphans.count} folders without one`,
      `${snapshots?.count ?? 0} archives of snapshots that nobody names`,
      `${archived.count} archived folders`,
      `${others.count + unnamed} that may be anybody's`,
    ].join(', ')
  return [
    `Shares of ${driver}, looked at ${minutes} min ago:`,
    ...shares.map(share => `  ${nameOf(share)}: ${share.problem === undefined ? counts(share) : oneLine(share.problem)}`),
  ]
}

/** At most one finding a share for each kind. Pure. */
function shareFindings(share: ShareInventory): readonly Finding[] {
  const object = `NFS share ${nameOf(share)}`
  if (share.problem !== undefined)
    return [
      finding('nfs-share-unseen', {
        object,
        message: `the controller could not look at it: ${oneLine(share.problem)}`,
        fix: 'see that the server exports it to the nodes of the controller',
        capability,
      }),
    ]
  const told = (
    id: keyof typeof shareKinds,
    what: Named<unknown> | undefined,
    names: readonly string[],
    message: string,
    fix: string,
  ) =>
    what === undefined || what.count === 0
      ? []
      : [finding(id, { object, message: `${what.count} ${message}: ${few(names, what.count)}`, fix, capability })]
  const folders = (what: ShareInventory['orphans'] | undefined) => (what?.first ?? []).map(({ id }) => id)
  return [
    ...told(
      'nfs-volume-without-folder',
      share.missing,
      share.missing.first,
      'volumes have no folder there, and pods with them do not start',
      'bring the folders back, or delete the claims',
    ),
    ...told(
      'nfs-orphaned-folder',
      share.orphans,
      folders(share.orphans),
      'folders were made for volumes that this cluster does not have (another one may, if it has the share too)',
      'ballast nfs sweep',
    ),
    ...told(
      'nfs-orphaned-snapshot',
      share.snapshots,
      folders(share.snapshots),
      'archives of snapshots are named by no VolumeSnapshotContent of this cluster',
      'ballast nfs sweep',
    ),
    ...told(
      'nfs-archived-folder',
      share.archived,
      folders(share.archived),
      'folders of deleted volumes are kept',
      'capabilities.nfs.controller.inventory.keepArchives, or ballast nfs sweep',
    ),
  ]
}

function few(names: readonly string[], count: number): string {
  const more = count - Math.min(names.length, mostTold)
  return `${names.slice(0, mostTold).map(oneLine).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** What nodes said of mounts that are stale. */
function staleFindings(events: readonly KubeObject[]): readonly Finding[] {
  const byNode = Map.groupBy(
    events.filter(event => textAt(event, 'reason') === staleReason),
    event => textAt(event, 'regarding', 'name') ?? '',
  )
  return Array.from(byNode, ([node, of]) =>
    finding('nfs-mount-stale', {
      object: `Node ${oneLine(node)}`,
      message: few([...new Set(of.map(event => textAt(event, 'note') ?? ''))], of.length),
      fix: 'delete the pods: their volumes are mounted anew',
      capability,
    }),
  )
}
