// Objects of resource.k8s.io/v1 as the model reads them: slices of devices, classes, claims and templates of claims.

import type { KubeObject, NodeSelector, ObjectMeta } from '#kube/objects/objects.ts'

export interface DeviceAttribute {
  readonly string?: string
  readonly int?: number
  readonly bool?: boolean
  readonly version?: string
}

/** How much of a capacity a request takes of a device that several may have. */
export interface RequestPolicy {
  readonly default?: string | number
  /** Ascending. */
  readonly validValues?: readonly (string | number)[]
  readonly validRange?: { readonly min?: string | number; readonly max?: string | number; readonly step?: string | number }
}

export interface DeviceCapacity {
  readonly value: string | number
  readonly requestPolicy?: RequestPolicy
}

export interface DeviceTaint {
  readonly key: string
  readonly value?: string
  readonly effect: string
}

export interface DeviceToleration {
  readonly key?: string
  readonly operator?: string
  readonly value?: string
  readonly effect?: string
  readonly tolerationSeconds?: number
}

/** Amounts by name. */
type Counters = Readonly<Record<string, { readonly value: string | number }>>

export interface Device {
  readonly name: string
  readonly attributes?: Readonly<Record<string, DeviceAttribute>>
  readonly capacity?: Readonly<Record<string, DeviceCapacity>>
  readonly taints?: readonly DeviceTaint[]
  readonly nodeName?: string
  readonly nodeSelector?: NodeSelector
  readonly allNodes?: boolean
  readonly consumesCounters?: readonly { readonly counterSet: string; readonly counters?: Counters }[]
  readonly allowMultipleAllocations?: boolean
  readonly bindsToNode?: boolean
  readonly bindingConditions?: readonly string[]
}

export interface ResourceSlice extends KubeObject {
  readonly spec: {
    readonly driver: string
    readonly pool: { readonly name: string; readonly generation: number; readonly resourceSliceCount: number }
    readonly nodeName?: string
    readonly nodeSelector?: NodeSelector
    readonly allNodes?: boolean
    readonly perDeviceNodeSelection?: boolean
    readonly devices?: readonly Device[]
    readonly sharedCounters?: readonly { readonly name: string; readonly counters?: Counters }[]
  }
}

export interface DeviceSelector {
  readonly cel?: { readonly expression: string }
}

/** Parameters for a driver, which nobody but the driver reads. */
interface DeviceConfiguration {
  readonly requests?: readonly string[]
  readonly opaque?: unknown
}

export interface DeviceClass extends KubeObject {
  readonly spec: { readonly selectors?: readonly DeviceSelector[]; readonly config?: readonly DeviceConfiguration[] }
}

export interface ExactRequest {
  readonly deviceClassName: string
  readonly selectors?: readonly DeviceSelector[]
  readonly allocationMode?: string
  readonly count?: number
  readonly adminAccess?: boolean
  readonly tolerations?: readonly DeviceToleration[]
  readonly capacity?: { readonly requests?: Readonly<Record<string, string | number>> }
}

export interface DeviceRequest {
  readonly name: string
  readonly exactly?: ExactRequest
  readonly firstAvailable?: readonly (ExactRequest & { readonly name: string })[]
}

export interface DeviceConstraint {
  readonly requests?: readonly string[]
  readonly matchAttribute?: string
  readonly distinctAttribute?: string
}

interface ClaimSpec {
  readonly devices?: {
    readonly requests?: readonly DeviceRequest[]
    readonly constraints?: readonly DeviceConstraint[]
    readonly config?: readonly DeviceConfiguration[]
  }
}

/** One device that an allocation has. */
export interface AllocatedDevice {
  readonly request: string
  readonly driver: string
  readonly pool: string
  readonly device: string
  readonly adminAccess?: boolean
  readonly tolerations?: readonly DeviceToleration[]
  readonly shareID?: string
  readonly consumedCapacity?: Readonly<Record<string, string | number>>
}

export interface Allocation {
  readonly devices?: {
    readonly results?: readonly AllocatedDevice[]
    readonly config?: readonly (DeviceConfiguration & { readonly source: 'FromClass' | 'FromClaim' })[]
  }
  readonly nodeSelector?: NodeSelector
  readonly allocationTimestamp?: string
}

export interface ClaimConsumer {
  readonly apiGroup?: string
  readonly resource: string
  readonly name: string
  readonly uid: string
}

export interface ResourceClaim extends KubeObject {
  readonly spec: ClaimSpec
  readonly status?: {
    readonly allocation?: Allocation
    readonly reservedFor?: readonly ClaimConsumer[]
    readonly devices?: readonly unknown[]
  }
}

export interface ResourceClaimTemplate extends KubeObject {
  readonly spec: { readonly metadata?: Partial<ObjectMeta>; readonly spec: ClaimSpec }
}

/** Tells devices apart: driver, pool and name. */
export function deviceKey({ driver, pool, device }: Pick<AllocatedDevice, 'driver' | 'pool' | 'device'>): string {
  return `${driver}/${pool}/${device}`
}

/** Devices of one claim: kube-apiserver refuses more. */
export const mostDevicesOfClaim = 32
