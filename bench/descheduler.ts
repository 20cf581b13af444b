// Upstream's descheduler and ours beside each other, on one API server (the twin, a process of its own): first sync, cycles under the
// policy of upstream's chart and with `nodeFit`, 3,000 candidates among them, processor time and memory. Every eviction is worked out and
// then refused by a limit of the policy, so that cycles are alike. Before that, our decision alone.
// `node bench/descheduler.ts [pods] [upstream|ours|both] [plain]`; plain: without `nodeFit`, for which upstream takes hours at 150,000 pods.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PartUnavailable } from '#test/real/cache.ts'
import { environment as ofTheImage } from '../scripts/image/build-image.ts'
import { bundle, writeBundle } from '../scripts/image/bundle.ts'
import { upstreamPath } from '../test/real/upstreams/build.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { type ClusterSize, clusterSizes } from './descheduler-cluster.ts'
import { chartPolicy } from './descheduler-policies.ts'
import { measureProgram, type Program, type RunFigures } from './descheduler-process.ts'

/** After the first one, for those who are quick; with `nodeFit` upstream's first one is enough for anybody. */
const cycles = 3
/** Until the first cycle is done. What takes longer is said to take that long at least. */
const limitSeconds = 900

/** By how many pods. */
const peakBudgetMegabytes: ReadonlyMap<number, number> = new Map([
  [30_000, 250],
  [150_000, 600],
])
/** As the image's environment has it. */
const heapShare = 0.75
const cycleBudgetSeconds: ReadonlyMap<number, number> = new Map([
  [30_000, 0.3],
  [150_000, 1],
])
const nodeFitBudgetSeconds = 5
const flags = ['--disable-warning=ExperimentalWarning', '--max-old-space-size=8192']
const syncBudgetSeconds = 15

/** What the image has: one file, and the image's environment, in a container that may have what the budget says: V8 takes what it gets. */
function ours(app: string, { pods }: ClusterSize): Program {
  const heap = Math.floor((peakBudgetMegabytes.get(pods) ?? 256) * heapShare)
  return {
    name: 'ours',
    command: process.execPath,
    args: [join(app, 'ballast.mjs'), 'descheduler'],
    environment: {
      ...ofTheImage,
      NODE_OPTIONS: ofTheImage.NODE_OPTIONS.replace(/--max-old-space-size\S+/, `--max-old-space-size=${heap}`),
    },
  }
}

async function bundled(directory: string): Promise<string> {
  const app = join(directory, 'app')
  writeBundle(await bundle(join(import.meta.dirname, '..')), app)
  return app
}

async function upstreams(): Promise<Program | undefined> {
  try {
    return { name: 'upstream', command: await upstreamPath('descheduler'), args: [], environment: {} }
  } catch (error) {
    if (!(error instanceof PartUnavailable)) throw error
    process.stdout.write(`skipped beside upstream: ${error.message}\n`)
    return undefined
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the server has no output')
  for await (const line of createInterface({ input: child.stdout })) return line
  throw new Error('the server said nothing')
}

/** Peers one after the other against one server, under each of the policies. */
async function sideBySide(
  size: ClusterSize,
  programs: readonly Program[],
  { directory, isPlain }: { readonly directory: string; readonly isPlain: boolean },
): Promise<void> {
  const server = spawn(
    process.execPath,
    [...flags, join(import.meta.dirname, 'descheduler-server.ts'), String(size.nodes), String(size.pods)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  try {
    const kubeconfig = await firstLine(server)
    for (const nodeFit of isPlain ? [false] : [false, true]) {
      const file = join(directory, 'policy.json')
      writeFileSync(file, chartPolicy({ nodeFit, perNamespace: 0 }))
      const figures = new Map<string, RunFigures>()
      for (const program of programs) {
        const wanted = program.name === 'ours' || !nodeFit ? cycles : 0
        figures.set(program.name, await measureProgram(program, { kubeconfig, file, directory, cycles: wanted, limitSeconds }))
      }
      const found = rowsOf(size, nodeFit, figures)
      process.stdout.write(`${budgetTable(found)}\n`)
    }
  } finally {
    server.kill('SIGKILL')
  }
}

function rowsOf(size: ClusterSize, nodeFit: boolean, figures: ReadonlyMap<string, RunFigures>): readonly BudgetRow[] {
  const [mine, theirs] = [figures.get('ours') ?? figures.get('upstream'), figures.get('upstream')]
  if (mine === undefined) return []
  const title = `${size.nodes} nodes, ${size.pods} pods${nodeFit ? ', nodeFit' : ''}`
  const other = theirs?.isUnfinished === true ? 'upstream, unfinished after' : 'upstream'
  const row = (what: string, unit: string, of: Exclude<keyof RunFigures, 'isUnfinished'>, atMost?: number): BudgetRow => ({
    what: `${title}: ${what}`,
    value: mine[of],
    unit,
    ...(atMost !== undefined && { budget: { atMost } }),
    ...(theirs !== undefined && theirs !== mine && { other: { name: other, value: theirs[of] } }),
  })
  return [
    row('start to in sync', 's', 'syncSeconds', syncBudgetSeconds),
    row('processor time until then', 's', 'syncCpuSeconds'),
    row('first cycle', 's', 'firstCycleSeconds'),
    row('cycle', 's', 'cycleSeconds', nodeFit ? nodeFitBudgetSeconds : cycleBudgetSeconds.get(size.pods)),
    row('cycle, processor time', 's', 'cycleCpuSeconds'),
    row('most resident memory', 'MiB', 'peakMegabytes', peakBudgetMegabytes.get(size.pods)),
    row('memory at the end (PSS)', 'MiB', 'proportionalMegabytes'),
  ]
}

async function main([pods = '', only = '', plain = '']: readonly string[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-bench-descheduler-'))
  try {
    const app = only === 'upstream' ? undefined : await bundled(directory)
    const theirs = only === 'ours' ? undefined : await upstreams()
    for (const size of clusterSizes.filter(one => pods === '' || one.pods === Number(pods))) {
      // In a process of its own, whose memory goes with it.
      spawnSync(process.execPath, [...flags, join(import.meta.dirname, 'descheduler-decision.ts'), String(size.pods)], {
        stdio: 'inherit',
      })
      const mine = app === undefined ? undefined : ours(app, size)
      await sideBySide(
        size,
        [mine, theirs].filter(program => program !== undefined),
        { directory, isPlain: plain === 'plain' },
      )
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

if (import.meta.main) await main(process.argv.slice(2))
