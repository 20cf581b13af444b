// Go libraries' own integration tests, pointed at a server that is there: each test passes on the twin where it passes on the real server.
// The module's source is copied into the cache and its tests are built there; nothing of it enters the project.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { builtOnce, cacheDirectory } from '../cache.ts'
import { goProgram } from '../go-build.ts'
import type { Site } from '../other-people/sites.ts'
import { commandOutput, runCommand } from '../run-command.ts'
import { moduleSource } from '../upstreams/build.ts'

export interface GoSuite {
  readonly module: string
  readonly version: string
  /** Packages whose tests can be pointed at a server, below the module. */
  readonly packages: readonly string[]
  /** Tests that are not run, as a regular expression of Ginkgo, and why. */
  readonly skipped: readonly (readonly [test: string, why: string])[]
  /** Tests that fail on both servers: they want a server that they start themselves. */
  readonly failing: readonly string[]
  /** Names of tests that pass or fail by chance, on the real server too: they are not compared. */
  readonly unsteady: RegExp
}

export type Outcome = 'passed' | 'failed' | 'skipped'

export interface TestOutcome {
  readonly outcome: Outcome
  /** Why it failed: the first lines of it. */
  readonly said: string
}

/** Outcomes by package and name. */
export type Outcomes = ReadonlyMap<string, TestOutcome>

/** A copy that can be written to: tests lie beside the files that they read. @throws PartUnavailable */
function copied({ module, version }: GoSuite): Promise<string> {
  const name = `${module.split('/').at(-1)}-tests-${version.slice(1)}`
  return builtOnce(name, async () => {
    const place = join(cacheDirectory(name), 'source')
    if (existsSync(place)) return place
    const unfinished = `${place}.${process.pid}`
    cpSync(await moduleSource({ path: module, version }), unfinished, { recursive: true })
    await commandOutput('chmod', ['-R', 'u+w', unfinished])
    renameSync(unfinished, place)
    return place
  })
}

/** The program of a package's tests, built once. @throws PartUnavailable */
async function testProgram(suite: GoSuite, name: string): Promise<{ readonly program: string; readonly directory: string }> {
  const source = await copied(suite)
  const path = join(source, '..', `${name.replaceAll('/', '-')}.test`)
  const program = await builtOnce(path, () =>
    goProgram({
      what: `tests of ${suite.module}/${name} ${suite.version}`,
      path,
      directory: source,
      target: `./${name}`,
      flags: ['-mod=mod', '-p=1', '-ldflags=-s -w'],
      command: ['test', '-c'],
    }),
  )
  return { program, directory: join(source, name) }
}

export async function prepareSuite(suite: GoSuite, packages: readonly string[] = suite.packages): Promise<void> {
  for (const name of packages) await testProgram(suite, name)
}

const packageLimitMs = 180_000

/** Runs a package's tests one after the other against a server. @throws Error where nothing ran */
export async function runPackage(suite: GoSuite, name: string, site: Site): Promise<Outcomes> {
  const { program, directory } = await testProgram(suite, name)
  const home = mkdtempSync(join(site.home, 'suite-'))
  mkdirSync(join(home, 'tmp'))
  const report = join(home, 'report.json')
  const skips = suite.skipped.map(([test]) => `--ginkgo.skip=${test}`)
  const env = {
    USE_EXISTING_CLUSTER: 'true',
    KUBECONFIG: site.kubeconfig,
    HOME: home,
    TMPDIR: join(home, 'tmp'),
    GOMAXPROCS: '2',
  }
  try {
    const args = ['-test.v', `--ginkgo.json-report=${report}`, '--ginkgo.seed=1', '--ginkgo.timeout=2m', ...skips]
    const { stdout, stderr } = await runCommand(program, args, { cwd: directory, env, timeoutMs: packageLimitMs })
    // Packages without Ginkgo write no report.
    if (!existsSync(report) && !stdout.includes('--- '))
      throw new Error(`tests of ${name} told nothing: ${`${stdout}${stderr}`.slice(-3_000)}`)
    const outcomes: Outcomes = existsSync(report) ? outcomesIn(name, readFileSync(report, 'utf8')) : new Map()
    return outcomes.size > 0 ? outcomes : plainOutcomes(name, stdout)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** Null where nothing ran. */
interface GinkgoReport {
  readonly SpecReports:
    | readonly {
        readonly ContainerHierarchyTexts: readonly string[] | null
        readonly LeafNodeType: string
        readonly LeafNodeText: string
        readonly State: string
        readonly Failure?: {
          readonly Message: string
          readonly Location: { readonly FileName: string; readonly LineNumber: number }
        }
      }[]
    | null
}

function outcomesIn(name: string, text: string): Outcomes {
  const reports = JSON.parse(text) as readonly GinkgoReport[]
  const rows = reports.flatMap(({ SpecReports }) =>
    (SpecReports ?? [])
      .filter(({ LeafNodeType, State }) => LeafNodeType === 'It' || State === 'failed')
      .map(spec => {
        const words = [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText || spec.LeafNodeType]
        return [`${name}: ${words.join(' ')}`, { outcome: outcomeOf(spec.State), said: saidOf(spec) }] as const
      }),
  )
  return new Map(rows)
}

/** Outcomes of tests that are Go's own. */
function plainOutcomes(name: string, stdout: string): Outcomes {
  const outcomes = { PASS: 'passed', FAIL: 'failed', SKIP: 'skipped' } as const
  return new Map(
    Array.from(stdout.matchAll(/^ *--- (PASS|FAIL|SKIP): (\S+)/gm), ([line, word, test]) => [
      `${name}: ${test}`,
      { outcome: outcomes[word as keyof typeof outcomes], said: line.trim() },
    ]),
  )
}

function outcomeOf(state: string): Outcome {
  if (state === 'passed' || state === 'skipped') return state
  return state === 'pending' ? 'skipped' : 'failed'
}

function saidOf({ Failure }: NonNullable<GinkgoReport['SpecReports']>[number]): string {
  if (Failure === undefined) return ''
  const { FileName, LineNumber } = Failure.Location
  return `${FileName.split('/').at(-1)}:${LineNumber} ${Failure.Message.slice(0, 1_000)}`
}

export interface SuiteResult {
  readonly passed: number
  readonly skipped: number
  /** On both servers. */
  readonly failed: readonly string[]
  /** What passes on the real server and fails on the twin. */
  readonly onTwin: readonly string[]
  /** The other way round. */
  readonly onReal: readonly string[]
}

export function compared({ unsteady }: GoSuite, real: Outcomes, twin: Outcomes): SuiteResult {
  const names = [...new Set([...real.keys(), ...twin.keys()])].filter(name => !unsteady.test(name))
  const on = (outcomes: Outcomes, name: string) => outcomes.get(name)?.outcome ?? 'absent'
  const failures = (first: Outcomes, second: Outcomes) =>
    names
      .filter(name => on(first, name) !== on(second, name) && on(first, name) !== 'passed')
      .map(name => `${name}: ${on(first, name)}, ${on(second, name)} on the other: ${first.get(name)?.said ?? ''}`)
  const count = (outcome: Outcome) => names.filter(name => on(real, name) === outcome && on(twin, name) === outcome).length
  return {
    passed: count('passed'),
    skipped: count('skipped'),
    failed: names.filter(name => on(real, name) === 'failed' && on(twin, name) === 'failed'),
    onTwin: failures(twin, real),
    onReal: failures(real, twin),
  }
}
