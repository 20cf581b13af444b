// Snapshots and their contents on the twin of an API server: the snapshot controller and the sidecar beside a CSI driver behind a real socket.
import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { controllerCapabilities as can } from '../src/capabilities/nfs/csi/messages.ts'
import { standardProvision } from '../src/capabilities/nfs/jobs/provision/settings.ts'
import { standardSnapshot, standardSnapshotController } from '../src/capabilities/nfs/jobs/snapshot/settings.ts'
import {
  type Content,
  contents,
  type Snapshot,
  snapshotClasses,
  snapshotFinalizers,
  snapshots,
} from '../src/capabilities/nfs/jobs/snapshot/snapshot-kinds.ts'
import { FakeDriver } from './nfs-jobs-driver.ts'
import { claim, claims, type JobsSite, jobsSite, snapshot, snapshotClass, snapshotDefinitions } from './nfs-jobs-site.ts'

const config = { provision: standardProvision, snapshot: standardSnapshot, snapshotController: standardSnapshotController }
const minute = 60_000
const definitions = builtIn.customresourcedefinitions
const sayings = (site: JobsSite) => [...site.forbidden, ...site.errors, ...site.warnings]
const taken = (site: JobsSite, name: string) => site.list<Snapshot>(snapshots).find(one => one.metadata.name === name)
const contentsOf = (site: JobsSite) => site.list<Content>(contents)
const isReady = (site: JobsSite, name: string) => taken(site, name)?.status?.readyToUse === true
const errorOf = (site: JobsSite, name: string) => taken(site, name)?.status?.error?.message
const ofClaim = (name: string) => ({ source: { persistentVolumeClaimName: name } })

/** A claim `plex` that is bound, and a default class. */
async function boundSite(
  options: { readonly driver?: FakeDriver; readonly objects?: readonly KubeObject[] } = {},
): Promise<JobsSite> {
  const { objects = [snapshotClass], ...others } = options
  const site = await jobsSite({ config, objects: [claim('plex'), ...objects], ...others })
  site.start()
  await site.until(() => site.isBound('plex'))
  return site
}

