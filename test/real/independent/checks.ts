// Other people's controllers work for ten minutes on the twin, and complain of nothing that they do not complain of on a real server.
import type { Check } from '../check.ts'
import { startSites } from '../other-people/sites.ts'
import { argoCd } from './argo-cd.ts'
import { certManager } from './cert-manager.ts'
import { controllerRuntime } from './controller-runtime.ts'
import { compared, type GoSuite, prepareSuite, runPackage, type SuiteResult } from './go-suites.ts'
import { keda } from './keda.ts'
import { type Played, play, type Suite } from './play.ts'

export const suites: readonly Suite[] = [certManager, keda, argoCd]

/** So long a suite goes on by itself; and in CI. */
const wholeMs = 600_000
export const briefMs = 75_000
const length = { ms: wholeMs }

/** In this run each suite goes on for so long, but for no less than in CI and for no more than ten minutes. */
export function limitSuites(ms: number): void {
  length.ms = Math.min(wholeMs, Math.max(briefMs, ms))
}

export const independentChecks: readonly Check[] = [
  ...suites.map(suite => ({
    name: `independent controllers: ${suite.name} works on the twin as on the real server`,
    run: () => judge(suite),
  })),
  {
    name: `independent tests: those of ${controllerRuntime.module} pass on the twin as on the real server`,
    // Managers that are told nothing serve their metrics there.
    port: 8080,
    run: () => judgeTests(controllerRuntime),
  },
]

/** Each package has servers of its own: what its tests leave behind is no other's. */
async function judgeTests(suite: GoSuite, packages: readonly string[] = suite.packages): Promise<string> {
  await prepareSuite(suite, packages)
  const results: SuiteResult[] = []
  let serverVersion = ''
  for (const name of packages) {
    await using sites = await startSites({ controllers: false })
    // One after the other: some tests listen on a port of their own choice.
    const result = compared(suite, await runPackage(suite, name, sites.real), await runPackage(suite, name, sites.twin))
    console.error(`${name}: ${result.passed} pass on both`)
    results.push({ ...result, onTwin: [...result.onTwin, ...sites.bugs.map(bug => `the twin itself: ${bug}`)] })
    serverVersion = sites.serverVersion
  }
  const all = (of: 'failed' | 'onTwin' | 'onReal') => results.flatMap(result => result[of])
  const sum = (of: 'passed' | 'skipped') => results.reduce((total, result) => total + result[of], 0)
  const open = [
    ...all('onTwin').map(line => `on the twin: ${line}`),
    ...all('onReal').map(line => `on the real server: ${line}`),
    ...all('failed')
      .filter(name => !suite.failing.includes(name))
      .map(name => `on both: ${name}`),
  ]
  const told = `${suite.module} ${suite.version}, ${packages.length} packages: ${sum('passed')} tests pass on both, ${all('failed').length} fail on both, ${sum('skipped')} are skipped; kube-apiserver ${serverVersion}`
  if (open.length > 0) throw new Error(`${told}\n${open.join('\n')}`)
  return told
}

async function judge(suite: Suite): Promise<string> {
  await using sites = await startSites()
  const { further, differences, bugs, ...played } = await play(suite, sites, length.ms)
  const open = [
    ...further.map(({ line, real, twin }) => `complaint, ${twin} times on the twin and ${real} on the real server: ${line}`),
    ...differences.map(
      ({ object, field, real, twin }) => `${object} ${field}: ${JSON.stringify(real)}, on the twin ${JSON.stringify(twin)}`,
    ),
    ...bugs.map(bug => `the twin itself: ${bug}`),
  ]
  if (open.length > 0) throw new Error(`${toldOf(suite, played)}\n${[...new Set(open)].join('\n')}`)
  return toldOf(suite, played)
}

function toldOf(
  { told }: Suite,
  { changes, seconds, objects, complaints }: Omit<Played, 'further' | 'differences' | 'bugs'>,
): string {
  const { real, twin } = complaints
  const words = ([different, lines]: readonly [number, number]) => `${different} different complaints in ${lines} lines`
  return `${told}; ${changes} changes in ${seconds} s, ${objects} objects the same; ${words(twin)}, on the real server ${words(real)}`
}

// By hand: `node test/real/independent/checks.ts tests [package …]`, or a suite's name and its seconds.
if (import.meta.main) {
  const [name, ...more] = process.argv.slice(2)
  if (name === 'tests') console.log(await judgeTests(controllerRuntime, more.length > 0 ? more : controllerRuntime.packages))
  length.ms = Number(more[0] ?? wholeMs / 1_000) * 1_000
  for (const suite of suites.filter(suite => suite.name === name)) console.log(await judge(suite))
}
