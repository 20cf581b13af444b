// The kinds of Intel's operator for device plugins: one a family of devices, each named by a word.

import type { GroupVersionResource } from '#kube/objects/resource.ts'

export const pluginGroup = 'deviceplugin.intel.com'
export const pluginVersion = 'v1'

/** In the order in which upstream's flag names them. */
export const deviceNames = ['dsa', 'dlb', 'fpga', 'gpu', 'iaa', 'qat', 'sgx', 'npu'] as const
export type DeviceName = (typeof deviceNames)[number]

/** Those that a program of Ballast serves too. */
type OwnDevice = Extract<DeviceName, 'gpu' | 'npu'>

export function isOwnDevice(device: DeviceName): device is OwnDevice {
  return device === 'gpu' || device === 'npu'
}

/** `GpuDevicePlugin` */
export function kindOf(device: DeviceName): string {
  return `${device.charAt(0).toUpperCase()}${device.slice(1)}DevicePlugin`
}

export function pluginsOf(device: DeviceName): GroupVersionResource {
  return { group: pluginGroup, version: pluginVersion, resource: `${device}deviceplugins` }
}

/** The device whose objects lie under this plural. */
export function deviceOf(resource: string): DeviceName | undefined {
  return deviceNames.find(device => pluginsOf(device).resource === resource)
}

/** What DaemonSets, their containers and images of a device are called. */
export function pluginName(device: DeviceName): string {
  return `intel-${device}-plugin`
}

/** The oldest version of images that upstream's operator of this release works with; what is older is brought up to it. */
export const leastVersion = '0.36.0'
