// Claims get their volumes: matching ones that exist, or, for classes with a provisioner, new ones that the twin makes itself.
import type { PersistentVolume, PersistentVolumeClaim } from '#kube/objects.ts'
import { type ComponentContext, controllerWriter } from './component.ts'
import { isTerminating, keyOf, splitKey } from './pod-state.ts'
import { selectedNodeAnnotation } from './scheduler.ts'
import { claimClassOf, matchingVolume } from './volume-match.ts'

const writer = controllerWriter('persistent-volume-binder')
const provisionerAnnotation = 'volume.kubernetes.io/storage-provisioner'
/** A real provisioner has this long before the twin plays its part. */
const provisionAfterMs = 5_000

export function startVolumeBinder(context: ComponentContext): void {
  const { view, loop } = context
  const provision = loop.queue('volume-provisioner', key => {
    const claim = claimAt(context, key)
    if (claim !== undefined && !isBound(claim)) provisionVolume(context, claim)
  })
  const queue = loop.queue('persistentvolume-binder', key => {
    const claim = claimAt(context, key)
    if (claim === undefined || isBound(claim) || isTerminating(claim)) return
    if (bindClaim(context, claim) === 'needs-provisioning') provision.addAfter(key, provisionAfterMs)
  })
  const addPending = () => {
    for (const claim of view.list('persistentvolumeclaims')) if (!isBound(claim)) queue.add(keyOf(claim))
  }
  view.on('persistentvolumeclaims', ({ type, object }) => {
    if (type === 'DELETED') {
      queue.remove(keyOf(object))
      provision.remove(keyOf(object))
      release(context, object)
    } else queue.add(keyOf(object))
  })
  view.on('persistentvolumes', ({ type }) => {
    if (type !== 'DELETED') addPending()
  })
  view.on('storageclasses.storage.k8s.io', addPending)
  const volumes = loop.queue('persistentvolume-release', name => settleReleased(context, name))
  const release = ({ view: all }: ComponentContext, claim: PersistentVolumeClaim) => {
    for (const volume of all.list('persistentvolumes'))
      if (volume.spec.claimRef?.uid === claim.metadata.uid) volumes.add(volume.metadata.name)
  }
  addPending()
}

function claimAt({ view }: ComponentContext, key: string): PersistentVolumeClaim | undefined {
  const { namespace, name } = splitKey(key)
  return view.get('persistentvolumeclaims', namespace, name)
}

function isBound(claim: PersistentVolumeClaim): boolean {
  return claim.status?.phase === 'Bound'
}

function bindClaim(context: ComponentContext, claim: PersistentVolumeClaim): 'done' | 'waits' | 'needs-provisioning' {
  const { access, view } = context
  const className = claimClassOf(claim)
  const storageClass = className === '' ? undefined : view.get('storageclasses.storage.k8s.io', undefined, className)
  const nodeName = claim.metadata.annotations?.[selectedNodeAnnotation]
  const isWaiting = storageClass?.volumeBindingMode === 'WaitForFirstConsumer' && nodeName === undefined && !claim.spec.volumeName
  if (isWaiting) return 'waits'
  const node = nodeName === undefined ? undefined : view.get('nodes', undefined, nodeName)
  const volume = matchingVolume(claim, view.list('persistentvolumes'), node)
  if (volume !== undefined) {
    join(context, claim, volume)
    return 'done'
  }
  if (storageClass === undefined || storageClass.provisioner === 'kubernetes.io/no-provisioner' || claim.spec.volumeName)
    return 'waits'
  if (claim.metadata.annotations?.[provisionerAnnotation] === undefined) {
    const annotations = { ...claim.metadata.annotations, [provisionerAnnotation]: storageClass.provisioner }
    access.update('persistentvolumeclaims', { ...claim, metadata: { ...claim.metadata, annotations } }, writer)
  }
  return 'needs-provisioning'
}

