// Stock kubectl, verb by verb, on a twin of the example over HTTPS: what is checked is what a user sees.
// By hand: `node test/real/kubectl/verbs.ts [group …]`.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openApi } from '#kube/client/api.ts'
import { hostClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import { readSource } from '../../../src/cli/source/source.ts'
import { installBallast } from '../../../src/deployment/install-ballast.ts'
import { enabledCapabilities } from '../../../src/process/enabled-capabilities.ts'
import { ballastNamespace } from '../../../src/process/own-names.ts'
import { type Check, runChecks } from '../check.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { type CommandCase, runCase } from './command-case.ts'
import { creatingCases } from './creating-cases.ts'
import { discoveryCases } from './discovery-cases.ts'
import { mainJobChecks } from './main-job.ts'
import { manyNodesChecks } from './many-nodes.ts'
import { nodeCases } from './node-cases.ts'
import { printedLineChecks } from './printed-lines.ts'
import { readingCases } from './reading-cases.ts'
import { refusalCases } from './refusal-cases.ts'
import { workloadCases } from './workload-cases.ts'
import { writingCases } from './writing-cases.ts'

const example = join(import.meta.dirname, '..', '..', '..', 'examples', 'talos-homelab')
/** Seconds of the cluster in one of ours: containers start sooner; kubectl's own time-outs stay. */
const speed = 4

const groups: Readonly<Record<string, readonly CommandCase[]>> = {
  ...readingCases,
  ...nodeCases,
  ...writingCases,
  ...creatingCases,
  ...workloadCases,
  ...discoveryCases,
  ...refusalCases,
}

/** Every group of verbs with both versions, each on a fresh twin of the example with Ballast's kinds installed. */
const verbChecks: readonly Check[] = (['1.32', 'newest'] as const).flatMap(version =>
  Object.entries(groups).map(([group, cases]) => ({
    name: `kubectl ${version}: ${group}`,
    run: async () => {
      await runGroup(await kubectlPath(version), cases)
      return `${cases.length} cases`
    },
  })),
)

export const kubectlChecks: readonly Check[] = [...verbChecks, ...mainJobChecks, ...manyNodesChecks, ...printedLineChecks]

async function runGroup(program: string, cases: readonly CommandCase[]): Promise<void> {
  await using cleanup = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'ballast-kubectl-'))
  cleanup.defer(() => rmSync(directory, { recursive: true, force: true }))
  const clock = hostClock({ speed })
  const objects = readSource(example).objects.map(({ object }) => object)
  const twin = cleanup.use(await startTwin({ clock, seed: 1, objects, listen: { port: 0 } }))
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'kubectl-checks' })
  cleanup.defer(() => admin.close())
  const signal = AbortSignal.timeout(120_000)
  await installBallast(admin, { capabilities: enabledCapabilities, namespace: ballastNamespace, signal })
  const kubeconfig = join(directory, 'kubeconfig')
  writeFileSync(kubeconfig, await twin.kubeconfig(), { mode: 0o600 })
  const differences: string[] = []
  for (const one of cases) {
    differences.push(...(await runCase({ program, kubeconfig, cacheDirectory: join(directory, 'cache') }, one)))
  }
  if (differences.length > 0)
    throw new Error(`${differences.length} of ${cases.length} cases differ\n  ${differences.join('\n  ')}`)
}

if (import.meta.main) {
  const wanted = process.argv.slice(2)
  const checks = kubectlChecks.filter(({ name }) => wanted.length === 0 || wanted.some(word => name.includes(`: ${word}`)))
  const { passed, failed, skipped } = await runChecks(checks, line => console.log(line))
  for (const reason of skipped) console.log(`skipped: ${reason}`)
  console.log(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped`)
  process.exitCode = failed.length === 0 ? 0 : 1
}
