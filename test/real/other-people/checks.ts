// Other people's packages install, change and go on the twin as on a real control plane, and come to rest in it.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { recordedPackages, type SeenStep } from '../../other-people.ts'
import { PartUnavailable } from '../cache.ts'
import type { Check } from '../check.ts'
import { runCommand } from '../run-command.ts'
import { installed } from './installed.ts'
import { type Package, packages, waysOf } from './packages.ts'
import { restOf } from './rest.ts'
import { startSites } from './sites.ts'

const commandLine = resolve(import.meta.dirname, '../../../bin/ballast')
/** Clusters that nobody here made, in the folder `foreign` beside that of the archives. */
const homelabs = ['home-a.dump', 'home-b.dump', 'home-a.manifests'] as const

export const otherPeopleChecks: readonly Check[] = [
  ...packages.map(one => ({ name: `other people: ${one.name} on both servers`, run: () => judgeInstalls(one) })),
  ...packages.map(one => ({ name: `other people: ${one.name} comes to rest in the twin`, run: () => judgeRest(one) })),
  ...homelabs.map(name => ({ name: `other people: ${name} comes to rest in the twin`, run: () => judgeHomelab(name) })),
]

async function judgeInstalls(one: Package): Promise<string> {
  await using sites = await startSites()
  const recorded = recordedPackages().get(one.name)
  const seen: string[] = []
  for (const way of waysOf(one)) {
    const { steps, objects, open, differences } = await installed(one, way, sites)
    deepStrictEqual({ open, differences, bugs: sites.bugs }, { open: [], differences: [], bugs: [] }, way)
    deepStrictEqual(endsOf(steps), endsOf(recorded?.ways[way]?.steps), `${way} does not end as it was recorded`)
    seen.push(`${way} ${objects} objects`)
  }
  return `${seen.join(', ')}; the same on ${sites.serverVersion}`
}

/** What was run and how it ended: what was said is compared between the two servers, the record's wording goes by the client's version. */
function endsOf(steps: readonly SeenStep[] = []): readonly Omit<SeenStep, 'said'>[] {
  return steps.map(({ command, code }) => ({ command, code }))
}

async function judgeRest(one: Package): Promise<string> {
  const { steps, ...rest } = await restOf(one)
  const { steps: recordedSteps, ...recorded } = recordedPackages().get(one.name)?.rest ?? {}
  deepStrictEqual(rest, recorded, 'not as it was recorded')
  deepStrictEqual(endsOf(steps), endsOf(recordedSteps), 'does not end as it was recorded')
  strictEqual(rest.left, 0, 'workloads are left')
  return `${rest.available} available${rest.waiting.length === 0 ? '' : `; ${rest.waiting.join('; ')}`}`
}

/** Whatever does not run says why. */
async function judgeHomelab(name: (typeof homelabs)[number]): Promise<string> {
  const folder = process.env['BALLAST_PEERS']
  const file = folder === undefined ? undefined : join(folder, '..', 'foreign', `${name}.yaml.gz`)
  if (file === undefined || !existsSync(file))
    throw new PartUnavailable(`${name}: it lies in no folder beside that of BALLAST_PEERS`)
  const { code, stdout, stderr } = await runCommand(process.execPath, [commandLine, 'twin', '--once', '--cluster', file], {
    timeoutMs: 300_000,
  })
  strictEqual(code, 0, stderr)
  const open = stderr.split('\n').filter(line => line.startsWith('open: '))
  for (const line of open) ok(!line.endsWith('it has not started'), line)
  return `${stdout.split('\n---\n').length} objects; ${open.length} pods wait, each with its reason`
}
