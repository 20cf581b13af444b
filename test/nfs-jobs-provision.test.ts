// Claims get volumes, and lose them, on the twin of an API server, with a CSI driver behind a real socket.
import { status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { controllerCapabilities as can } from '../src/capabilities/nfs/csi/messages.ts'
import { standardProvision } from '../src/capabilities/nfs/jobs/provision/settings.ts'
import { volumeFinalizer } from '../src/capabilities/nfs/jobs/storage-kinds.ts'
import { FakeDriver } from './nfs-jobs-driver.ts'
import { alone, claim, claims, type JobsSite, jobsSite, nfsSlow, secrets, storageclasses, volumes } from './nfs-jobs-site.ts'

const minute = 60_000
const sayings = (site: JobsSite) => [...site.forbidden, ...site.errors, ...site.warnings]
const uidOf = (site: JobsSite, name: string) => site.claim(name)?.metadata.uid ?? ''
const classWith = (name: string, fields: object): KubeObject => ({ ...nfsSlow, metadata: { name }, ...fields })

test('a claim is bound to the volume that the driver made, and takes it along', async () => {
  await using site = await jobsSite({ config: alone, objects: [claim('plex')] })
  site.start()
  await site.until(() => site.isBound('plex'))
  const uid = uidOf(site, 'plex')
  const [volume] = site.volumes()
  expect(volume?.metadata).toMatchObject({
    name: `pvc-${uid}`,
    annotations: {
      'pv.kubernetes.io/provisioned-by': 'nfs.csi.k8s.io',
      'volume.kubernetes.io/provisioner-deletion-secret-name': '',
      'volume.kubernetes.io/provisioner-deletion-secret-namespace': '',
    },
    finalizers: expect.arrayContaining(['external-provisioner.volume.kubernetes.io/finalizer']),
  })
  const { csi, claimRef, ...spec } = volume?.spec ?? {}
  expect(spec).toEqual({
    accessModes: ['ReadWriteMany'],
    capacity: { storage: '1Gi' },
    mountOptions: ['nfsvers=4.1', 'nconnect=16'],
    persistentVolumeReclaimPolicy: 'Delete',
    storageClassName: 'nfs-slow',
    volumeMode: 'Filesystem',
  })
  expect(claimRef).toMatchObject({ namespace: 'media', name: 'plex', uid })
  expect(csi).toEqual({
    driver: 'nfs.csi.k8s.io',
    volumeHandle: `nas#export#pvc-${uid}##`,
    volumeAttributes: {
      'csi.storage.k8s.io/pv/name': `pvc-${uid}`,
      'csi.storage.k8s.io/pvc/name': 'plex',
      'csi.storage.k8s.io/pvc/namespace': 'media',
      server: 'candlekeep',
      share: '/kubernetes',
      'storage.kubernetes.io/csiProvisionerIdentity': expect.stringMatching(/^\d{13}-\d{1,4}-nfs\.csi\.k8s\.io$/),
      subDir: `pvc-${uid}`,
    },
  })
  const [call] = site.driver.calls.filter(({ method }) => method === 'createVolume')
  expect(call?.request).toMatchObject({
    name: `pvc-${uid}`,
    capacityRange: { requiredBytes: 1_073_741_824n, limitBytes: 0n },
    volumeCapabilities: [{ mount: { fsType: '', mountFlags: ['nfsvers=4.1', 'nconnect=16'] }, accessMode: { mode: 5 } }],
  })
  await site.delete(claims, 'plex', 'media')
  await site.until(() => site.volumes().length === 0)
  expect(site.driver.done).toEqual([`create pvc-${uid}`, `delete pvc-${uid}`])
  expect(sayings(site)).toEqual([])
  expect(site.events()).toEqual([
    'Normal Provisioning plex: External provisioner is provisioning volume for claim "media/plex" [nfs.csi.k8s.io_controller-1_uuid]',
    `Normal ProvisioningSucceeded plex: Successfully provisioned volume pvc-${uid} [nfs.csi.k8s.io_controller-1_uuid]`,
  ])
})

test('a volume that is to be kept bears no finalizer and stays, with its data', async () => {
  const keeping = classWith('keeping', { reclaimPolicy: 'Retain' })
  await using site = await jobsSite({ config: alone, objects: [keeping, claim('plex', { storageClassName: 'keeping' })] })
  site.start()
  await site.until(() => site.isBound('plex'))
  expect(site.volumes()[0]?.metadata.finalizers).toEqual(['kubernetes.io/pv-protection'])
  await site.delete(claims, 'plex', 'media')
  await site.until(() => site.volumes()[0]?.status?.phase === 'Released')
  await site.pass(5 * minute)
  expect(site.driver.count('deleteVolume')).toBe(0)
  // Somebody changes their mind.
  await site.change(volumes, site.volumes()[0]?.metadata.name ?? '', { spec: { persistentVolumeReclaimPolicy: 'Delete' } })
  await site.until(() => site.volumes().length === 0)
  expect(site.driver.volumes.size).toBe(0)
})

test('a claim that waits for its first pod gets a volume once a node is chosen', async () => {
  const late = classWith('late', { volumeBindingMode: 'WaitForFirstConsumer' })
  await using site = await jobsSite({ config: alone, objects: [late, claim('plex', { storageClassName: 'late' })] })
  site.start()
  await site.pass(5 * minute)
  expect(site.driver.count('createVolume')).toBe(0)
  await site.change(
    claims,
    'plex',
    { metadata: { annotations: { 'volume.kubernetes.io/selected-node': 'n1' } } },
    { namespace: 'media' },
  )
  await site.until(() => site.isBound('plex'))
  expect(site.driver.count('createVolume')).toBe(1)
})

describe('a driver that', () => {
  test('answers in time for the second call only has made one volume (42)', async () => {
    await using site = await jobsSite({ config: alone, objects: [claim('plex')] })
    site.driver.fail('createVolume', { code: status.DEADLINE_EXCEEDED, details: 'context deadline exceeded', isDone: true })
    site.start()
    await site.until(() => site.isBound('plex'))
    expect(site.driver.done).toEqual([`create pvc-${uidOf(site, 'plex')}`])
    expect(site.volumes()).toHaveLength(1)
    expect(site.events()).toContain(
      'Warning ProvisioningFailed plex: rpc error: code = DeadlineExceeded desc = context deadline exceeded [nfs.csi.k8s.io_controller-1_uuid]',
    )
  })

  test('may still be at it is asked on though the claim is gone, so that nothing is left behind', async () => {
    await using site = await jobsSite({ config: alone, objects: [claim('plex')] })
    site.driver.fail(
      'createVolume',
      ...Array.from({ length: 4 }, () => ({ code: status.ABORTED, details: 'still at it', isDone: true })),
    )
    site.start()
    await site.until(() => site.driver.count('createVolume') === 2)
    await site.delete(claims, 'plex', 'media')
    await site.until(() => site.volumes().length === 1)
    // The binder of a cluster finds that the claim is gone; the twin's does so where it sees it go.
    await site.change(
      volumes,
      site.volumes()[0]?.metadata.name ?? '',
      { status: { phase: 'Released' } },
      { subresource: 'status' },
    )
    await site.until(() => site.volumes().length === 0)
    expect(site.driver.done.map(one => one.split(' ')[0])).toEqual(['create', 'delete'])
  })

  test('refuses for good is not asked on for a claim that is gone', async () => {
    await using site = await jobsSite({ config: alone, objects: [claim('plex')] })
    site.driver.fail('createVolume', ...Array.from({ length: 50 }, () => ({ code: status.INTERNAL, details: 'no' })))
    site.start()
    await site.until(() => site.driver.count('createVolume') === 2)
    await site.delete(claims, 'plex', 'media')
    await site.pass(5 * minute)
    expect(site.driver.count('createVolume')).toBe(2)
  })

  test('refuses is asked again ever more rarely, each claim for itself', async () => {
    await using site = await jobsSite({ config: alone, objects: [claim('bad'), claim('good')] })
    const at: number[] = []
    const { meanwhile } = site.driver
    site.driver.meanwhile = (method, moment) => {
      if (method === 'createVolume' && moment === 'before') at.push(site.clock.elapsed())
      return meanwhile(method, moment)
    }
    const bad = `pvc-${uidOf(site, 'bad')}`
    site.driver.refuses = name => (name === bad ? { code: status.RESOURCE_EXHAUSTED, details: 'disk full' } : undefined)
    site.start()
    await site.until(() => site.isBound('good'))
    expect(site.clock.elapsed()).toBeLessThan(2_000)
    await site.pass(14 * minute)
    const waits = at.map(ms => Math.round((ms - (at[0] ?? 0)) / 1_000))
    // One of the two calls at the beginning is for the other claim.
    expect(waits).toEqual([0, 0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811])
    expect(site.events().filter(event => event.startsWith('Warning'))).toEqual([
      'Warning ProvisioningFailed bad: rpc error: code = ResourceExhausted desc = disk full [nfs.csi.k8s.io_controller-1_uuid]',
    ])
  })

  test('finds a request impossible is asked again after the longest wait alone', async () => {
    await using site = await jobsSite({ config: alone, objects: [claim('plex')] })
    site.driver.fail('createVolume', { code: status.INVALID_ARGUMENT, details: 'invalid parameter "foo"' })
    site.start()
    await site.until(() => site.driver.count('createVolume') === 1)
    const sinceMs = site.clock.elapsed()
    await site.until(() => site.isBound('plex'))
    expect(site.clock.elapsed() - sinceMs).toBeGreaterThanOrEqual(standardProvision.retryLastMs)
    expect(site.events()).toContain(
      'Warning ProvisioningFailed plex: Volume provisioning failed with infeasible error. Retries will be delayed. rpc error: code = InvalidArgument desc = invalid parameter "foo" [nfs.csi.k8s.io_controller-1_uuid]',
    )
  })

  test('makes less than was asked for has it deleted again', async () => {
    await using site = await jobsSite({ config: alone, objects: [claim('plex')] })
    site.driver.capacityBytes = 5n
    site.start()
    await site.until(() => site.driver.count('deleteVolume') === 1)
    expect(site.driver.volumes.size).toBe(0)
    site.driver.capacityBytes = 2_147_483_648n
    await site.until(() => site.isBound('plex'))
    expect(site.volumes()[0]?.spec.capacity).toEqual({ storage: '2Gi' })
    expect(site.events()).toContain(
      'Warning ProvisioningFailed plex: created volume capacity 5 less than requested capacity 1073741824 [nfs.csi.k8s.io_controller-1_uuid]',
    )
  })

  test('goes away is waited for, and nothing is asked of it meanwhile', async () => {
    await using site = await jobsSite({ config: alone, objects: [claim('first')] })
    site.start()
    await site.until(() => site.isBound('first'))
    site.driver.stop()
    await site.create(claims, claim('second'))
    await site.pass(10 * minute)
    expect(site.jobs?.checks()).toContainEqual(
      expect.objectContaining({ name: 'provision', ok: false, state: 'it waits for the CSI driver' }),
    )
    await site.driver.start()
    await site.until(() => site.isBound('second'), minute)
    expect(site.errors).toEqual([])
    expect(site.driver.done).toHaveLength(2)
  })

  test('deletes nothing is asked again, and the volume stays until it does', async () => {
    await using site = await jobsSite({ config: alone, objects: [claim('plex')] })
    site.start()
    await site.until(() => site.isBound('plex'))
    site.driver.fail(
      'deleteVolume',
      { code: status.INTERNAL, details: 'device busy' },
      { code: status.DEADLINE_EXCEEDED, details: 'late', isDone: true },
    )
    await site.delete(claims, 'plex', 'media')
    await site.until(() => site.driver.count('deleteVolume') === 1)
    expect(site.volumes()).toHaveLength(1)
    await site.until(() => site.volumes().length === 0)
    expect(site.events()).toContain(
      `Warning VolumeFailedDelete ${[...site.driver.done][0]?.slice('create '.length)}: rpc error: code = Internal desc = device busy [nfs.csi.k8s.io_controller-1_uuid]`,
    )
  })

  test('wants to know the topology is refused by name, and the other jobs go on', async () => {
    const driver = new FakeDriver()
    driver.services.add(2)
    await using site = await jobsSite({ objects: [claim('plex')], driver })
    site.start()
    await site.pass(minute)
    expect(site.jobs?.checks()).toEqual([
      expect.objectContaining({
        name: 'provision',
        ok: false,
        message: expect.stringContaining('VOLUME_ACCESSIBILITY_CONSTRAINTS'),
      }),
      ...['resize', 'snapshot', 'snapshot-controller'].map(name => ({ name, ok: true, state: 'it leads' })),
    ])
    expect(site.driver.count('createVolume')).toBe(0)
  })
})

// biome-ignore format: a table
test.each([
  // what is wrong                    class                                                                    claim                                 what is said
  ['a key that nobody knows (39)',    { parameters: { 'csi.storage.k8s.io/foo': 'x' } },                        {},                                   'failed to strip CSI Parameters of prefixed keys: found unknown parameter key "csi.storage.k8s.io/foo" with reserved namespace csi.storage.k8s.io/'],
  ['a Secret that is not there',      { parameters: secretNamed('gone', 'media') },                             {},                                   'error getting secret gone in namespace media: secrets "gone" not found'],
  ['half of a Secret',                { parameters: { 'csi.storage.k8s.io/provisioner-secret-name': 'x' } },    {},                                   'failed to get name and namespace template from params: either name and namespace for Provisioner secrets specified, Both must be specified'],
  ['a selector',                      {},                                                                       { selector: { matchLabels: { a: 'b' } } }, 'claim Selector is not supported'],
  ['a source that is not there',      {},                                                                       { dataSource: { kind: 'PersistentVolumeClaim', name: 'gone' } }, 'error getting handle for DataSource Type PersistentVolumeClaim by Name gone: error getting PVC gone (namespace "media") from api server: persistentvolumeclaim "gone" not found'],
  ['a class of attributes',           {},                                                                       { volumeAttributesClassName: 'gold' }, 'CSI driver does not support VolumeAttributesClass: controller MODIFY_VOLUME capability is not reported'],
])('%s is told, tried again ever more rarely, and the driver is not asked', async (_what, ofClass, ofClaim, told) => {
  await using site = await jobsSite({ config: alone, objects: [classWith('bad', ofClass), claim('plex', { storageClassName: 'bad', ...ofClaim })] })
  site.start()
  await site.pass(2 * minute)
  expect(site.driver.count('createVolume')).toBe(0)
  expect(site.events().filter(event => event.startsWith('Warning'))).toEqual([`Warning ProvisioningFailed plex: ${told} [nfs.csi.k8s.io_controller-1_uuid]`])
  // An Event begins, and is counted from then on.
  expect(site.effects.filter(effect => effect.startsWith('POST') && effect.includes('/events'))).toHaveLength(2)
  expect(site.warnings).toHaveLength(1)
})

function secretNamed(name: string, namespace: string): object {
  return { 'csi.storage.k8s.io/provisioner-secret-name': name, 'csi.storage.k8s.io/provisioner-secret-namespace': namespace }
}

test('Secrets go to the driver and nowhere else, by templates of class and claim', async () => {
  const templates = { ...secretNamed("${pvc.annotations['team']}-nfs", '${pvc.namespace}'), server: 'candlekeep' }
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'a-nfs', namespace: 'media' },
    data: { mountOptions: Buffer.from('sec=krb5p').toString('base64') },
  }
  const objects = [
    classWith('secret', { parameters: templates }),
    secret,
    claim('plex', { storageClassName: 'secret' }, { annotations: { team: 'a' } }),
  ]
  await using site = await jobsSite({ config: alone, objects })
  site.start()
  await site.until(() => site.isBound('plex'))
  const call = (method: string) => site.driver.calls.find(one => one.method === method)?.request
  expect(call('createVolume')).toMatchObject({ secrets: new Map([['mountOptions', 'sec=krb5p']]) })
  expect(site.volumes()[0]?.metadata.annotations).toMatchObject({
    'volume.kubernetes.io/provisioner-deletion-secret-name': 'a-nfs',
    'volume.kubernetes.io/provisioner-deletion-secret-namespace': 'media',
  })
  await site.delete(claims, 'plex', 'media')
  await site.until(() => site.volumes().length === 0)
  expect(call('deleteVolume')).toMatchObject({ secrets: new Map([['mountOptions', 'sec=krb5p']]) })
  expect(JSON.stringify([site.twin.dump().filter(({ kind }) => kind !== 'Secret'), site.events(), site.warnings])).not.toContain(
    'krb5p',
  )
})

