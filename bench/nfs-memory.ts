// Memory of what mounts on a node, and of the controller part: ours as the image runs it beside upstream's three containers of a node (driver, registrar, liveness
// probe). At rest, and at rest again after volumes were mounted and taken away.
// `npm run bench -- nfs-memory.ts`; it needs root (a mount namespace with a stand-in for mount.nfs), and the peers' archives.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle, writeBundle } from '../scripts/image/bundle.ts'
import { systemClock } from '../src/kube/clock.ts'
import { CsiClient } from '../test/csi-wire.ts'
import { publish, unpublish } from '../test/nfs-requests.ts'
import { PartUnavailable } from '../test/real/cache.ts'
import { freePorts } from '../test/real/control-plane/free-ports.ts'
import { type Program, until } from '../test/real/mirror/laboratory/program.ts'
import { NfsSite } from '../test/real/nfs/site.ts'
import { upstreamPath } from '../test/real/upstreams/build.ts'
import { startNodePart } from './nfs-node-part.ts'

const volumes = Number(process.env['BALLAST_VOLUMES'] ?? 1_000)
const atOnce = 10
/** A start is worth two collections to ours, and later ones come 30 s apart. */
const restMs = Number(process.env['BALLAST_REST_SECONDS'] ?? 45) * 1_000
const mib = (bytes: number) => (bytes / 1_048_576).toFixed(0)
const say = (text: string) => void process.stdout.write(`${text}\n`)

interface Side {
  readonly name: string
  readonly programs: readonly Program[]
  readonly socket: string
}

function told({ name, programs }: Side, when: string): void {
  const each = programs.map(program => ({ ...program.memory(), anonymous: anonymousOf(program.pid) }))
  const sum = (of: (one: (typeof each)[number]) => number) => mib(each.reduce((total, one) => total + of(one), 0))
  const parts = each.length === 1 ? '' : ` (${each.map(({ rss }) => mib(rss)).join(' + ')})`
  say(
    `${name}, ${when}: resident ${sum(one => one.rss)} MiB${parts}, proportional ${sum(one => one.pss)}, anonymous ${sum(one => one.anonymous)}`,
  )
}

const anonymousOf = (pid: number): number =>
  Number(/^Anonymous:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1_024

async function answers(client: CsiClient): Promise<boolean> {
  return (await client.ask('Probe', {}, 1_000)).code === 'OK'
}

/** Mounts and takes away, so many times. */
async function worked(site: NfsSite, socket: string): Promise<void> {
  using client = new CsiClient(socket)
  await until('the driver answers', () => answers(client), 60_000)
  let next = 0
  const lane = async () => {
    while (next < volumes) {
      const number = next++
      const fields = { volumeId: `candlekeep#kubernetes#pvc-${number}##`, targetPath: join(site.root, 'targets', `t${number}`) }
      for (const { call, request } of [publish({}, fields), unpublish(fields.targetPath, fields)]) {
        const { code, message } = await client.ask(call, request)
        if (code !== 'OK') throw new Error(`${call}: ${code} ${message}`)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}

async function measured(site: NfsSite, side: Side): Promise<void> {
  using client = new CsiClient(side.socket)
  await until('the driver answers', () => answers(client), 60_000)
  await systemClock.after(restMs)
  told(side, 'at rest')
  if (volumes === 0) return
  const cpuSeconds = () => side.programs.reduce((sum, program) => sum + program.cpuSeconds(), 0)
  const before = cpuSeconds()
  await worked(site, side.socket)
  const cpuMs = ((cpuSeconds() - before) * 1_000) / volumes
  told(side, `after ${volumes} volumes, each ${cpuMs.toFixed(1)} ms of a processor with mount and umount`)
  await systemClock.after(restMs)
  told(side, 'at rest again')
}

async function ours(site: NfsSite, directory: string, role: string): Promise<Side> {
  const { program, socket } = await startNodePart(site, join(directory, 'ballast.mjs'), role)
  return { name: `ours, agent --role=${role}`, programs: [program], socket }
}

async function upstreams(site: NfsSite): Promise<Side> {
  const socket = join(site.root, 'csi.sock')
  const registry = join(site.root, 'registry')
  mkdirSync(registry, { recursive: true })
  const [health] = await freePorts(1)
  const commands = [
    [await upstreamPath('csi-driver-nfs'), `--endpoint=unix://${socket}`, '--nodeid=n1', '--v=5'],
    [
      await upstreamPath('node-driver-registrar'),
      `--csi-address=${socket}`,
      `--kubelet-registration-path=${socket}`,
      `--plugin-registration-path=${registry}`,
      '--v=2',
    ],
    [await upstreamPath('livenessprobe'), `--csi-address=${socket}`, '--probe-timeout=3s', `--health-port=${health}`, '--v=2'],
  ]
  return {
    name: "csi-driver-nfs 4.13.4's three of a node",
    programs: commands.map(command => site.startProgram(command)),
    socket,
  }
}

async function beside(start: (site: NfsSite) => Promise<Side>): Promise<void> {
  await using site = await NfsSite.start()
  site.addShare('candlekeep', 'kubernetes')
  const side = await start(site)
  try {
    await measured(site, side)
  } catch (cause) {
    throw new Error(`${side.name}: ${side.programs.map(program => program.log()).join('\n')}`, { cause })
  } finally {
    for (const program of side.programs) await program.kill()
  }
}

const directory = mkdtempSync(join(tmpdir(), 'ballast-nfs-memory-'))
try {
  writeBundle(await bundle(join(import.meta.dirname, '..')), directory)
  await beside(site => ours(site, directory, 'nfs'))
  try {
    await beside(upstreams)
  } catch (error) {
    if (!(error instanceof PartUnavailable)) throw error
    say(`without csi-driver-nfs: ${error.message}`)
  }
} finally {
  rmSync(directory, { recursive: true, force: true })
}
