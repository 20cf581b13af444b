// Snapshots of a share: 100,000 files of 4 KiB, and one file of 4 GiB with holes; packed, verified and restored by a worker, beside GNU tar with gzip
// on the same tree in the same run. `--files N` and `--gibibytes N` set other sizes.
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { parseArgs } from 'node:util'
import type { AnyFileWork, FromWorker } from '../src/capabilities/nfs/files/file-work.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'

const { values } = parseArgs({ options: { files: { type: 'string' }, gibibytes: { type: 'string' } } })
const files = Number(values.files ?? 100_000)
const gibibytes = Number(values.gibibytes ?? 4)
const filesInDirectory = 500
const memoryBudget = 150
const program = join(
  import.meta.dirname,
  '..',
  'src',
  'capabilities',
  'nfs',
  'files',
  `file-work-process${extname(import.meta.filename)}`,
)

interface Measured {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakMebibytes: number
}

/** A worker with the flags that the pool gives it, so that its memory can be read after its work. */
async function worked(work: AnyFileWork): Promise<Measured> {
  const flags = ['--max-old-space-size=192', '--max-semi-space-size=1', '--disable-warning=ExperimentalWarning']
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', MALLOC_ARENA_MAX: '1' }
  const child = fork(program, [], { execArgv: flags, env, detached: true, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const started = performance.now()
  child.send(work)
  for (;;) {
    const [answer]: FromWorker[] = await once(child, 'message')
    if (answer === undefined || answer.kind === 'progress') continue
    const measured = measuredOf(child.pid ?? 0, started)
    child.kill('SIGKILL')
    if (answer.kind === 'failure') throw new Error(answer.message)
    return measured
  }
}

/** What the kernel says of a process that is there. */
function measuredOf(pid: number, started: number): Measured {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
  const ticks = Number(fields[11]) + Number(fields[12])
  const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1])
  return { seconds: (performance.now() - started) / 1_000, cpuSeconds: ticks / 100, peakMebibytes: peak / 1_024 }
}

/** A program of others, to its end. */
async function ran(name: string, ...words: readonly string[]): Promise<Pick<Measured, 'seconds'>> {
  const started = performance.now()
  const child = spawn(name, words, { stdio: ['ignore', 'ignore', 'inherit'] })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${name} ended with ${code}`)
  return { seconds: (performance.now() - started) / 1_000 }
}

function manyFiles(root: string): void {
  for (let at = 0; at < files; at++) {
    const directory = join(root, `d${Math.floor(at / filesInDirectory)}`)
    if (at % filesInDirectory === 0) mkdirSync(directory, { recursive: true })
    // Text that is compressed to a quarter or so, as configuration and code are.
    writeFileSync(join(directory, `file-${at}`), `${at} `.repeat(1_024).slice(0, 4_096))
  }
}

function oneFile(root: string): void {
  mkdirSync(root, { recursive: true })
  const path = join(root, 'disk.img')
  const file = openSync(path, 'w')
  const block = Buffer.alloc(1024 * 1024, 'the beginning of each tenth of a disk ')
  for (let tenth = 0; tenth < 10; tenth++) writeSync(file, block, 0, block.length, Math.floor((gibibytes * 2 ** 30 * tenth) / 10))
  closeSync(file)
  truncateSync(path, gibibytes * 2 ** 30)
}

async function measure(what: string, root: string, path: string): Promise<readonly BudgetRow[]> {
  const gnu = await ran('tar', '-czf', join(root, `${path}.gnu.tar.gz`), '-C', join(root, path), '.')
  const into = { root, directory: `snap-${path}`, name: path }
  const packed = await worked({ kind: 'pack', root, path, into, compression: 'gzip' })
  const archive = { root, path: `snap-${path}/${path}.tar.gz` }
  const verified = await worked({ kind: 'verify', archive })
  mkdirSync(join(root, `${path}-back`))
  mkdirSync(join(root, `${path}-gnu`))
  const limits = { bytes: 2 ** 43, entries: 1_000_000 }
  const restored = await worked({ kind: 'unpack', archive, root, path: `${path}-back`, limits })
  const gnuBack = await ran('tar', '-xzf', join(root, `${path}.gnu.tar.gz`), '-C', join(root, `${path}-gnu`))
  await ran('diff', '--recursive', '--no-dereference', join(root, path), join(root, `${path}-back`))
  const zstd = await worked({ kind: 'pack', root, path, into: { ...into, directory: `zst-${path}` }, compression: 'zstd' })
  const rm = await ran('rm', '-rf', join(root, `${path}-gnu`))
  const usage = await worked({ kind: 'usage', root, path, limits: { entries: 1e6, entriesPerSecond: 1e9 } })
  const removed = await worked({ kind: 'removeTree', root, path: `${path}-back` })
  const seconds = (
    { seconds: value }: Pick<Measured, 'seconds'>,
    verb: string,
    other?: number,
    name = 'tar and gzip',
  ): BudgetRow => ({
    what: `${verb} ${what}`,
    value,
    unit: 's',
    ...(other === undefined ? {} : { other: { name, value: other } }),
  })
  const memory = (one: Measured, verb: string): BudgetRow => ({
    what: `${verb} ${what}, peak resident`,
    value: one.peakMebibytes,
    unit: 'MiB',
    budget: { atMost: memoryBudget },
  })
  return [
    seconds(packed, 'pack', gnu.seconds),
    { what: `pack ${what}, CPU`, value: packed.cpuSeconds, unit: 's' },
    memory(packed, 'pack'),
    seconds(zstd, 'pack with zstd', gnu.seconds),
    memory(zstd, 'pack with zstd'),
    seconds(verified, 'verify'),
    memory(verified, 'verify'),
    seconds(restored, 'restore', gnuBack.seconds),
    memory(restored, 'restore'),
    seconds(usage, 'count'),
    seconds(removed, 'remove', rm.seconds, 'rm'),
  ]
}

async function startMilliseconds(root: string): Promise<BudgetRow> {
  const times: number[] = []
  for (let round = 0; round < 9; round++) times.push((await worked({ kind: 'stat', path: root })).seconds * 1_000)
  return {
    what: 'start of a worker and its first answer, median',
    value: times.toSorted((a, b) => a - b)[4] ?? Number.NaN,
    unit: 'ms',
  }
}

async function main(): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'ballast-bench-files-'))
  try {
    console.log(`${cpus().length} processors, ${cpus()[0]?.model}, load ${readFileSync('/proc/loadavg', 'latin1').trim()}`)
    manyFiles(join(root, 'many'))
    oneFile(join(root, 'one'))
    const rows = [
      await startMilliseconds(root),
      ...(await measure(`${files} files of 4 KiB`, root, 'many')),
      ...(await measure(`one file of ${gibibytes} GiB with holes`, root, 'one')),
    ]
    console.log(budgetTable(rows))
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

await main()
