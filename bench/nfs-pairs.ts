// Volumes mounted and taken away by the driver of NFS beside upstream's, each as a process behind its socket: ours by upstream's flags, and as the node part that
// `ballast manifests` installs. All are there all the time and take turns, since machines are busy now and then: the ratio of two neighbouring turns says more than the rate
// of one.
// `npm run bench -- nfs-pairs.ts`; it needs root (a mount namespace with a stand-in for mount.nfs, which waits 20 ms a mount), and the peer Go and its archive.
// `--pairs N`, `--in-flight N` and `--rounds N` set other sizes; `--writes-down` has a stand-in before mount and umount, too, as `nfs.ts` has it.

import { readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/kube/clock.ts'
import { CsiClient } from '../test/csi-wire.ts'
import { publish, unpublish } from '../test/nfs-requests.ts'
import { agentEnvironment, ownProgram } from '../test/real/mirror/laboratory/own-program.ts'
import { type Program, until } from '../test/real/mirror/laboratory/program.ts'
import { startDriver, upstreamDriver } from '../test/real/nfs/driver-process.ts'
import { NfsSite } from '../test/real/nfs/site.ts'
import { startNodePart } from './nfs-node-part.ts'

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
  /** Milliseconds of a processor a pair: of the driver itself, and of all that was done on the machine for it; asking is a good half of one. */
  readonly ownMs: number
  readonly wholeMs: number
  /** The part of the time in which a processor had nothing to do. */
  readonly idle: number
}

interface Side {
  readonly name: string
  readonly site: NfsSite
  readonly program: Program
  readonly client: CsiClient
  readonly turns: Turn[]
}

function ticks(pid: number) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').map(Number) ?? []
  const [user = 0, system = 0] = fields.slice(11, 13)
  const [all = ''] = readFileSync('/proc/stat', 'utf8').split('\n')
  const machine = all.trim().split(/\s+/).slice(1, 9).map(Number)
  const whole = machine.reduce((sum, one) => sum + one, 0)
  const [, , , idle = 0, waiting = 0] = machine
  return { own: user + system, whole, idle: idle + waiting }
}

async function turn({ site, program, client }: Side): Promise<Turn> {
  const before = ticks(program.pid)
  const startMs = systemClock.elapsed()
  let next = 0
  const lane = async () => {
    while (next < pairs) {
      const number = next++
      const fields = { volumeId: `candlekeep#kubernetes#pvc-${number}##`, targetPath: join(site.root, 'targets', `t${number}`) }
      for (const { call, request } of [publish({}, fields), unpublish(fields.targetPath, fields)]) {
        const { code, message } = await client.ask(call, request)
        if (code !== 'OK') throw new Error(`${call}: ${code} ${message}`)
      }
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  const perSecond = pairs / ((systemClock.elapsed() - startMs) / 1_000)
  const after = ticks(program.pid)
  const [own, whole, idle] = [after.own - before.own, after.whole - before.whole, after.idle - before.idle]
  return { perSecond, ownMs: (own * msPerTick) / pairs, wholeMs: ((whole - idle) * msPerTick) / pairs, idle: idle / whole }
}

const median = (all: readonly number[]) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN

await using stack = new AsyncDisposableStack()
async function site(): Promise<NfsSite> {
  const made = stack.use(await NfsSite.start({ writesDown: values['writes-down'] === true }))
  made.addShare('candlekeep', 'kubernetes')
  made.tell('candlekeep', { waitMs: mountMs })
  return made
}

async function byFlags(name: string, command: Parameters<typeof startDriver>[1]): Promise<Side> {
  const own = await site()
  const { program, client } = stack.use(await startDriver(own, command))
  return { name, site: own, program, client, turns: [] }
}

async function asInstalled(): Promise<Side> {
  const own = await site()
  const { program, socket } = await startNodePart(own, await ownProgram(), 'nfs')
  stack.defer(() => program.kill())
  const client = stack.use(new CsiClient(socket))
  await until('the node part answers', async () => (await client.ask('Probe', {}, 1_000)).code === 'OK')
  return { name: 'ours, agent --role=nfs', site: own, program, client, turns: [] }
}

const settings = Object.entries(agentEnvironment).map(([name, value]) => `${name}=${value}`)
const sides = [
  await byFlags('ours, nfsplugin', ['/usr/bin/env', ...settings, process.execPath, await ownProgram(), 'nfsplugin']),
  await asInstalled(),
]
const peer = await byFlags('csi-driver-nfs 4.13.4', await upstreamDriver())
console.log(
  `${cpus().length} processors, ${cpus()[0]?.model}; load ${loadavg()[0]?.toFixed(1)}; ${pairs} pairs, ${inFlight} in flight, ${rounds} rounds, a mount takes ${mountMs} ms`,
)
const all = [...sides, peer]
// The first turn of each finds files that are not in memory.
for (const one of all) await turn(one)
for (let round = 0; round < rounds; round++) for (const one of all) one.turns.push(await turn(one))
const text = (numbers: readonly number[], digits: number) => numbers.map(one => one.toFixed(digits)).join(', ')
for (const { name, turns, program } of all) {
  const of = (field: keyof Turn) => turns.map(one => one[field])
  const rates = of('perSecond')
  console.log(
    `${name}: ${median(rates).toFixed(0)} pairs a second (${text(rates, 0)}); a pair takes ${median(of('ownMs')).toFixed(1)} ms of a processor, ${median(of('wholeMs')).toFixed(1)} with all that was done for it; ${(median(of('idle')) * 100).toFixed(0)} % idle; resident ${(program.memory().rss / 2 ** 20).toFixed(0)} MiB`,
  )
}
for (const { name, turns } of sides) {
  const ratios = turns.map(({ perSecond }, round) => perSecond / (peer.turns[round]?.perSecond ?? Number.NaN))
  console.log(`${name} to theirs: ${median(ratios).toFixed(2)} (${text(ratios, 2)}); load ${loadavg()[0]?.toFixed(1)}`)
}
