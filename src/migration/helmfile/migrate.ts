// A helmfile with charts of upstreams that Ballast replaces becomes one with Ballast's chart in their place: purely, as texts. The rest of it keeps
// its bytes; what cannot be carried is named by file and line.
import { isSeq } from 'yaml'
import { merged } from '#deployment/installation.ts'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { FileChange } from '#planning/manifest-patches/unified-diff.ts'
import { isSame } from '#planning/manifest-patches/yaml-edit.ts'
import type { ReportLine } from '#upstreams/convert-values.ts'
import type { Replaced } from '#upstreams/upstream.ts'
import { replaceable } from '#upstreams/upstreams.ts'
import { valuesText } from '#upstreams/values-input.ts'
import { isTree, type ValuesTree } from '#upstreams/values-tree.ts'
import { type HelmfileText, isMeant, lineOf, type ReleaseText, shownRelease, textProblem } from './helmfile-text.ts'
import { type ReadBeside, releaseValues, type Unread } from './release-values.ts'
import { swappedText } from './swapped-text.ts'

interface HelmfileOptions {
  /** The address of our chart: `oci://…/ballast`. */
  readonly chart: string
  readonly version: string
  /** Where the values of ours go, from the helmfile's folder. */
  readonly valuesFile: string
  /** Take also what loses something. */
  readonly allowLossy: boolean
}

export interface HelmfileRow {
  /** `namespace/name` */
  readonly release: string
  /** `file:line` */
  readonly where: string
  readonly upstream: string
  /** `swapped`: ours stands there now; `joined`: its values are ours', and its release is gone. */
  readonly outcome: 'swapped' | 'joined' | 'refused' | 'left'
  readonly reason?: string
  readonly because?: string
  readonly fix?: string
  /** What became of each key. */
  readonly report: readonly PlacedLine[]
  readonly unread: readonly Unread[]
}

/** A key, and where it is written. */
type PlacedLine = ReportLine & { readonly where: string }

export interface HelmfileMigration {
  readonly rows: readonly HelmfileRow[]
  readonly notes: readonly string[]
  readonly changes: readonly FileChange[]
}

const ownName = 'ballast'
/** What changes what a chart renders, and would be laid over ours. */
const patching = [
  'jsonPatches',
  'strategicMergePatches',
  'transformers',
  'dependencies',
  'forceNamespace',
  'chartOverrides',
] as const

interface Candidate {
  readonly release: ReleaseText
  readonly replaced: Replaced
  readonly chart: string
}

interface Taken extends Candidate {
  readonly values: ValuesTree
  readonly row: Omit<HelmfileRow, 'outcome'>
  readonly fluxReleases: readonly string[]
}

/** Decides. `read` gives files beside the helmfile. @throws where a changed text does not say what was meant */
export function migrateHelmfile(helmfile: HelmfileText, read: ReadBeside, options: HelmfileOptions): HelmfileMigration {
  const { file, releases } = helmfile
  const notes = helmfile.others.map(one => `${one}: another helmfile, which is not looked into`)
  const candidates = releases.flatMap(release => candidateOf(release) ?? [])
  const rows: HelmfileRow[] = []
  const taken: Taken[] = []
  const ours = releases.find(({ chart }) => /(^|\/)ballast$/.test(chart))
  for (const candidate of candidates) {
    const found = takenOr(helmfile, candidate, { taken, ours, read, options })
    if ('outcome' in found) rows.push(found)
    else taken.push(found)
  }
  const [lead, ...joined] = taken
  if (lead === undefined) return { rows, notes, changes: [] }
  rows.push({ ...lead.row, outcome: 'swapped' }, ...joined.map(one => ({ ...one.row, outcome: 'joined' as const })))
  const values = taken.reduce<ValuesTree>((under, one) => merged(under, one.values), {})
  const carried = taken.flatMap(({ row }) => row.report.flatMap(({ from, to }) => (to === undefined ? [] : [{ from, to }])))
  const text = swappedText(helmfile, { lead: lead.release, joined: joined.map(one => one.release), ownName, options })
  return {
    rows: rows.toSorted((a, b) => lineIn(a) - lineIn(b)),
    notes: [...notes, ...text.notes, ...notesOn(helmfile, lead, taken)],
    changes: [
      { path: options.valuesFile, before: undefined, after: valuesText(values, carried, new Map()) },
      { path: file.path, before: file.text, after: text.after },
    ],
  }
}

const lineIn = ({ where }: HelmfileRow): number => Number(where.slice(where.lastIndexOf(':') + 1))

/** By the name of its chart, wherever that comes from; a chart that lies beside the helmfile is somebody's own. */
function candidateOf(release: ReleaseText): Candidate | undefined {
  const chart = release.chart.split('/').at(-1) ?? ''
  const found = replaceable().find(({ replaced }) =>
    [replaced.chart ?? replaced.id, ...(replaced.furtherCharts ?? [])].includes(chart),
  )
  return found === undefined ? undefined : { release, replaced: found.replaced, chart }
}

