// VolumeBinding: bound volumes must be reachable from the node, unbound claims that wait for a consumer must find or get one there.

import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from '#kube/objects/objects.ts'
import { parseWhole } from '#kube/values/quantity.ts'
import type { PodState } from '../cluster-state.ts'
import { labelTermsTest } from './node-selector.ts'
import { readSelector } from './pod-classes.ts'
import { type Refusal, refusal } from './refusal.ts'
import {
  bindCompletedAnnotation,
  claimClass,
  isFullyBound,
  isReservedFor,
  selectedNodeAnnotation,
  type VolumeObjects,
  volumeClass,
} from './volume-objects.ts'

/** The claims of a pod, sorted by what has to be done for them. */
interface PodClaims {
  readonly bound: readonly PersistentVolumeClaim[]
  /** Wait for the pod to have a node. */
  readonly waiting: readonly PersistentVolumeClaim[]
}

type ClaimsReading =
  | { readonly kind: 'claims'; readonly claims: PodClaims }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

const affinityConflict = "node(s) didn't match PersistentVolume's node affinity"
const nothingToBind = "node(s) didn't find available persistent volumes to bind"
const notEnoughSpace = 'node(s) did not have enough free storage'
const volumeMissing = 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)'

interface ClaimName {
  readonly name: string
  readonly isEphemeral: boolean
}

/** The claim a volume of `pod` stands for; that of a generic ephemeral volume is named after pod and volume. */
export function claimNames(pod: PodState): readonly ClaimName[] {
  return (pod.object.spec.volumes ?? []).flatMap((volume): readonly ClaimName[] => {
    if (volume.persistentVolumeClaim) return [{ name: volume.persistentVolumeClaim.claimName, isEphemeral: false }]
    return volume.ephemeral ? [{ name: `${pod.name}-${volume.name}`, isEphemeral: true }] : []
  })
}

/** The claims of `pod`, or why no node is looked at before they are in order. `undefined` where the pod has none. */
export function podClaims(objects: VolumeObjects, pod: PodState): ClaimsReading | undefined {
  const names = claimNames(pod)
  if (names.length === 0) return undefined
  const refused = (reason: string): ClaimsReading => ({
    kind: 'refused',
    refusal: refusal('VolumeBinding', reason, { isUnresolvable: true }),
  })
  const claims: PersistentVolumeClaim[] = []
  for (const { name, isEphemeral } of names) {
    const claim = objects.claim(pod.namespace, name)
    if (claim === undefined) {
      return refused(
        isEphemeral
          ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
          : notFound('persistentvolumeclaim', name),
      )
    }
    if (claim.status?.phase === 'Lost')
      return refused(`persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName ?? ''}"`)
    if (claim.metadata.deletionTimestamp) return refused(`persistentvolumeclaim "${name}" is being deleted`)
    claims.push(claim)
  }
  const bound: PersistentVolumeClaim[] = []
  const waiting: PersistentVolumeClaim[] = []
  let isImmediateUnbound = false
  for (const claim of claims) {
    if (isFullyBound(claim)) {
      bound.push(claim)
      continue
    }
    const className = claimClass(claim)
    const storageClass = className === '' ? undefined : objects.storageClass(className)
    if (className !== '' && storageClass === undefined) return refused(notFound('storageclass.storage.k8s.io', className))
    if (storageClass?.volumeBindingMode === 'WaitForFirstConsumer' && !claim.spec.volumeName) waiting.push(claim)
    else isImmediateUnbound = true
  }
  if (isImmediateUnbound) return refused('pod has unbound immediate PersistentVolumeClaims')
  return { kind: 'claims', claims: { bound, waiting } }
}

/** As an API server's lister words it. */
export function notFound(resource: string, name: string): string {
  return `${resource} "${name}" not found`
}

