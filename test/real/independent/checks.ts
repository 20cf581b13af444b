// Other people's controllers work for ten minutes on the twin, and complain of nothing that they do not complain of on a real server.
import type { Check } from '../check.ts'
import { startSites } from '../other-people/sites.ts'
import { argoCd } from './argo-cd.ts'
import { certManager } from './cert-manager.ts'
import { keda } from './keda.ts'
import { type Played, play, type Suite } from './play.ts'

export const suites: readonly Suite[] = [certManager, keda, argoCd]

const length = { ms: 600_000 }

/** So long each suite goes on in this run. */
export function limitSuites(ms: number): void {
  length.ms = ms
}

export const independentChecks: readonly Check[] = suites.map(suite => ({
  name: `independent controllers: ${suite.name} works on the twin as on the real server`,
  run: () => judge(suite),
}))

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

if (import.meta.main) {
  const [name, seconds = '60'] = process.argv.slice(2)
  limitSuites(Number(seconds) * 1_000)
  for (const suite of suites.filter(suite => suite.name === name || name === undefined)) console.log(await judge(suite))
}
