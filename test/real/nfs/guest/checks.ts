// What needs a kernel that knows NFS: mounts by the seed's options through a driver, counted by the kernel, with a server that goes away and comes back.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CsiCall, CsiClient, CsiMessage } from '../../../csi-wire.ts'
import { capability } from '../../../nfs-requests.ts'
import { until } from '../../mirror/laboratory/program.ts'
import { type NfsServer, startNfsServer } from '../ganesha.ts'
import { driverPort, type GuestDriver, guestMemoryMib, ourGuestDriver, startInGuest, upstreamGuestDriver } from './driver.ts'
import { type Guest, hostAddress, startGuest } from './guest.ts'

/** Transports of each NFS mount, by its target, as `/proc/self/mountstats` has them. */
export async function transports(guest: Guest): Promise<Readonly<Record<string, number>>> {
  const counted: Record<string, number> = {}
  let target: string | undefined
  for (const line of (await guest.run('cat /proc/self/mountstats')).split('\n')) {
    const mounted = /^device \S+ mounted on (\S+) with fstype (\S+)/.exec(line)
    if (mounted !== null) target = mounted[2]?.startsWith('nfs') ? mounted[1] : undefined
    else if (target !== undefined && line.includes('xprt:')) counted[target] = (counted[target] ?? 0) + 1
  }
  return counted
}

const memoryMib = guestMemoryMib

export const seedFlags = (server: NfsServer, nconnect = 16) => ['nfsvers=4.1', `nconnect=${nconnect}`, `port=${server.port}`]

/** By the plain program, without a driver: what the kernel makes of the seed's options, and of a second mount of the same server. */
export async function plainMounts(): Promise<string> {
  await using server = await startNfsServer([{ path: '/kubernetes' }, { path: '/other' }])
  await using guest = await startGuest({ hosts: { [hostAddress]: 'candlekeep' } })
  const mount = (share: string, target: string, nconnect: number) =>
    guest.run(`mkdir -p ${target}; mount -t nfs -o ${seedFlags(server, nconnect).join(',')} candlekeep:${share} ${target}`)
  await mount('/kubernetes', '/a', 16)
  await guest.run('echo written > /a/file')
  strictEqual(readFileSync(join(server.folder('/kubernetes'), 'file'), 'utf8'), 'written\n')
  deepStrictEqual(await transports(guest), { '/a': 16 })
  // The kernel has one client for a server: who mounts first decides for all.
  await mount('/other', '/b', 2)
  deepStrictEqual(await transports(guest), { '/a': 16, '/b': 16 })
  await guest.run('umount /a; umount /b')
  await mount('/other', '/b', 2)
  await mount('/kubernetes', '/a', 16)
  deepStrictEqual(await transports(guest), { '/a': 2, '/b': 2 })
  return `kernel ${guest.kernel}, emulated, booted in ${seconds(guest.bootedInMs)}: 16 transports of 16 asked for, and 2 where the first mount asked for 2`
}

/** The seed's volume through a driver's socket, from its creation to its deletion. @throws AssertionError where it is otherwise */
export async function throughDriver(driver: GuestDriver): Promise<string> {
  await using server = await startNfsServer([{ path: '/kubernetes' }])
  await using guest = await startGuest({
    hosts: { [hostAddress]: 'candlekeep' },
    ports: [driverPort],
    programs: driver.programs,
    memoryMib,
  })
  using client = await startInGuest(guest, driver)
  const folder = server.folder('/kubernetes')
  const begun = performance.now()
  const flagged = capability('MULTI_NODE_MULTI_WRITER', seedFlags(server))
  const context = { server: 'candlekeep', share: '/kubernetes' }
  const secrets = { mountOptions: seedFlags(server).join(',') }
  const made = await want(client, 'CreateVolume', { name: 'pvc-1', volumeCapabilities: [flagged], parameters: context })
  deepStrictEqual(readdirSync(folder), ['pvc-1'])
  const { volumeId, volumeContext } = made['volume'] as { readonly volumeId: string; readonly volumeContext: CsiMessage }
  const published = { volumeId, targetPath: '/pods/a', volumeCapability: flagged, volumeContext }
  await want(client, 'NodePublishVolume', published)
  strictEqual((await transports(guest))['/pods/a'], 16)
  // One pod writes and goes, another reads.
  await guest.run('echo of the first pod > /pods/a/file')
  await want(client, 'NodeUnpublishVolume', { volumeId, targetPath: '/pods/a' })
  await want(client, 'NodePublishVolume', { ...published, targetPath: '/pods/b', readonly: true })
  strictEqual(await guest.run('cat /pods/b/file'), 'of the first pod\n')
  ok((await guest.run('touch /pods/b/more || true')).includes('Read-only'))
  await want(client, 'NodeGetVolumeStats', { volumeId, volumePath: '/pods/b' })
  const snapshot = await want(client, 'CreateSnapshot', { name: 'snapshot-1', sourceVolumeId: volumeId, secrets })
  const { snapshotId } = snapshot['snapshot'] as { readonly snapshotId: string }
  await want(client, 'CreateVolume', {
    name: 'pvc-2',
    volumeCapabilities: [flagged],
    parameters: context,
    volumeContentSource: { snapshot: { snapshotId } },
  })
  strictEqual(readFileSync(join(folder, 'pvc-2', 'file'), 'utf8'), 'of the first pod\n')
  await want(client, 'NodeUnpublishVolume', { volumeId, targetPath: '/pods/b' })
  await want(client, 'DeleteSnapshot', { snapshotId, secrets })
  await want(client, 'DeleteVolume', { volumeId, secrets })
  deepStrictEqual(readdirSync(folder), ['pvc-2'])
  return `booted in ${seconds(guest.bootedInMs)}; created, published with 16 transports, written, read by another, snapshotted, restored, deleted in ${seconds(performance.now() - begun)}`
}

