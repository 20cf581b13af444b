// What the driver writes down on shares, by a kernel that knows NFS: snapshots of several volumes at one point in time, while another client writes to one of them, and
// which node has a volume.

import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { capability } from '../../../nfs-requests.ts'
import { until } from '../../mirror/laboratory/program.ts'
import { startNfsServer } from '../ganesha.ts'
import { writeByLibnfs } from '../libnfs.ts'
import { seconds, seedFlags, want } from './checks.ts'
import { driverPort, type GuestDriver, guestMemoryMib, startInGuest } from './driver.ts'
import { hostAddress, startGuest } from './guest.ts'

const limitMs = 180_000
/** It takes the guest some seconds to pack it, so that a write comes meanwhile. */
const largeBytes = 24 * 1024 * 1024
const ids = ['candlekeep#kubernetes#pvc-1##', 'candlekeep#kubernetes#pvc-2##'] as const
const groupSnapshotId = 'candlekeep#kubernetes#g-1#group'

export async function recordsOnShares(driver: GuestDriver): Promise<string> {
  await using server = await startNfsServer([{ path: '/kubernetes' }])
  const folder = server.folder('/kubernetes')
  for (const name of ['pvc-1', 'pvc-2']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'pvc-1', 'large'), randomBytes(largeBytes))
  writeFileSync(join(folder, 'pvc-2', 'ledger'), 'balance 100\n')
  await using guest = await startGuest({
    hosts: { [hostAddress]: 'candlekeep' },
    ports: [driverPort],
    programs: driver.programs,
    memoryMib: guestMemoryMib,
  })
  using client = await startInGuest(guest, driver, ['--group-snapshots', '--attach-volumes=guest,other'])
  const secrets = { mountOptions: seedFlags(server, 2).join(',') }
  const group = { name: 'g-1', sourceVolumeIds: ids, secrets }

  const making = client.ask('CreateVolumeGroupSnapshot', group, limitMs)
  await until('the archives are being packed', () => existsSync(join(folder, '.ballast-groups', 'g-1.packing')), limitMs, 20)
  const changed = mkdtempSync(join(tmpdir(), 'bnfs-ledger-'))
  try {
    writeFileSync(join(changed, 'entry'), 'paid 58\n')
    await writeByLibnfs(server, join(changed, 'entry'), '/kubernetes/pvc-2/entry')
  } finally {
    rmSync(changed, { recursive: true })
  }
  const refused = await making
  strictEqual(refused.code, 'ABORTED', refused.message)
  match(refused.message, /^volume candlekeep#kubernetes#pvc-2## was written to while its group was packed/)
  deepStrictEqual(readdirSync(folder).toSorted(), ['pvc-1', 'pvc-2'])
  match(await guest.run('cat /proc/self/mounts'), /acregmin=0,acregmax=0,acdirmin=0,acdirmax=0/)

  const begun = performance.now()
  // What was written a moment ago is waited for.
  const made = await until(
    'the group is made',
    async () => {
      const { code, message, response } = await client.ask('CreateVolumeGroupSnapshot', group, limitMs)
      if (code !== 'OK') match(`${code} ${message}`, /^ABORTED .* was written to within the last/)
      return code === 'OK' ? response : undefined
    },
    limitMs,
    500,
  )
  const tookMs = performance.now() - begun
  ok(JSON.stringify(made).includes(groupSnapshotId))
  strictEqual(readdirSync(folder).length, 5)
  deepStrictEqual(await want(client, 'GetVolumeGroupSnapshot', { groupSnapshotId, secrets }), made)
  const { snapshots } = made['groupSnapshot'] as { readonly snapshots: readonly { readonly snapshotId: string }[] }
  await want(client, 'CreateVolume', {
    name: 'pvc-3',
    volumeCapabilities: [capability('MULTI_NODE_MULTI_WRITER', seedFlags(server, 2))],
    parameters: { server: 'candlekeep', share: '/kubernetes' },
    volumeContentSource: { snapshot: { snapshotId: snapshots[1]?.snapshotId } },
  })
  strictEqual(readFileSync(join(folder, 'pvc-3', 'entry'), 'utf8'), 'paid 58\n')
  await want(client, 'DeleteVolumeGroupSnapshot', { groupSnapshotId, secrets })
  deepStrictEqual(readdirSync(folder).toSorted(), ['pvc-1', 'pvc-2', 'pvc-3'])

  const attach = (nodeId: string) =>
    client.ask('ControllerPublishVolume', {
      volumeId: ids[0],
      nodeId,
      secrets,
      volumeCapability: capability('SINGLE_NODE_WRITER'),
    })
  strictEqual((await attach('guest')).code, 'OK')
  const elsewhere = await attach('other')
  strictEqual(elsewhere.code, 'FAILED_PRECONDITION', elsewhere.message)
  match(elsewhere.message, /is published to node guest/)
  await want(client, 'ControllerUnpublishVolume', { volumeId: ids[0], nodeId: 'guest', secrets })
  strictEqual((await attach('other')).code, 'OK')
  await want(client, 'ControllerUnpublishVolume', { volumeId: ids[0], secrets })
  deepStrictEqual(readdirSync(folder).toSorted(), ['pvc-1', 'pvc-2', 'pvc-3'])
  return `kernel ${guest.kernel}: a group of two volumes refused while libnfs wrote to one of them, then made in ${seconds(tookMs)}, restored and deleted; a volume for one node held to it, and given to the next; nothing left on the server`
}
