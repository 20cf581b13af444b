// Volumes mounted and taken away by the driver of NFS beside upstream's, each as a process behind its socket. Both are there all the time and take turns, since
// machines are busy now and then: the ratio of two neighbouring turns says more than the rate of one.
// `npm run bench -- nfs-pairs.ts`; it needs root (a mount namespace with a stand-in for mount.nfs, which waits 20 ms a mount), and the peer Go and its archive.
// `--pairs N`, `--in-flight N` and `--rounds N` set other sizes; `--writes-down` has a stand-in before mount and umount, too, as `nfs.ts` has it.

import { readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/kube/clock.ts'
import { publish, unpublish } from '../test/nfs-requests.ts'
import { agentEnvironment, ownProgram } from '../test/real/mirror/laboratory/own-program.ts'
import { type DriverProcess, startDriver, upstreamDriver } from '../test/real/nfs/driver-process.ts'
import { NfsSite } from '../test/real/nfs/site.ts'

const { values } = parseArgs({
  options: {
    pairs: { type: 'string' },
    'in-flight': { type: 'string' },
    rounds: { type: 'string' },
    'writes-down': { type: 'boolean' },
  },
})
const pairs = Number(values.pairs ?? 200)
const inFlight = Number(values['in-flight'] ?? 20)
const rounds = Number(values.rounds ?? 7)
const mountMs = 20
/** `_SC_CLK_TCK` of every Linux that Node runs on. */
const msPerTick = 10

interface Turn {
  readonly perSecond: number
  /** Milliseconds of a processor a pair: of the driver, and of the programs that it started. */
  readonly ownMs: number
  /** The part of its own that it spends in the kernel. */
  readonly kernelMs: number
  readonly programsMs: number
}

interface Side {
  readonly name: string
  readonly site: NfsSite
  readonly driver: DriverProcess
  readonly turns: Turn[]
}

/** Ticks of a process, and of its children that have ended. */
function ticks(pid: number) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').map(Number) ?? []
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15)
  return { own: user + system, kernel: system, programs: childUser + childSystem }
}

async function turn({ site, driver }: Side): Promise<Turn> {
  const before = ticks(driver.program.pid)
  const startMs = systemClock.elapsed()
  let next = 0
  const lane = async () => {
    while (next < pairs) {
      const number = next++
      const fields = { volumeId: `candlekeep#kubernetes#pvc-${number}##`, targetPath: join(site.root, 'targets', `t${number}`) }
      for (const { call, request } of [publish({}, fields), unpublish(fields.targetPath, fields)]) {
        const { code, message } = await driver.client.ask(call, request)
        if (code !== 'OK') throw new Error(`${call}: ${code} ${message}`)
      }
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  const perSecond = pairs / ((systemClock.elapsed() - startMs) / 1_000)
  const after = ticks(driver.program.pid)
  const ms = (of: keyof typeof after) => ((after[of] - before[of]) * msPerTick) / pairs
  return { perSecond, ownMs: ms('own'), kernelMs: ms('kernel'), programsMs: ms('programs') }
}

const median = (all: readonly number[]) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN

await using stack = new AsyncDisposableStack()
async function side(name: string, command: Parameters<typeof startDriver>[1]): Promise<Side> {
  const site = stack.use(await NfsSite.start({ writesDown: values['writes-down'] === true }))
  site.addShare('candlekeep', 'kubernetes')
  site.tell('candlekeep', { waitMs: mountMs })
  return { name, site, driver: stack.use(await startDriver(site, command)), turns: [] }
}

const settings = Object.entries(agentEnvironment).map(([name, value]) => `${name}=${value}`)
const sides = [
  await side('ours', ['/usr/bin/env', ...settings, process.execPath, await ownProgram(), 'nfsplugin']),
  await side('csi-driver-nfs 4.13.4', await upstreamDriver()),
]
console.log(
  `${cpus().length} processors, ${cpus()[0]?.model}; load ${loadavg()[0]?.toFixed(1)}; ${pairs} pairs, ${inFlight} in flight, ${rounds} rounds, a mount takes ${mountMs} ms`,
)
// The first turn of each finds files that are not in memory.
for (const one of sides) await turn(one)
for (let round = 0; round < rounds; round++) for (const one of sides) one.turns.push(await turn(one))
for (const { name, turns, driver } of sides) {
  const of = (field: keyof Turn) => turns.map(one => one[field])
  console.log(
    `${name}: ${median(of('perSecond')).toFixed(0)} pairs a second (${of('perSecond')
      .map(one => one.toFixed(0))
      .join(
        ', ',
      )}); a pair takes ${median(of('ownMs')).toFixed(1)} ms of a processor (${median(of('kernelMs')).toFixed(1)} in the kernel), programs that it starts ${median(of('programsMs')).toFixed(1)} ms; resident ${(driver.program.memory().rss / 2 ** 20).toFixed(0)} MiB`,
  )
}
const [ours, theirs] = sides.map(one => one.turns.map(({ perSecond }) => perSecond))
const ratios = (ours ?? []).map((one, round) => one / (theirs?.[round] ?? Number.NaN))
console.log(
  `ours to theirs: ${median(ratios).toFixed(2)} (${ratios.map(one => one.toFixed(2)).join(', ')}); load ${loadavg()[0]?.toFixed(1)}`,
)
