// Shares are looked through on the twin, by our driver and our jobs: what belongs to nobody is noted, old archives go, and what a person names is archived or deleted
// the way volumes are. Servers are folders.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin } from '#twin/twin.ts'
import { sweepNamed } from '../src/capabilities/nfs/commands/sweep.ts'
import { nfsConfiguration } from '../src/capabilities/nfs/config.ts'
import { lookAtShares } from '../src/capabilities/nfs/doctor/shares-look.ts'
import type { ControllerService } from '../src/capabilities/nfs/driver/controller-service.ts'
import { startDriver } from '../src/capabilities/nfs/driver/driver.ts'
import { unlimited } from '../src/capabilities/nfs/driver/expansion.ts'
import { ShareFiles } from '../src/capabilities/nfs/driver/share-files.ts'
import { KnownPlaces } from '../src/capabilities/nfs/driver/volume-place.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import type { ArchiveLimits } from '../src/capabilities/nfs/inventory/archive-limits.ts'
import { inventoryJob } from '../src/capabilities/nfs/inventory/inventory-job.ts'
import { readReport } from '../src/capabilities/nfs/inventory/report.ts'
import { inventoryPermissions } from '../src/capabilities/nfs/inventory/rights.ts'
import type { Job } from '../src/capabilities/nfs/jobs/job.ts'
import { startJobs } from '../src/capabilities/nfs/jobs/jobs.ts'
import type { StoredVolume } from '../src/capabilities/nfs/jobs/storage-kinds.ts'
import { FakeMachine } from '../src/capabilities/nfs/testdata/fake-machine.ts'
import { usageJob } from '../src/capabilities/nfs/usage/usage-job.ts'
import { readUse, useAnnotation } from '../src/capabilities/nfs/usage/use-annotation.ts'
import { account, allJobs, jobRoles, nfsSlow, ownNamespace, snapshotDefinitions, volumes } from './nfs-jobs-site.ts'

const { signal } = new AbortController()
const driver = 'nfs.csi.k8s.io'
const uid = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-${digit.repeat(12)}`
const archivedName = (digit: string) => `archived-pvc-${uid(digit)}`
const namespace = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
const never: ArchiveLimits = { keepMs: undefined, mostBytes: undefined }

function pv(handle: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `pv-${handle.split('#')[2]?.replaceAll('/', '-')}` },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteMany'],
      persistentVolumeReclaimPolicy: 'Retain',
      csi: { driver, volumeHandle: handle },
    },
  }
}

/** A content that names an archive. */
function content(name: string, handle: string): KubeObject {
  const spec = {
    deletionPolicy: 'Retain',
    driver,
    source: { snapshotHandle: handle },
    volumeSnapshotRef: { name: 's', namespace: 'media' },
  }
  return { apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshotContent', metadata: { name }, spec }
}

/** Whatever is on the servers was made long ago: the twin's time is far ahead of this machine's. */
async function site(
  objects: readonly KubeObject[],
  limits: ArchiveLimits = never,
  further: (controller: ControllerService) => readonly Job[] = () => [],
) {
  const root = mkdtempSync(join(tmpdir(), 'bi-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const clock = new VirtualClock(systemClock.now() + 30 * 86_400_000)
  const permissions = inventoryPermissions(nfsConfiguration.parse({ controller: { inventory: { enabled: true } } }))
  const twin = await startTwin({
    clock,
    authorization: 'RBAC',
    scheduler: false,
    kubelet: false,
    components: { provisioner: false },
    objects: [
      ...['default', 'media', ownNamespace].map(namespace),
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace: ownNamespace } },
      ...jobRoles(allJobs, permissions),
      ...snapshotDefinitions,
      nfsSlow,
      ...objects,
    ],
  })
  const machine = new FakeMachine({ root: join(root, 'servers'), below: join(root, 'below'), clock: systemClock, isStrict: true })
  const share = machine.share('candlekeep', 'kubernetes')
  mkdirSync(join(root, 'work'))
  const workers = new FileWorkers({ clock: systemClock })
  // The time of the cluster stands still while files are worked on.
  const held: Pick<FileWorkers, 'run'> = {
    async run(work, options) {
      using _held = clock.hold()
      return await workers.run(work, options)
    },
  }
  const files = new ShareFiles(held, systemClock)
  const endpoint = join(root, 'csi.sock')
  const settings = {
    mountPermissions: 0,
    defaultOnDelete: 'delete',
    existingArchive: 'number',
    useTarProgram: false,
    compression: 'gzip',
    lists: false,
    modifies: false,
    nodeExpands: false,
    groups: false,
    expansion: unlimited,
  } as const
  const running = await startDriver({
    name: driver,
    endpoint: `unix://${endpoint}`,
    controller: {
      settings,
      workingMountDir: join(root, 'work'),
      files,
      known: { shares: () => [], places: () => new KnownPlaces([], []) },
    },
    clock: systemClock,
    log: silentLog,
    machine,
  })
  const { controller } = running
  if (controller === undefined) throw new TypeError('a driver with a controller was asked for')
  const token = await twin.issueToken({ namespace: ownNamespace, serviceAccount: account })
  const admin = openApi(twin.transport({ user: 'admin', groups: ['system:masters'] }), { clock, userAgent: 'admin' })
  const prefixes = { volume: 'pvc', snapshot: 'snapshot' }
  const more = [
    inventoryJob({ driver, namespace: ownNamespace, settings: { everyMs: 3_600_000, limits, prefixes }, controller, files }),
    ...further(controller),
  ]
  const api = openApi(twin.transport({ token }), { clock, userAgent: 'jobs' })
  const identity = { instance: 'controller_1' }
  const jobs = startJobs(
    { api, address: endpoint, config: allJobs, clock, random: seededRandom(1), log: silentLog, identity, more },
    signal,
  )
  const report = () => {
    const map = twin.access.list('configmaps').find(({ metadata }) => metadata.name === 'ballast-nfs-inventory')
    return map === undefined ? undefined : readReport(map)
  }
  const pumped = async <T>(work: Promise<T>): Promise<T> => {
    let isOver = false
    const end = work.finally(() => {
      isOver = true
    })
    end.catch(() => undefined)
    while (!isOver) await clock.advance(500)
    return await end
  }
  return {
    share,
    machine,
    twin,
    admin,
    clock,
    report,
    pumped,
    until: (holds: () => boolean) => clock.runUntil(holds, { limitMs: 24 * 3_600_000 }),
    make: (path: string) => {
      mkdirSync(join(share, path, '..'), { recursive: true })
      writeFileSync(join(share, path), 'content')
    },
    list: (resource: string) => twin.access.list(resource),
    async [Symbol.asyncDispose]() {
      await pumped(Promise.resolve(jobs[Symbol.asyncDispose]()))
      await running[Symbol.asyncDispose]()
      await workers[Symbol.asyncDispose]()
      await twin.stop()
    },
  }
}

