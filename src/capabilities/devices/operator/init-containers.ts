// The container that prepares a node before the plugin of a device starts, and the volumes that it alone needs: there where an object names its image.

import type { Mount, PluginContainer, Volume } from './daemon-set.ts'
import type { DeviceName } from './plugin-kinds.ts'
import type { PluginSpec } from './plugin-schema.ts'

interface Preparation {
  readonly container: PluginContainer
  readonly volumes: readonly Volume[]
}

const featureFiles = '/etc/kubernetes/node-feature-discovery/source.d/'
const initType = { seLinuxOptions: { type: 'container_device_plugin_init_t' } } as const
const readOnlyRoot = { readOnlyRootFilesystem: true } as const
const mayAll = { ...readOnlyRoot, privileged: true } as const

const nodeName = { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } } as const
const hostPath = (name: string, path: string, type?: 'DirectoryOrCreate'): Volume => ({
  name,
  hostPath: type === undefined ? { path } : { path, type },
})
const configVolume = (name: string, of: string, mode?: number): Volume => ({
  name,
  configMap: mode === undefined ? { name: of } : { name: of, defaultMode: mode },
})
const at = (name: string, mountPath: string): Mount => ({ name, mountPath })

/** By name of the driver of virtual functions, the PCI ids of its physical ones. One is not known to upstream either. */
const physicalIds: Readonly<Record<string, string>> = {
  dh895xccvf: '0434 0435',
  c3xxxvf: '19e2',
  c6xxvf: '37c8',
  d15xxvf: '6f54',
  '4xxxvf': '4940 4942 4944',
  '420xxvf': '4946',
  c4xxxvf: '18a0',
}

/** Volumes of each preparation, whether or not an object asks for it: who asks no more loses them. */
const own: Readonly<Record<DeviceName, readonly string[]>> = {
  gpu: ['nfd-sources', 'nfd-features'],
  npu: [],
  sgx: ['nfd-features'],
  qat: ['sysfs', 'intel-qat-config-volume'],
  dsa: ['sys-bus-dsa', 'sys-bus-pci', 'sys-devices', 'scratch', 'intel-dsa-config-volume'],
  iaa: ['sys-bus-dsa', 'sys-devices', 'scratch', 'intel-iaa-config-volume'],
  dlb: ['sysfs-devices', 'sysfs-driver-dlb2'],
  fpga: [],
}

const names: Readonly<Record<DeviceName, string | undefined>> = {
  gpu: 'intel-gpu-initcontainer',
  npu: undefined,
  sgx: 'intel-sgx-initcontainer',
  qat: 'intel-qat-initcontainer',
  dsa: 'intel-idxd-config-initcontainer',
  iaa: 'intel-iaa-initcontainer',
  dlb: 'enable-vfs',
  fpga: 'intel-fpga-initcontainer',
}

/** What the container and its volumes are called, there or not. */
export function preparationNames(device: DeviceName): {
  readonly container: string | undefined
  readonly volumes: readonly string[]
} {
  return { container: names[device], volumes: own[device] }
}

/** What `spec` asks for; undefined: nothing is prepared. */
export function preparationOf(device: DeviceName, spec: PluginSpec): Preparation | undefined {
  const { initImage = '' } = spec
  const name = names[device]
  // The plugin for FPGAs never goes without.
  const image = device === 'fpga' && initImage === '' ? standardFpgaImage : initImage
  if (name === undefined || image === '') return undefined
  const { volumes, ...rest } = further[device](spec)
  return { container: { name, image, imagePullPolicy: 'IfNotPresent', ...rest }, volumes }
}

const standardFpgaImage = 'intel/intel-fpga-initcontainer:0.36.0'

type Further = Omit<PluginContainer, 'name' | 'image'> & { readonly volumes: readonly Volume[] }

const featureFile = (volume: string): Further => ({
  securityContext: { ...initType, ...readOnlyRoot },
  volumeMounts: [at(volume, featureFiles)],
  volumes: [hostPath(volume, featureFiles, 'DirectoryOrCreate')],
})

function queues(device: 'dsa' | 'iaa', { driver, provisioningConfig = '' }: PluginSpec): Further {
  const isDsa = device === 'dsa'
  const config = `intel-${device}-config-volume`
  const isConfigured = provisioningConfig !== ''
  const folders = [
    ['sys-bus-dsa', '/sys/bus/dsa'],
    ...(isDsa ? [['sys-bus-pci', '/sys/bus/pci']] : []),
    ['sys-devices', '/sys/devices'],
  ]
  return {
    env: [
      nodeName,
      { name: 'DEVICE_TYPE', value: device },
      ...(isDsa ? [{ name: 'DSA_DRIVER', value: driver === 'vfio-pci' ? driver : 'idxd' }] : []),
    ],
    securityContext: { ...initType, ...mayAll },
    volumeMounts: [
      ...folders.map(([name = '', path = '']) => at(name, path)),
      at('scratch', '/idxd-init/scratch'),
      ...(isConfigured ? [at(config, '/idxd-init/conf')] : []),
    ],
    volumes: [
      ...folders.map(([name = '', path = '']) => hostPath(name, path)),
      { name: 'scratch', emptyDir: {} },
      ...(isConfigured ? [configVolume(config, provisioningConfig)] : []),
    ],
  }
}

/** Owner and group may read files of the ConfigMap. */
const readableMode = 0o440

const further: Readonly<Record<DeviceName, (spec: PluginSpec) => Further>> = {
  gpu: () => featureFile('nfd-sources'),
  npu: () => ({ volumes: [] }),
  sgx: () => featureFile('nfd-features'),
  qat: ({ kernelVfDrivers = [], provisioningConfig = '' }) => {
    const config = 'intel-qat-config-volume'
    const isConfigured = provisioningConfig !== ''
    return {
      env: [
        { name: 'ENABLED_QAT_PF_PCIIDS', value: kernelVfDrivers.map(driver => physicalIds[driver] ?? '').join(' ') },
        nodeName,
      ],
      securityContext: { ...initType, ...mayAll },
      volumeMounts: [at('sysfs', '/sys'), ...(isConfigured ? [at(config, '/qat-init/conf')] : [])],
      volumes: [
        hostPath('sysfs', '/sys', 'DirectoryOrCreate'),
        ...(isConfigured ? [configVolume(config, provisioningConfig, readableMode)] : []),
      ],
    }
  },
  dsa: spec => queues('dsa', spec),
  iaa: spec => queues('iaa', spec),
  dlb: () => ({
    securityContext: mayAll,
    volumeMounts: [at('sysfs-devices', '/sys/devices'), at('sysfs-driver-dlb2', '/sys/bus/pci/drivers/dlb2')],
    volumes: [
      hostPath('sysfs-devices', '/sys/devices', 'DirectoryOrCreate'),
      hostPath('sysfs-driver-dlb2', '/sys/bus/pci/drivers/dlb2', 'DirectoryOrCreate'),
    ],
  }),
  fpga: () => ({
    securityContext: { ...readOnlyRoot, allowPrivilegeEscalation: false },
    volumeMounts: [at('intel-fpga-sw', '/opt/intel/fpga-sw')],
    // Its volume is in the template, since it is always there.
    volumes: [],
  }),
}