test('a snapshot of a claim gets the default class, a content, and says what the driver says', async () => {
  await using site = await boundSite()
  await site.create(snapshots, snapshot('a', ofClaim('plex')))
  await site.until(() => isReady(site, 'a'))
  const { metadata, spec, status: said } = taken(site, 'a') ?? {}
  const uid = metadata?.uid ?? ''
  const [volume] = site.volumes()
  expect(spec).toEqual({ source: { persistentVolumeClaimName: 'plex' }, volumeSnapshotClassName: 'csi-nfs-snapclass' })
  expect(said).toEqual({
    boundVolumeSnapshotContentName: `snapcontent-${uid}`,
    creationTime: '2026-01-01T00:00:00Z',
    readyToUse: true,
    restoreSize: '4Ki',
  })
  await site.until(() => (taken(site, 'a')?.metadata.finalizers ?? []).length === 2)
  expect(taken(site, 'a')?.metadata.finalizers?.toSorted()).toEqual([
    'snapshot.storage.kubernetes.io/volumesnapshot-as-source-protection',
    'snapshot.storage.kubernetes.io/volumesnapshot-bound-protection',
  ])
  const [content] = contentsOf(site)
  expect(content?.metadata).toMatchObject({
    name: `snapcontent-${uid}`,
    finalizers: ['snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection'],
  })
  expect(content?.metadata.annotations ?? {}).toEqual({})
  expect(content?.spec).toMatchObject({
    deletionPolicy: 'Delete',
    driver: 'nfs.csi.k8s.io',
    source: { volumeHandle: volume?.spec.csi?.volumeHandle },
    sourceVolumeMode: 'Filesystem',
    volumeSnapshotClassName: 'csi-nfs-snapclass',
    volumeSnapshotRef: { apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshot', name: 'a', namespace: 'media', uid },
  })
  expect(content?.status).toEqual({
    creationTime: 1_767_225_600_500_000_000,
    readyToUse: true,
    restoreSize: 4096,
    snapshotHandle: `nas#export#snapshot-${uid}#snapshot-${uid}#source`,
  })
  await site.until(() => site.claim('plex')?.metadata.finalizers?.includes(snapshotFinalizers.claim) !== true)
  expect(site.events().filter(event => event.includes('snapshot'))).toEqual([
    'Normal CreatingSnapshot a: Waiting for a snapshot media/a to be created by the CSI driver. [snapshot-controller]',
    'Normal SnapshotCreated a: Snapshot media/a was successfully created by the CSI driver. [snapshot-controller]',
    'Normal SnapshotReady a: Snapshot media/a is ready to use. [snapshot-controller]',
  ])
  const effects = site.effects.length
  await site.pass(20 * minute)
  expect(site.effects.slice(effects)).toEqual([])
  await site.delete(snapshots, 'a', 'media')
  await site.until(() => taken(site, 'a') === undefined && contentsOf(site).length === 0)
  expect(site.driver.done.slice(1)).toEqual([`snapshot snapshot-${uid}`, `delete snapshot snapshot-${uid}`])
  expect(sayings(site)).toEqual([])
})

test('a content that is to be kept stays with its data, and so does its snapshot in the driver', async () => {
  await using site = await boundSite({ objects: [{ ...snapshotClass, deletionPolicy: 'Retain' }] })
  await site.create(snapshots, snapshot('a', ofClaim('plex')))
  await site.until(() => isReady(site, 'a'))
  await site.delete(snapshots, 'a', 'media')
  await site.until(() => taken(site, 'a') === undefined)
  await site.pass(5 * minute)
  expect(contentsOf(site)).toHaveLength(1)
  await site.delete(contents, contentsOf(site)[0]?.metadata.name ?? '')
  await site.until(() => contentsOf(site).length === 0)
  expect(site.driver.count('deleteSnapshot')).toBe(0)
})

test('a content that was written beforehand is bound to its snapshot, and deleted by its policy', async () => {
  const content: KubeObject = {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshotContent',
    metadata: { name: 'before' },
    spec: {
      deletionPolicy: 'Delete',
      driver: 'nfs.csi.k8s.io',
      source: { snapshotHandle: 'nas#export#old#old#source' },
      volumeSnapshotRef: { name: 'a', namespace: 'media' },
    },
  }
  await using site = await boundSite({ objects: [] })
  await site.create(contents, content)
  await site.create(snapshots, snapshot('a', { source: { volumeSnapshotContentName: 'before' } }))
  await site.until(() => isReady(site, 'a'))
  expect(contentsOf(site)[0]?.spec.volumeSnapshotRef.uid).toBe(taken(site, 'a')?.metadata.uid)
  expect(site.driver.count('createSnapshot')).toBe(0)
  site.driver.snapshots.set('old', { id: 'nas#export#old#old#source', source: 'x' })
  await site.delete(snapshots, 'a', 'media')
  await site.until(() => taken(site, 'a') === undefined && contentsOf(site).length === 0)
  expect(site.driver.snapshots.size).toBe(0)
})

test('a driver that lists snapshots is asked whether one that was there before is', async () => {
  const driver = new FakeDriver({ can: [can.CREATE_DELETE_VOLUME, can.CREATE_DELETE_SNAPSHOT, can.LIST_SNAPSHOTS] })
  await using site = await boundSite({ driver, objects: [] })
  await site.create(contents, {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshotContent',
    metadata: { name: 'before' },
    spec: {
      deletionPolicy: 'Retain',
      driver: 'nfs.csi.k8s.io',
      source: { snapshotHandle: 'old' },
      volumeSnapshotRef: { name: 'a', namespace: 'media' },
    },
  })
  const why =
    'Failed to check and update snapshot content: failed to list snapshot for content before: "can not find snapshot for snapshotID old"'
  await site.until(() => contentsOf(site)[0]?.status?.error?.message === why)
  driver.snapshots.set('old', { id: 'old', source: 'x' })
  await site.until(() => contentsOf(site)[0]?.status?.readyToUse === true)
  expect(contentsOf(site)[0]?.status).toEqual({
    creationTime: 1_767_225_600_500_000_000,
    readyToUse: true,
    restoreSize: 4096,
    snapshotHandle: 'old',
  })
})

test('what the driver refuses is told on content and snapshot, tried again, and then forgotten', async () => {
  await using site = await boundSite()
  site.driver.fail('createSnapshot', { code: status.INTERNAL, details: 'no tar' }, { code: status.INTERNAL, details: 'no tar' })
  await site.create(snapshots, snapshot('a', ofClaim('plex')))
  await site.until(() => errorOf(site, 'a') !== undefined)
  const handle = site.volumes()[0]?.spec.csi?.volumeHandle
  const why = `failed to take snapshot of the volume ${handle}: "rpc error: code = Internal desc = no tar"`
  expect(errorOf(site, 'a')).toBe(`Failed to create snapshot: ${why}`)
  // Nothing is under way any more.
  expect(contentsOf(site)[0]?.metadata.annotations ?? {}).toEqual({})
  expect(site.claim('plex')?.metadata.finalizers).toContain('snapshot.storage.kubernetes.io/pvc-as-source-protection')
  await site.until(() => isReady(site, 'a'))
  expect(taken(site, 'a')?.status?.error).toBeUndefined()
  expect(contentsOf(site)[0]?.status?.error).toBeUndefined()
  const warnings = site.events().filter(event => event.startsWith('Warning'))
  const name = contentsOf(site)[0]?.metadata.name
  expect(warnings).toEqual([
    `Warning SnapshotContentCheckandUpdateFailed ${name}: Failed to check and update snapshot content: ${why} [csi-snapshotter nfs.csi.k8s.io]`,
    `Warning SnapshotCreationFailed ${name}: Failed to create snapshot: ${why} [csi-snapshotter nfs.csi.k8s.io]`,
  ])
})

test('a snapshot that may still be made is not let go, and then deleted', async () => {
  await using site = await boundSite()
  site.driver.fail(
    'createSnapshot',
    ...Array.from({ length: 3 }, () => ({ code: status.DEADLINE_EXCEEDED, details: 'late', isDone: true })),
  )
  await site.create(snapshots, snapshot('a', ofClaim('plex')))
  await site.until(() => site.driver.count('createSnapshot') === 1)
  await site.until(
    () => contentsOf(site)[0]?.metadata.annotations?.['snapshot.storage.kubernetes.io/volumesnapshot-being-created'] === 'yes',
  )
  await site.delete(snapshots, 'a', 'media')
  await site.until(() => taken(site, 'a') === undefined && contentsOf(site).length === 0)
  expect(site.driver.snapshots.size).toBe(0)
  expect(site.driver.done.slice(1).map(one => one.split(' ').slice(0, -1).join(' '))).toEqual(['snapshot', 'delete snapshot'])
})

test('a snapshot from which a volume is being made stays until that is done', async () => {
  await using site = await boundSite()
  await site.create(snapshots, snapshot('a', ofClaim('plex')))
  await site.until(() => isReady(site, 'a'))
  site.driver.fail('createVolume', ...Array.from({ length: 4 }, () => ({ code: status.ABORTED, details: 'unpacking' })))
  await site.create(
    claims,
    claim('restored', { dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'a' } }),
  )
  await site.until(() => site.driver.count('createVolume') === 2)
  expect(taken(site, 'a')?.metadata.finalizers).toContain('provisioner.storage.kubernetes.io/volumesnapshot-as-source-protection')
  await site.delete(snapshots, 'a', 'media')
  await site.pass(2_000)
  expect(taken(site, 'a')).toBeDefined()
  expect(site.events()).toContain(
    'Warning SnapshotDeletePending a: Snapshot is being used to restore a PVC [snapshot-controller]',
  )
  await site.until(() => site.isBound('restored'))
  const volume = site.driver.volumes.get(`pvc-${site.claim('restored')?.metadata.uid}`)
  expect(volume?.contentSource?.snapshot?.snapshotId).toMatch(/^nas#export#snapshot-/)
  await site.until(() => taken(site, 'a') === undefined)
})

// biome-ignore format: a table
test.each([
  // what is wrong                        snapshot                                                                           what is said
  ['no source',                           { source: {} },                                                                    'Failed to set default snapshot class with error the snapshot source PVC name is not specified'],
  ['two sources',                         { source: { persistentVolumeClaimName: 'plex', volumeSnapshotContentName: 'c' } }, 'Exactly one of PersistentVolumeClaimName and VolumeSnapshotContentName should be specified'],
  ['a class that is not there',           { ...ofClaim('plex'), volumeSnapshotClassName: 'gone' },                           'Failed to get snapshot class with error volumesnapshotclass.snapshot.storage.k8s.io "gone" not found'],
  ['a claim that is not there',           { ...ofClaim('gone'), volumeSnapshotClassName: 'csi-nfs-snapclass' },              'Failed to create snapshot content with error snapshot controller failed to update a on API server: cannot get claim from snapshot'],
  ['a content that is not there',         { source: { volumeSnapshotContentName: 'gone' } },                                 'VolumeSnapshotContent is missing'],
])('%s is told, and tried again ever more rarely', async (_what, spec, told) => {
  await using site = await boundSite()
  await site.create(snapshots, snapshot('a', spec))
  await site.pass(2 * minute)
  expect(errorOf(site, 'a')).toBe(told)
  expect(site.effects.filter(effect => effect.endsWith('/volumesnapshots/a/status'))).toHaveLength(1)
  expect(site.events().filter(event => event.startsWith('Warning'))).toHaveLength(1)
  expect(site.driver.count('createSnapshot')).toBe(0)
  // What cannot be made can be deleted.
  await site.delete(snapshots, 'a', 'media')
  await site.until(() => taken(site, 'a') === undefined)
})

test('without a default class, and with two, nothing is guessed', async () => {
  await using site = await boundSite({ objects: [] })
  await site.create(snapshots, snapshot('a', ofClaim('plex')))
  await site.until(
    () => errorOf(site, 'a') === 'Failed to set default snapshot class with error cannot find default snapshot class',
  )
  await site.create(snapshotClasses, snapshotClass)
  await site.create(snapshotClasses, { ...snapshotClass, metadata: { ...snapshotClass.metadata, name: 'other' } })
  await site.until(
    () => errorOf(site, 'a') === 'Failed to set default snapshot class with error 2 default snapshot classes were found',
  )
  await site.delete(snapshotClasses, 'other')
  await site.until(() => isReady(site, 'a'))
})

test('Secrets of a class are noted on the content, and go to the driver', async () => {
  const parameters = {
    'csi.storage.k8s.io/snapshotter-secret-name': 'a',
    'csi.storage.k8s.io/snapshotter-secret-namespace': '${volumesnapshot.namespace}',
    share: '/backup',
  }
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'a', namespace: 'media' },
    data: { mountOptions: Buffer.from('sec=krb5p').toString('base64') },
  }
  await using site = await boundSite({ objects: [{ ...snapshotClass, parameters }, secret] })
  await site.create(snapshots, snapshot('a', ofClaim('plex')))
  await site.until(() => isReady(site, 'a'))
  expect(contentsOf(site)[0]?.metadata.annotations).toEqual({
    'snapshot.storage.kubernetes.io/deletion-secret-name': 'a',
    'snapshot.storage.kubernetes.io/deletion-secret-namespace': 'media',
  })
  await site.delete(snapshots, 'a', 'media')
  await site.until(() => contentsOf(site).length === 0)
  const requests = site.driver.calls.filter(({ method }) => method.endsWith('Snapshot')).map(({ request }) => request)
  expect(requests[0]).toMatchObject({ parameters: new Map([['share', '/backup']]) })
  for (const request of requests) expect(request).toMatchObject({ secrets: new Map([['mountOptions', 'sec=krb5p']]) })
})

