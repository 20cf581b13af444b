// What lies on shares and belongs to nobody, as whoever leads the controller noted it, and mounts that lead nowhere any more, as nodes told of them: servers are not
// reached from here.

import type { CapabilityView, Sentence } from '#dashboard/contract.ts'
import type { Picture } from '#dashboard/picture.ts'
import { unknownBecause } from '#dashboard/views/sources.ts'
import { memoryShort } from '#dashboard/words/quantity.ts'
import { say } from '#dashboard/words/sentence.ts'
import { rfc3339 } from '#dashboard/words/time.ts'
import type { LooseFolder, ShareInventory } from '../inventory/inventory.ts'
import { type InventoryReport, readReport } from '../inventory/report.ts'
import { oneLine } from '../inventory/told.ts'
import { staleReason } from '../names.ts'

type Table = CapabilityView['tables'][number]
type Row = Table['rows'][number]

/** A share has so many of one kind; the first are named. */
interface Loose {
  readonly what: string
  readonly count: number
  readonly first: readonly {
    readonly name: string
    readonly bytes?: number | undefined
    readonly changedMs?: number | undefined
  }[]
}

/** What can be read; others may write ConfigMaps of that name. */
const reportsOf = ({ state }: Picture): readonly InventoryReport[] =>
  state.objects('ConfigMap').flatMap(object => readReport(object) ?? [])

const folders = (what: string, { count, first }: { readonly count: number; readonly first: readonly LooseFolder[] }): Loose => ({
  what,
  count,
  first: first.map(({ id, changedMs, bytes }) => ({ name: id, changedMs, bytes })),
})

function looseOf({ missing, orphans, snapshots, archived }: ShareInventory): readonly Loose[] {
  return [
    { what: 'a volume without its folder', count: missing.count, first: missing.first.map(name => ({ name })) },
    folders('a folder that was made for a volume', orphans),
    folders('an archive that no snapshot names', snapshots ?? { count: 0, first: [] }),
    folders('an archived folder', archived),
  ]
}

const shareName = ({ server, share }: ShareInventory): string => oneLine(`${server}:/${share}`)

export function nobodysSentences(picture: Picture): readonly Sentence[] {
  const reports = reportsOf(picture)
  const shares = reports.flatMap(report => report.shares)
  const [oldest] = reports.map(({ atMs }) => atMs).toSorted((one, other) => one - other)
  if (oldest === undefined) return []
  const odd = shares.reduce((sum, { others, unnamed }) => sum + others.count + unnamed, 0)
  return [
    say('shares-seen', `Shares were looked through at ${rfc3339(oldest)}.`, { at: oldest, shares: shares.length }),
    ...(odd === 0
      ? []
      : [
          say(
            'shares-odd',
            `${odd} more ${odd === 1 ? 'folder' : 'folders'} on them may be anybody's, since ${odd === 1 ? 'its name proves' : 'their names prove'} nothing.`,
            { folders: odd },
          ),
        ]),
  ]
}

/** @param most rows of each */
export function nobodysTables(picture: Picture, most: number): readonly Table[] {
  return [nobodysTable(picture, most), staleTable(picture, most)]
}

function nobodysTable(picture: Picture, most: number): Table {
  const reports = reportsOf(picture)
  const shares = reports.flatMap(report => report.shares)
  const rows = shares.flatMap((share): readonly Row[] => {
    const where = shareName(share)
    if (share.problem !== undefined)
      return [{ key: where, cells: [where, `not looked at: ${oneLine(share.problem)}`, where, null, null], path: null }]
    return looseOf(share).flatMap(({ what, first }) =>
      first.map(({ name, bytes, changedMs }) => ({
        key: `${where} ${what} ${name}`,
        cells: [
          oneLine(name),
          what,
          where,
          bytes === undefined ? null : memoryShort(bytes),
          changedMs === undefined ? null : rfc3339(changedMs),
        ],
        path: null,
      })),
    )
  })
  const total = shares.reduce(
    (sum, share) => sum + (share.problem === undefined ? looseOf(share).reduce((all, { count }) => all + count, 0) : 1),
    0,
  )
  return {
    name: 'nobodys',
    title: 'What belongs to nobody',
    columns: ['Name', 'What it is', 'Share', 'Size', 'Last changed'].map(title => ({ title, isNumber: title === 'Size' })),
    rows: rows.slice(0, most),
    total,
    empty:
      unknownBecause(picture, 'configmaps') ??
      (reports.length === 0
        ? 'Nobody has noted what lies on the shares: controller.inventory.enabled has them looked through.'
        : 'All that lies on the shares belongs to somebody.'),
  }
}

/** The last Event of each mount: nodes tell of it again as long as it is so, and the page forgets with the Events. */
function staleTable(picture: Picture, most: number): Table {
  const stale = new Map<string, Picture['book']['events'][number]>()
  for (const event of picture.book.events)
    if (event.reason === staleReason) stale.set(`${event.regarding.name} ${event.note}`, event)
  const found = [...stale]
  return {
    name: 'stale',
    title: 'Mounts that lead nowhere any more',
    columns: ['Node', 'Last said', 'When'].map(title => ({ title, isNumber: false })),
    rows: found.slice(-most).map(([key, { regarding, note, lastMs }]) => ({
      key,
      cells: [regarding.name, oneLine(note), rfc3339(lastMs)],
      path: null,
    })),
    total: found.length,
    empty: unknownBecause(picture, 'events') ?? 'No node has told of one: mountChecks has nodes look.',
  }
}
