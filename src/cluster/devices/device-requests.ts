// What the claims of a pod ask of one node, made ready for the search: each request with its class, and how many devices it needs.

import type { Node } from '#kube/objects/objects.ts'
import type { DeviceFeatures, DevicePool } from './device-pools.ts'
import { isForNode } from './device-pools.ts'
import type { DeviceSelectors } from './device-selectors.ts'
import {
  type AllocatedDevice,
  type Device,
  type DeviceClass,
  deviceKey,
  type ExactRequest,
  mostDevicesOfClaim,
  type ResourceClaim,
  type ResourceSlice,
} from './device-shapes.ts'

/** A device that may be taken. */
export interface Candidate {
  readonly key: string
  readonly device: Device
  readonly slice: ResourceSlice
  readonly pool: DevicePool
}

/** A request, or one of its alternatives. */
export interface WantedDevices {
  readonly claim: ResourceClaim
  /** The name of the request itself. */
  readonly request: string
  /** The name of the alternative, where the request has some. */
  readonly alternative: string | undefined
  readonly wish: ExactRequest
  readonly deviceClass: DeviceClass
  readonly count: number
  /** All devices that are meant, where a request asks for all. */
  readonly all: readonly Candidate[] | undefined
}

/** For each claim and each of its requests the alternatives in their order: one where there are none. */
type WantedByClaim = readonly (readonly (readonly WantedDevices[])[])[]

export interface SearchedNode {
  readonly node: Node
  readonly pools: readonly DevicePool[]
  readonly features: DeviceFeatures
  readonly selectors: DeviceSelectors
  readonly classOf: (name: string) => DeviceClass | undefined
}

/** Something about a claim or a class is wrong: no node is looked at any further. */
export class AllocationError extends Error {
  override readonly name = 'AllocationError'
}

/** @throws AllocationError where a claim cannot be allocated whatever the node has. */
export function wantedDevices(searched: SearchedNode, claims: readonly ResourceClaim[]): WantedByClaim {
  return claims.map(claim => {
    const requests = claim.spec.devices?.requests ?? []
    const wanted = requests.map(({ name, exactly, firstAvailable = [] }) => {
      if (firstAvailable.length > 0)
        return firstAvailable.map(({ name: alternative, ...wish }) =>
          wantedOf(searched, { claim, request: name, alternative, wish }),
        )
      if (exactly === undefined) throw new AllocationError(`claim ${claimName(claim)}, request ${name}: unknown request type`)
      return [wantedOf(searched, { claim, request: name, alternative: undefined, wish: exactly })]
    })
    const least = wanted.reduce((sum, alternatives) => sum + Math.min(...alternatives.map(({ count }) => count)), 0)
    if (least > mostDevicesOfClaim)
      throw new AllocationError(
        `claim ${claimName(claim)}: number of requested devices ${least} exceeds the claim limit of ${mostDevicesOfClaim}`,
      )
    return wanted
  })
}

/** `namespace/name`. */
export function claimName({ metadata }: ResourceClaim): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}

type Asked = Pick<WantedDevices, 'claim' | 'request' | 'alternative' | 'wish'>

function wantedOf(searched: SearchedNode, asked: Asked): WantedDevices {
  const { claim, wish } = asked
  const name = asked.alternative ?? asked.request
  const fail = (what: string): never => {
    throw new AllocationError(`claim ${claimName(claim)}, request ${name}${what}`)
  }
  if (!searched.features.consumableCapacity && wish.capacity !== undefined)
    fail(': has capacity requests, but the DRAConsumableCapacity feature is disabled')
  const bare = (wish.selectors ?? []).findIndex(selector => selector.cel === undefined)
  if (bare >= 0) fail(`, selector #${bare}: CEL expression empty (unsupported selector type?)`)
  const deviceClass = searched.classOf(wish.deviceClassName)
  if (deviceClass === undefined)
    throw new AllocationError(
      `claim ${claimName(claim)}, request ${name}: could not retrieve device class ${wish.deviceClassName}: deviceclass.resource.k8s.io "${wish.deviceClassName}" not found`,
    )
  const mode = wish.allocationMode ?? 'ExactCount'
  const wanted = { ...asked, deviceClass, count: wish.count ?? 1, all: undefined }
  if (mode === 'ExactCount') return wanted
  if (mode !== 'All') fail(`: unsupported count mode ${mode}`)
  const all = allDevices(searched, wanted, fail)
  return { ...wanted, count: all.length, all }
}

function allDevices(searched: SearchedNode, wanted: WantedDevices, fail: (what: string) => never): readonly Candidate[] {
  return searched.pools.flatMap(pool => {
    if (pool.isIncomplete) fail(`: asks for all devices, but resource pool ${pool.id} is currently being updated`)
    if (pool.invalidReason !== undefined) fail(`: asks for all devices, but resource pool ${pool.id} is currently invalid`)
    return candidatesOf(pool).filter(candidate => isSelectable(searched, wanted, candidate))
  })
}

const candidates = new WeakMap<DevicePool, readonly Candidate[]>()

/** The devices of a pool in the order in which they are tried: by slice, then as the slice lists them. */
export function candidatesOf(pool: DevicePool): readonly Candidate[] {
  const known = candidates.get(pool)
  if (known !== undefined) return known
  const made = pool.slices.flatMap(slice =>
    (slice.spec.devices ?? []).map(device => ({
      key: deviceKey({ driver: pool.driver, pool: pool.name, device: device.name }),
      device,
      slice,
      pool,
    })),
  )
  candidates.set(pool, made)
  return made
}

/**
 * Whether class and request pick the device, and the node may have it.
 *
 * @throws AllocationError where a selector has no answer.
 */
export function isSelectable(
  { node, features, selectors }: SearchedNode,
  { claim, deviceClass, wish }: WantedDevices,
  { device, slice, pool }: Candidate,
): boolean {
  if ((device.bindingConditions ?? []).length > 0 && !features.bindingConditions) return false
  const byClass = selectors.select(deviceClass.spec.selectors ?? [], device, pool.driver)
  if (byClass.kind === 'failed')
    throw new AllocationError(
      `class ${deviceClass.metadata.name}: selector #${byClass.at}: CEL runtime error: ${byClass.problem}`,
    )
  if (byClass.kind !== 'picked') return false
  const byRequest = selectors.select(wish.selectors ?? [], device, pool.driver)
  if (byRequest.kind === 'failed')
    throw new AllocationError(`claim ${claimName(claim)}: selector #${byRequest.at}: CEL runtime error: ${byRequest.problem}`)
  if (byRequest.kind !== 'picked') return false
  return slice.spec.perDeviceNodeSelection !== true || isForNode(device, node)
}

/** What allocations have of devices: whole ones, and shares of those that several may have. */
export interface DevicesInUse {
  /** By `deviceKey`. */
  readonly whole: ReadonlySet<string>
  /** Amounts taken by capacity, in units of 10^-9, of devices that are shared. */
  readonly shared: ReadonlyMap<string, ReadonlyMap<string, bigint>>
}

/** Whether an allocation keeps others from the device: administrators' access does not. */
export function holdsWhole({ adminAccess, shareID }: AllocatedDevice): boolean {
  return adminAccess !== true && shareID === undefined
}