test('a Secret that is gone keeps no volume from being deleted', async () => {
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a', namespace: 'media' }, data: {} }
  const objects = [
    classWith('secret', { parameters: secretNamed('a', 'media') }),
    secret,
    claim('plex', { storageClassName: 'secret' }),
  ]
  await using site = await jobsSite({ config: alone, objects })
  site.start()
  await site.until(() => site.isBound('plex'))
  await site.delete(secrets, 'a', 'media')
  await site.delete(claims, 'plex', 'media')
  await site.until(() => site.volumes().length === 0)
  expect(site.driver.volumes.size).toBe(0)
})

test('a copy of a claim holds its source until it is made', async () => {
  await using site = await jobsSite({ config: alone, objects: [claim('source')] })
  site.start()
  await site.until(() => site.isBound('source'))
  site.driver.fail('createVolume', ...Array.from({ length: 3 }, () => ({ code: status.INTERNAL, details: 'not now' })))
  await site.create(claims, claim('copy', { dataSource: { kind: 'PersistentVolumeClaim', name: 'source' } }))
  await site.until(() => site.driver.count('createVolume') === 2)
  expect(site.claim('source')?.metadata.finalizers).toContain('provisioner.storage.kubernetes.io/cloning-protection')
  await site.delete(claims, 'source', 'media')
  await site.pass(1_000)
  expect(site.claim('source')).toBeDefined()
  site.driver.failures.clear()
  // A source that goes takes no new copies; this one is ended without it.
  await site.delete(claims, 'copy', 'media')
  await site.until(() => site.claim('source') === undefined)
  await site.create(claims, claim('other'))
  await site.until(() => site.isBound('other'))
  await site.create(claims, claim('copy', { dataSource: { kind: 'PersistentVolumeClaim', name: 'other' } }))
  await site.until(() => site.isBound('copy'))
  expect(site.driver.volumes.get(`pvc-${uidOf(site, 'copy')}`)?.contentSource?.volume).toEqual({
    volumeId: `nas#export#pvc-${uidOf(site, 'other')}##`,
  })
})

