// The driver killed and started again below volumes of a kernel that knows NFS: what was mounted goes on, and is not mounted again; what was being mounted is mounted
// once; then a server stands still while a volume is taken away, with a program in it and without.

import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CsiClient } from '../../../csi-wire.ts'
import { capability } from '../../../nfs-requests.ts'
import { until } from '../../mirror/laboratory/program.ts'
import { startNfsServer } from '../ganesha.ts'
import { seconds, seedFlags, transports, want } from './checks.ts'
import { driverPort, type GuestDriver, guestMemoryMib, startInGuest } from './driver.ts'
import { type Guest, hostAddress, startGuest } from './guest.ts'

const limitMs = 180_000

/** As a container ends: with the programs that it started. */
const killDriver = (guest: Guest) =>
  guest.run('kill -9 $(cat /tmp/driver.pid); pkill -KILL -x mount; pkill -KILL -x mount.nfs; true')

/** Mounts of NFS at a target, by the kernel's table. */
async function mountsAt(guest: Guest, target: string): Promise<number> {
  const lines = (await guest.run('cat /proc/self/mountinfo')).split('\n')
  return lines.filter(line => line.split(' ')[4] === target && / - nfs/.test(line)).length
}

export async function restartedDriver(driver: GuestDriver): Promise<string> {
  await using server = await startNfsServer([{ path: '/kubernetes' }])
  await using guest = await startGuest({
    hosts: { [hostAddress]: 'candlekeep' },
    ports: [driverPort],
    programs: driver.programs,
    memoryMib: guestMemoryMib,
  })
  const volumeCapability = capability('MULTI_NODE_MULTI_WRITER', seedFlags(server))
  const parameters = { server: 'candlekeep', share: '/kubernetes' }
  let client = await startInGuest(guest, driver)
  const begin = async (): Promise<CsiClient> => {
    client[Symbol.dispose]()
    client = await startInGuest(guest, driver)
    return client
  }
  try {
    const made = await want(client, 'CreateVolume', { name: 'pvc-1', volumeCapabilities: [volumeCapability], parameters })
    const { volumeId, volumeContext } = made['volume'] as { readonly volumeId: string; readonly volumeContext: object }
    const published = { volumeId, targetPath: '/pods/a', volumeCapability, volumeContext }
    await want(client, 'NodePublishVolume', published)
    await guest.run(
      '(i=0; while [ ! -e /tmp/enough ]; do i=$((i+1)); echo $i >> /pods/a/lines || echo $i >> /tmp/failed; usleep 50000; done; touch /tmp/ended) </dev/null >/dev/null 2>&1 &',
    )
    const lines = () =>
      readFileSync(join(server.folder('/kubernetes'), 'pvc-1', 'lines'), 'utf8')
        .trimEnd()
        .split('\n')
    const goesOn = async () => {
      const before = lines().length
      await until('the writer goes on', () => lines().length > before + 5, limitMs, 100)
    }
    await until('the writer writes', async () => (await guest.run('cat /pods/a/lines || true')).includes('5\n'), limitMs, 250)

    await killDriver(guest)
    await goesOn()
    await begin()
    await want(client, 'NodePublishVolume', published)
    strictEqual(await mountsAt(guest, '/pods/a'), 1)
    await want(client, 'NodePublishVolume', { ...published, targetPath: '/pods/b', readonly: true })
    ok((await guest.run('tail -n 1 /pods/b/lines')).length > 0)
    strictEqual((await transports(guest))['/pods/a'], 16)
    await goesOn()

    // It is killed while the server lets it wait.
    server.program.signal('SIGSTOP')
    const waiting = client.ask('NodePublishVolume', { ...published, targetPath: '/pods/c' }, 20_000)
    await until('mount.nfs is called', async () => (await guest.run('ps')).includes('mount.nfs'), limitMs, 100)
    await killDriver(guest)
    strictEqual((await waiting).code === 'OK', false)
    server.program.signal('SIGCONT')
    await begin()
    await until(
      'the volume is published when the server is back',
      async () => (await client.ask('NodePublishVolume', { ...published, targetPath: '/pods/c' })).code === 'OK',
      limitMs,
      500,
    )
    strictEqual(await mountsAt(guest, '/pods/c'), 1)
    await goesOn()
    await guest.run('touch /tmp/enough')
    await until('the writer has ended', async () => (await guest.run('ls /tmp')).includes('ended'), limitMs, 500)
    const written = lines()
    deepStrictEqual(
      written,
      written.map((_, index) => String(index + 1)),
    )
    strictEqual(await guest.run('cat /tmp/failed 2>/dev/null || true'), '')

    // Nobody is in the one, and a program in the other.
    await guest.run('(cd /pods/c && exec sleep 100000) </dev/null >/dev/null 2>&1 & echo $! > /tmp/inside.pid')
    server.program.signal('SIGSTOP')
    const startMs = performance.now()
    await want(client, 'NodeUnpublishVolume', { volumeId, targetPath: '/pods/b' }, 120_000)
    const freeMs = performance.now() - startMs
    const busy = await client.ask('NodeUnpublishVolume', { volumeId, targetPath: '/pods/c' }, 120_000)
    strictEqual(busy.code, 'INTERNAL', busy.message)
    match(busy.message, /\/pods\/c is still mounted; umount: .*busy.*; umount -f: /)
    strictEqual((await client.ask('Probe', {}, 5_000)).code, 'OK')
    server.program.signal('SIGCONT')
    await guest.run('kill -9 $(cat /tmp/inside.pid)')
    await until(
      'the volume goes when nobody is in it',
      async () => (await client.ask('NodeUnpublishVolume', { volumeId, targetPath: '/pods/c' }, 120_000)).code === 'OK',
      limitMs,
      500,
    )
    await want(client, 'NodeUnpublishVolume', { volumeId, targetPath: '/pods/a' })
    deepStrictEqual(await transports(guest), {})
    strictEqual(await guest.run('ls /pods'), '')
    return `killed below a volume, ${written.length} lines each once and in order, mounted once; killed while it mounted; with the server standing still a free volume went within ${seconds(freeMs)}, and one in use was refused with umount's words and went later`
  } finally {
    client[Symbol.dispose]()
  }
}
