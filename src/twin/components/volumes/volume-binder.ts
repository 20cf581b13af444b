// Claims and volumes find each other, and part: the loops of the controller that binds them. What is to be done with one volume or
// one claim is decided in `volume-step.ts` and `claim-step.ts`; here it is done.
import type { PersistentVolume, PersistentVolumeClaim } from '#kube/objects/objects.ts'
import { defaultStorageClassOf } from '../../api/admission/default-classes.ts'
import { isSame } from '../../json-value.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EventSource, EventText } from '../event-recorder.ts'
import { selectedNodeAnnotation } from '../scheduling/scheduler.ts'
import { isFinished, isTerminating, keyOf, splitKey } from '../workloads/pod-state.ts'
import { boundByController, type ClaimStep, claimStep, completesBinding, isSettledClaim } from './claim-step.ts'
import { claimClassOf, isReservedFor } from './volume-match.ts'
import { provisionVolume } from './volume-provision.ts'
import { reclaimOf, volumeStep } from './volume-step.ts'
import { claimNames } from './volume-upkeep.ts'

const writer = controllerWriter('persistent-volume-binder')
const source: EventSource = { component: 'persistentvolume-controller', writer }
const provisionerAnnotation = 'volume.kubernetes.io/storage-provisioner'
const olderProvisionerAnnotation = 'volume.beta.kubernetes.io/storage-provisioner'
/** A real provisioner has this long before the twin plays its part. */
const provisionAfterMs = 5_000

export function startVolumeBinder(context: ComponentContext): void {
  const { view, loop } = context
  const provision = loop.queue('volume-provisioner', key => {
    const claim = claimAt(context, key)
    if (claim !== undefined && !isSettledClaim(claim) && !isTerminating(claim)) provisionVolume(context, claim, writer)
  })
  const claims = loop.queue('persistentvolume-binder', key => {
    const claim = claimAt(context, key)
    if (claim === undefined) return
    const provisioner = settleClaim(context, claim, unknownVolumes)
    if (provisioner !== undefined && context.playsProvisioner(provisioner)) provision.addAfter(key, provisionAfterMs)
  })
  // The real controller looks at waiting claims every 15 seconds; here it does as soon as a volume changes, and says nothing anew.
  const waiting = loop.queue('persistentvolume-match', key => {
    const claim = claimAt(context, key)
    const step = claim === undefined || isSettledClaim(claim) ? undefined : nextStep(context, claim)
    if (claim !== undefined && step?.kind === 'bind') join(context, claim, step.volume)
  })
  const volumes = loop.queue('persistentvolume-release', name => {
    const volume = view.get('persistentvolumes', undefined, name)
    if (volume !== undefined) settleVolume(context, volume, { unknownClaims, syncClaim: key => claims.add(key) })
  })
  // A snapshot may lack one side of a pair. What it lacks has not gone: such a volume is not given up, such a claim is not lost.
  const unknownClaims = new Set<string>()
  const unknownVolumes = new Set<string>()
  view.each('persistentvolumes', volume => {
    const { claimRef } = volume.spec
    if ((volume.status?.phase ?? 'Pending') === 'Pending') volumes.add(volume.metadata.name)
    else if (claimRef !== undefined && claimOf(context, claimRef) === undefined) unknownClaims.add(volume.metadata.name)
  })
  view.each('persistentvolumeclaims', claim => {
    const { volumeName = '' } = claim.spec
    if (!isSettledClaim(claim)) claims.add(keyOf(claim))
    else if (view.get('persistentvolumes', undefined, volumeName) === undefined) unknownVolumes.add(keyOf(claim))
  })
  const eachPending = (act: (key: string) => void) => {
    for (const claim of view.list('persistentvolumeclaims')) if (!isSettledClaim(claim)) act(keyOf(claim))
  }
  view.on('persistentvolumeclaims', ({ type, object, previous }) => {
    const key = keyOf(object)
    if (type === 'DELETED') {
      claims.remove(key)
      waiting.remove(key)
      provision.remove(key)
      unknownVolumes.delete(key)
      for (const volume of view.list('persistentvolumes'))
        if (volume.spec.claimRef?.uid === object.metadata.uid) {
          unknownClaims.delete(volume.metadata.name)
          volumes.add(volume.metadata.name)
        }
      return
    }
    if (previous !== undefined && previous.spec.volumeName !== object.spec.volumeName) unknownVolumes.delete(key)
    claims.add(key)
  })
  view.on('persistentvolumes', ({ type, object, previous }) => {
    const { name } = object.metadata
    const { claimRef } = object.spec
    if (type === 'DELETED') {
      volumes.remove(name)
      unknownClaims.delete(name)
      if (claimRef !== undefined) claims.add(`${claimRef.namespace}/${claimRef.name}`)
      return
    }
    eachPending(key => waiting.add(key))
    if (type === 'ADDED' || !isSame(claimRef, previous?.spec.claimRef)) {
      if (previous !== undefined) unknownClaims.delete(name)
      for (const claim of view.list('persistentvolumeclaims'))
        if (claim.spec.volumeName === name && isSettledClaim(claim)) {
          unknownVolumes.delete(keyOf(claim))
          claims.add(keyOf(claim))
        }
    }
    volumes.add(name)
  })
  view.on('storageclasses.storage.k8s.io', () => eachPending(key => claims.add(key)))
}