/** A folder that was replaced on the server, and a server that stops and comes back. */
export async function troubledServer(driver: GuestDriver): Promise<string> {
  await using server = await startNfsServer([{ path: '/kubernetes' }])
  await using guest = await startGuest({
    hosts: { [hostAddress]: 'candlekeep' },
    ports: [driverPort],
    programs: driver.programs,
    memoryMib,
  })
  using client = await startInGuest(guest, driver)
  const folder = join(server.folder('/kubernetes'), 'pvc-1')
  const volumeCapability = capability('MULTI_NODE_MULTI_WRITER', seedFlags(server, 2))
  const volumeContext = { server: 'candlekeep', share: '/kubernetes', subDir: 'pvc-1' }
  const published = { volumeId: 'candlekeep#kubernetes#pvc-1##', targetPath: '/pods/a', volumeCapability, volumeContext }
  mkdirSync(folder)
  await want(client, 'NodePublishVolume', published)
  rmSync(folder, { recursive: true })
  mkdirSync(folder)
  // Until then the guest shows what it has in its cache.
  await until(
    'the guest sees a stale handle',
    async () => (await guest.run('ls /pods/a 2>&1 || true')).includes('Stale'),
    120_000,
    500,
  )
  await want(client, 'NodePublishVolume', published)
  await guest.run('echo again > /pods/a/file')
  strictEqual(readFileSync(join(folder, 'file'), 'utf8'), 'again\n')

  server.program.signal('SIGSTOP')
  const target = '/pods/c'
  const waiting = client.ask('NodePublishVolume', { ...published, targetPath: target }, 8_000)
  const probes = await Promise.all(Array.from({ length: 20 }, () => timed(() => want(client, 'Probe', {}))))
  strictEqual((await waiting).code, 'DEADLINE_EXCEEDED')
  server.program.signal('SIGCONT')
  // The call before may still be under way in the driver.
  await until(
    'the volume is published when the server is back',
    async () => (await client.ask('NodePublishVolume', { ...published, targetPath: target })).code === 'OK',
    120_000,
    500,
  )
  await server.restart()
  strictEqual(await guest.run(`cat ${target}/file`), 'again\n')
  for (const targetPath of ['/pods/a', target])
    await want(client, 'NodeUnpublishVolume', { volumeId: published.volumeId, targetPath })
  deepStrictEqual(await transports(guest), {})
  return `a stale folder was mounted anew; while the server stood still Probe took at most ${Math.max(...probes).toFixed(0)} ms; it came back, and was restarted below a mount`
}

/** Asks, and wants an answer. @throws Error with what it is refused with */
export async function want(client: CsiClient, call: CsiCall, request: CsiMessage, limitMs?: number): Promise<CsiMessage> {
  const { code, message, response } = await client.ask(call, request, limitMs)
  if (code !== 'OK') throw new Error(`${call}: ${code} ${message}`)
  return response ?? {}
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await act()
  return performance.now() - begun
}

export const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`

export const byUpstream = (check: (driver: GuestDriver) => Promise<string>) => async () => check(await upstreamGuestDriver())

export const byOurs = (check: (driver: GuestDriver) => Promise<string>) => async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bnfs-ours-'))
  try {
    return await check(await ourGuestDriver(folder))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
