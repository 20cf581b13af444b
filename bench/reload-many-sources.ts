// Budgets of reload that are about what there is: 20,000 Secrets and 15,000 ConfigMaps on a twin of its own. The controller is the bundle
// that the image carries, on the image's Node and with its environment.
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { environment as ofTheImage } from '../scripts/image/build-image.ts'
import { bundle, writeBundle } from '../scripts/image/bundle.ts'
import { freePort } from '../test/real/control-plane/free-ports.ts'
import { upstreamTiming } from '../test/real/reload/programs.ts'
import type { BudgetRow } from './budget-table.ts'
import { openDelayingFront } from './delaying-front.ts'
import type { Counts, SourcesSize } from './reload-sources-server.ts'
import { cpuMsOf } from './twin-process.ts'

const root = join(import.meta.dirname, '..')
const latencyMs = 5
const limitMs = 180_000
const megabyte = 1024 * 1024

interface Server {
  readonly kubeconfig: string
  counts(): Promise<Counts>
}

async function startServer(
  size: Omit<SourcesSize, 'kubeconfig'>,
  directory: string,
  resources: AsyncDisposableStack,
): Promise<Server> {
  const kubeconfig = join(directory, 'kubeconfig')
  const options = {
    execArgv: ['--disable-warning=ExperimentalWarning', '--max-old-space-size=8192'],
  }
  const file = join(import.meta.dirname, 'reload-sources-server.ts')
  const server = fork(file, [JSON.stringify({ ...size, kubeconfig })], options)
  resources.defer(() => void server.kill('SIGKILL'))
  const ended = once(server, 'exit').then(([code]) => {
    throw new Error(`the server ended with ${code}`)
  })
  // The waiting caller gets the failure.
  ended.catch(() => undefined)
  await Promise.race([once(server, 'message'), ended])
  const text = readFileSync(kubeconfig, 'utf8')
  const port = Number(/https:\/\/[^:\s]+:(\d+)/.exec(text)?.[1])
  const front = resources.use(await openDelayingFront(port, latencyMs))
  writeFileSync(kubeconfig, text.replaceAll(`:${port}`, `:${front.port}`), { mode: 0o600 })
  return {
    kubeconfig,
    async counts() {
      server.send('counts')
      const [counts]: readonly Counts[] = await Promise.race([once(server, 'message'), ended])
      return counts ?? {}
    },
  }
}

interface Controller {
  readonly pid: number
  readonly child: ChildProcess
  readonly log: () => string
  /** What it holds after a collection of garbage, in MiB. */
  held(): Promise<number>
}

/** Loaded into the controller: tells, when asked, what it holds. */
const teller = `data:text/javascript,${encodeURIComponent(
  'process.on("message",()=>{gc();const{heapUsed,external}=process.memoryUsage();process.send(heapUsed+external)});process.channel.unref()',
)}`

async function startController(kubeconfig: string, directory: string, resources: AsyncDisposableStack): Promise<Controller> {
  writeBundle(await bundle(root), join(directory, 'app'))
  const config = join(directory, 'ballast.json')
  const capabilities = { reload: { enabled: true, ...upstreamTiming } }
  writeFileSync(config, JSON.stringify({ apiVersion: 'ballast.dev/v1alpha1', kind: 'BallastConfiguration', capabilities }))
  const flags = ['--kubeconfig', kubeconfig, '--config', config, '--health-probe-bind-address', `127.0.0.1:${await freePort()}`]
  const args = ['--expose-gc', '--import', teller, join(directory, 'app', 'ballast.mjs'), 'controller', ...flags]
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: ofTheImage,
  })
  resources.defer(() => void child.kill('SIGKILL'))
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000)
  })
  const held = async () => {
    child.send('held')
    const [bytes]: readonly number[] = await once(child, 'message')
    return (bytes ?? Number.NaN) / megabyte
  }
  return { pid: child.pid ?? 0, child, log: () => said, held }
}

function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM' | 'RssFile'): number {
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}

interface Cold {
  readonly cpuMs: number
  readonly peakMegabytes: number
  readonly restMegabytes: number
  /** The part of it that is pages of files, above all of Node's program. */
  readonly fileMegabytes: number
  /** Memory inside and outside of the heap after a garbage collection. */
  readonly heldMegabytes: number
  /** Resident after that. */
  readonly collectedMegabytes: number
  readonly seconds: number
  readonly reads: number
  readonly idle: Counts
}

/** Reads of sources one by one. */
const readsIn = (counts: Counts) => (counts['GET secrets'] ?? 0) + (counts['GET configmaps'] ?? 0)