function claimAt({ view }: ComponentContext, key: string): PersistentVolumeClaim | undefined {
  const { namespace, name } = splitKey(key)
  return view.get('persistentvolumeclaims', namespace, name)
}

type ClaimReference = NonNullable<PersistentVolume['spec']['claimRef']>

/** The claim that a volume names, if it is that one still. */
function claimOf({ view }: ComponentContext, { namespace, name = '', uid }: ClaimReference): PersistentVolumeClaim | undefined {
  const claim = view.get('persistentvolumeclaims', namespace, name)
  return claim !== undefined && ((uid ?? '') === '' || claim.metadata.uid === uid) ? claim : undefined
}

interface VolumeSurroundings {
  readonly unknownClaims: ReadonlySet<string>
  readonly syncClaim: (key: string) => void
}

function settleVolume(
  context: ComponentContext,
  volume: PersistentVolume,
  { unknownClaims, syncClaim }: VolumeSurroundings,
): void {
  const { events } = context
  const { claimRef } = volume.spec
  const claim = claimRef === undefined ? undefined : claimOf(context, claimRef)
  if (claim === undefined && unknownClaims.has(volume.metadata.name)) return
  const step = volumeStep(volume, claim)
  switch (step) {
    case 'available':
      setPhase(context, volume, 'Available')
      return
    case 'bound':
      setPhase(context, volume, 'Bound')
      return
    case 'unbind':
      unbind(context, volume)
      return
    case 'mismatch': {
      const tell = (subject: PersistentVolume | PersistentVolumeClaim, message: string) =>
        events.record(subject, source, { type: 'Warning', reason: 'VolumeMismatch', message })
      const because = 'due to incompatible volumeMode.'
      tell(volume, `Cannot bind PersistentVolume to requested PersistentVolumeClaim "${claimRef?.name ?? ''}" ${because}`)
      if (claim !== undefined)
        tell(claim, `Cannot bind PersistentVolume "${volume.metadata.name}" to requested PersistentVolumeClaim ${because}`)
      return
    }
    case 'sync-claim':
      syncClaim(`${claimRef?.namespace}/${claimRef?.name}`)
      return
    case 'release': {
      const { phase } = volume.status ?? {}
      reclaim(context, phase === 'Released' || phase === 'Failed' ? volume : setPhase(context, volume, 'Released'))
    }
  }
}

/** Carries out the policy of a volume that is released. */
function reclaim(context: ComponentContext, volume: PersistentVolume): void {
  const outcome = reclaimOf(volume, context.playsProvisioner)
  if (outcome.kind === 'delete' && !isTerminating(volume))
    context.access.remove('persistentvolumes', undefined, volume.metadata.name, writer)
  if (outcome.kind !== 'fail' || volume.status?.phase === 'Failed') return
  const { reason, message } = outcome
  context.events.record(setPhase(context, volume, 'Failed', message), source, { type: 'Warning', reason, message })
}

function setPhase({ access }: ComponentContext, volume: PersistentVolume, phase: string, message?: string): PersistentVolume {
  if (volume.status?.phase === phase) return volume
  const { message: _, ...status } = { message: undefined, ...volume.status }
  const changed = { ...volume, status: { ...status, phase, ...(message === undefined ? {} : { message }) } }
  return access.update('persistentvolumes', changed, writer, { subresource: 'status' }) as PersistentVolume
}

/** Whom the controller chose is forgotten; whom a user named stays named. */
function unbind(context: ComponentContext, volume: PersistentVolume): void {
  const { [boundByController]: chosen, ...annotations } = volume.metadata.annotations ?? {}
  const { claimRef, ...spec } = volume.spec
  const { uid: _, ...named } = claimRef ?? {}
  const { annotations: __, ...metadata } = volume.metadata
  const free =
    chosen === undefined
      ? { ...volume, spec: { ...spec, claimRef: named } }
      : { ...volume, metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations }, spec }
  setPhase(context, context.access.update('persistentvolumes', free, writer) as PersistentVolume, 'Available')
}

