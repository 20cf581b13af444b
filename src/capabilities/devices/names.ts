// Names that are upstream's contract: resources, folders of the kubelet, kinds of CDI.

export const intelGpuDomain = 'gpu.intel.com'
export const intelNpuResource = 'npu.intel.com/accel'
export const amdDomain = 'amd.com'

/** Where the kubelet listens, and plugins too. */
export const pluginDirectory = '/var/lib/kubelet/device-plugins'
export const kubeletSocket = 'kubelet.sock'

export const cdiDirectory = '/var/run/cdi'

export const resourceFile = (resource: string): string => resource.replace('/', '-')

/** The name under which objects are written. */
export const capabilityName = 'devices'

/** Drivers by the names that Intel's and AMD's have, each with the kind of its files for CDI. */
export const draDrivers = {
  intelGpu: { name: 'gpu.intel.com', cdiKind: 'intel.com/gpu' },
  intelNpu: { name: 'npu.intel.com', cdiKind: 'intel.com/npu' },
  amdGpu: { name: 'gpu.amd.com', cdiKind: 'amd.com/gpu' },
} as const

/** Below it a driver has its socket and what it keeps, in a folder of its name. */
export const draDirectory = '/var/lib/kubelet/plugins'
/** The kubelet finds drivers by their sockets in it. */
export const draRegistry = '/var/lib/kubelet/plugins_registry'
