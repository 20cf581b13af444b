// The section `capabilities.devices` of the configuration: what the plugins of Intel and AMD take as flags, by the names that their chart and
// kinds have, and what they lack.

import * as z from 'zod'
import { durationBetween } from '#kube/schema/crd-fields.ts'
import { operatorConfiguration } from './operator/operator-settings.ts'

const mostShares = 1_000
const mostAliases = 50
const mostIds = 100
const longestIds = 4_096
const highestTemperature = 1_000

/** A list of ids of PCI devices as upstream's flags take it: `0x56a0,0x56a1`, with blanks around each. */
const pciIds = z
  .string()
  .max(longestIds)
  .refine(
    text => text === '' || text.split(',').every(item => pciId.test(item.trim())),
    'not a list of ids of four lower-case hexadecimal digits, such as "0x56a0,0x7d51"',
  )
  .default('')

const pciId = /^0x[0-9a-f]{4}$/

/** What a list of ids holds. */
export function idsIn(text: string): ReadonlySet<string> {
  return new Set(
    text
      .split(',')
      .map(item => item.trim())
      .filter(item => item !== ''),
  )
}

const shares = z
  .int()
  .min(1)
  .max(mostShares)
  .default(1)
  .describe('how many containers share a device; nothing keeps them from using all of it')

