// `kubectl get nodes` of a cluster of 5,000 nodes: how it asks, what it prints, how long it takes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import type { Check } from '../check.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { commandOutput } from '../run-command.ts'

const checked = 'get nodes of 5,000'
const nodes = 5_000
const pageRows = 500
const longestMs = 2_000
const mostTries = 5

async function getNodes(program: string): Promise<string> {
  await using cleanup = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'ballast-kubectl-'))
  cleanup.defer(() => rmSync(directory, { recursive: true, force: true }))
  const names = Array.from({ length: nodes }, (_, index) => `node-${index}`)
  const objects = names.map(name => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } }))
  const twin = cleanup.use(await startTwin({ clock: systemClock, seed: 1, objects, components: false, listen: { port: 0 } }))
  const kubeconfig = join(directory, 'kubeconfig')
  writeFileSync(kubeconfig, await twin.kubeconfig(), { mode: 0o600 })
  const kubectl = (words: readonly string[]) =>
    commandOutput(program, [`--kubeconfig=${kubeconfig}`, `--cache-dir=${join(directory, 'cache')}`, ...words])
  await kubectl(['version'])
  const get = async () => {
    const startMs = systemClock.elapsed()
    const printed = await kubectl(['get', 'nodes', '--no-headers'])
    return { printed, tookMs: systemClock.elapsed() - startMs }
  }
  const before = twin.requests.total
  const { printed, ...first } = await get()
  const pages = twin.requests.entries.slice(before).filter(({ path }) => path === '/api/v1/nodes').length
  if (pages !== nodes / pageRows) throw new Error(`${pages} requests for nodes, expected ${nodes / pageRows}`)
  const rows = printed
    .trim()
    .split('\n')
    .map(line => line.split(' ')[0])
  const isSorted = JSON.stringify(rows) === JSON.stringify(names.toSorted())
  if (!isSorted) throw new Error(`${rows.length} rows, expected every node once, sorted by name`)
  let { tookMs } = first
  // Others may have had the machine: the quickest counts.
  for (let again = 1; again < mostTries && tookMs >= longestMs; again++) tookMs = Math.min(tookMs, (await get()).tookMs)
  if (tookMs >= longestMs) throw new Error(`it took ${Math.round(tookMs)} ms, expected less than ${longestMs}`)
  return `${pages} pages, ${rows.length} rows, ${Math.round(tookMs)} ms`
}

export const manyNodesChecks: readonly Check[] = (['1.32', 'newest'] as const).map(version => ({
  alone: true,
  name: `kubectl ${version}: ${checked}`,
  run: async () => getNodes(await kubectlPath(version)),
}))
