// Claims get their volumes: matching ones that exist, or, for classes with a provisioner, new ones that the twin makes itself.
import type { PersistentVolume, PersistentVolumeClaim } from '#kube/objects/objects.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EventSource, EventText } from '../event-recorder.ts'
import { selectedNodeAnnotation } from '../scheduling/scheduler.ts'
import { isTerminating, keyOf, splitKey } from '../workloads/pod-state.ts'
import { claimClassOf, matchingVolume } from './volume-match.ts'

const writer = controllerWriter('persistent-volume-binder')
const provisionerAnnotation = 'volume.kubernetes.io/storage-provisioner'
const olderProvisionerAnnotation = 'volume.beta.kubernetes.io/storage-provisioner'
const provisionedByAnnotation = 'pv.kubernetes.io/provisioned-by'
const source: EventSource = { component: 'persistentvolume-controller', writer }
const boundByController = 'pv.kubernetes.io/bound-by-controller'
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
    const provisioner = bindClaim(context, claim)
    if (provisioner !== undefined && context.playsProvisioner(provisioner)) provision.addAfter(key, provisionAfterMs)
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
  view.on('persistentvolumes', ({ type, object }) => {
    if (type === 'DELETED') return
    addPending()
    if (isUnsettled(object)) available.add(object.metadata.name)
  })
  view.on('storageclasses.storage.k8s.io', addPending)
  const available = loop.queue('persistentvolume-available', name => {
    const volume = view.get('persistentvolumes', undefined, name)
    if (volume === undefined || !isUnsettled(volume)) return
    context.access.update('persistentvolumes', { ...volume, status: { ...volume.status, phase: 'Available' } }, writer, {
      subresource: 'status',
    })
  })
  view.each('persistentvolumes', volume => {
    if (isUnsettled(volume)) available.add(volume.metadata.name)
  })
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

/** New, and no claim has it yet. */
function isUnsettled({ metadata, spec, status }: PersistentVolume): boolean {
  const isNew = status?.phase === undefined || status.phase === 'Pending'
  return isNew && metadata.deletionTimestamp === undefined && (spec.claimRef?.uid ?? '') === ''
}

function isBound(claim: PersistentVolumeClaim): boolean {
  return claim.status?.phase === 'Bound'
}

/** Yields who is to make a volume for the claim; undefined where nobody is. */
function bindClaim(context: ComponentContext, claim: PersistentVolumeClaim): string | undefined {
  const { access, view } = context
  const className = claimClassOf(claim)
  const storageClass = className === '' ? undefined : view.get('storageclasses.storage.k8s.io', undefined, className)
  const nodeName = claim.metadata.annotations?.[selectedNodeAnnotation]
  const isWaiting = storageClass?.volumeBindingMode === 'WaitForFirstConsumer' && nodeName === undefined && !claim.spec.volumeName
  const tell = (type: EventText['type'], reason: string, message: string) =>
    context.events.record(claim, source, { type, reason, message })
  if (isWaiting) {
    tell('Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding')
    return undefined
  }
  const node = nodeName === undefined ? undefined : view.get('nodes', undefined, nodeName)
  const volume = matchingVolume(claim, view.list('persistentvolumes'), node)
  if (volume !== undefined) {
    join(context, claim, volume)
    return undefined
  }
  if (claim.spec.volumeName) return undefined
  if (className === '') {
    tell('Normal', 'FailedBinding', 'no persistent volumes available for this claim and no storage class is set')
    return undefined
  }
  if (storageClass === undefined) {
    tell('Warning', 'ProvisioningFailed', `storageclass.storage.k8s.io "${className}" not found`)
    return undefined
  }
  if (storageClass.provisioner === 'kubernetes.io/no-provisioner') return undefined
  if (claim.metadata.annotations?.[provisionerAnnotation] === undefined) {
    const { provisioner } = storageClass
    const annotations = {
      ...claim.metadata.annotations,
      [olderProvisionerAnnotation]: provisioner,
      [provisionerAnnotation]: provisioner,
    }
    access.update('persistentvolumeclaims', { ...claim, metadata: { ...claim.metadata, annotations } }, writer)
  }
  tell(
    'Normal',
    'ExternalProvisioning',
    `Waiting for a volume to be created either by the external provisioner '${storageClass.provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`,
  )
  return storageClass.provisioner
}