/** Why `node` cannot serve the claims. */
export function bindingRefusal(objects: VolumeObjects, claims: PodClaims, node: Node): Refusal | undefined {
  const reasons: string[] = []
  const boundReason = boundClaimsReason(objects, claims.bound, node)
  const waiting = waitingClaims(objects, claims.waiting, node)
  if (boundReason === affinityConflict) reasons.push(affinityConflict)
  if (waiting.kind === 'unbindable') reasons.push(nothingToBind)
  if (waiting.kind === 'full') reasons.push(notEnoughSpace)
  if (boundReason === volumeMissing) reasons.push(volumeMissing)
  return reasons.length === 0 ? undefined : { filter: 'VolumeBinding', reasons, isUnresolvable: true }
}

function boundClaimsReason(objects: VolumeObjects, claims: readonly PersistentVolumeClaim[], node: Node): string | undefined {
  for (const claim of claims) {
    const volume = objects.volume(claim.spec.volumeName ?? '')
    if (volume === undefined) return volumeMissing
    if (!isReachable(volume, node)) return affinityConflict
  }
  return undefined
}

/** Whether the volume's node affinity, if any, picks the node by its labels. */
export function isReachable(volume: PersistentVolume, node: Node): boolean {
  const required = volume.spec.nodeAffinity?.required
  return required === undefined || labelTermsTest(required)(node.metadata.labels)
}

type WaitingOutcome =
  | { readonly kind: 'unbindable' | 'full' }
  | { readonly kind: 'served'; readonly bindings: readonly Binding[]; readonly provisions: readonly PersistentVolumeClaim[] }

interface Binding {
  readonly claim: PersistentVolumeClaim
  readonly volume: PersistentVolume
}

function waitingClaims(objects: VolumeObjects, claims: readonly PersistentVolumeClaim[], node: Node): WaitingOutcome {
  const provisions: PersistentVolumeClaim[] = []
  const unselected: PersistentVolumeClaim[] = []
  for (const claim of claims) {
    const selected = claim.metadata.annotations?.[selectedNodeAnnotation]
    if (selected === undefined) unselected.push(claim)
    else if (selected !== node.metadata.name) return { kind: 'unbindable' }
    else provisions.push(claim)
  }
  const bindings: Binding[] = []
  const taken = new Set<string>()
  for (const claim of unselected.toSorted((a, b) => sizeOf(a) - sizeOf(b))) {
    const volume = matchingVolume(objects.volumesOf(claimClass(claim)), { claim, node, taken })
    if (volume === undefined) provisions.push(claim)
    else {
      taken.add(volume.metadata.name)
      bindings.push({ claim, volume })
    }
  }
  for (const claim of provisions) {
    const storageClass = objects.storageClass(claimClass(claim))
    if (storageClass === undefined || !isProvisionable(storageClass, node)) return { kind: 'unbindable' }
    if (!hasCapacity(objects, { storageClass, claim, node })) return { kind: 'full' }
  }
  return { kind: 'served', bindings, provisions }
}

function isProvisionable({ provisioner, allowedTopologies }: StorageClass, node: Node): boolean {
  if (!provisioner || provisioner === 'kubernetes.io/no-provisioner') return false
  const terms = allowedTopologies ?? []
  if (terms.length === 0) return true
  const labels = node.metadata.labels ?? {}
  return terms.some(({ matchLabelExpressions = [] }) => {
    if (matchLabelExpressions.length === 0) return false
    return matchLabelExpressions.every(({ key, values }) => Object.hasOwn(labels, key) && values.includes(labels[key] ?? ''))
  })
}

/** Drivers that publish storage capacity must have published enough for a place the node belongs to. */
function hasCapacity(
  objects: VolumeObjects,
  {
    storageClass,
    claim,
    node,
  }: { readonly storageClass: StorageClass; readonly claim: PersistentVolumeClaim; readonly node: Node },
): boolean {
  if (claim.spec.resources?.requests?.['storage'] === undefined) return true
  if (objects.csiDriver(storageClass.provisioner)?.spec.storageCapacity !== true) return true
  return objects.capacities().some(({ storageClassName, nodeTopology, capacity, maximumVolumeSize }) => {
    const limit = maximumVolumeSize ?? capacity
    if (storageClassName !== storageClass.metadata.name || limit === undefined || parseWhole(limit) < sizeOf(claim)) return false
    return readSelector(nodeTopology).matches(node.metadata.labels)
  })
}