/** Both sides name each other, then both say so in their phase. */
function join({ access, view }: ComponentContext, claim: PersistentVolumeClaim, volume: PersistentVolume): void {
  const { namespace = '', name, uid = '' } = claim.metadata
  const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid }
  access.update('persistentvolumes', { ...volume, spec: { ...volume.spec, claimRef } }, writer)
  const taken = view.get('persistentvolumes', undefined, volume.metadata.name)
  if (taken !== undefined)
    access.update('persistentvolumes', { ...taken, status: { ...taken.status, phase: 'Bound' } }, writer, {
      subresource: 'status',
    })
  const annotations = {
    ...claim.metadata.annotations,
    'pv.kubernetes.io/bind-completed': 'yes',
    'pv.kubernetes.io/bound-by-controller': 'yes',
  }
  const named = {
    ...claim,
    metadata: { ...claim.metadata, annotations },
    spec: { ...claim.spec, volumeName: volume.metadata.name },
  }
  access.update('persistentvolumeclaims', named, writer)
  const stored = view.get('persistentvolumeclaims', namespace, name)
  if (stored === undefined) return
  const status = {
    ...stored.status,
    phase: 'Bound',
    accessModes: volume.spec.accessModes ?? [],
    capacity: volume.spec.capacity ?? {},
  }
  access.update('persistentvolumeclaims', { ...stored, status }, writer, { subresource: 'status' })
}

function provisionVolume(context: ComponentContext, claim: PersistentVolumeClaim): void {
  const { access, view, events } = context
  const storageClass = view.get('storageclasses.storage.k8s.io', undefined, claimClassOf(claim))
  if (storageClass === undefined) return
  const nodeName = claim.metadata.annotations?.[selectedNodeAnnotation]
  const node = nodeName === undefined ? undefined : view.get('nodes', undefined, nodeName)
  const host = node?.metadata.labels?.['kubernetes.io/hostname'] ?? nodeName
  const isLocal = /local|hostpath/i.test(storageClass.provisioner)
  const required = {
    nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [host ?? ''] }] }],
  }
  const name = `pvc-${claim.metadata.uid ?? ''}`
  const reclaim = storageClass['reclaimPolicy']
  const volume: PersistentVolume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, annotations: { 'pv.kubernetes.io/provisioned-by': storageClass.provisioner } },
    spec: {
      accessModes: claim.spec.accessModes ?? [],
      capacity: { storage: claim.spec.resources?.requests?.['storage'] ?? '1Gi' },
      claimRef: { namespace: claim.metadata.namespace ?? '', name: claim.metadata.name, uid: claim.metadata.uid ?? '' },
      persistentVolumeReclaimPolicy: typeof reclaim === 'string' ? reclaim : 'Delete',
      storageClassName: storageClass.metadata.name,
      ...(isLocal && host !== undefined
        ? { local: { path: `/var/lib/volumes/${name}` }, nodeAffinity: { required } }
        : { csi: { driver: storageClass.provisioner, volumeHandle: name } }),
    },
  }
  access.create('persistentvolumes', volume, writer)
  const source = { component: storageClass.provisioner, writer }
  events.record(claim, source, {
    type: 'Normal',
    reason: 'ProvisioningSucceeded',
    message: `Successfully provisioned volume ${name}`,
  })
}

/** A volume whose claim was deleted goes by its policy, else is Released. Only deletions that were seen count: a dump may lack claims. */
function settleReleased({ access, view }: ComponentContext, name: string): void {
  const volume = view.get('persistentvolumes', undefined, name)
  const reference = volume?.spec.claimRef
  if (volume === undefined || reference?.uid === undefined || isTerminating(volume)) return
  const claim = view.get('persistentvolumeclaims', reference.namespace, reference.name ?? '')
  if (claim?.metadata.uid === reference.uid || volume.status?.phase === 'Released') return
  access.update('persistentvolumes', { ...volume, status: { ...volume.status, phase: 'Released' } }, writer, {
    subresource: 'status',
  })
  if (volume.spec['persistentVolumeReclaimPolicy'] === 'Delete') access.remove('persistentvolumes', undefined, name, writer)
}
