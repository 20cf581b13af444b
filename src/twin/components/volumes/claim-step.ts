// What the controller does with one claim, by itself, the volumes and its class. Pure.
import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from '#kube/objects/objects.ts'
import type { EventText } from '../event-recorder.ts'
import { selectedNodeAnnotation } from '../scheduling/scheduler.ts'
import { claimClassOf, isReservedFor, matchingVolume, namesClass, unsuitable } from './volume-match.ts'

export const boundByController = 'pv.kubernetes.io/bound-by-controller'
export const completesBinding = 'pv.kubernetes.io/bind-completed'

interface ClaimSurroundings {
  readonly volumes: () => readonly PersistentVolume[]
  /** The one that the claim names. */
  readonly volume: PersistentVolume | undefined
  /** The one that the claim names. */
  readonly storageClass: StorageClass | undefined
  readonly defaultClass: () => StorageClass | undefined
  /** Where the pod that waits for the claim will run. */
  readonly node: Node | undefined
  readonly waitingPods: () => readonly string[]
}

export type ClaimStep =
  | { readonly kind: 'bind'; readonly volume: PersistentVolume }
  | { readonly kind: 'lost'; readonly event: EventText }
  | { readonly kind: 'wait'; readonly event?: EventText }
  | { readonly kind: 'default-class'; readonly name: string }
  | { readonly kind: 'provision'; readonly provisioner: string; readonly event: EventText }

/** A claim that was bound once. */
export function isSettledClaim({ metadata, status }: PersistentVolumeClaim): boolean {
  return metadata.annotations?.[completesBinding] !== undefined || status?.phase === 'Bound'
}

export function claimStep(claim: PersistentVolumeClaim, around: ClaimSurroundings): ClaimStep {
  if (isSettledClaim(claim)) return boundStep(claim, around.volume)
  return claim.spec.volumeName ? namedStep(claim, around.volume) : openStep(claim, around)
}

function boundStep(claim: PersistentVolumeClaim, volume: PersistentVolume | undefined): ClaimStep {
  const lost = (reason: string, message: string): ClaimStep => ({ kind: 'lost', event: { type: 'Warning', reason, message } })
  if (!claim.spec.volumeName)
    return lost('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!')
  if (volume === undefined) return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!')
  const { claimRef } = volume.spec
  if (claimRef === undefined || claimRef.uid === claim.metadata.uid) return { kind: 'bind', volume }
  return lost('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly')
}

function namedStep(claim: PersistentVolumeClaim, volume: PersistentVolume | undefined): ClaimStep {
  const refused = (reason: string, message: string): ClaimStep => ({ kind: 'wait', event: { type: 'Warning', reason, message } })
  if (volume === undefined) return { kind: 'wait' }
  const { name } = volume.metadata
  if (volume.spec.claimRef !== undefined)
    return isReservedFor(volume, claim)
      ? { kind: 'bind', volume }
      : refused('FailedBinding', `volume "${name}" already bound to a different claim.`)
  const why = unsuitable(volume, claim)
  if (why === undefined) return { kind: 'bind', volume }
  return refused('VolumeMismatch', `Cannot bind to requested volume "${name}": ${why}`)
}

function openStep(claim: PersistentVolumeClaim, around: ClaimSurroundings): ClaimStep {
  const { storageClass, node } = around
  const className = claimClassOf(claim)
  const isDelayed = storageClass?.volumeBindingMode === 'WaitForFirstConsumer'
  const hasNode = claim.metadata.annotations?.[selectedNodeAnnotation] !== undefined
  const volume = matchingVolume(claim, around.volumes(), { node, reservedOnly: isDelayed && !hasNode })
  if (volume !== undefined) return { kind: 'bind', volume }
  const defaultClass = namesClass(claim) ? undefined : around.defaultClass()
  if (defaultClass !== undefined) return { kind: 'default-class', name: defaultClass.metadata.name }
  const wait = (type: EventText['type'], reason: string, message: string): ClaimStep => ({
    kind: 'wait',
    event: { type, reason, message },
  })
  if (isDelayed && !hasNode) {
    const pods = around.waitingPods()
    return pods.length === 0
      ? wait('Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding')
      : wait('Normal', 'WaitForPodScheduled', `waiting for pod${pods.length === 1 ? '' : 's'} ${pods.join(',')} to be scheduled`)
  }
  if (className === '')
    return wait('Normal', 'FailedBinding', 'no persistent volumes available for this claim and no storage class is set')
  if (storageClass === undefined)
    return wait('Warning', 'ProvisioningFailed', `storageclass.storage.k8s.io "${className}" not found`)
  const { provisioner } = storageClass
  if (provisioner === 'kubernetes.io/no-provisioner') return { kind: 'wait' }
  const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`
  return { kind: 'provision', provisioner, event: { type: 'Normal', reason: 'ExternalProvisioning', message } }
}