/** Yields who is to make a volume for the claim; undefined where nobody is. */
function settleClaim(
  context: ComponentContext,
  claim: PersistentVolumeClaim,
  unknownVolumes: ReadonlySet<string>,
): string | undefined {
  const { access, events } = context
  const step = nextStep(context, claim)
  const tell = (text: EventText, subject = claim) => events.record(subject, source, text)
  switch (step.kind) {
    case 'bind':
      join(context, claim, step.volume)
      return undefined
    case 'lost':
      if (unknownVolumes.has(keyOf(claim)) || claim.status?.phase === 'Lost') return undefined
      tell(step.event, setClaimStatus(context, claim, 'Lost'))
      return undefined
    case 'wait':
      if (step.event !== undefined) tell(step.event)
      setClaimStatus(context, claim, 'Pending')
      return undefined
    case 'default-class':
      access.update('persistentvolumeclaims', { ...claim, spec: { ...claim.spec, storageClassName: step.name } }, writer)
      return undefined
    case 'provision': {
      const { provisioner } = step
      if (claim.metadata.annotations?.[provisionerAnnotation] === undefined) {
        const annotations = {
          ...claim.metadata.annotations,
          [olderProvisionerAnnotation]: provisioner,
          [provisionerAnnotation]: provisioner,
        }
        access.update('persistentvolumeclaims', { ...claim, metadata: { ...claim.metadata, annotations } }, writer)
      }
      tell(step.event)
      return provisioner
    }
  }
}

function nextStep(context: ComponentContext, claim: PersistentVolumeClaim): ClaimStep {
  const { view } = context
  const className = claimClassOf(claim)
  const nodeName = claim.metadata.annotations?.[selectedNodeAnnotation]
  return claimStep(claim, {
    volumes: () => view.list('persistentvolumes'),
    volume: view.get('persistentvolumes', undefined, claim.spec.volumeName ?? ''),
    storageClass: className === '' ? undefined : view.get('storageclasses.storage.k8s.io', undefined, className),
    defaultClass: () => defaultStorageClassOf(view.list('storageclasses.storage.k8s.io')),
    node: nodeName === undefined ? undefined : view.get('nodes', undefined, nodeName),
    waitingPods: () => waitingPods(context, claim),
  })
}

/** Names of pods that use the claim and have no node yet. */
function waitingPods({ view }: ComponentContext, claim: PersistentVolumeClaim): readonly string[] {
  const { namespace, name } = claim.metadata
  return view
    .list('pods', namespace)
    .filter(pod => !isFinished(pod) && !pod.spec.nodeName && claimNames(pod).includes(name))
    .map(pod => pod.metadata.name)
}

/** Both sides name each other, then both say so in their phase. What they say already is not written again. */
function join(context: ComponentContext, claim: PersistentVolumeClaim, volume: PersistentVolume): void {
  const { access } = context
  setPhase(context, referring(context, volume, claim), 'Bound')
  const isNamed = claim.spec.volumeName === volume.metadata.name
  const annotations = {
    ...claim.metadata.annotations,
    ...(isNamed ? {} : { [boundByController]: 'yes' }),
    [completesBinding]: 'yes',
  }
  const isComplete = isNamed && claim.metadata.annotations?.[completesBinding] !== undefined
  const named = {
    ...claim,
    metadata: { ...claim.metadata, annotations },
    spec: { ...claim.spec, volumeName: volume.metadata.name },
  }
  const stored = isComplete ? claim : (access.update('persistentvolumeclaims', named, writer) as PersistentVolumeClaim)
  setClaimStatus(context, stored, 'Bound', volume)
}

/** The volume with a full reference to the claim. The component that reserved it bound it; where none did, the controller says that it did. */
function referring({ access }: ComponentContext, volume: PersistentVolume, claim: PersistentVolumeClaim): PersistentVolume {
  const { namespace = '', name, uid = '' } = claim.metadata
  const { claimRef } = volume.spec
  if (claimRef?.uid === uid && claimRef.namespace === namespace && claimRef.name === name) return volume
  const noted = isReservedFor(volume, claim)
    ? volume.metadata
    : { ...volume.metadata, annotations: { ...volume.metadata.annotations, [boundByController]: 'yes' } }
  const reference = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid }
  const changed = { ...volume, metadata: noted, spec: { ...volume.spec, claimRef: reference } }
  return access.update('persistentvolumes', changed, writer) as PersistentVolume
}

/** With a volume the status tells of it; without, of nothing. A claim that is bound already keeps the size that it tells: a resizer's. */
function setClaimStatus(
  { access }: ComponentContext,
  claim: PersistentVolumeClaim,
  phase: string,
  volume?: PersistentVolume,
): PersistentVolumeClaim {
  const { accessModes: _, capacity, currentVolumeAttributesClassName: attributes, ...rest } = { ...claim.status }
  const isNew = rest.phase !== phase
  const ofVolume = (rest.phase ?? 'Pending') === 'Pending' ? volume?.spec['volumeAttributesClassName'] : attributes
  const size = isNew ? (volume?.spec.capacity ?? {}) : capacity
  const status = {
    ...rest,
    phase,
    ...(volume === undefined
      ? {}
      : {
          accessModes: volume.spec.accessModes ?? [],
          ...(size === undefined ? {} : { capacity: size }),
          ...(ofVolume === undefined ? {} : { currentVolumeAttributesClassName: ofVolume }),
        }),
  }
  if (isSame(status, claim.status ?? {})) return claim
  return access.update('persistentvolumeclaims', { ...claim, status }, writer, { subresource: 'status' }) as PersistentVolumeClaim
}
