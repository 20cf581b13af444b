// Claims that ask for more get it, on the twin of an API server, with a CSI driver behind a real socket.
import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { standardResize } from '../src/capabilities/nfs/jobs/resize/settings.ts'
import type { Claim } from '../src/capabilities/nfs/jobs/storage-kinds.ts'
import { claim, claims, type JobsSite, jobsSite, volumes } from './nfs-jobs-site.ts'

const config = { resize: standardResize }
const volume: KubeObject = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'pv-plex' },
  spec: {
    accessModes: ['ReadWriteMany'],
    capacity: { storage: '1Gi' },
    storageClassName: 'nfs-slow',
    persistentVolumeReclaimPolicy: 'Retain',
    mountOptions: ['nfsvers=4.1'],
    csi: { driver: 'nfs.csi.k8s.io', volumeHandle: 'nas#export#plex##' },
  },
}

/** A claim of 1 GiB that is bound, with the resizer beside it. */
async function boundSite(): Promise<JobsSite> {
  const site = await jobsSite({ config, objects: [volume, claim('plex', { volumeName: 'pv-plex' })] })
  site.start()
  await site.until(() => site.isBound('plex'))
  return site
}

async function ask(site: JobsSite, storage: string): Promise<void> {
  await site.change(claims, 'plex', { spec: { resources: { requests: { storage } } } }, { namespace: 'media' })
}

/** Size, state and conditions of the claim. */
function told(site: JobsSite) {
  const { status: said } = site.claim('plex') ?? {}
  return {
    capacity: said?.capacity?.['storage'],
    allocated: said?.allocatedResources?.['storage'],
    state: said?.allocatedResourceStatuses?.['storage'],
    conditions: (said?.conditions ?? [])
      .map(({ type, message }) => (message === undefined || message === '' ? type : `${type}: ${message}`))
      .sort(),
  }
}

const markOf = (site: JobsSite) => site.claim('plex')?.metadata.annotations?.['volume.kubernetes.io/node-expansion-not-required']
const sayings = (site: JobsSite) => [...site.forbidden, ...site.errors, ...site.warnings]

test('volume and claim grow, and no kubelet need do anything', async () => {
  await using site = await boundSite()
  await ask(site, '5Gi')
  await site.until(() => told(site).capacity === '5Gi')
  expect(told(site)).toEqual({ capacity: '5Gi', allocated: '5Gi', state: undefined, conditions: [] })
  expect(markOf(site)).toBe('true')
  expect(site.volumes()[0]?.spec.capacity).toEqual({ storage: '5Gi' })
  expect(site.driver.calls.find(({ method }) => method === 'expandVolume')?.request).toMatchObject({
    volumeId: 'nas#export#plex##',
    capacityRange: { requiredBytes: 5_368_709_120n },
    volumeCapability: { mount: { mountFlags: ['nfsvers=4.1'] }, accessMode: { mode: 5 } },
  })
  expect(site.events()).toEqual([
    'Normal Resizing plex: External resizer is resizing volume pv-plex [external-resizer nfs.csi.k8s.io]',
    'Normal VolumeResizeSuccessful plex: Resize volume succeeded [external-resizer nfs.csi.k8s.io]',
  ])
  expect(sayings(site)).toEqual([])
})

test('where a kubelet has to grow the filesystem the claim says so, and is left alone', async () => {
  await using site = await boundSite()
  site.driver.nodeExpands = true
  await ask(site, '5Gi')
  await site.until(() => told(site).state === 'NodeResizePending')
  await site.pass(30 * 60_000)
  expect(told(site)).toEqual({
    capacity: '1Gi',
    allocated: '5Gi',
    state: 'NodeResizePending',
    conditions: [
      'FileSystemResizePending: Waiting for user to (re-)start a pod to finish file system resize of volume on node.',
      'Resizing',
    ],
  })
  expect(site.driver.count('expandVolume')).toBe(1)
  // A kubelet could not do it: the volume is asked for again as it was.
  await site.change(
    claims,
    'plex',
    { status: { allocatedResourceStatuses: { storage: 'NodeResizeInfeasible' } } },
    { namespace: 'media', subresource: 'status' },
  )
  await site.until(() => site.driver.count('expandVolume') === 2)
  await site.until(() => told(site).state === 'NodeResizePending')
})

test('a size that cannot be had is told, tried rarely, and given up for a smaller one', async () => {
  await using site = await boundSite()
  site.driver.fail('expandVolume', ...Array.from({ length: 9 }, () => ({ code: status.OUT_OF_RANGE, details: 'too much' })))
  await ask(site, '500Gi')
  await site.until(() => told(site).state === 'ControllerResizeInfeasible')
  const why = 'rpc error: code = OutOfRange desc = too much'
  expect(told(site)).toEqual({
    capacity: '1Gi',
    allocated: '500Gi',
    state: 'ControllerResizeInfeasible',
    conditions: [`ControllerResizeError: failed to expand pvc with ${why}`, 'Resizing'],
  })
  await site.pass(standardResize.retryLastMs - 1_000)
  expect(site.driver.count('expandVolume')).toBe(1)
  expect(site.events()).toContain(
    `Warning VolumeResizeFailed plex: resize volume "pv-plex" by resizer "nfs.csi.k8s.io" failed: ${why} [external-resizer nfs.csi.k8s.io]`,
  )
  site.driver.failures.clear()
  await ask(site, '2Gi')
  await site.until(() => told(site).capacity === '2Gi', 5_000)
  expect(told(site)).toEqual({ capacity: '2Gi', allocated: '2Gi', state: undefined, conditions: [] })
})

