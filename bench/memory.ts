// What `ballast controller` holds on the example: the bundle that the image carries, on a Node of its own so that no page of it is
// shared with another process, against a twin in a process of its own. PSS, the solver's process included.
// It runs with the image's environment; for what that is worth: `node bench/memory.ts NODE_OPTIONS= MALLOC_ARENA_MAX=8`. Flags go to Node.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { environment as ofTheImage } from '../scripts/image/build-image.ts'
import { bundle, writeBundle } from '../scripts/image/bundle.ts'
import { withoutSections } from '../scripts/image/elf.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { freePort } from '../test/real/control-plane/free-ports.ts'
import { startInstalledTwin } from './installed-twin.ts'
import { cpuMsOf } from './twin-process.ts'

const root = join(import.meta.dirname, '..')
const budgetMegabytes = 120
/** After the plan, until what it took is given back. */
const restMs = 30_000
/** Before the plan, until the controller leads and has listed what it watches. */
const settleMs = 15_000
const samples = 10
const limitMs = 60_000

interface Memory {
  readonly pss: number
  readonly anonymous: number
  readonly file: number
}

/** Memory of a process and its children, in MiB; a process that has ended counts nothing. */
function memoryOf(pid: number): Memory {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024
    const own = { pss: field('Pss'), anonymous: field('Pss_Anon'), file: field('Pss_File') }
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
    return children.map(Number).map(memoryOf).reduce(sum, own)
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return { pss: 0, anonymous: 0, file: 0 }
    throw error
  }
}

/** As a container runtime unpacks a layer: a file written at once lies in the page cache in pieces of 2 MiB, and each that is touched counts whole. */
function writeInPieces(path: string, content: Buffer): void {
  const file = openSync(path, 'wx', 0o755)
  for (let at = 0; at < content.length; at += unpackBytes) writeSync(file, content.subarray(at, at + unpackBytes))
  closeSync(file)
}

const unpackBytes = 32_768

const sum = (a: Memory, b: Memory): Memory => ({
  pss: a.pss + b.pss,
  anonymous: a.anonymous + b.anonymous,
  file: a.file + b.file,
})

/** How long until `holds`, ms. */
async function until(what: string, controller: ChildProcess, pollMs: number, holds: () => Promise<boolean>): Promise<number> {
  const start = systemClock.elapsed()
  while (!(await holds())) {
    if (controller.exitCode !== null) throw new Error(`the controller ended with ${controller.exitCode}`)
    if (systemClock.elapsed() - start > limitMs) throw new Error(`not within ${limitMs / 1000} s: ${what}`)
    await systemClock.after(pollMs)
  }
  return systemClock.elapsed() - start
}

async function isAlive(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/livez`)).ok
  } catch {
    return false // it does not listen yet
  }
}

async function main(given: readonly string[]): Promise<void> {
  const nodeArguments = given.filter(word => word.startsWith('-'))
  const environment = {
    ...ofTheImage,
    ...Object.fromEntries(
      given.filter(word => !word.startsWith('-')).map(word => /^(\w+)=(.*)$/.exec(word)?.slice(1, 3) ?? [word, '']),
    ),
  }
  const directory = mkdtempSync(join(tmpdir(), 'ballast-memory-'))
  await using resources = new AsyncDisposableStack()
  resources.defer(() => rmSync(directory, { recursive: true, force: true }))
  writeBundle(await bundle(root), join(directory, 'app'))
  const node = join(directory, 'node')
  writeInPieces(node, withoutSections(readFileSync(process.execPath)))

  const cluster = resources.use(await startInstalledTwin())
  const port = await freePort()
  const enabled = enabledCapabilities.map(({ name }) => name).join(',')
  const flags = ['--kubeconfig', cluster.kubeconfig, '--enable', enabled, '--health-probe-bind-address', `127.0.0.1:${port}`]
  const args = [...nodeArguments, join(directory, 'app', 'ballast.mjs'), 'controller', ...flags]
  const controller = spawn(node, args, { stdio: ['ignore', 'inherit', 'ignore'], env: environment })
  resources.defer(() => void controller.kill('SIGKILL'))
  const { pid } = controller
  if (pid === undefined) throw new Error('the controller did not start')
  const aliveMs = await until('/livez', controller, 2, () => isAlive(port))
  const aliveCpuMs = cpuMsOf(pid)
  await systemClock.after(settleMs)
  const waiting = memoryOf(pid)
  await cluster.ask()
  let peak = waiting
  await until('a plan', controller, 50, async () => {
    const now = memoryOf(pid)
    if (now.pss > peak.pss) peak = now
    return (await cluster.plans()).length > 0
  })
  await systemClock.after(restMs)
  const seen: Memory[] = []
  for (let sample = 0; sample < samples; sample++) {
    seen.push(memoryOf(pid))
    await systemClock.after(1_000)
  }
  const rest = seen.toSorted((a, b) => a.pss - b.pss)[samples / 2] ?? peak
  const row = (name: string, { pss, anonymous, file }: Memory) =>
    `${name}: ${pss.toFixed(1)} MiB (of its own ${anonymous.toFixed(1)}, of files ${file.toFixed(1)})`
  console.log(
    `controller on the example, with ${enabled}: /livez answers after ${aliveMs.toFixed(0)} ms, ${aliveCpuMs} ms of a processor`,
  )
  console.log(row('controller on the example: PSS before its first plan', waiting))
  console.log(row('controller on the example: PSS at rest, after its plan', rest))
  console.log(row('controller on the example: most PSS seen, with the solver', peak))
  if (rest.pss > budgetMegabytes) {
    console.log(`over the budget of ${budgetMegabytes} MiB`)
    process.exitCode = 1
  }
}

if (import.meta.main) await main(process.argv.slice(2))
