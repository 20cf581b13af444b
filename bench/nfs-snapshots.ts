// Snapshots by the driver of NFS beside upstream's, each as a process behind its socket with its defaults, in turns on the same files: 100,000 of 4 KiB, and
// one of 1 GiB. Made and restored; medians of the rounds, and the most memory that a driver's processes took together.
// `npm run bench -- nfs-snapshots.ts`; it needs root (a mount namespace with a stand-in for mount.nfs), and the peer Go and its archive.
// `--files N`, `--mebibytes N` and `--rounds N` set other sizes.

import { spawnSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/kube/clock.ts'
import { create, fromSnapshot, snapshot } from '../test/nfs-requests.ts'
import { ownProgram } from '../test/real/mirror/laboratory/own-program.ts'
import { type DriverCommand, startDriver, upstreamDriver } from '../test/real/nfs/driver-process.ts'
import { NfsSite } from '../test/real/nfs/site.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'

const { values } = parseArgs({
  options: { files: { type: 'string' }, mebibytes: { type: 'string' }, rounds: { type: 'string' } },
})
const files = Number(values.files ?? 100_000)
const mebibytes = Number(values.mebibytes ?? 1_024)
const rounds = Number(values.rounds ?? 3)
const filesInDirectory = 500
const sampleMs = 50
const callLimitMs = 600_000
const memoryBudget = 150
const mebibyte = 2 ** 20

interface Measured {
  readonly seconds: number
  readonly cpuSeconds: number
  /** What is shared by processes counted once for each, and counted once. */
  readonly rssMib: number
  readonly pssMib: number
}

type Step = 'make' | 'restore'

/** As it is shipped. */
const ourDriver = async (): Promise<DriverCommand> => [process.execPath, await ownProgram(), 'nfsplugin']

function manyFiles(root: string): void {
  for (let at = 0; at < files; at++) {
    const directory = join(root, `d${Math.floor(at / filesInDirectory)}`)
    if (at % filesInDirectory === 0) mkdirSync(directory, { recursive: true })
    // Text that is compressed to a quarter or so, as configuration and code are.
    writeFileSync(join(directory, `file-${at}`), `${at} `.repeat(1_024).slice(0, 4_096))
  }
}

/** Half of it cannot be compressed, as films and databases cannot. */
function oneFile(root: string): void {
  const file = openSync(join(root, 'disk.img'), 'w')
  const block = Buffer.alloc(mebibyte, 'a page of a database and then another one ')
  for (let at = 0; at < mebibytes; at++) {
    randomFillSync(block, 0, mebibyte / 2)
    writeSync(file, block)
  }
  closeSync(file)
}

/** Runs `work` while the driver's processes are looked at. */
async function measured(
  program: Awaited<ReturnType<typeof startDriver>>['program'],
  work: () => Promise<void>,
): Promise<Measured> {
  spawnSync('sync')
  const end = new AbortController()
  let rss = 0
  let pss = 0
  const sampling = (async () => {
    while (!end.signal.aborted) {
      const now = program.memory()
      rss = Math.max(rss, now.rss)
      pss = Math.max(pss, now.pss)
      await systemClock.after(sampleMs)
    }
  })()
  const cpu = program.cpuSeconds()
  const startMs = systemClock.elapsed()
  await work()
  const seconds = (systemClock.elapsed() - startMs) / 1_000
  const cpuSeconds = program.cpuSeconds() - cpu
  end.abort()
  await sampling
  return { seconds, cpuSeconds, rssMib: rss / mebibyte, pssMib: pss / mebibyte }
}

/** One round of a driver: a snapshot of `volume` is made and restored. @throws Error where what was restored differs */
async function round(site: NfsSite, command: DriverCommand, volume: string, name: string): Promise<Record<Step, Measured>> {
  const folder = join(site.exports, 'candlekeep', 'kubernetes')
  await using driver = await startDriver(site, command)
  const asked = async ({ call, request }: { call: Parameters<typeof driver.client.ask>[0]; request: object }) => {
    const answer = await driver.client.ask(call, request as Readonly<Record<string, unknown>>, callLimitMs)
    if (answer.code !== 'OK') throw new Error(`${call}: ${answer.code} ${answer.message}`)
  }
  const uuid = `snap-${name}`
  const sourceVolumeId = `candlekeep#kubernetes#${volume}##`
  const make = await measured(driver.program, () => asked(snapshot({ name: uuid, sourceVolumeId })))
  const id = `candlekeep#kubernetes#${uuid}#${uuid}#${volume}`
  const restore = await measured(driver.program, () => asked(fromSnapshot(id, { name: `back-${name}` })))
  const { status, stdout } = spawnSync('diff', ['--recursive', '--brief', join(folder, volume), join(folder, `back-${name}`)])
  if (status !== 0) throw new Error(`what was restored differs: ${String(stdout).slice(0, 500)}`)
  for (const made of [uuid, `back-${name}`]) rmSync(join(folder, made), { recursive: true, force: true })
  return { make, restore }
}

const median = (all: readonly number[]) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN
const most = (all: readonly number[]) => Math.max(...all)

async function compared(site: NfsSite, what: string, volume: string): Promise<readonly BudgetRow[]> {
  const upstream = await upstreamDriver()
  const shipped = await ourDriver()
  const [ours, theirs]: [Record<Step, Measured>[], Record<Step, Measured>[]] = [[], []]
  for (let turn = 0; turn < rounds; turn++) {
    ours.push(await round(site, shipped, volume, `ours-${turn}`))
    theirs.push(await round(site, upstream, volume, `theirs-${turn}`))
  }
  const name = 'csi-driver-nfs 4.13.4'
  return (['make', 'restore'] as const).flatMap((step): readonly BudgetRow[] => {
    const of = (all: readonly Record<Step, Measured>[], field: keyof Measured) => all.map(one => one[step][field])
    const row = (unit: 's' | 'MiB', text: string, field: keyof Measured, whole: typeof median, budget?: BudgetRow['budget']) => ({
      what: `${step} a snapshot of ${what}${text}`,
      value: whole(of(ours, field)),
      unit,
      other: { name, value: whole(of(theirs, field)) },
      ...(budget === undefined ? {} : { budget }),
    })
    return [
      row('s', '', 'seconds', median),
      row('s', ', processor', 'cpuSeconds', median),
      row('MiB', ', memory of its processes', 'pssMib', most, { atMost: memoryBudget }),
      row('MiB', ', what they share counted for each', 'rssMib', most),
    ]
  })
}

console.log(`${cpus().length} processors, ${cpus()[0]?.model}; load ${loadavg()[0]?.toFixed(1)}; ${rounds} rounds`)
await using site = await NfsSite.start()
site.addShare('candlekeep', 'kubernetes')
{
  // The volumes themselves are made by a driver, as those of a cluster.
  await using driver = await startDriver(site, await ourDriver())
  for (const name of ['many', 'one']) {
    const { code, message } = await driver.client.ask('CreateVolume', create({}, { name }).request)
    if (code !== 'OK') throw new Error(`${code} ${message}`)
  }
}
const folder = join(site.exports, 'candlekeep', 'kubernetes')
if (files > 0) manyFiles(join(folder, 'many'))
if (mebibytes > 0) oneFile(join(folder, 'one'))
if (files > 0) console.log(budgetTable(await compared(site, `${files.toLocaleString('en')} files of 4 KiB`, 'many')))
if (mebibytes > 0) console.log(budgetTable(await compared(site, `one file of ${mebibytes} MiB`, 'one')))
