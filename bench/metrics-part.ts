// What resource metrics add to `ballast apiserver` in a homelab of four nodes: the same process with the part and without it, in turn, beside
// kubelets over TLS and an API server (the twin) in processes of their own. `npm run bench -- metrics-part [--rounds 2] [--seconds 60]`
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { systemClock } from '#kube/clock.ts'
import { environment as ofTheImage } from '../scripts/image/build-image.ts'
import { bundle, writeBundle } from '../scripts/image/bundle.ts'
import { budgetTable } from './budget-table.ts'
import { cpuMsOf } from './twin-process.ts'

const nodes = 4
/** After its start, until it does nothing but what it does all the time. */
const settleMs = 45_000

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '2' }, seconds: { type: 'string', default: '60' } },
})
const measuredMs = Number(values.seconds) * 1_000

const directory = mkdtempSync(join(tmpdir(), 'ballast-metrics-part-'))
await using stack = new AsyncDisposableStack()
stack.defer(() => rmSync(directory, { recursive: true, force: true }))

function started(file: string, ...args: readonly string[]) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, file), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  stack.defer(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return { child, line: async () => String((await lines.next()).value) }
}

const ports = await started('metrics-kubelets.ts', String(nodes), directory).line()
const kubeconfig = join(directory, 'kubeconfig')
const server = started('metrics-api-server.ts', kubeconfig)
server.child.stdin.write(`${ports}\n`)
await server.line()
const config = join(directory, 'config.yaml')
writeFileSync(
  config,
  `apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\ncapabilities:\n  metrics: {kubelet: {insecureTls: true}}\n`,
)
const app = join(directory, 'app')
writeBundle(await bundle(join(import.meta.dirname, '..')), app)

interface Figures {
  readonly milliCores: number
  readonly mebibytes: number
}

async function measure(flags: readonly string[]): Promise<Figures> {
  const child = spawn(
    process.execPath,
    [join(app, 'ballast.mjs'), 'apiserver', `--config=${config}`, `--kubeconfig=${kubeconfig}`, '--api-port=0', ...flags],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...ofTheImage } },
  )
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000)
  })
  const ended = once(child, 'exit')
  const { pid } = child
  if (pid === undefined) throw new Error('ballast apiserver did not start')
  try {
    await systemClock.after(settleMs)
    const before = { cpuMs: cpuMsOf(pid), ms: systemClock.elapsed() }
    await systemClock.after(measuredMs)
    if (child.exitCode !== null) throw new Error(`ballast apiserver ended: ${said}`)
    const milliCores = ((cpuMsOf(pid) - before.cpuMs) / (systemClock.elapsed() - before.ms)) * 1_000
    const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return { milliCores, mebibytes: Number(resident) / 1_024 }
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

const rounds: { readonly without: Figures; readonly with: Figures }[] = []
for (let round = 0; round < Number(values.rounds); round++) {
  const without = await measure([])
  const all = { without, with: await measure(['--enable=metrics']) }
  rounds.push(all)
  process.stdout.write(`  load ${loadavg()[0]?.toFixed(1)}, ${JSON.stringify(all)}\n`)
}
const mean = (of: (round: (typeof rounds)[number]) => number) => rounds.reduce((sum, one) => sum + of(one), 0) / rounds.length
process.stdout.write(
  `${budgetTable([
    {
      what: `${nodes} nodes, the process without the part: processor`,
      value: mean(one => one.without.milliCores),
      unit: 'mcores',
    },
    { what: `${nodes} nodes, the process without the part: resident`, value: mean(one => one.without.mebibytes), unit: 'MiB' },
    {
      what: `${nodes} nodes, more with the part: processor`,
      value: mean(one => one.with.milliCores - one.without.milliCores),
      unit: 'mcores',
      budget: { atMost: 2 },
    },
    {
      what: `${nodes} nodes, more with the part: resident`,
      value: mean(one => one.with.mebibytes - one.without.mebibytes),
      unit: 'MiB',
      budget: { atMost: 12 },
    },
  ])}\n`,
)
