// The driver of NFS beside upstream's, each as a process behind its socket, in turns: volumes made, pods' volumes mounted and taken away, probes while mounts hang.
// `npm run bench -- nfs.ts`; it needs root (a mount namespace with a stand-in for mount.nfs, which waits 20 ms a mount), and the peer Go and its archive.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/kube/clock.ts'
import { create, publish, unpublish } from '../test/nfs-requests.ts'
import { PartUnavailable } from '../test/real/cache.ts'
import { type DriverCommand, type DriverProcess, startDriver, upstreamDriver } from '../test/real/nfs/driver-process.ts'
import { ourDriver } from '../test/real/nfs/our-driver.ts'
import { NfsSite } from '../test/real/nfs/site.ts'

const volumes = Number(process.env['BALLAST_VOLUMES'] ?? 1_000)
const pairs = 200
const mountMs = 20
const hanging = 20
const probes = 300
const turns = 2

const say = (text: string) => void process.stdout.write(`${text}\n`)
const share = (all: readonly number[], part: number) =>
  all.toSorted((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * part))] ?? 0
const words = (all: readonly number[]) => `p50 ${share(all, 0.5).toFixed(1)} ms, p99 ${share(all, 0.99).toFixed(1)} ms`

/** Does `work` for each number below `count`, so many at once; the milliseconds of each. */
async function timed(count: number, atOnce: number, work: (number: number) => Promise<void>): Promise<readonly number[]> {
  const took: number[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < count) {
        const number = next++
        const startMs = systemClock.elapsed()
        await work(number)
        took.push(systemClock.elapsed() - startMs)
      }
    }),
  )
  return took
}

async function asked(
  driver: DriverProcess,
  { call, request }: { readonly call: Parameters<DriverProcess['client']['ask']>[0]; readonly request: object },
) {
  const { code, message } = await driver.client.ask(call, request as Readonly<Record<string, unknown>>)
  if (code !== 'OK') throw new Error(`${call}: ${code} ${message}`)
}

/** Resident memory of a process and its children, in MiB. */
function residentMib(pid: number): number {
  const children = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(
      name =>
        existsSync(`/proc/${name}/stat`) &&
        readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === String(pid),
    )
  const of = (name: string) => Number(/^Rss:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1_024
  return [String(pid), ...children].reduce((sum, name) => sum + of(name), 0)
}

async function measured(name: string, command: DriverCommand): Promise<void> {
  await using site = await NfsSite.start()
  const folder = site.addShare('candlekeep', 'kubernetes')
  site.addShare('asleep', 'kubernetes')
  site.tell('candlekeep', { waitMs: mountMs })
  await using driver = await startDriver(site, command)
  const idle = residentMib(driver.program.pid)
  const startMs = systemClock.elapsed()
  const made = await timed(volumes, 50, number => asked(driver, create({}, { name: `pvc-${number}` })))
  const wholeMs = systemClock.elapsed() - startMs
  if (readdirSync(folder).length !== volumes) throw new Error(`${readdirSync(folder).length} folders for ${volumes} volumes`)
  say(`${name}: ${volumes} CreateVolume, 50 in flight: ${(volumes / (wholeMs / 1_000)).toFixed(0)} a second, ${words(made)}`)
  const publishMs = systemClock.elapsed()
  const mounted = await timed(pairs, 20, async number => {
    const fields = { volumeId: `candlekeep#kubernetes#pvc-${number}##`, targetPath: join(site.root, 'targets', `t${number}`) }
    await asked(driver, publish({ subDir: `pvc-${number}` }, fields))
    await asked(driver, unpublish(fields.targetPath, fields))
  })
  const pairsMs = systemClock.elapsed() - publishMs
  say(
    `${name}: ${pairs} mounted and taken away, 20 in flight: ${(pairs / (pairsMs / 1_000)).toFixed(0)} pairs a second, ${words(mounted)}`,
  )
  site.tell('asleep', { hang: true })
  const waiting = Array.from({ length: hanging }, (_, number) =>
    driver.client.ask(
      'NodePublishVolume',
      publish(
        { server: 'asleep' },
        { volumeId: `asleep#kubernetes#h${number}##`, targetPath: join(site.root, 'targets', `h${number}`) },
      ).request,
    ),
  )
  const probed = await timed(probes, 1, () => asked(driver, { call: 'Probe', request: {} }))
  say(`${name}: ${probes} Probe while ${hanging} mounts hang: ${words(probed)}`)
  say(`${name}: resident ${idle.toFixed(0)} MiB at rest, ${residentMib(driver.program.pid).toFixed(0)} MiB then`)
  site.tell('asleep', undefined)
  await Promise.all(waiting)
}

say(`${cpus().length} processors, ${cpus()[0]?.model}; load ${loadavg()[0]?.toFixed(1)}; a mount takes ${mountMs} ms`)
const programs: (readonly [string, DriverCommand])[] = [['ours', ourDriver]]
try {
  programs.push(['csi-driver-nfs 4.13.4', await upstreamDriver()])
} catch (error) {
  if (!(error instanceof PartUnavailable)) throw error
  say(`without csi-driver-nfs: ${error.message}`)
}
for (let turn = 0; turn < turns; turn++) for (const [name, command] of programs) await measured(name, command)
