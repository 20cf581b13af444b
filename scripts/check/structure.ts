// The walls of the house: who may import whom, what only one file may touch, how files are named, how comments begin. Each finding
// says its reason.
import { dirname, join, normalize } from 'node:path/posix'
import type { SourceFile } from './source-tree.ts'

export interface Finding {
  readonly path: string
  readonly line: number
  readonly message: string
}

/** Floors, lowest first. A room imports only from floors below its own; `cluster` and `machines` are side by side. */
const floors: Readonly<Record<string, number>> = {
  kube: 0,
  cluster: 1,
  machines: 1,
  planning: 2,
  coordination: 3,
  capabilities: 4,
  twin: 5,
  dashboard: 6,
  process: 7,
  deployment: 8,
  upstreams: 9,
  doctor: 10,
  migration: 11,
  cli: 12,
}

/** Rooms that may import less than their floor allows. */
const only: Readonly<Record<string, readonly string[]>> = { twin: ['kube', 'cluster'], cluster: ['kube'], machines: ['kube'] }

/** What the model of a cluster may know of `kube`: values, never a wire. */
const wireFiles = /^#kube\/(client|controllers|credentials|events|informers|leases|server)\//

/** Folders of a capability that extend a room above: they stand on the floor over that room. */
const sections: Readonly<Record<string, string>> = {
  page: 'dashboard',
  flags: 'process',
  deploy: 'deployment',
  swap: 'upstreams',
  doctor: 'doctor',
  commands: 'cli',
}

interface Place {
  readonly room: string
  /** `capabilities/deschedule` for a capability, else the room. */
  readonly unit: string
  readonly floor: number | undefined
}

const isTestFile = (path: string): boolean => /\.test\.tsx?$/.test(path)

function placeOf(path: string): Place {
  const [, room = '', second = '', third = ''] = path.split('/')
  const extended = room === 'capabilities' ? floors[sections[third] ?? ''] : undefined
  return {
    room,
    unit: room === 'capabilities' ? `${room}/${second}` : room,
    floor: extended === undefined ? floors[room] : extended + 0.5,
  }
}

/** The file that an import of the project leads to, or undefined for a package. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#capabilities/')) return `src/capabilities/${specifier.slice('#capabilities/'.length)}/capability.ts`
  if (specifier.startsWith('#test/')) return `test/${specifier.slice('#test/'.length)}`
  if (specifier.startsWith('#')) return `src/${specifier.slice(1)}`
  if (specifier.startsWith('.')) return normalize(join(dirname(from), specifier))
  return undefined
}

function* importFindings(file: SourceFile): Generator<Finding> {
  const here = placeOf(file.path)
  const isTest = isTestFile(file.path) || file.path.endsWith('.test-d.ts')
  for (const { specifier, line, isTypeOnly, isLazy } of file.imports) {
    const target = resolveImport(file.path, specifier)
    const finding = (message: string): Finding => ({ path: file.path, line, message: `imports ${specifier}: ${message}` })
    const trespass = isTest ? undefined : browserTrespass(file.path, specifier, target, isTypeOnly)
    if (trespass !== undefined) yield finding(trespass)
    if (target === undefined) continue
    if (/^#capabilities\/[^/]+\//.test(specifier))
      yield finding('only capability.ts of a capability is for others; put what they need there, or on a lower floor')
    if (!target.startsWith('src/')) {
      if (!isTest && !(target === 'package.json' && file.path === 'src/kube/version.ts'))
        yield finding('src stands alone; only its tests import from outside')
      continue
    }
    const there = placeOf(target)
    if (specifier.startsWith('.') && there.unit !== here.unit)
      yield finding('./ and ../ stay inside a room; cross the wall with #')
    if (there.unit === here.unit) {
      if ((there.floor ?? 0) > (here.floor ?? 0) && !isLazy && !isTest)
        yield finding(`it extends a room above: capability.ts names it by import()`)
      continue
    }
    if (here.room === 'capabilities' && there.room === 'capabilities')
      yield finding('one capability never imports another; what both need lies on a lower floor')
    const { floor: hereFloor } = here
    const { floor: thereFloor } = there
    if (hereFloor === undefined || thereFloor === undefined) {
      yield finding(`no such room; there are ${Object.keys(floors).join(', ')}`)
      continue
    }
    if (thereFloor >= hereFloor && there.room !== here.room) yield finding(`${there.room} is not below ${here.room}`)
    const allowed = only[here.room]
    if (allowed !== undefined && !allowed.includes(there.room))
      yield finding(`${here.room} imports only ${allowed.join(' and ')}`)
    if ((here.room === 'cluster' || here.room === 'planning') && wireFiles.test(specifier))
      yield finding(`${here.room} is pure: it knows no wire`)
  }
}

/** The page, which runs in a browser. */
const page = /^src\/dashboard\/web\//
/** What page, server and terminal share: it runs everywhere. */
const sharedWithPage = /^src\/(kube\/time\/human-duration\.ts$|dashboard\/(contract-names\.ts|delta\.ts|words\/))/
/** Schemas, and what is inferred from them: the bundle takes the types and knows nothing of zod. */
const pageContracts: readonly (string | undefined)[] = ['src/dashboard/contract.ts', 'src/dashboard/contract-replay.ts']
const valuesOfContract =
  'what runs in a browser takes only types of contract.ts, by `import type`: zod stays outside of the bundle'