function takenOr(
  { file, releases }: HelmfileText,
  { release, replaced, chart }: Candidate,
  around: {
    readonly taken: readonly Taken[]
    readonly ours: ReleaseText | undefined
    readonly read: ReadBeside
    readonly options: HelmfileOptions
  },
): Taken | HelmfileRow {
  const { taken, ours, read, options } = around
  const told = { release: shownRelease(release), where: `${file.path}:${release.line}`, upstream: replaced.id }
  const none = { report: [], unread: [] }
  const refused = (reason: string, because: string, fix: string, more: Partial<HelmfileRow> = {}): HelmfileRow => {
    return { ...told, ...none, ...more, outcome: 'refused', reason, because, fix }
  }
  if (release.value['installed'] === false)
    return { ...told, ...none, outcome: 'left', reason: 'not-installed', because: 'installed is false' }
  if (/^\.{0,2}\//.test(release.chart))
    return refused('local-chart', `${release.chart} is a chart of your own`, 'swap it by hand: ballast migrate values')
  if (ours !== undefined)
    return refused(
      'ballast-there',
      `release ${shownRelease(ours)} is Ballast already (line ${ours.line})`,
      `ballast migrate values --from ${replaced.id} says what to add to its values`,
    )
  const problem = textProblem(file, release)
  if (problem !== undefined) return refused('unusual-text', problem, 'write it as plain lines, or swap it by hand')
  if (release.value['inherit'] !== undefined)
    return refused('inherits', 'it inherits from a template of the helmfile', 'write out what it inherits')
  const patch = patching.find(key => release.value[key] !== undefined)
  if (patch !== undefined) return refused('patched', `${patch} changes what its chart renders`, `take ${patch} out first`)
  const given = releaseValues(file, release, read)
  const version = /^v?(\d+\.\d+\.\d+)$/.exec(String(release.value['version'] ?? ''))?.[1]
  const converted = replaced.convert({ values: given.values, version, namespace: release.namespace, chart })
  const report = converted.report.map(line => ({ ...line, where: given.whereOf(line.from) }))
  const own = { report, unread: given.unread }
  if ((converted.isLossy || given.unread.length > 0) && !options.allowLossy)
    return refused(
      'lossy',
      'something of its values cannot be carried',
      'read each line; --allow-lossy takes it all the same',
      own,
    )
  const other = taken.find(one => clashOf(one.values, converted.values) !== undefined)
  if (other !== undefined) {
    const path = clashOf(other.values, converted.values) ?? ''
    return refused(
      'disagree',
      `it and ${shownRelease(other.release)} say different things of ${path}`,
      'make them agree first',
      own,
    )
  }
  const conditions = [...taken.map(one => one.release), release].map(({ value }) => value['condition'])
  if (new Set(conditions).size > 1)
    return refused('condition', 'its condition is not that of the release that ours takes the place of', 'swap it by hand', own)
  const waits = cycleWith([...taken.map(one => one.release), release], releases)
  if (waits !== undefined)
    return refused(
      'needs-cycle',
      `ours would wait for itself: ${waits} stands between`,
      'enable it in a later upgrade of ballast',
      own,
    )
  return { release, replaced, chart, values: converted.values, row: { ...told, ...own }, fluxReleases: given.fluxReleases }
}

/** The first path of which two say different things. Lists and texts are said as a whole. */
function clashOf(one: ValuesTree, other: ValuesTree, path: readonly string[] = []): string | undefined {
  for (const [key, value] of Object.entries(other)) {
    if (!(key in one)) continue
    const before = one[key]
    const below = [...path, key]
    const found =
      isTree(before) && isTree(value) ? clashOf(before, value, below) : isSame(before, value) ? undefined : below.join('.')
    if (found !== undefined) return found
  }
  return undefined
}

/** A release that one of `together` waits for and that waits for another of them: as one they would wait for themselves. */
function cycleWith(together: readonly ReleaseText[], releases: readonly ReleaseText[]): string | undefined {
  const needed = ({ needs }: ReleaseText) => needs.flatMap(need => releases.find(one => isMeant(need, one)) ?? [])
  const reaches = (from: ReleaseText, seen: Set<ReleaseText>): boolean => {
    if (together.includes(from)) return true
    if (seen.has(from)) return false
    seen.add(from)
    return needed(from).some(one => reaches(one, seen))
  }
  const between = together.flatMap(needed).filter(one => !together.includes(one))
  const found = between.find(one => reaches(one, new Set()))
  return found === undefined ? undefined : shownRelease(found)
}

function notesOn({ file, releases }: HelmfileText, lead: Taken, taken: readonly Taken[]): readonly string[] {
  const gone = new Set(taken.map(({ release }) => release))
  const moved = taken.filter(({ release }) => release.namespace !== lead.release.namespace)
  const stays = new Set(releases.filter(one => !gone.has(one)).map(({ chart }) => chart.split('/')[0]))
  const unused = file.documents.flatMap((document, index) => {
    const list = document.get('repositories', true)
    if (!isSeq(list)) return []
    return list.items.flatMap((node, entry) => {
      const name = textAt(listAt(file.valueOf(index), 'repositories')[entry], 'name')
      const wasUsed = taken.some(({ release }) => release.chart.startsWith(`${String(name)}/`))
      const line = lineOf(file, Object(node).range?.[0] ?? 0)
      return name !== undefined && wasUsed && !stays.has(name)
        ? [`${file.path}:${line}: no release here takes charts from repository ${name} any more`]
        : []
    })
  })
  const unclear = releases.flatMap(one =>
    one.needs
      .filter(need => need.includes('{{') && [...gone].some(({ name }) => need.split('/').at(-1) === name))
      .map(need => `${file.path}:${one.line}: need ${need} of ${shownRelease(one)} is a template, and stays: look whom it means`),
  )
  return [
    ...unclear,
    ...moved.map(
      ({ row, release }) => `${row.where}: what was in namespace ${release.namespace ?? 'default'} is now where ballast is`,
    ),
    ...unused,
    ...taken.flatMap(({ fluxReleases, replaced }) =>
      fluxReleases.map(flux => `${flux}: Flux installs ${replaced.id} as well: take it out, or suspend it, before Flux runs`),
    ),
    `helmfile does not remove what it no longer lists: where these run already, ballast migrate plan ${taken.map(({ replaced }) => replaced.id).join(', or ')} says how ours takes the place`,
  ]
}
