// The homelab with its NAS: claims of its class get folders on the server, grow, are snapshotted, restored and deleted, by our driver and our jobs on the
// twin of its cluster.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin } from '#twin/twin.ts'
import { nfsConfiguration } from '../src/capabilities/nfs/config.ts'
import { startDriver } from '../src/capabilities/nfs/driver/driver.ts'
import { unlimited } from '../src/capabilities/nfs/driver/expansion.ts'
import { ShareFiles } from '../src/capabilities/nfs/driver/share-files.ts'
import { KnownPlaces } from '../src/capabilities/nfs/driver/volume-place.ts'
import { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { startJobs } from '../src/capabilities/nfs/jobs/jobs.ts'
import { snapshots } from '../src/capabilities/nfs/jobs/snapshot/snapshot-kinds.ts'
import { jobsOfConfig } from '../src/capabilities/nfs/jobs-of-config.ts'
import { FakeMachine } from '../src/capabilities/nfs/testdata/fake-machine.ts'
import { readSource } from '../src/cli/source/source.ts'
import { claim, snapshot } from './nfs-jobs-site.ts'

const { signal } = new AbortController()
const example = join(import.meta.dirname, '../examples/utilities-homelab')
const { persistentvolumeclaims: claims } = builtIn

test('claims of nfs-slow are bound, grown, snapshotted, restored and deleted', async () => {
  const root = mkdtempSync(join(tmpdir(), 'bh-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const clock = new VirtualClock(Date.UTC(2026, 0, 12, 20))
  const objects = readSource(example).objects.map(({ object }) => object)
  await using twin = await startTwin({ clock, objects, components: { provisioner: false } })
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'nfs-homelab' })
  const machine = new FakeMachine({ root: join(root, 'servers'), below: join(root, 'below'), clock: systemClock, isStrict: true })
  const share = machine.share('candlekeep', 'kubernetes')
  mkdirSync(join(root, 'work'))
  await using workers = new FileWorkers({ clock: systemClock })
  const endpoint = join(root, 'csi.sock')
  const config = nfsConfiguration.parse({ controller: { snapshots: { controller: true } } })
  await using _driver = await startDriver({
    name: config.driverName,
    endpoint: `unix://${endpoint}`,
    controller: {
      settings: {
        mountPermissions: 0,
        defaultOnDelete: config.controller.defaultOnDeletePolicy,
        existingArchive: config.controller.existingArchive,
        useTarProgram: false,
        lists: false,
        modifies: false,
        nodeExpands: false,
        groups: false,
        expansion: unlimited,
        compression: 'gzip',
      },
      workingMountDir: join(root, 'work'),
      files: new ShareFiles(workers, systemClock),
      known: { shares: () => [], places: () => new KnownPlaces([], []) },
    },
    clock: systemClock,
    log: silentLog,
    machine,
  })
  const jobs = startJobs(
    {
      api,
      address: endpoint,
      config: jobsOfConfig(config, 'ballast-agent'),
      clock,
      random: seededRandom(1),
      log: silentLog,
      identity: { instance: 'controller_1' },
    },
    signal,
  )
  const all = (resource: string) => twin.access.list(resource)
  const named = (resource: string, name: string) => all(resource).find(({ metadata }) => metadata.name === name)
  const status = (object: KubeObject | undefined) => Object(object?.['status'])
  const until = (holds: () => boolean) => clock.runUntil(holds, { limitMs: 3_600_000 })
  const folder = (name: string) => join(share, `pvc-${named('persistentvolumeclaims', name)?.metadata.uid}`)
  try {
    await api
      .resource(builtIn.namespaces)
      .create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ballast-agent' } }, { signal })
    await api.resource(claims).create(claim('photos'), { signal })
    await until(() => status(named('persistentvolumeclaims', 'photos')).phase === 'Bound')
    expect(existsSync(folder('photos'))).toBe(true)
    expect(machine.commands[0]).toMatch(/^mount\.nfs candlekeep:\/kubernetes .* -o rw,nfsvers=4\.1,nconnect=16$/)
    writeFileSync(join(folder('photos'), 'beach'), 'sand')

    const body = { spec: { resources: { requests: { storage: '4Gi' } } } }
    await api.resource(claims).patch('photos', { type: 'merge', body }, { signal, namespace: 'media' })
    await until(() => status(named('persistentvolumeclaims', 'photos')).capacity?.storage === '4Gi')

    await api.resource(snapshots).create(snapshot('monday', { source: { persistentVolumeClaimName: 'photos' } }), { signal })
    await until(() => status(named('volumesnapshots.snapshot.storage.k8s.io', 'monday')).readyToUse === true)
    rmSync(join(folder('photos'), 'beach'))

    const dataSource = { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'monday' }
    await api.resource(claims).create(claim('restored', { dataSource, resources: body.spec.resources }), { signal })
    await until(() => status(named('persistentvolumeclaims', 'restored')).phase === 'Bound')
    expect(readFileSync(join(folder('restored'), 'beach'), 'utf8')).toBe('sand')

    await api.resource(snapshots).delete('monday', { signal, namespace: 'media' })
    await until(() => all('volumesnapshotcontents.snapshot.storage.k8s.io').length === 0)
    for (const name of ['photos', 'restored']) await api.resource(claims).delete(name, { signal, namespace: 'media' })
    // The library of the household stays: nobody deleted its claim.
    await until(() => all('persistentvolumes').length === objects.filter(({ kind }) => kind === 'PersistentVolume').length)
    expect(readdirSync(share)).toEqual([])
  } finally {
    let isOver = false
    const end = Promise.resolve(jobs[Symbol.asyncDispose]()).finally(() => {
      isOver = true
    })
    while (!isOver) await clock.advance(1_000)
    await end
  }
})