const browserPackages = /^(preact(\/(hooks|jsx-runtime))?|@preact\/signals)$/

/** What is wrong with an import of, or from, what runs in a browser. */
function browserTrespass(from: string, specifier: string, target: string | undefined, isTypeOnly: boolean): string | undefined {
  if (page.test(from)) {
    if (target === undefined)
      return browserPackages.test(specifier) ? undefined : 'the page takes preact and @preact/signals, no other package'
    if (specifier.startsWith('#')) return 'the page is bundled: name the file by its way from here'
    if (pageContracts.includes(target)) return isTypeOnly ? undefined : valuesOfContract
    return page.test(target) || sharedWithPage.test(target)
      ? undefined
      : 'the page knows of the server only contract.ts, contract-names.ts, delta.ts and words'
  }
  if (sharedWithPage.test(from) && pageContracts.includes(target)) return isTypeOnly ? undefined : valuesOfContract
  if (sharedWithPage.test(from) && (target === undefined || !sharedWithPage.test(target)))
    return 'it runs in the browser too: contract-names.ts, delta.ts and words import nothing but each other'
  if (target !== undefined && page.test(target) && target.endsWith('.tsx')) return 'Node does not run .tsx'
  return undefined
}

interface Ban {
  readonly uses: readonly string[]
  readonly allowed: readonly RegExp[]
  readonly instead: string
}

