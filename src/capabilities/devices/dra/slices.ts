// Which ResourceSlices a driver publishes for its node, and which writes lead there from those that are there. Pure.

import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Device, DeviceAttribute, DeviceCapacity, DeviceTaint, ResourceSlice } from '#cluster/devices/device-shapes.ts'
import type { OwnerReference } from '#kube/objects/objects.ts'
import { canonicalText, parseQuantity, wholeQuantity } from '#kube/values/quantity.ts'
import type { DraDevice } from './dra-devices.ts'

/** What the API server takes in one slice. */
const mostDevices = { usual: 128, withTaints: 64 } as const
const longestText = 64
const longestName = 253

export interface SliceSettings {
  readonly driver: string
  readonly node: string
  readonly taintEffect: 'NoSchedule' | 'NoExecute' | 'none'
  /** Whether the API server keeps taints: where it does not, devices that are unhealthy are left out. */
  readonly keepsTaints: boolean
}

/** The devices of each slice of a pool. */
export function slicedDevices(devices: readonly DraDevice[], settings: SliceSettings): readonly (readonly Device[])[] {
  const { keepsTaints, taintEffect } = settings
  const offered = devices
    .filter(({ complaint }) => complaint === undefined || keepsTaints || taintEffect === 'none')
    .map(device => offeredDevice(device, keepsTaints ? taintEffect : 'none'))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
  const most = offered.some(({ taints }) => taints !== undefined) ? mostDevices.withTaints : mostDevices.usual
  return Array.from({ length: Math.ceil(offered.length / most) }, (_, at) => offered.slice(at * most, (at + 1) * most))
}

function offeredDevice(device: DraDevice, taintEffect: SliceSettings['taintEffect']): Device {
  const { name, found, complaint } = device
  const capacity = capacityOf(device)
  return {
    name,
    attributes: attributesOf(device),
    ...(Object.keys(capacity).length === 0 ? {} : { capacity }),
    ...(found.shares > 1 ? { allowMultipleAllocations: true } : {}),
    ...(complaint === undefined || taintEffect === 'none'
      ? {}
      : { taints: [{ key: `HealthIssues-${[...complaint.about].sort().join('_')}`, effect: taintEffect }] }),
  }
}

/** Names without a domain are of the driver's. */
function attributesOf({
  found,
  pcieRoot,
  isVirtualFunction,
  canSplit,
  complaint,
}: DraDevice): Readonly<Record<string, DeviceAttribute>> {
  const { kind, driver, pciId, address, numaNodes } = found
  const said = {
    type: kind === 'npu' ? 'npu' : isVirtualFunction ? 'vf' : 'gpu',
    driver,
    pciId,
    pciAddress: address,
    health: complaint === undefined ? 'Healthy' : 'Unhealthy',
    'resource.kubernetes.io/pciBusID': address,
    'resource.kubernetes.io/pcieRoot': pcieRoot,
  }
  const texts = Object.entries(said).flatMap(([key, text]) =>
    text === undefined || text === '' || text.length > longestText ? [] : [[key, { string: text }] as const],
  )
  const [numa, ...others] = numaNodes
  return {
    ...Object.fromEntries(texts),
    sriov: { bool: canSplit },
    ...(numa === undefined || others.length > 0 ? {} : { numaNode: { int: numa } }),
  }
}

/**
 * A claim takes one share of a shared device unless it says more. What it does not ask for of a capacity with a policy counts as nothing; without a
 * policy the first claim would take all.
 */
function capacityOf({ found: { shares }, memory }: DraDevice): Readonly<Record<string, DeviceCapacity>> {
  const isShared = shares > 1
  const bytes = memory === undefined ? undefined : canonicalText(wholeQuantity(memory, 'BinarySI'))
  return {
    ...(isShared
      ? {
          shares: {
            value: canonicalText(wholeQuantity(shares)),
            requestPolicy: { default: '1', validRange: { min: '1', step: '1' } },
          },
        }
      : {}),
    ...(bytes === undefined
      ? {}
      : { memory: { value: bytes, ...(isShared ? { requestPolicy: { default: '0', validRange: { min: '0' } } } : {}) } }),
  }
}

/** In this order: what is obsolete goes first. */
export interface SliceWrites {
  readonly deletes: readonly ResourceSlice[]
  /** Written whole: those with a resourceVersion are there, those without are new. */
  readonly puts: readonly ResourceSlice[]
}