/** Starts it before so many, waits until it has read what is used and is quiet, then watches it for `idleMs`. */
async function coldStart(size: Omit<SourcesSize, 'kubeconfig'>, idleMs: number): Promise<Cold> {
  await using resources = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'ballast-reload-sources-'))
  resources.defer(() => rmSync(directory, { recursive: true, force: true }))
  const server = await startServer(size, directory, resources)
  const startMs = systemClock.elapsed()
  const { pid, child, log, held } = await startController(server.kubeconfig, directory, resources)
  let quietSince = systemClock.elapsed()
  let last = 0
  for (;;) {
    await systemClock.after(250)
    if (child.exitCode !== null) throw new Error(`the controller ended: ${log()}`)
    const nowMs = systemClock.elapsed()
    const cpuMs = cpuMsOf(pid)
    const reads = readsIn(await server.counts())
    // Its own timers take a little.
    if (reads < (size.secrets + size.configmaps === 0 ? 0 : size.used) || cpuMs - last > 25) quietSince = nowMs
    last = cpuMs
    if (nowMs - quietSince > 4_000) break
    if (nowMs - startMs > limitMs) throw new Error(`${reads} of ${size.used} were read: ${log()}`)
  }
  const cpuMs = cpuMsOf(pid)
  const seconds = (quietSince - startMs) / 1_000
  const before = await server.counts()
  await systemClock.after(idleMs)
  const after = await server.counts()
  const idle = Object.fromEntries(
    Object.entries(after)
      .map(([what, count]) => [what, count - (before[what] ?? 0)] as const)
      .filter(([, count]) => count > 0),
  )
  return {
    cpuMs,
    seconds,
    reads: readsIn(before),
    idle,
    peakMegabytes: memoryOf(pid, 'VmHWM'),
    restMegabytes: memoryOf(pid, 'VmRSS'),
    fileMegabytes: memoryOf(pid, 'RssFile'),
    heldMegabytes: await held(),
    collectedMegabytes: memoryOf(pid, 'VmRSS'),
  }
}

const whole = { secrets: 20_000, configmaps: 15_000, bytes: Math.floor((1_000 * megabyte) / 35_000), used: 2_000 }
/** The same workloads, and nothing of what they use. */
const none = { ...whole, secrets: 0, configmaps: 0 }

/** B1 and B7: the cold start and what it is at rest, beside a cluster without any. */
export async function manySources(): Promise<readonly BudgetRow[]> {
  const empty = await coldStart(none, 1_000)
  const cold = await coldStart(whole, 30_000)
  const requests = Object.entries(cold.idle).filter(([what]) => !['watch', 'absent'].includes(what) && !what.endsWith(' leases'))
  const cpu = (cold.cpuMs - empty.cpuMs) / 1_000
  return [
    { what: 'B1 cold sync of 35,000 sources, 1.0 GB: processor time', value: cpu, unit: 's', budget: { atMost: 3 } },
    { what: 'B1 the same with the start of the program', value: cold.cpuMs / 1_000, unit: 's' },
    { what: 'B1 until it is quiet', value: cold.seconds, unit: 's' },
    { what: 'B1 reads', value: cold.reads, unit: '' },
    { what: 'B1 peak RSS', value: cold.peakMegabytes, unit: 'MiB', budget: { atMost: 200 } },
    {
      what: 'B1 retained after a collection, beside the workloads alone',
      value: cold.heldMegabytes - empty.heldMegabytes,
      unit: 'MiB',
      budget: { atMost: 20 },
    },
    {
      what: 'B7 idle with 35,000 sources, 2,000 workloads: RSS',
      value: cold.restMegabytes,
      unit: 'MiB',
      budget: { atMost: 110 },
    },
    { what: 'B7 of that, pages of files', value: cold.fileMegabytes, unit: 'MiB' },
    { what: 'B7 held after a collection', value: cold.heldMegabytes, unit: 'MiB' },
    { what: 'B7 the workloads alone: RSS', value: empty.restMegabytes, unit: 'MiB' },
    { what: 'B7 after a collection: RSS', value: cold.collectedMegabytes, unit: 'MiB' },
    {
      what: `B7 requests in 30 s but of watches, Leases, absent kinds${requests.length === 0 ? '' : ` (${requests.map(([what, count]) => `${count} ${what}`).join(', ')})`}`,
      value: requests.reduce((sum, [, count]) => sum + count, 0),
      unit: '',
      budget: { atMost: 0 },
    },
  ]
}
