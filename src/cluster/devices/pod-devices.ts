// DynamicResources: where the devices that a pod's claims ask for are, and what having the pod there writes to its claims.

import { createHash } from 'node:crypto'
import type { Node } from '#kube/objects/objects.ts'
import type { PodState } from '../cluster-state.ts'
import type { SchedulerVersion } from '../scheduler-settings.ts'
import { nodeSelectorTest } from '../scheduling/node-selector.ts'
import { type Refusal, refusal } from '../scheduling/refusal.ts'
import { allocationOf } from './allocation-result.ts'
import type { DeviceObjects } from './device-objects.ts'
import { deviceFeatures, poolsFor } from './device-pools.ts'
import { claimName } from './device-requests.ts'
import { findDevices, type SearchOutcome } from './device-search.ts'
import type { ClaimConsumer, ResourceClaim } from './device-shapes.ts'

const plugin = 'DynamicResources'
/** What is said of a node where an allocated claim of the pod is not. */
export const claimElsewhere = 'resourceclaim not available on the node'

type PodDevices =
  | { readonly kind: 'claims'; readonly claims: readonly ResourceClaim[] }
  /** No node is looked at. `isEarly`: a claim is not there yet, so that the scheduler does not try at all. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly isEarly: boolean }

interface NamedClaim {
  readonly name: string
  /** Whether it was made for the pod. */
  readonly isOwn: boolean
}

/** The claims of a pod by their names in the cluster; those that a controller has still to make are told by their name in the pod. */
function podClaimNames({ object: { spec, status } }: PodState): {
  readonly named: readonly NamedClaim[]
  readonly missing: readonly string[]
} {
  const named: NamedClaim[] = []
  const missing: string[] = []
  for (const { name, resourceClaimName, resourceClaimTemplateName } of spec.resourceClaims ?? []) {
    if (resourceClaimName !== undefined) named.push({ name: resourceClaimName, isOwn: false })
    else if (resourceClaimTemplateName !== undefined) {
      const made = status?.resourceClaimStatuses?.find(one => one.name === name)
      if (made === undefined) missing.push(name)
      // Without a name: no claim was needed.
      else if (made.resourceClaimName) named.push({ name: made.resourceClaimName, isOwn: true })
    } else missing.push(name)
  }
  return { named, missing }
}

/** The claims of `pod`, or why it has to wait. `undefined` where it has none. */
export function podDevices(objects: DeviceObjects, pod: PodState, version: SchedulerVersion): PodDevices | undefined {
  if ((pod.object.spec.resourceClaims ?? []).length === 0) return undefined
  const refused = (reason: string, isEarly = true): PodDevices => ({
    kind: 'refused',
    refusal: refusal(plugin, reason, { isUnresolvable: true }),
    isEarly,
  })
  const { named, missing } = podClaimNames(pod)
  const claims: ResourceClaim[] = []
  for (const { name, isOwn } of named) {
    const claim = objects.claim(pod.namespace, name)
    if (claim === undefined) return refused(`resourceclaim.resource.k8s.io "${name}" not found`)
    if (claim.metadata.deletionTimestamp) return refused(`resourceclaim "${name}" is being deleted`)
    if (isOwn && !isControlledBy(claim, pod)) return refused(notForPod(claim, pod))
    claims.push(claim)
  }
  if (missing.length > 0) return refused(`pod ${JSON.stringify(pod.key)}: pod claim template not yet resolved`)
  const classProblem = claims
    .filter(claim => claim.status?.allocation === undefined)
    .map(claim => missingClass(objects, claim, version))
  const problem = classProblem.find(one => one !== undefined)
  return problem === undefined ? { kind: 'claims', claims } : refused(problem, false)
}

function isControlledBy({ metadata }: ResourceClaim, { uid }: PodState): boolean {
  return metadata.ownerReferences?.some(owner => owner.controller === true && owner.uid === uid) === true
}

function notForPod(claim: ResourceClaim, pod: PodState): string {
  return `ResourceClaim ${claimName(claim)} was not created for Pod ${pod.key} (Pod is not owner)`
}

function missingClass(objects: DeviceObjects, claim: ResourceClaim, version: SchedulerVersion): string | undefined {
  for (const { name, exactly, firstAvailable = [] } of claim.spec.devices?.requests ?? []) {
    const asked: readonly (readonly [string, string])[] =
      exactly === undefined
        ? firstAvailable.map(one => [version === '1.34' ? one.name : `${name}/${one.name}`, one.deviceClassName])
        : [[name, exactly.deviceClassName]]
    if (asked.length === 0) return `resource claim ${claimName(claim)}, request ${name}: unknown request type`
    const unknown = asked.find(([, className]) => objects.deviceClass(className) === undefined)
    if (unknown !== undefined) return `request ${unknown[0]}: device class ${unknown[1]} does not exist`
  }
  return undefined
}