test('finalizers that nobody needs any more are taken off snapshots', async () => {
  await using site = await boundSite()
  const left = { finalizers: ['provisioner.storage.kubernetes.io/volumesnapshot-as-source-protection'] }
  await site.create(snapshots, snapshot('a', ofClaim('plex'), left))
  await site.until(() => isReady(site, 'a'))
  await site.pass(standardProvision.sweepMs + 1_000)
  expect(taken(site, 'a')?.metadata.finalizers).not.toContain(left.finalizers[0])
})

test('kinds that come and go disturb nothing', async () => {
  await using site = await jobsSite({ config, objects: [claim('plex')], withSnapshots: false })
  site.start()
  await site.until(() => site.isBound('plex'))
  await site.pass(10 * minute)
  expect(sayings(site)).toEqual([])
  for (const one of snapshotDefinitions) await site.create(definitions, one)
  await site.create(snapshotClasses, snapshotClass)
  await site.create(snapshots, snapshot('a', ofClaim('plex')))
  await site.until(() => isReady(site, 'a'), minute)
  await site.delete(snapshots, 'a', 'media')
  await site.until(() => contentsOf(site).length === 0)
  for (const { metadata } of snapshotDefinitions) await site.delete(definitions, metadata.name)
  await site.create(claims, claim('other'))
  await site.until(() => site.isBound('other'), minute)
  for (const one of snapshotDefinitions) await site.create(definitions, one)
  await site.create(snapshotClasses, snapshotClass)
  await site.create(snapshots, snapshot('b', ofClaim('plex')))
  await site.until(() => isReady(site, 'b'), 2 * minute)
  expect(site.errors).toEqual([])
})
