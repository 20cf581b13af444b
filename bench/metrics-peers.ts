// metrics-server and ours beside each other as real processes: kubelets over TLS with kept connections in a process of their own, an API server
// (the twin) in another, and rounds in turn. What is measured is the two servers' alone; the machine's other load moves times, hardly processor time.
// `npm run bench -- metrics-peers [--nodes 4,500,5000] [--rounds 1] [--ticks 4] [--only ours] [--heap 350]`
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { PartUnavailable } from '#test/real/cache.ts'
import { environment as ofTheImage } from '../scripts/image/build-image.ts'
import { bundle, writeBundle } from '../scripts/image/bundle.ts'
import { upstreamPath } from '../test/real/upstreams/build.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { podsPerNode } from './metrics-cluster.ts'
import { measureProgram, type Program, type RunFigures } from './metrics-process.ts'

const resolutionSeconds = 15
/** The size for which there are budgets. */
const largest = 5_000
const few = 4

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '4,500' },
    rounds: { type: 'string', default: '1' },
    ticks: { type: 'string', default: '4' },
    only: { type: 'string' },
    heap: { type: 'string', default: '350' },
  },
})

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('the process has no output')
  for await (const line of createInterface({ input: stdout })) return line
  throw new Error('the process said nothing')
}

function started(file: string, args: readonly string[], stack: AsyncDisposableStack): ChildProcess {
  const flags = ['--disable-warning=ExperimentalWarning', '--max-old-space-size=8192']
  const child = spawn(process.execPath, [...flags, join(import.meta.dirname, file), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  stack.defer(() => void child.kill('SIGKILL'))
  return child
}

async function programs(directory: string): Promise<readonly Program[]> {
  const app = join(directory, 'app')
  writeBundle(await bundle(join(import.meta.dirname, '..')), app)
  const ours: Program = {
    name: 'ours',
    command: process.execPath,
    args: [join(app, 'ballast.mjs'), 'metrics-server'],
    // A container that may have what the budget says.
    environment: {
      ...ofTheImage,
      NODE_OPTIONS: `--disable-warning=ExperimentalWarning ${ofTheImage.NODE_OPTIONS.replace(/--max-old-space-size\S+/, `--max-old-space-size=${values.heap}`)}`,
    },
    hasLoop: false,
  }
  // To watch the loop costs more than four nodes do: in a run of its own.
  const watched: Program = {
    ...ours,
    name: 'ours, watched',
    args: [`--import=${join(import.meta.dirname, 'own-figures.ts')}`, ...ours.args],
    hasLoop: true,
  }
  try {
    const command = await upstreamPath('metrics-server')
    return [{ name: 'upstream', command, args: [], environment: {}, hasLoop: false }, ours, watched]
  } catch (error) {
    if (!(error instanceof PartUnavailable)) throw error
    process.stdout.write(`skipped beside upstream: ${error.message}\n`)
    return [ours, watched]
  }
}

async function sideBySide(nodes: number, all: readonly Program[]): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'ballast-metrics-peers-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  const kubelets = started('metrics-kubelets.ts', [String(nodes), directory], stack)
  const ports = await firstLine(kubelets)
  const kubeconfig = join(directory, 'kubeconfig')
  const server = started('metrics-api-server.ts', [kubeconfig], stack)
  server.stdin?.write(`${ports}\n`)
  await firstLine(server)
  const nowMs = systemClock.now()
  const clients = await issueAuthority({ commonName: 'clients', nowMs })
  const admin = await issueLeaf(clients, { commonName: 'bench', organizations: ['system:masters'], usages: ['client'], nowMs })
  const authority = join(directory, 'clients.pem')
  writeFileSync(authority, clients.certificate)
  const flags = [
    ...[`--kubeconfig=${kubeconfig}`, `--authentication-kubeconfig=${kubeconfig}`, `--authorization-kubeconfig=${kubeconfig}`],
    ...['--authentication-skip-lookup', `--client-ca-file=${authority}`, '--bind-address=127.0.0.1'],
    ...[`--metric-resolution=${resolutionSeconds}s`, '--kubelet-use-node-status-port', `--cert-dir=${directory}`],
    ...['--kubelet-preferred-address-types=InternalIP', `--kubelet-certificate-authority=${join(directory, 'kubelets.pem')}`],
  ]
  const found = new Map<string, RunFigures[]>()
  const options = {
    flags,
    admin,
    nodes,
    resolutionSeconds,
    ticks: Number(values.ticks),
    autoscalerLists: 2_000,
    listsASecond: 200,
  }
  for (let round = 0; round < Number(values.rounds); round++)
    for (const program of all) {
      const figures = await measureProgram(program, options)
      found.set(program.name, [...(found.get(program.name) ?? []), figures])
      process.stdout.write(`  ${program.name}: load ${loadavg()[0]?.toFixed(1)}, ${JSON.stringify(figures)}\n`)
    }
  process.stdout.write(`${budgetTable(rowsOf(nodes, found))}\n`)
}

function middle(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[Math.floor((all.length - 1) / 2)] ?? Number.NaN
}

function rowsOf(nodes: number, found: ReadonlyMap<string, readonly RunFigures[]>): readonly BudgetRow[] {
  const [mine = [], theirs, watched = []] = ['ours', 'upstream', 'ours, watched'].map(name => found.get(name))
  const isLargest = nodes >= largest
  const row = (what: string, unit: string, of: (figures: RunFigures) => number, atMost?: number): BudgetRow => ({
    what: `${nodes} nodes, ${nodes * podsPerNode} pods: ${what}`,
    value: middle(mine.map(of)),
    unit,
    ...(atMost === undefined ? {} : { budget: { atMost } }),
    ...(theirs === undefined || !Number.isFinite(middle(theirs.map(of)))
      ? {}
      : { other: { name: 'upstream', value: middle(theirs.map(of)) } }),
  })
  const loopRow = (what: string, of: (figures: RunFigures) => number | undefined, atMost?: number): BudgetRow => ({
    what: `${nodes} nodes, ${nodes * podsPerNode} pods: ${what}`,
    value: middle(watched.map(figures => of(figures) ?? Number.NaN)),
    unit: 'ms',
    ...(atMost === undefined ? {} : { budget: { atMost } }),
  })
  return [
    row('processor, scrapes alone', 'mcores', one => one.scrapeCores * 1_000, isLargest ? 500 : nodes === few ? 2 : undefined),
    row('resident, scrapes alone', 'MiB', one => one.rssMebibytes, isLargest ? 350 : undefined),
    row('most resident', 'MiB', one => one.peakMebibytes),
    row('list in protobuf, first byte', 'ms', one => one.protobuf.firstByteMs, isLargest ? 400 : undefined),
    row('list in protobuf, whole', 'ms', one => one.protobuf.wholeMs),
    row('list in protobuf, processor', 'ms', one => one.protobuf.cpuMs),
    row('list in JSON, first byte', 'ms', one => one.json.firstByteMs),
    row('list in JSON, whole', 'ms', one => one.json.wholeMs),
    row('list in JSON, processor', 'ms', one => one.json.cpuMs),
    row('lists of a workload, 200 a second, p50', 'ms', one => one.autoscaler.p50Ms),
    row('lists of a workload, p99', 'ms', one => one.autoscaler.p99Ms, 5),
    row('2,000 lists of a workload, processor', 'ms', one => one.autoscaler.cpuMs),
    loopRow('work between two turns, scrapes', one => one.scrapeLoop?.longestWorkMs, 20),
    loopRow('work between two turns, lists', one => one.listLoop?.longestWorkMs, 20),
    loopRow('loop stood still, scrapes', one => one.scrapeLoop?.longestStallMs),
    loopRow('loop stood still, lists', one => one.listLoop?.longestStallMs),
  ]
}

const directory = mkdtempSync(join(tmpdir(), 'ballast-metrics-app-'))
try {
  const [first] = cpus()
  process.stdout.write(
    `${cpus().length} cores, ${first?.model ?? 'unknown processor'}, Node ${process.version}, load ${loadavg()
      .map(one => one.toFixed(1))
      .join(' ')}; ${resolutionSeconds} s between scrapes\n`,
  )
  const all = (await programs(directory)).filter(({ name }) => values.only === undefined || name === values.only)
  for (const nodes of values.nodes.split(',').map(Number)) await sideBySide(nodes, all)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