/** What the claims find on one node. */
function devicesOn(
  objects: DeviceObjects,
  claims: readonly ResourceClaim[],
  node: Node,
  version: SchedulerVersion,
): SearchOutcome {
  const features = deviceFeatures(version)
  const open = claims.filter(claim => claim.status?.allocation === undefined)
  if (open.length === 0) return { kind: 'found', claims: [] }
  const searched = {
    node,
    features,
    pools: poolsFor(node, objects.pools, features),
    selectors: objects.selectors,
    classOf: (name: string) => objects.deviceClass(name),
  }
  return findDevices(searched, open, objects.inUse)
}

/** Why `node` cannot serve the claims; `undefined`: it can. */
export function devicesFilter(
  objects: DeviceObjects,
  claims: readonly ResourceClaim[],
  version: SchedulerVersion,
): (node: Node) => Refusal | undefined {
  const tests = claims.flatMap(({ status }) =>
    status?.allocation?.nodeSelector ? [nodeSelectorTest(status.allocation.nodeSelector)] : [],
  )
  const refused = (reason: string) => refusal(plugin, reason, { isUnresolvable: true })
  return node => {
    const outcome = devicesOn(objects, claims, node, version)
    if (outcome.kind === 'error') return { ...refused(outcome.text), isError: true }
    if (outcome.kind === 'none') return refused(outcome.text)
    return tests.every(test => test(node)) ? undefined : refused(claimElsewhere)
  }
}

/** The same for one claim and one device each time, and shaped as a UUID. */
function shareOf(claim: string, key: string): string {
  const hex = createHash('sha256').update(`${claim}\u0000${key}`).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-')
}

/** The finalizer that an allocated claim has. */
const claimFinalizer = 'resource.kubernetes.io/delete-protection'

/** The claims of a pod as they are once it has a node: allocated and reserved for it. Those that are so already are not among them. */
export function boundClaims(
  objects: DeviceObjects,
  pod: PodState,
  node: Node,
  version: SchedulerVersion,
): readonly ResourceClaim[] {
  const devices = podDevices(objects, pod, version)
  if (devices?.kind !== 'claims') return []
  const outcome = devicesOn(objects, devices.claims, node, version)
  if (outcome.kind !== 'found') return []
  const open = devices.claims.filter(claim => claim.status?.allocation === undefined)
  const consumer: ClaimConsumer = { resource: 'pods', name: pod.name, uid: pod.uid }
  return devices.claims.flatMap(claim => {
    const { allocation, reservedFor = [] } = claim.status ?? {}
    if (allocation !== undefined && reservedFor.some(({ uid }) => uid === pod.uid)) return []
    const found = outcome.claims[open.indexOf(claim)]
    const shareId = (key: string, at: number) => shareOf(claim.metadata.uid ?? claim.metadata.name, `${at} ${key}`)
    const made = allocation ?? (found && allocationOf(claim, found, node.metadata.name, shareId))
    if (made === undefined) return []
    const finalizers = claim.metadata.finalizers ?? []
    return [
      {
        ...claim,
        metadata: {
          ...claim.metadata,
          finalizers: finalizers.includes(claimFinalizer) ? finalizers : [...finalizers, claimFinalizer],
        },
        status: { ...claim.status, allocation: made, reservedFor: [...reservedFor, consumer] },
      },
    ]
  })
}

/**
 * A claim that is allocated, that nobody but the pod holds, and that keeps it from nodes: the scheduler gives one up where nothing
 * else helps.
 */
export function idleClaim(
  objects: DeviceObjects,
  pod: PodState,
  nodes: readonly Node[],
  version: SchedulerVersion,
): ResourceClaim | undefined {
  const devices = podDevices(objects, pod, version)
  if (devices?.kind !== 'claims') return undefined
  return devices.claims.find(({ status }) => {
    const { allocation, reservedFor = [] } = status ?? {}
    if (allocation?.nodeSelector === undefined || reservedFor.some(({ uid }) => uid !== pod.uid)) return false
    const test = nodeSelectorTest(allocation.nodeSelector)
    return nodes.some(node => !test(node))
  })
}

/** The claim when the pod of that UID holds it no more: free where nobody else has it; itself where the pod never had it. */
export function withoutConsumer(claim: ResourceClaim, pod: string): ResourceClaim {
  const { allocation, reservedFor = [], ...status } = claim.status ?? {}
  const left = reservedFor.filter(({ uid }) => uid !== pod)
  if (left.length === reservedFor.length) return claim
  const kept = left.length > 0 && allocation !== undefined ? { allocation, reservedFor: left } : {}
  return { ...claim, status: { ...status, ...kept } }
}

/** Has a pod hold nothing any more: claims that were made for it are gone, others are free where nobody else has them. */
export function releaseClaims(objects: DeviceObjects, pod: PodState): void {
  for (const { name, isOwn } of podClaimNames(pod).named) {
    const claim = objects.claim(pod.namespace, name)
    if (claim === undefined) continue
    if (isOwn) objects.drop(pod.namespace, name)
    else objects.settle(withoutConsumer(claim, pod.uid))
  }
}
