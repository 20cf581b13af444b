// What was recorded of other people's packages: how they install on a real control plane, and where their workloads come to rest in the twin.
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const fixtures = join(import.meta.dirname, 'fixtures', 'other-people')

/** What a client came to. */
export interface SeenStep {
  readonly command: string
  readonly code: number
  /** How many lines end with each word (`created`), and whole each line that ends otherwise: warnings and errors. */
  readonly said: readonly string[]
}

export interface RecordedWay {
  /** So many objects the real server had when all was applied. */
  readonly objects: number
  readonly steps: readonly SeenStep[]
  /** Commands that say something else on the twin, and fields that it keeps otherwise. */
  readonly differing: readonly string[]
}

/** The workloads of a package in a twin with nodes, when nothing moves any more. */
export interface RecordedRest {
  readonly available: number
  /** Those that are not, a line each with the reason. */
  readonly waiting: readonly string[]
  /** Secrets and ConfigMaps that its programs would make, in the twin's words. */
  readonly absent?: string
  /** What installed, upgraded and removed it. */
  readonly steps: readonly SeenStep[]
  /** Workloads that are left after that. */
  readonly left: number
}

export interface RecordedPackage {
  /** Name and version. */
  readonly package: string
  /** Version of the real server. */
  readonly server?: string
  /** By way. */
  readonly ways: Readonly<Record<string, RecordedWay>>
  readonly rest?: RecordedRest
}

/** By name. */
export function recordedPackages(): ReadonlyMap<string, RecordedPackage> {
  const files = globSync('*.json', { cwd: fixtures }).sort()
  return new Map(
    files.map(file => [basename(file, '.json'), JSON.parse(readFileSync(join(fixtures, file), 'utf8')) as RecordedPackage]),
  )
}

/** The table of docs/twin.md. */
export function otherPeopleTable(recorded: ReadonlyMap<string, RecordedPackage>): string {
  const rows = [...recorded].map(([name, { package: title, ways, rest }]) => {
    const [path = '', version = ''] = title.split(' ')
    const tried = Object.entries(ways)
    const objects = Math.max(0, ...tried.map(([, way]) => way.objects))
    const differing = tried.flatMap(([way, seen]) => seen.differing.map(one => `${way}: ${one}`))
    const refused = tried.flatMap(([way, { steps }]) => (steps.some(({ code }) => code !== 0) ? [way] : []))
    const beside = [
      tried.length === 0 ? 'not compared' : differing.length === 0 ? 'the same' : differing.join('; '),
      ...(refused.length === 0 ? [] : [`both refuse a part of ${refused.map(way => `\`${way}\``).join(', ')}`]),
    ]
    return [
      name,
      `${path} ${version}`,
      tried.map(([way]) => `\`${way}\``).join(', '),
      tried.length === 0 ? '' : String(objects),
      beside.join('; '),
      restText(rest),
    ]
  })
  const head = ['package', 'from', 'ways', 'objects', 'beside kube-apiserver', 'at rest in the twin']
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

function restText(rest: RecordedRest | undefined): string {
  if (rest === undefined) return 'not tried'
  const failed = rest.steps.filter(({ code }) => code !== 0).map(({ command }) => command.split(' ').slice(0, 2).join(' '))
  return [
    rest.available === 0 && rest.waiting.length === 0 ? 'no workloads' : `${rest.available} available`,
    ...rest.waiting,
    ...failed.map(command => `\`${command}\` fails`),
    ...(rest.absent === undefined ? [] : [rest.absent.replace(/^.*: /, 'without ')]),
  ].join('; ')
}