test('what somebody else fills is left to them', async () => {
  await using site = await jobsSite({
    config: alone,
    objects: [claim('plex', { dataSourceRef: { apiGroup: 'populate.example.com', kind: 'Book', name: 'a' } })],
  })
  site.start()
  await site.pass(10 * minute)
  expect(site.driver.count('createVolume')).toBe(0)
  expect(site.events()).toEqual([
    'Normal Provisioning plex: Assuming an external populator will provision the volume [external-provisioner]',
    'Normal Provisioning plex: External provisioner is provisioning volume for claim "media/plex" [nfs.csi.k8s.io_controller-1_uuid]',
  ])
})

test('a claim whose class comes later gets its volume at once', async () => {
  const annotations = { 'volume.kubernetes.io/storage-provisioner': 'nfs.csi.k8s.io' }
  await using site = await jobsSite({ config: alone, objects: [claim('plex', { storageClassName: 'later' }, { annotations })] })
  site.start()
  await site.pass(5 * minute)
  await site.create(storageclasses, classWith('later', {}))
  const sinceMs = site.clock.elapsed()
  await site.until(() => site.isBound('plex'))
  expect(site.clock.elapsed() - sinceMs).toBeLessThan(1_000)
})

test('an API server that refuses to take the volume is asked again, and the driver is not', async () => {
  await using site = await jobsSite({ config: alone, objects: [claim('plex')] })
  const fault = site.twin.fault({ match: { verbs: ['create'], resource: 'persistentvolumes' }, status: { code: 500 } })
  site.start()
  await site.pass(2 * minute)
  expect(site.driver.count('createVolume')).toBe(1)
  fault.remove()
  await site.until(() => site.isBound('plex'))
  expect(site.driver.done).toHaveLength(1)
})