function sizeOf(claim: PersistentVolumeClaim): number {
  return parseWhole(claim.spec.resources?.requests?.['storage'] ?? 0)
}

/** The volume reserved for the claim, else the smallest available one that fits and the node reaches. */
function matchingVolume(
  volumes: readonly PersistentVolume[],
  { claim, node, taken }: { readonly claim: PersistentVolumeClaim; readonly node: Node; readonly taken: ReadonlySet<string> },
): PersistentVolume | undefined {
  const selector = claim.spec.selector === undefined ? undefined : readSelector(claim.spec.selector)
  const size = sizeOf(claim)
  let smallest: PersistentVolume | undefined
  let smallestSize = Number.POSITIVE_INFINITY
  for (const volume of volumes) {
    const isReserved = isReservedFor(volume, claim)
    const volumeSize = parseWhole(volume.spec.capacity?.['storage'] ?? 0)
    if (taken.has(volume.metadata.name) || (volume.spec.claimRef !== undefined && !isReserved) || volumeSize < size) continue
    if (modeOf(claim) !== modeOf(volume) || attributesOf(claim) !== attributesOf(volume) || volume.metadata.deletionTimestamp)
      continue
    const isHere = isReachable(volume, node)
    if (isReserved) return isHere ? volume : undefined
    if (volume.status?.phase !== 'Available' || !isHere || volumeClass(volume) !== claimClass(claim)) continue
    if (selector !== undefined && !selector.matches(volume.metadata.labels)) continue
    if (!(claim.spec.accessModes ?? []).every(mode => volume.spec.accessModes?.includes(mode))) continue
    if (volumeSize < smallestSize) {
      smallest = volume
      smallestSize = volumeSize
    }
  }
  return smallest
}

function modeOf({ spec }: PersistentVolumeClaim | PersistentVolume): unknown {
  return spec['volumeMode'] ?? 'Filesystem'
}

function attributesOf({ spec }: PersistentVolumeClaim | PersistentVolume): unknown {
  return spec['volumeAttributesClassName'] ?? ''
}

/** Writes down what putting a pod on `node` settles: volumes bound to its waiting claims, and the node that others are provisioned for. */
export function settleClaims(objects: VolumeObjects, claims: PodClaims, node: Node): void {
  const outcome = waitingClaims(objects, claims.waiting, node)
  if (outcome.kind !== 'served') return
  for (const { claim, volume } of outcome.bindings) {
    const { namespace, name, uid } = claim.metadata
    objects.settle({
      ...volume,
      spec: { ...volume.spec, claimRef: withoutAbsent({ namespace, name, uid }) },
      status: { ...volume.status, phase: 'Bound' },
    })
    objects.settle({
      ...annotated(claim, bindCompletedAnnotation, 'yes'),
      spec: { ...claim.spec, volumeName: volume.metadata.name },
      status: { ...claim.status, phase: 'Bound' },
    })
  }
  for (const claim of outcome.provisions) objects.settle(annotated(claim, selectedNodeAnnotation, node.metadata.name))
}

function annotated(claim: PersistentVolumeClaim, key: string, value: string): PersistentVolumeClaim {
  return { ...claim, metadata: { ...claim.metadata, annotations: { ...claim.metadata.annotations, [key]: value } } }
}

function withoutAbsent<Value>(record: Readonly<Record<string, Value | undefined>>): Readonly<Record<string, Value>> {
  return Object.fromEntries(Object.entries(record).filter((entry): entry is [string, Value] => entry[1] !== undefined))
}