/** Both sides name each other, then both say so in their phase. */
function join({ access, view }: ComponentContext, claim: PersistentVolumeClaim, volume: PersistentVolume): void {
  const { namespace = '', name, uid = '' } = claim.metadata
  const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid }
  // The component that reserved the volume for the claim bound it; where none did, the controller says that it did.
  const isReserved = volume.spec.claimRef !== undefined
  const noted = isReserved
    ? volume.metadata
    : { ...volume.metadata, annotations: { ...volume.metadata.annotations, [boundByController]: 'yes' } }
  access.update('persistentvolumes', { ...volume, metadata: noted, spec: { ...volume.spec, claimRef } }, writer)
  const taken = view.get('persistentvolumes', undefined, volume.metadata.name)
  if (taken !== undefined)
    access.update('persistentvolumes', { ...taken, status: { ...taken.status, phase: 'Bound' } }, writer, {
      subresource: 'status',
    })
  const annotations = {
    ...claim.metadata.annotations,
    'pv.kubernetes.io/bind-completed': 'yes',
    ...(claim.spec.volumeName ? {} : { [boundByController]: 'yes' }),
  }
  const named = {
    ...claim,
    metadata: { ...claim.metadata, annotations },
    spec: { ...claim.spec, volumeName: volume.metadata.name },
  }
  access.update('persistentvolumeclaims', named, writer)
  const stored = view.get('persistentvolumeclaims', namespace, name)
  if (stored === undefined) return
  const attributes = volume.spec['volumeAttributesClassName']
  const status = {
    ...stored.status,
    phase: 'Bound',
    accessModes: volume.spec.accessModes ?? [],
    capacity: volume.spec.capacity ?? {},
    ...(attributes === undefined ? {} : { currentVolumeAttributesClassName: attributes }),
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
    metadata: { name, annotations: { [provisionedByAnnotation]: storageClass.provisioner } },
    spec: {
      accessModes: claim.spec.accessModes ?? [],
      capacity: { storage: claim.spec.resources?.requests?.['storage'] ?? '1Gi' },
      claimRef: { namespace: claim.metadata.namespace ?? '', name: claim.metadata.name, uid: claim.metadata.uid ?? '' },
      persistentVolumeReclaimPolicy: typeof reclaim === 'string' ? reclaim : 'Delete',
      storageClassName: storageClass.metadata.name,
      ...(isLocal && host !== undefined
        ? { local: { path: `/var/lib/volumes/${name}` }, nodeAffinity: { required } }
        : remoteSource(storageClass.provisioner, name)),
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

/** A provisioner from before CSI has a slash in its name, which no driver may have: what it makes is a directory. */
function remoteSource(provisioner: string, name: string): Record<string, unknown> {
  return provisioner.includes('/')
    ? { hostPath: { path: `/var/lib/volumes/${name}`, type: 'DirectoryOrCreate' } }
    : { csi: { driver: provisioner, volumeHandle: name } }
}

/** A volume whose claim was deleted goes by its policy, else is Released. Only deletions that were seen count: a dump may lack claims. */
function settleReleased({ access, view, playsProvisioner }: ComponentContext, name: string): void {
  const volume = view.get('persistentvolumes', undefined, name)
  const reference = volume?.spec.claimRef
  if (volume === undefined || reference?.uid === undefined || isTerminating(volume)) return
  const claim = view.get('persistentvolumeclaims', reference.namespace, reference.name ?? '')
  if (claim?.metadata.uid === reference.uid || volume.status?.phase === 'Released') return
  access.update('persistentvolumes', { ...volume, status: { ...volume.status, phase: 'Released' } }, writer, {
    subresource: 'status',
  })
  // One without a mark was made by nobody who is here.
  if (!playsProvisioner(volume.metadata.annotations?.[provisionedByAnnotation] ?? '')) return
  if (volume.spec['persistentVolumeReclaimPolicy'] === 'Delete') access.remove('persistentvolumes', undefined, name, writer)
}
