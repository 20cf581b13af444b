// The DaemonSet of each plugin, field by field as upstream's: who reads one, or changes it by Kustomize, finds what was there before.

import type { Mount, PluginContainer, Volume } from './daemon-set.ts'
import { type DeviceName, leastVersion, pluginName } from './plugin-kinds.ts'

interface HostMount extends Mount {
  readonly type?: 'DirectoryOrCreate' | 'CharDevice'
  /** A volume for another container of the pod. */
  readonly isElsewhere?: boolean
}

interface Template {
  /** CPU and memory that are asked for, and the most of both. */
  readonly amounts: readonly [string, string, string, string]
  readonly mounts: readonly HostMount[]
  readonly isWithoutToken?: boolean
  readonly isWithoutSeLinux?: boolean
  readonly isWithoutNodeName?: boolean
  readonly hasHostAddress?: boolean
  readonly terminationMessagePath?: string
}

const read = (name: string, mountPath: string, type?: HostMount['type']): HostMount => ({
  name,
  mountPath,
  readOnly: true,
  ...(type === undefined ? {} : { type }),
})
const sockets: HostMount = { name: 'kubeletsockets', mountPath: '/var/lib/kubelet/device-plugins' }
const cdi = (name: string): HostMount => ({ name, mountPath: '/var/run/cdi', type: 'DirectoryOrCreate' })

const templates: Readonly<Record<DeviceName, Template>> = {
  gpu: {
    amounts: ['40m', '45Mi', '100m', '90Mi'],
    hasHostAddress: true,
    mounts: [read('devfs', '/dev/dri'), read('sysfsdrm', '/sys/class/drm'), sockets, cdi('cdipath')],
  },
  npu: {
    amounts: ['40m', '45Mi', '100m', '90Mi'],
    mounts: [read('devfs', '/dev/accel'), read('sysfsaccel', '/sys/class/accel'), sockets],
  },
  sgx: {
    amounts: ['40m', '15Mi', '100m', '30Mi'],
    isWithoutToken: true,
    isWithoutNodeName: true,
    mounts: [
      sockets,
      read('sgx-enclave', '/dev/sgx_enclave', 'CharDevice'),
      read('sgx-provision', '/dev/sgx_provision', 'CharDevice'),
      cdi('cdipath'),
    ],
  },
  dlb: {
    amounts: ['40m', '15Mi', '100m', '30Mi'],
    isWithoutToken: true,
    isWithoutSeLinux: true,
    terminationMessagePath: '/tmp/termination-log',
    mounts: [read('devfs', '/dev'), read('sysfs', '/sys/class/dlb2'), sockets],
  },
  fpga: {
    amounts: ['80m', '30Mi', '160m', '60Mi'],
    terminationMessagePath: '/tmp/termination-log',
    mounts: [
      read('devfs', '/dev'),
      read('sysfs', '/sys/class'),
      sockets,
      { name: 'intel-fpga-sw', mountPath: '/opt/intel/fpga-sw', type: 'DirectoryOrCreate', isElsewhere: true },
      cdi('cdidir'),
    ],
  },
  qat: {
    amounts: ['70m', '15Mi', '140m', '30Mi'],
    isWithoutToken: true,
    mounts: [
      read('devdir', '/dev/vfio'),
      read('debugfsdir', '/sys/kernel/debug'),
      { name: 'pcidir', mountPath: '/sys/bus/pci' },
      sockets,
    ],
  },
  dsa: {
    amounts: ['50m', '25Mi', '100m', '50Mi'],
    isWithoutToken: true,
    mounts: [read('devfs', '/dev/dsa'), read('chardevs', '/dev/char'), read('sysfs', '/sys/bus/dsa'), sockets],
  },
  iaa: {
    amounts: ['60m', '25Mi', '120m', '50Mi'],
    isWithoutToken: true,
    mounts: [read('devfs', '/dev/iax'), read('chardevs', '/dev/char'), read('sysfs', '/sys/bus/dsa/devices'), sockets],
  },
}

/** Where nothing else is asked for: upstream builds its images for nothing else. */
export const standardNodeSelector = { 'kubernetes.io/arch': 'amd64' } as const

/**
 * `devices` is the folder of the host that stands in the first mount, for drivers whose files lie elsewhere. The container has it at the same
 * path as ever, as with upstream.
 */
export function templatePod(
  device: DeviceName,
  devices?: string,
): { readonly container: PluginContainer; readonly volumes: readonly Volume[]; readonly rest: object } {
  const { amounts, mounts, ...of } = templates[device]
  const [cpu, memory, mostCpu, mostMemory] = amounts
  const env = [
    ...(of.isWithoutNodeName === true ? [] : [fieldOf('NODE_NAME', 'spec.nodeName')]),
    ...(of.hasHostAddress === true ? [fieldOf('HOST_IP', 'status.hostIP')] : []),
  ]
  const path = of.terminationMessagePath
  const container: PluginContainer = {
    name: pluginName(device),
    image: `intel/${pluginName(device)}:${leastVersion}`,
    imagePullPolicy: 'IfNotPresent',
    ...(env.length === 0 ? {} : { env }),
    securityContext: {
      ...(of.isWithoutSeLinux === true ? {} : { seLinuxOptions: { type: 'container_device_plugin_t' } }),
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...(path === undefined ? {} : { terminationMessagePath: path }),
    resources: { requests: { cpu, memory }, limits: { cpu: mostCpu, memory: mostMemory } },
    volumeMounts: mounts
      .filter(({ isElsewhere }) => isElsewhere !== true)
      .map(({ name, mountPath, readOnly }) => ({ name, mountPath, ...(readOnly === true ? { readOnly } : {}) })),
  }
  return {
    container,
    volumes: mounts.map(({ name, mountPath, type }, at) => ({
      name,
      hostPath: { path: at === 0 ? (devices ?? mountPath) : mountPath, ...(type === undefined ? {} : { type }) },
    })),
    rest: of.isWithoutToken === true ? { automountServiceAccountToken: false } : {},
  }
}

const fieldOf = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } })
