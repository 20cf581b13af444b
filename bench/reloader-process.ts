// What `ballast reloader` takes as the image starts it, with Reloader's own role on a twin, by flags of Node: processor time of its start,
// memory at rest, and how long a change takes to reach a template. Variants alternate, since the machine has other guests.
// `node bench/reloader-process.ts [--workloads 1000] [--rounds 2] [--rest 60] [--variant name=flags …]`
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '#kube/clock.ts'
import { environment as ofTheImage } from '../scripts/image/build-image.ts'
import { bundle, writeBundle } from '../scripts/image/bundle.ts'
import { freePort } from '../test/real/control-plane/free-ports.ts'
import { quantile } from '../test/real/reload/judge.ts'
import type { ChangeWish, ReloaderTwinSize } from './reloader-twin.ts'
import { cpuMsOf } from './twin-process.ts'

const root = join(import.meta.dirname, '..')
const wishes: readonly ChangeWish[] = [
  { count: 40, everyMs: 250 },
  { count: 40, everyMs: 0 },
]

interface Variant {
  readonly name: string
  readonly flags: string
}

async function measure({ name, flags }: Variant, workloads: number, restMs: number, program: string): Promise<object> {
  await using resources = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'ballast-reloader-'))
  resources.defer(() => rmSync(directory, { recursive: true, force: true }))
  const size: ReloaderTwinSize = { workloads, kubeconfig: join(directory, 'kubeconfig') }
  const twin = fork(join(import.meta.dirname, 'reloader-twin.ts'), [JSON.stringify(size)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  resources.defer(() => void twin.kill('SIGKILL'))
  await once(twin, 'message')
  // Until what was loaded has come up.
  await systemClock.after(workloads * 10)
  const place = { KUBECONFIG: readFileSync(size.kubeconfig, 'utf8'), POD_NAMESPACE: 'reloader', RELOADER_NAMESPACE: 'reloader' }
  const child = spawn(
    process.execPath,
    [...flags.split(' ').filter(Boolean), program, 'reloader', `--metrics-addr=127.0.0.1:${await freePort()}`],
    {
      stdio: ['ignore', 'ignore', process.env['SHOW'] === undefined ? 'ignore' : 'inherit'],
      env: { ...ofTheImage, ...place },
    },
  )
  resources.defer(() => void child.kill('SIGKILL'))
  await systemClock.after(15_000)
  const startCpuMs = cpuMsOf(child.pid ?? 0)
  await systemClock.after(restMs)
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  const mebibytes = (field: string) =>
    Math.round(Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 102.4) / 10
  const took: object[] = []
  for (const wish of wishes) {
    const cpuMs = cpuMsOf(child.pid ?? 0)
    twin.send(wish)
    const [all]: readonly (readonly number[])[] = await once(twin, 'message')
    const at = (share: number) => Math.round(quantile(all ?? [], share))
    took.push({ ...wish, median: at(0.5), p90: at(0.9), most: at(1), cpuMs: cpuMsOf(child.pid ?? 0) - cpuMs })
  }
  return { name, workloads, startCpuMs, rss: mebibytes('VmRSS'), file: mebibytes('RssFile'), took }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      workloads: { type: 'string', default: '1000' },
      rounds: { type: 'string', default: '2' },
      rest: { type: 'string', default: '60' },
      variant: { type: 'string', multiple: true, default: ['as it is=', 'for size=--optimize-for-size --no-sparkplug'] },
    },
  })
  const variants = values.variant.map(text => ({
    name: text.slice(0, text.indexOf('=')),
    flags: text.slice(text.indexOf('=') + 1),
  }))
  const directory = mkdtempSync(join(tmpdir(), 'ballast-reloader-app-'))
  try {
    writeBundle(await bundle(root), join(directory, 'app'))
    for (let round = 0; round < Number(values.rounds); round++)
      for (const variant of variants)
        console.log(
          JSON.stringify(
            await measure(variant, Number(values.workloads), Number(values.rest) * 1_000, join(directory, 'app', 'ballast.mjs')),
          ),
        )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

await main()
