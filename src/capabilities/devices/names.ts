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