const bans: readonly Ban[] = [
  {
    uses: ['Date.now', 'new Date', 'performance.now', 'setTimeout', 'setInterval'],
    allowed: [/^src\/kube\/clock\.ts$/, page],
    instead: 'take a Clock',
  },
  {
    uses: ['Math.random', 'crypto.randomUUID', 'randomUUID'],
    allowed: [/^src\/kube\/random\.ts$/, page],
    instead: 'take a Random',
  },
  {
    uses: ['process.env', 'process.argv'],
    allowed: [/^src\/cli\//],
    instead: 'only the command line reads the environment; take it as an argument',
  },
  { uses: ['process.exit'], allowed: [/^src\/cli\//, /-process\.ts$/], instead: 'only the command line ends a process' },
]

function* banFindings(file: SourceFile): Generator<Finding> {
  if (isTestFile(file.path)) return
  for (const ban of bans) {
    if (ban.allowed.some(pattern => pattern.test(file.path))) continue
    for (const { text, line } of file.uses) {
      if (ban.uses.includes(text)) yield { path: file.path, line, message: `uses ${text}: ${ban.instead}` }
    }
  }
}

/** What is right only with its reason beside it, or never. */
const bannedTexts: readonly { readonly pattern: RegExp; readonly because: string; readonly isExplainable?: boolean }[] = [
  {
    pattern: /\bcatch \{|\.catch\(\(\) => (undefined|\{\s*\})\)/,
    because: 'an error is dropped: say why, or handle it',
    isExplainable: true,
  },
  { pattern: /\bas unknown as\b|@ts-(ignore|expect-error|nocheck)/, because: 'types are checked, not talked away' },
  { pattern: /\b(TODO|FIXME|XXX)\b(?!\(#\d+\))/, because: 'do it, or name an issue' },
]

function* textFindings(file: SourceFile): Generator<Finding> {
  const lines = file.text.split('\n')
  for (const [index, line] of lines.entries()) {
    for (const { pattern, because, isExplainable } of bannedTexts) {
      const found = pattern.exec(line)
      if (found === null) continue
      const isExplained = lines.slice(Math.max(0, index - 1), index + 2).some(near => /(^|\s)\/\/ /.test(near))
      if (isExplainable === true && isExplained) continue
      yield { path: file.path, line: index + 1, message: `says ${found[0]}: ${because}` }
    }
  }
}

/** The path of a URL has %20 where a folder has a space. */
const urlPath = /import\.meta\.url\)\.pathname/

function* pathFindings(file: SourceFile): Generator<Finding> {
  for (const [index, line] of file.text.split('\n').entries())
    if (urlPath.test(line))
      yield {
        path: file.path,
        line: index + 1,
        message: 'a URL names a file by its pathname: take import.meta.dirname or fileURLToPath',
      }
}

/** Openings that leave the subject of a comment to the reader. */
const riddle = /^(Of|What of|Whoever)\b/

function* commentFindings(file: SourceFile): Generator<Finding> {
  for (const { text, line } of file.comments) {
    const [found] = riddle.exec(text) ?? []
    if (found !== undefined)
      yield { path: file.path, line, message: `a comment begins with ${found}: name the subject, in a short sentence` }
  }
}

/** Tests wait for a condition or move a clock; what runs against real peers may have to wait for real. */
function* sleepFindings(file: SourceFile): Generator<Finding> {
  const isReal = /^test\/(real|crash)\//.test(file.path)
  if (isReal || !(file.path.startsWith('test/') || isTestFile(file.path))) return
  const sleeps = [
    ...file.imports.flatMap(({ specifier, line }) => (/timers(\/promises)?$/.test(specifier) ? [{ text: specifier, line }] : [])),
    ...file.uses.filter(({ text }) => text === 'setTimeout' || text === 'setInterval'),
  ]
  for (const { text, line } of sleeps)
    yield { path: file.path, line, message: `uses ${text}: tests do not sleep, wait for the condition` }
}

/** Words that only an effect writes: what evicts, scales, restarts, taints or gates. The twin answers them, the model reads them. */
const effectLiterals: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: /(^|\/)eviction$/, what: 'the eviction subresource' },
  { pattern: /^Eviction$/, what: 'an Eviction' },
  { pattern: /restartedAt$/, what: 'a template patch that restarts' },
  {
    pattern: /^\/spec\/(taints|template|replicas|schedulingGates)(\/|$)/,
    what: 'a patch of taints, template, replicas or gates',
  },
  { pattern: /\/scale$/, what: 'the scale subresource' },
]

/** Rooms below all effects, and the twin, which answers them. */
const mayWrite = ['kube', 'cluster', 'machines', 'twin']

function* effectFindings(file: SourceFile): Generator<Finding> {
  const { room } = placeOf(file.path)
  if (mayWrite.includes(room)) return
  // A capability's value only says which rights it needs.
  const declares = file.path.endsWith('/capability.ts') || file.path.endsWith('.test-d.ts')
  if (file.path.startsWith('src/coordination/effects/') || isTestFile(file.path) || declares) return
  for (const { text, line } of file.literals) {
    const rule = effectLiterals.find(({ pattern }) => pattern.test(text))
    if (rule !== undefined)
      yield {
        path: file.path,
        line,
        message: `names ${rule.what} (${JSON.stringify(text)}): effects go through src/coordination/effects`,
      }
  }
}

/** Files whose exports are a published contract: what is exported is for authors who are not in this tree, and is long as it must be. */
const contracts: readonly { readonly path: string; readonly because: string }[] = [
  { path: 'src/coordination/capability.ts', because: 'an author of a capability names each of its types' },
  { path: 'src/coordination/api.ts', because: 'the custom kinds: schema and type of each go together' },
  { path: 'src/dashboard/contract.ts', because: 'the shapes that programs read from the dashboard, all in one place' },
  { path: 'src/twin/twin.ts', because: 'what a test of somebody else drives a twin by' },
]
const isContract = (path: string): boolean => contracts.some(contract => contract.path === path)

const bannedNames = /(^|\/)(utils?|helpers?|common|misc|shared|manager|base|types|index)(\.tsx?|\/)/

function* nameFindings(file: SourceFile): Generator<Finding> {
  if (bannedNames.test(file.path))
    yield { path: file.path, line: 1, message: 'says nothing by its name; name it for its concept' }
  const name = file.path.slice(file.path.lastIndexOf('/') + 1)
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.deep\.test|\.test-d)?\.tsx?$/.test(name))
    yield { path: file.path, line: 1, message: 'file names are kebab-case' }
  if (name.endsWith('.tsx') && !page.test(file.path))
    yield { path: file.path, line: 1, message: 'is .tsx, which Node does not run: only src/dashboard/web has such files' }
  const isTable = /-(tables?|messages|numbers)\.ts$/.test(name) || file.path.includes('/generated/') || isContract(file.path)
  if (file.lines > 500 && !isTable && !isTestFile(name))
    yield { path: file.path, line: 500, message: `has ${file.lines} lines: more than one sitting; what second concept is in it?` }
}

/** Files that a process starts with: nobody imports them. */
const entries = [
  /^src\/cli\/main\.ts$/,
  /^src\/dashboard\/web\/(main|replay-file)\.tsx$/,
  /-process\.ts$/,
  /\/capability\.ts$/,
  /\.test(-d)?\.tsx?$/,
]

function* unusedFindings(files: readonly SourceFile[], outside: readonly SourceFile[]): Generator<Finding> {
  const used = new Map<string, Set<string>>()
  for (const file of [...files, ...outside]) {
    for (const { specifier, names } of file.imports) {
      const target = resolveImport(file.path, specifier)
      if (target === undefined) continue
      const known = used.get(target) ?? new Set()
      for (const name of names) known.add(name)
      used.set(target, known)
    }
  }
  for (const { path, exports } of files) {
    const names = used.get(path)
    if (names === undefined && !entries.some(pattern => pattern.test(path))) {
      yield { path, line: 1, message: 'nobody imports this file' }
      continue
    }
    if (names?.has('*') || isContract(path)) continue
    for (const { text, line } of exports)
      if (!names?.has(text)) yield { path, line, message: `exports ${text}, which nobody imports: drop the word or the code` }
  }
}

/** More source files than this in one folder are a list that tells nobody the way of the data. */
const mostFiles = 30

function* folderFindings(files: readonly SourceFile[]): Generator<Finding> {
  const counts = new Map<string, number>()
  for (const { path } of files) {
    if (isTestFile(path) || path.endsWith('.test-d.ts')) continue
    const folder = dirname(path)
    counts.set(folder, (counts.get(folder) ?? 0) + 1)
  }
  for (const [path, count] of counts)
    if (count > mostFiles)
      yield { path, line: 1, message: `holds ${count} source files beside tests, more than ${mostFiles}: group them in folders` }
}

/** Each file of a circle of imports, types too, with the way back to itself: none can be read, or moved, without the others. */
function* circleFindings(files: readonly SourceFile[]): Generator<Finding> {
  const edges = new Map<string, readonly { readonly to: string; readonly line: number }[]>()
  const known = new Set(files.map(({ path }) => path))
  for (const { path, imports } of files) {
    const own = imports.flatMap(({ specifier, line, isLazy }) => {
      const to = isLazy ? undefined : resolveImport(path, specifier)
      return to !== undefined && to !== path && known.has(to) ? [{ to, line }] : []
    })
    edges.set(path, own)
  }
  const done = new Set<string>()
  for (const { path } of files) {
    for (const { to, line } of edges.get(path) ?? []) {
      if (done.has(to)) continue
      const way = wayBetween(to, path, edges, done)
      if (way === undefined) continue
      const names = [path, ...way].map(one => one.replace(/^src\//, ''))
      yield { path, line, message: `is in a circle of imports: ${names.join(' > ')}` }
    }
    done.add(path)
  }
}

/** The shortest way by imports, both ends included, that leads through none of `without`. */
function wayBetween(
  from: string,
  to: string,
  edges: ReadonlyMap<string, readonly { readonly to: string }[]>,
  without: ReadonlySet<string>,
): readonly string[] | undefined {
  const before = new Map<string, string | undefined>([[from, undefined]])
  for (const here of before.keys()) {
    if (here === to) {
      const way = [here]
      for (let back = before.get(here); back !== undefined; back = before.get(back)) way.unshift(back)
      return way
    }
    for (const { to: next } of edges.get(here) ?? []) if (!before.has(next) && !without.has(next)) before.set(next, here)
  }
  return undefined
}

/** Every break of the house's rules in `src`; `outside` are the tests, scripts and benchmarks that import from it. */
export function structureFindings(src: readonly SourceFile[], outside: readonly SourceFile[]): Finding[] {
  return [
    ...src.flatMap(file => [
      ...importFindings(file),
      ...banFindings(file),
      ...effectFindings(file),
      ...nameFindings(file),
      ...textFindings(file),
    ]),
    ...[...src, ...outside].flatMap(file => [...sleepFindings(file), ...commentFindings(file), ...pathFindings(file)]),
    ...unusedFindings(src, outside),
    ...folderFindings(src),
    ...circleFindings(src),
  ].sort((a, b) => (a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1))
}