test('a call whose end nobody knows is made again as it was, though less is asked for meanwhile', async () => {
  await using site = await boundSite()
  site.driver.fail('expandVolume', { code: status.DEADLINE_EXCEEDED, details: 'late', isDone: true })
  await ask(site, '5Gi')
  await site.until(() => site.driver.count('expandVolume') === 1)
  await ask(site, '3Gi')
  await site.until(() => told(site).capacity !== '1Gi')
  expect(site.driver.done).toEqual(['expand nas#export#plex## 5368709120', 'expand nas#export#plex## 5368709120'])
  expect(told(site).capacity).toBe('5Gi')
})

test('a driver that fails is asked again ever more rarely', async () => {
  await using site = await boundSite()
  site.driver.fail('expandVolume', ...Array.from({ length: 4 }, () => ({ code: status.INTERNAL, details: 'no' })))
  await ask(site, '5Gi')
  const sinceMs = site.clock.elapsed()
  await site.until(() => told(site).capacity === '5Gi')
  const tookMs = site.clock.elapsed() - sinceMs
  expect([tookMs >= 15_000, tookMs < 17_000, site.driver.count('expandVolume')]).toEqual([true, true, 5])
})

test('a driver that grows nothing in use is asked once no pod has the claim', async () => {
  await using site = await boundSite()
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'plex', namespace: 'media' },
    spec: {
      nodeName: 'n1',
      containers: [{ name: 'plex', image: 'plex' }],
      volumes: [
        { name: 'data', persistentVolumeClaim: { claimName: 'plex' } },
        { name: 'tmp', emptyDir: {} },
      ],
    },
  }
  await site.create(builtIn.pods, pod)
  site.driver.fail('expandVolume', { code: status.FAILED_PRECONDITION, details: 'in use' })
  await ask(site, '5Gi')
  await site.pass(60_000)
  expect(site.driver.count('expandVolume')).toBe(1)
  expect(site.events()).toContain(
    'Warning VolumeResizeFailed plex: Unable to expand media/plex because CSI driver nfs.csi.k8s.io only supports offline expansion and volume is currently in-use [external-resizer nfs.csi.k8s.io]',
  )
  await site.admin
    .resource(builtIn.pods)
    .delete('plex', { namespace: 'media', gracePeriodSeconds: 0, signal: new AbortController().signal })
  await site.until(() => told(site).capacity === '5Gi')
})

test('a Secret that is not there is told, and the volume grows once it comes', async () => {
  const csi = {
    driver: 'nfs.csi.k8s.io',
    volumeHandle: 'nas#export#plex##',
    controllerExpandSecretRef: { name: 'options', namespace: 'media' },
  }
  const withSecret: KubeObject = { ...volume, spec: { ...(volume['spec'] as object), csi } }
  await using site = await jobsSite({ config, objects: [withSecret, claim('plex', { volumeName: 'pv-plex' })] })
  site.start()
  await site.until(() => site.isBound('plex'))
  await ask(site, '5Gi')
  await site.pass(10_000)
  expect(site.driver.count('expandVolume')).toBe(0)
  expect(site.events()).toContain(
    'Warning VolumeResizeFailed plex: resize volume "pv-plex" by resizer "nfs.csi.k8s.io" failed: error getting secret options in namespace media: secrets "options" not found [external-resizer nfs.csi.k8s.io]',
  )
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'options', namespace: 'media' } }
  await site.create(builtIn.secrets, { ...secret, data: { mountOptions: Buffer.from('hard').toString('base64') } })
  await site.until(() => told(site).capacity === '5Gi')
})

test('what others say in the conditions of a claim stays', async () => {
  await using site = await boundSite()
  const conditions = [{ type: 'ModifyingVolume', status: 'True' }]
  await site.change(claims, 'plex', { status: { conditions } }, { namespace: 'media', subresource: 'status' })
  await ask(site, '5Gi')
  await site.until(() => told(site).capacity === '5Gi')
  expect(told(site).conditions).toEqual(['ModifyingVolume'])
})

test('a volume of another claim or driver is left alone', async () => {
  const other: KubeObject = {
    ...volume,
    spec: { ...(volume['spec'] as object), csi: { driver: 'other.csi.k8s.io', volumeHandle: 'a' } },
  }
  await using site = await jobsSite({ config, objects: [other, claim('plex', { volumeName: 'pv-plex' })] })
  site.start()
  await site.until(() => site.isBound('plex'))
  await ask(site, '5Gi')
  await site.pass(60_000)
  expect([site.driver.count('expandVolume'), site.effects]).toEqual([0, []])
  await site.change(volumes, 'pv-plex', { metadata: { labels: { a: 'b' } } })
  expect((site.claim('plex') as Claim).status?.allocatedResources).toBeUndefined()
})