test('volumes that were written by hand are held and deleted by their own policy', async () => {
  const byHand: KubeObject = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'by-hand' },
    spec: {
      accessModes: ['ReadWriteMany'],
      capacity: { storage: '1Gi' },
      storageClassName: '',
      persistentVolumeReclaimPolicy: 'Delete',
      csi: { driver: 'nfs.csi.k8s.io', volumeHandle: 'nas#export#by-hand##' },
    },
  }
  await using site = await jobsSite({
    config: alone,
    objects: [byHand, claim('plex', { storageClassName: '', volumeName: 'by-hand' })],
  })
  site.start()
  await site.until(() => site.isBound('plex') && site.volumes()[0]?.metadata.finalizers?.includes(volumeFinalizer) === true)
  await site.delete(claims, 'plex', 'media')
  await site.until(() => site.volumes().length === 0)
  expect(site.driver.count('deleteVolume')).toBe(1)
})

test('a driver that lists what nodes have attached keeps a volume that is', async () => {
  const driver = new FakeDriver({ can: [can.CREATE_DELETE_VOLUME, can.PUBLISH_UNPUBLISH_VOLUME] })
  await using site = await jobsSite({ objects: [claim('plex')], driver, config: alone })
  site.start()
  await site.until(() => site.isBound('plex'))
  const name = site.volumes()[0]?.metadata.name ?? ''
  const attachments = { group: 'storage.k8s.io', version: 'v1', resource: 'volumeattachments' }
  await site.create(attachments, {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'VolumeAttachment',
    metadata: { name: 'a' },
    spec: { attacher: 'nfs.csi.k8s.io', nodeName: 'n1', source: { persistentVolumeName: name } },
  })
  await site.delete(claims, 'plex', 'media')
  await site.pass(minute)
  expect(site.driver.count('deleteVolume')).toBe(0)
  expect(site.events()).toContain(
    `Warning VolumeFailedDelete ${name}: persistentvolume ${name} is still attached to node n1 [nfs.csi.k8s.io_controller-1_uuid]`,
  )
  await site.delete(attachments, 'a')
  await site.until(() => site.volumes().length === 0)
})