interface Wanted extends SliceSettings {
  readonly devices: readonly (readonly Device[])[]
  readonly owner: OwnerReference
  /** Whether a slice that is there is what the server made of exactly these devices: it may keep less than was sent. */
  readonly isAsSent: (slice: ResourceSlice, devices: readonly Device[]) => boolean
}

/** What is to be written; `undefined` where all is as it should be. One change gives all slices of the pool the next generation. */
export function sliceWrites(present: readonly ResourceSlice[], wanted: Wanted): SliceWrites | undefined {
  const { driver, node, devices, owner, isAsSent } = wanted
  const byName = new Map(present.map(slice => [slice.metadata.name, slice]))
  const names = devices.map((_, at) => sliceName(at, wanted))
  const generations = present.map(({ spec }) => spec.pool.generation)
  const isDone =
    present.length === names.length &&
    new Set(generations).size <= 1 &&
    devices.every((list, at) => {
      const slice = byName.get(names[at] ?? '')
      if (slice === undefined) return false
      const { spec, metadata } = slice
      const { pool, nodeName } = spec
      const isPlaced = spec.driver === driver && nodeName === node && pool.name === node
      const isOwned = metadata.ownerReferences?.some(({ uid }) => uid === owner.uid) === true
      const isSame = isAsSent(slice, list) || isDeepStrictEqual(comparable(spec.devices ?? []), comparable(list))
      return isPlaced && isOwned && isSame && pool.resourceSliceCount === names.length
    })
  if (isDone) return undefined
  const generation = Math.max(0, ...generations) + 1
  const addedAt = timesOfTaints(present)
  return {
    deletes: present.filter(({ metadata }) => !names.includes(metadata.name)),
    puts: devices.map((list, at) => {
      const name = names[at] ?? ''
      const there = byName.get(name)?.metadata
      return {
        apiVersion: 'resource.k8s.io/v1',
        kind: 'ResourceSlice',
        metadata: {
          name,
          ownerReferences: [owner],
          ...(there === undefined ? {} : { resourceVersion: there.resourceVersion ?? '', uid: there.uid ?? '' }),
        },
        spec: {
          driver,
          nodeName: node,
          pool: { name: node, generation, resourceSliceCount: names.length },
          devices: list.map(device => withTimes(device, addedAt)),
        },
      }
    }),
  }
}

/** The same at each start, so that nobody makes a slice twice. */
function sliceName(at: number, { driver, node }: Pick<SliceSettings, 'driver' | 'node'>): string {
  const name = `${at.toString(16)}-${driver}-${node}`
  if (name.length <= longestName) return name
  const hash = createHash('sha256').update(node).digest('hex').slice(0, 16)
  return `${name.slice(0, longestName - hash.length - 1).replace(/[-.]+$/, '')}-${hash}`
}

/** The server says when a taint came, where nobody does. */
interface TimedTaint extends DeviceTaint {
  readonly timeAdded?: string
}

const taintKey = (device: string, { key, value = '', effect }: DeviceTaint) => `${device} ${key} ${value} ${effect}`

function timesOfTaints(present: readonly ResourceSlice[]): ReadonlyMap<string, string> {
  const devices = present.flatMap(({ spec }) => spec.devices ?? [])
  return new Map(
    devices.flatMap(({ name, taints = [] }) =>
      taints.flatMap((taint: TimedTaint) => (taint.timeAdded === undefined ? [] : [[taintKey(name, taint), taint.timeAdded]])),
    ),
  )
}

/** A taint that stays has its time further, since tolerations count from there. */
function withTimes(device: Device, addedAt: ReadonlyMap<string, string>): Device {
  if (device.taints === undefined) return device
  const taints = device.taints.map((taint): TimedTaint => {
    const timeAdded = addedAt.get(taintKey(device.name, taint))
    return timeAdded === undefined ? taint : { ...taint, timeAdded }
  })
  return { ...device, taints }
}

/** Without times, and with amounts as numbers: servers write them in another way. */
function comparable(devices: readonly Device[]): unknown {
  return devices.map(({ capacity, taints, ...device }) => ({
    ...device,
    taints: (taints ?? []).map(({ key, value = '', effect }) => ({ key, value, effect })),
    capacity: amounts(capacity ?? {}),
  }))
}

function amounts(value: unknown): unknown {
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, amounts(one)]))
  if (typeof value !== 'string' && typeof value !== 'number') return value
  const read = parseQuantity(value)
  return read.ok ? String(read.value.nanos) : value
}