/** A path of a socket; the kernel takes no longer ones. */
const socket = (path: string) => z.string().regex(/^\//, 'not an absolute path').max(100).default(path)

const limit = z.int().min(0).max(highestTemperature).default(100)

export const allocationPolicies = ['none', 'balanced', 'packed'] as const
export type AllocationPolicy = (typeof allocationPolicies)[number]

const gpu = z
  .strictObject({
    enabled: z.boolean().default(true).describe('GPUs of Intel are offered'),
    sharedDevNum: shares,
    allocationPolicy: z
      .enum(allocationPolicies)
      .default('none')
      .describe('which shares a container gets that asks for several: of many cards, of the freest, of as few as can be'),
    enableMonitoring: z.boolean().default(false).describe('one resource more, whose holder gets every GPU'),
    monitoringMode: z.enum(['single', 'split']).default('single').describe('one such resource, or one a driver'),
    bypathMode: z
      .enum(['single', 'all', 'none'])
      .default('single')
      .describe('which links of /dev/dri/by-path a container gets: those of its card, all, none'),
    allowIDs: pciIds.describe('only these devices are offered'),
    denyIDs: pciIds.describe('these devices are not offered'),
    health: z
      .enum(['none', 'sysfs', 'level-zero'])
      .default('none')
      .describe("whether a card is well: nobody asks, the kernel's files, the Level-Zero sidecar"),
    levelZeroSocket: socket('/var/lib/levelzero/server.sock'),
    xpumd: z
      .strictObject({ enabled: z.boolean().default(false), socket: socket('/run/xpumd/intelxpuinfo.sock') })
      .prefault({})
      .describe("Intel's xpumd says whether a card is well"),
    wsl: z
      .boolean()
      .default(false)
      .describe('Linux runs below Windows: the GPUs that the Level-Zero sidecar knows are offered as gpu.intel.com/dxg'),
    tempLimit: limit.describe('a card above it is unhealthy (°C)'),
    gpuTempLimit: limit.describe('the same of its processor (°C)'),
    memoryTempLimit: limit.describe('the same of its memory (°C)'),
  })
  .refine(({ allowIDs, denyIDs }) => allowIDs === '' || denyIDs === '', {
    message: 'one of allowIDs and denyIDs: they exclude each other',
    path: ['denyIDs'],
  })
  .refine(({ health, xpumd }) => !xpumd.enabled || health !== 'level-zero', {
    message: 'one of xpumd and the Level-Zero sidecar: they exclude each other',
    path: ['xpumd'],
  })
  .refine(({ wsl, enableMonitoring }) => !wsl || !enableMonitoring, {
    message: 'false: below Windows there is no monitoring',
    path: ['enableMonitoring'],
  })
  .refine(({ wsl, health, xpumd }) => !wsl || (health === 'none' && !xpumd.enabled), {
    message: 'none: below Windows nobody says how a GPU is',
    path: ['health'],
  })
  .prefault({})

const npu = z
  .strictObject({ enabled: z.boolean().default(true).describe('NPUs of Intel are offered'), sharedDevNum: shares })
  .prefault({})

const amd = z
  .strictObject({
    enabled: z.boolean().default(true).describe('GPUs of AMD are offered'),
    sharedDevNum: shares,
    resourceNamingStrategy: z
      .enum(['single', 'mixed'])
      .default('single')
      .describe('amd.com/gpu for all, or a resource for each style of partitions'),
    requireKfd: z
      .boolean()
      .default(true)
      .describe('without /dev/kfd nothing is offered; false offers what the kernel has for graphics and video'),
    health: z
      .enum(['none', 'kfd', 'sysfs'])
      .default('none')
      .describe("whether GPUs are well: nobody asks, the compute driver knows one (-pulse), the kernel's files of each besides"),
    exporter: z
      .strictObject({
        enabled: z.boolean().default(false),
        socket: socket('/var/lib/amd-metrics-exporter/amdgpu_device_metrics_exporter_grpc.socket'),
      })
      .prefault({})
      .describe("AMD's metrics exporter says whether a GPU is well; while it is not there the rest does"),
    tempLimit: z.int().min(0).max(highestTemperature).default(110).describe('with health sysfs a GPU above it is unhealthy (°C)'),
  })
  .prefault({})

const dra = z
  .strictObject({
    enabled: z.boolean().default(false).describe('devices are offered by claims (Dynamic Resource Allocation, Kubernetes 1.34)'),
    alsoByPlugin: z
      .boolean()
      .default(false)
      .describe(
        'the same devices are offered by the plugins too: a device is given away twice then, since neither knows of the other',
      ),
    extendedResources: z
      .boolean()
      .default(false)
      .describe('pods that ask for gpu.intel.com/i915 and the like get a claim (gate DRAExtendedResource)'),
    taintEffect: z
      .enum(['NoSchedule', 'NoExecute', 'none'])
      .default('NoSchedule')
      .describe('what happens to pods where a device is unhealthy: none come to it, those that have it are evicted too, nothing'),
  })
  .prefault({})

const extendedResource = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/

const alias = z
  .strictObject({
    name: z
      .string()
      .regex(extendedResource, 'not the name of an extended resource, such as "gpu.example.com/arc"')
      .refine(
        name => !/(^|\.)kubernetes\.io\//.test(name),
        'a name that is not below kubernetes.io, which are the own ones of Kubernetes',
      ),
    ids: z
      .array(z.string().regex(pciId, 'not an id of four lower-case hexadecimal digits, such as "0x56a0"'))
      .max(mostIds)
      .default([])
      .describe('devices with one of these ids; none: with any'),
    drivers: z.array(z.string().min(1).max(63)).max(mostIds).default([]).describe('with one of these drivers; none: with any'),
    exclusive: z.boolean().default(false).describe('such a device is offered by this name only, not by its own name besides'),
  })
  .refine(({ ids, drivers }) => ids.length + drivers.length > 0, 'ids, drivers or both')

export const devicesConfiguration = z.object({
  agent: z
    .strictObject({
      enabled: z.boolean().default(true).describe('agents on nodes offer devices; off: only objects of operators do'),
    })
    .prefault({}),
  scanInterval: durationBetween(1_000, 3_600_000).default('5s').describe('how often the machine is looked at'),
  cdi: z
    .strictObject({
      enabled: z.boolean().default(true).describe('containers get devices by CDI too'),
      groups: z
        .boolean()
        .default(false)
        .describe('who runs as no root may open the device: needs a runtime that knows CDI 0.7 (containerd 2)'),
    })
    .prefault({}),
  gpu: gpu.describe("as Intel's GPU plugin takes it"),
  npu: npu.describe("as Intel's NPU plugin takes it"),
  amd: amd.describe("as AMD's plugin takes it"),
  dra: dra.describe('devices by claims'),
  resources: z.array(alias).max(mostAliases).default([]).describe('other names under which devices are offered'),
  onePhysicalPerContainer: z
    .boolean()
    .default(false)
    .describe('a container that asks for several shares is to get them of one device where that has enough'),
  operator: operatorConfiguration.describe("as Intel's operator for device plugins takes it"),
})

export type DevicesConfig = z.output<typeof devicesConfiguration>
export type Alias = DevicesConfig['resources'][number]