const handle = (folder: string) => `candlekeep#kubernetes#${folder}##`

describe.skipIf(process.platform !== 'linux')('the controller', () => {
  test('notes what belongs to nobody, and doctor tells of it', async () => {
    const known = `pvc-${uid('a')}`
    await using place = await site([
      pv(handle(known)),
      pv(handle('pvc-gone')),
      pv('candlekeep#kubernetes#team/data#x#'),
      pv('elsewhere#share#v##'),
      content('kept', `candlekeep#kubernetes#snapshot-${uid('c')}#snapshot-${uid('c')}#v`),
    ])
    for (const folder of [known, `pvc-${uid('b')}`, 'team/data', 'backups', archivedName('7')]) place.make(`${folder}/file`)
    for (const digit of ['c', 'd']) place.make(`snapshot-${uid(digit)}/v.tar.gz`)
    await place.until(() => place.report() !== undefined)
    const shares = place.report()?.shares ?? []
    const of = (server: string) => shares.find(one => one.server === server)
    expect(of('candlekeep')).toMatchObject({
      volumes: 2,
      missing: { count: 1, first: ['pv-pvc-gone'] },
      orphans: { first: [{ id: handle(`pvc-${uid('b')}`) }] },
      snapshots: { first: [{ id: handle(`snapshot-${uid('d')}`), bytes: 7 }] },
      archived: { first: [{ id: handle(archivedName('7')) }] },
      others: { first: ['backups'] },
    })
    expect(of('elsewhere')?.problem).toContain('Failed to resolve server')
    // Nothing goes where nobody says so.
    expect(existsSync(join(place.share, `${archivedName('7')}/file`))).toBe(true)

    const event = (node: string, note: string) => ({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: `stale-${node}`, namespace: 'default' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      ...{ reason: 'NfsMountStale', note, type: 'Warning', action: 'Mount', reportingController: 'x', reportingInstance: 'x' },
      regarding: { apiVersion: 'v1', kind: 'Node', name: node },
    })
    const events = { group: 'events.k8s.io', version: 'v1', resource: 'events' } as const
    await place.pumped(
      place.admin.resource<KubeObject>(events).create(event('n1', 'nas:/k at /target leads nowhere any more'), { signal }),
    )
    const looked = await place.pumped(
      lookAtShares({
        api: place.admin,
        clock: place.clock,
        signal,
        environment: {},
        facts: undefined as never,
        config: undefined as never,
      }),
    )
    expect(looked.unread).toEqual([])
    expect(looked.findings.map(({ id, object }) => `${id} ${object}`).toSorted()).toEqual([
      'nfs-archived-folder NFS share candlekeep:/kubernetes',
      'nfs-mount-stale Node n1',
      'nfs-orphaned-folder NFS share candlekeep:/kubernetes',
      'nfs-orphaned-snapshot NFS share candlekeep:/kubernetes',
      'nfs-share-unseen NFS share elsewhere:/share',
      'nfs-volume-without-folder NFS share candlekeep:/kubernetes',
    ])
    expect(looked.lines.join('\n')).toContain('candlekeep:/kubernetes: 2 volumes, 1 folders without one')
  })

  test('walks through volumes, and notes what they use', async () => {
    const bound = { ...pv(handle('pvc-1')), status: { phase: 'Bound' } }
    const settings = { everyMs: 3_600_000, entriesPerSecond: 1_000, mostEntries: 1_000 }
    await using place = await site([bound], never, controller => [usageJob({ driver, settings, controller })])
    place.make('pvc-1/file')
    const use = () => readUse(place.list('persistentvolumes')[0]?.metadata.annotations?.[useAnnotation])
    await place.until(() => use() !== undefined)
    expect(use()).toMatchObject({ entries: 2 })
  })

  test('removes archives that are older than they are kept, and then those beyond what may be kept', async () => {
    await using place = await site([], { keepMs: 3_600_000, mostBytes: undefined })
    place.make(`${archivedName('7')}/deep/file`)
    // Others call folders so, too.
    place.make('archived-photos/file')
    place.make('.ballast-removed-archived-b/rest')
    place.make(`pvc-${uid('b')}/file`)
    place.make('backups/file')
    await place.until(() => place.report() !== undefined)
    expect(readdirSync(place.share).toSorted()).toEqual(['archived-photos', 'backups', `pvc-${uid('b')}`])
  })

  test('removes the oldest archives beyond a size', async () => {
    await using place = await site([], { keepMs: undefined, mostBytes: 6_000n })
    place.make(`${archivedName('7')}/file`)
    await systemClock.after(20)
    place.make(`${archivedName('8')}/file`)
    await place.until(() => place.report() !== undefined)
    // Each takes a block or two; one of them fits at most.
    const left = readdirSync(place.share)
    expect(left.length).toBeLessThan(2)
    expect(left).not.toContain(archivedName('7'))
  })

  test('has what a person names archived, or deleted, and nothing else', async () => {
    const orphan = `pvc-${uid('b')}`
    await using place = await site([])
    place.make(`${orphan}/file`)
    place.make(`${archivedName('7')}/file`)
    place.make('backups/file')
    await place.until(() => place.report() !== undefined)
    const told: string[] = []
    // What kube-controller-manager does with a volume whose claim is not there: the twin releases only those whose claim it saw go.
    const release = () => {
      for (const volume of place.list('persistentvolumes') as readonly StoredVolume[])
        if (volume.status?.phase !== 'Released' && volume.metadata.deletionTimestamp === undefined)
          void place.admin
            .resource<StoredVolume>(volumes)
            .patch(
              volume.metadata.name,
              { type: 'merge', body: { status: { phase: 'Released' } } },
              { signal, subresource: 'status' },
            )
            .catch((error: unknown) => told.push(String(error)))
    }
    const sweep = async (id: string, fate: 'archive' | 'delete', isMeant = true) => {
      const stop = place.twin.access === undefined ? () => undefined : place.clock.schedule(2_000, release)
      const sweeping = {
        api: place.admin,
        clock: place.clock,
        signal,
        say: (line: string) => void told.push(line),
        uid: () => uid('9'),
      }
      const code = await place.pumped(sweepNamed([id], fate, isMeant, sweeping))
      stop()
      return code
    }
    expect(await sweep(handle(orphan), 'delete', false)).toBe(0)
    expect(await sweep(handle('backups'), 'delete')).toBe(3)
    expect(readdirSync(place.share).toSorted()).toEqual([archivedName('7'), 'backups', orphan])
    expect(await sweep(handle(orphan), 'archive')).toBe(0)
    expect(readdirSync(place.share).toSorted()).toEqual([archivedName('7'), `archived-${orphan}`, 'backups'])
    expect(await sweep(handle(archivedName('7')), 'delete')).toBe(0)
    expect(readdirSync(place.share).toSorted()).toEqual([`archived-${orphan}`, 'backups'])
    expect(place.list('persistentvolumes')).toEqual([])
    expect(told).toEqual([
      `${handle(orphan)}: would be deleted (--yes does it)`,
      `${handle('backups')}: refused: the controller has not told of it: ballast nfs sweep lists what it has seen`,
      `${handle(orphan)}: archived`,
      `${handle(archivedName('7'))}: deleted`,
    ])
  })
})
