// Objects of Intel's kinds that both operators are given, each with what is made of it later.

import type { DeviceName } from '../../../src/capabilities/devices/operator/plugin-kinds.ts'

interface OperatorCase {
  readonly device: DeviceName
  readonly name: string
  /** One after the other. */
  readonly specs: readonly [object, ...object[]]
}

const digest = `@sha256:${'0123456789abcdef'.repeat(4)}`
const plugin = (device: DeviceName) => `intel/intel-${device}-plugin:0.36.0`
const everywhere = { tolerations: [{ operator: 'Exists' }] }
const tainted = {
  tolerations: [
    { key: 'gpu', operator: 'Equal', value: 'yes', effect: 'NoSchedule' },
    { key: 'b', tolerationSeconds: 30, effect: 'NoExecute' },
  ],
}
const labelled = { nodeSelector: { 'intel.feature.node.kubernetes.io/gpu': 'true' } }
const init = 'intel/intel-idxd-config-initcontainer:0.36.0'

export const operatorCases: readonly OperatorCase[] = [
  {
    device: 'gpu',
    name: 'igpu',
    specs: [
      { image: plugin('gpu'), sharedDevNum: 5, enableMonitoring: true },
      { image: plugin('gpu'), sharedDevNum: 10, enableMonitoring: true, monitoringMode: 'split', ...labelled },
    ],
  },
  {
    device: 'gpu',
    name: 'all',
    specs: [
      {
        image: `registry.example/intel-gpu-plugin${digest}`,
        sharedDevNum: 2,
        preferredAllocationPolicy: 'packed',
        allowIDs: '0x56a0,0x56a1',
        bypathMode: 'all',
        logLevel: 4,
        ...tainted,
      },
      { image: `registry.example/intel-gpu-plugin${digest}`, denyIDs: '0x56a0', bypathMode: 'none' },
    ],
  },
  { device: 'gpu', name: 'old', specs: [{ image: 'intel/intel-gpu-plugin:0.34.1' }, { image: 'intel/intel-gpu-plugin:0.37.0' }] },
  {
    device: 'gpu',
    name: 'init',
    specs: [
      { image: plugin('gpu'), initImage: 'intel/intel-gpu-initcontainer:0.30.0' },
      { image: plugin('gpu'), initImage: 'intel/intel-gpu-initcontainer:0.37.0', ...everywhere },
    ],
  },
  {
    device: 'gpu',
    name: 'late-init',
    specs: [{ image: plugin('gpu') }, { image: plugin('gpu'), initImage: 'intel/intel-gpu-initcontainer:0.36.0' }],
  },
  {
    device: 'npu',
    name: 'npu',
    specs: [{ image: plugin('npu') }, { image: plugin('npu'), sharedDevNum: 4, logLevel: 2, ...everywhere }],
  },
  {
    device: 'sgx',
    name: 'sgx',
    specs: [
      { image: plugin('sgx'), enclaveLimit: 110, provisionLimit: 110, dcapInfraResources: true },
      { image: plugin('sgx'), initImage: 'intel/intel-sgx-initcontainer:0.36.0' },
    ],
  },
  {
    device: 'sgx',
    name: 'sgx-init',
    specs: [{ image: plugin('sgx'), initImage: 'intel/intel-sgx-initcontainer:0.36.0' }, { image: plugin('sgx') }],
  },
  {
    device: 'qat',
    name: 'qat',
    specs: [
      { image: plugin('qat') },
      {
        image: plugin('qat'),
        dpdkDriver: 'igb_uio',
        maxNumDevices: 1,
        preferredAllocationPolicy: 'balanced',
        kernelVfDrivers: ['4xxxvf', '420xxvf'],
      },
    ],
  },
  {
    device: 'qat',
    name: 'qat-init',
    specs: [
      {
        image: plugin('qat'),
        initImage: 'intel/intel-qat-initcontainer:0.36.0',
        kernelVfDrivers: ['dh895xccvf', 'c3xxxvf', 'c6xxvf', 'd15xxvf', '4xxxvf', '420xxvf', 'c4xxxvf', '6xxxvf'],
        provisioningConfig: 'one',
      },
      {
        image: plugin('qat'),
        initImage: 'intel/intel-qat-initcontainer:0.36.0',
        kernelVfDrivers: ['4xxxvf'],
        provisioningConfig: 'two',
      },
    ],
  },
  {
    device: 'qat',
    name: 'qat-bare',
    specs: [
      {
        image: plugin('qat'),
        initImage: 'intel/intel-qat-initcontainer:0.36.0',
        kernelVfDrivers: ['4xxxvf'],
        provisioningConfig: 'one',
      },
      { image: plugin('qat'), kernelVfDrivers: ['4xxxvf'] },
    ],
  },
  {
    device: 'dsa',
    name: 'dsa',
    specs: [
      { image: plugin('dsa'), initImage: init, provisioningConfig: 'one', sharedDevNum: 10 },
      { image: plugin('dsa'), initImage: init, provisioningConfig: 'two', driver: 'vfio-pci' },
    ],
  },
  { device: 'dsa', name: 'dsa-vfio', specs: [{ image: plugin('dsa'), driver: 'vfio-pci' }, { image: plugin('dsa') }] },
  { device: 'dsa', name: 'dsa-bare', specs: [{ image: plugin('dsa'), initImage: init }, { image: plugin('dsa') }] },
  {
    device: 'iaa',
    name: 'iaa',
    specs: [
      { image: plugin('iaa'), initImage: init, provisioningConfig: 'one', sharedDevNum: 10, nodeSelector: { iaa: 'true' } },
      { image: plugin('iaa') },
    ],
  },
  {
    device: 'dlb',
    name: 'dlb',
    specs: [{ image: plugin('dlb') }, { image: plugin('dlb'), initImage: 'intel/intel-dlb-initcontainer:0.36.0', ...labelled }],
  },
  {
    device: 'dlb',
    name: 'dlb-init',
    specs: [{ image: plugin('dlb'), initImage: 'intel/intel-dlb-initcontainer:0.36.0' }, { image: plugin('dlb') }],
  },
  {
    device: 'fpga',
    name: 'fpga',
    specs: [
      { image: plugin('fpga'), initImage: 'intel/intel-fpga-initcontainer:0.36.0' },
      { image: plugin('fpga'), initImage: 'intel/intel-fpga-initcontainer:0.37.0', mode: 'region' },
    ],
  },
]

interface AskedCase {
  readonly device: DeviceName
  readonly spec: object | undefined
}

const ofImage = (device: DeviceName, image: string, over: object = {}): AskedCase => ({ device, spec: { image, ...over } })
const gpu = (over: object) => ofImage('gpu', plugin('gpu'), over)

/** Objects that are written, and either refused or taken. */
export const askedCases: readonly AskedCase[] = [
  ...(['gpu', 'npu', 'sgx', 'qat', 'dsa', 'iaa', 'dlb'] as const).flatMap((device): readonly AskedCase[] => [
    { device, spec: undefined },
    { device, spec: {} },
    { device, spec: { image: '' } },
    ofImage(device, plugin(device)),
    ofImage(device, `r.example:5000/a/b/intel-${device}-plugin:0.36.1`),
    ofImage(device, `intel/intel-${device}-plugin:v0.36.0`),
    ofImage(device, `intel/intel-${device}-plugin:0.35.9`),
    ofImage(device, `intel/intel-${device}-plugin:1.0`),
    ofImage(device, `intel/intel-${device}-plugin:devel`),
    ofImage(device, `intel/intel-${device}-plugin:0.36.0-rc.1`),
    ofImage(device, `intel/intel-${device}-plugin:0.37.0-rc.1+b`),
    ofImage(device, `intel/intel-${device}-plugin`),
    ofImage(device, `intel/intel-${device}-plugin:01.36.0`),
    ofImage(device, 'intel/other:1.0.0'),
    ofImage(device, `r/intel-${device}-plugin${digest}`),
    ofImage(device, `r/intel-${device}-plugin${digest}0`),
    ofImage(device, `r/intel-${device}-plugin@sha256:1234`),
    ofImage(device, `r/intel-${device}-plugin:0.36.0${digest}`),
    ofImage(device, `r/intel-other-plugin${digest}`),
  ]),
  ofImage('gpu', 'intel/intel-gpu-plugin:0.10.0'),
  gpu({ preferredAllocationPolicy: 'packed' }),
  gpu({ preferredAllocationPolicy: 'packed', sharedDevNum: 1 }),
  gpu({ preferredAllocationPolicy: 'balanced', sharedDevNum: 1 }),
  gpu({ preferredAllocationPolicy: 'none', sharedDevNum: 1 }),
  gpu({ preferredAllocationPolicy: 'packed', sharedDevNum: 2 }),
  gpu({ allowIDs: '0x56a0' }),
  gpu({ allowIDs: '0x56a0,0x56a1' }),
  gpu({ allowIDs: '0x56a0, 0x56a1' }),
  gpu({ allowIDs: '0x56A0' }),
  gpu({ allowIDs: '0x56a0,' }),
  gpu({ denyIDs: '56a0' }),
  gpu({ denyIDs: ',' }),
  gpu({ denyIDs: '0x56a0' }),
  gpu({ allowIDs: '0x56a0', denyIDs: '0x7d51' }),
  ofImage('sgx', plugin('sgx'), { initImage: 'intel/intel-sgx-initcontainer:0.36.0' }),
  ofImage('sgx', plugin('sgx'), { initImage: 'intel/intel-sgx-initcontainer:0.35.0' }),
  ofImage('sgx', plugin('sgx'), { initImage: 'intel/other:0.36.0' }),
  ofImage('dsa', plugin('dsa'), { provisioningConfig: 'c' }),
  ofImage('dsa', plugin('dsa'), { provisioningConfig: 'c', initImage: init }),
  ofImage('iaa', plugin('iaa'), { provisioningConfig: 'c' }),
  ofImage('iaa', plugin('iaa'), { provisioningConfig: 'c', initImage: init }),
  ofImage('iaa', plugin('iaa'), { initImage: 'intel/intel-iaa-initcontainer:0.36.0' }),
  ofImage('qat', plugin('qat'), { provisioningConfig: 'c' }),
  ofImage('qat', plugin('qat'), { provisioningConfig: 'c', initImage: 'intel/intel-qat-initcontainer:0.36.0' }),
  ofImage('qat', plugin('qat'), {
    provisioningConfig: 'c',
    initImage: 'intel/intel-qat-initcontainer:0.36.0',
    kernelVfDrivers: ['c6xxvf'],
  }),
  ofImage('qat', plugin('qat'), {
    provisioningConfig: 'c',
    initImage: 'intel/intel-qat-initcontainer:0.36.0',
    kernelVfDrivers: ['c6xxvf', '420xxvf'],
  }),
  ofImage('dlb', plugin('dlb'), { initImage: 'intel/intel-dlb-initimage:0.36.0' }),
  ofImage('fpga', plugin('fpga')),
  ofImage('fpga', plugin('fpga'), { initImage: 'intel/intel-fpga-initimage:0.36.0' }),
  ofImage('fpga', plugin('fpga'), { initImage: 'intel/other:0.36.0' }),
]

/** The object of a question. */
export function askedObject({ device, spec }: AskedCase) {
  const kind = `${device.charAt(0).toUpperCase()}${device.slice(1)}DevicePlugin`
  return { apiVersion: 'deviceplugin.intel.com/v1', kind, metadata: { name: 'asked' }, ...(spec === undefined ? {} : { spec }) }
}

const epc = (amount: string, requested = amount, more: object = {}) => ({
  resources: {
    limits: { cpu: '1', 'sgx.intel.com/epc': amount, ...more },
    requests: { cpu: '1', 'sgx.intel.com/epc': requested, ...more },
  },
})
const quoted = (by: string) => ({ 'sgx.intel.com/quote-provider': by })

/** Pods as they are created: annotations, containers, volumes. */
export const podCases: readonly {
  readonly annotations?: Readonly<Record<string, string>>
  readonly containers: readonly object[]
  readonly volumes?: readonly object[]
}[] = [
  { containers: [{ name: 'a' }] },
  { containers: [{ name: 'a', ...epc('512Ki') }] },
  { containers: [{ name: 'a', ...epc('1Mi') }, { name: 'b' }, { name: 'c', ...epc('1048576') }], annotations: { other: 'x' } },
  { containers: [{ name: 'a', ...epc('1Mi', '2Mi') }] },
  { containers: [{ name: 'a', ...epc('0') }] },
  { containers: [{ name: 'a', ...epc('1Mi') }], annotations: quoted('a') },
  { containers: [{ name: 'a', ...epc('1Mi') }], annotations: quoted('other') },
  { containers: [{ name: 'a', ...epc('1Mi') }], annotations: quoted('aesmd') },
  {
    containers: [
      { name: 'a', ...epc('1Mi') },
      { name: 'aesmd', ...epc('1Mi') },
    ],
    annotations: quoted('aesmd'),
  },
  { containers: [{ name: 'aesmd', ...epc('1Mi') }], annotations: quoted('aesmd') },
  { containers: [{ name: 'a', ...epc('1Mi') }, { name: 'aesmd' }], annotations: quoted('aesmd') },
  {
    containers: [
      {
        name: 'a',
        ...epc('1Mi'),
        env: [{ name: 'X', value: 'y' }],
        volumeMounts: [{ name: 'own', mountPath: '/var/run/aesmd' }],
      },
      { name: 'b', ...epc('1Mi', '1Mi', { 'sgx.intel.com/provision': '1' }), volumeMounts: [{ name: 'own', mountPath: '/x' }] },
    ],
    annotations: quoted('aesmd'),
    volumes: [{ name: 'own', emptyDir: {} }],
  },
  { containers: [{ name: 'a', ...epc('1Mi') }], annotations: quoted('aesmd'), volumes: [{ name: 'aesmd-socket', emptyDir: {} }] },
  { containers: [{ name: 'a' }], annotations: quoted('aesmd') },
  {
    containers: [
      { name: 'a', ...epc('1k') },
      { name: 'b', ...epc('24') },
    ],
  },
]

export function podObject({ annotations, containers, volumes }: (typeof podCases)[number]) {
  const metadata = { name: 'asked', namespace: 'default', ...(annotations === undefined ? {} : { annotations }) }
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers, ...(volumes === undefined ? {} : { volumes }) } }
}

/** What a webhook may change of a pod. */
export function podParts({
  metadata,
  spec,
}: {
  readonly metadata: { readonly annotations?: object }
  readonly spec: unknown
}): object {
  return { annotations: metadata.annotations ?? {}, spec: withoutEmpty(spec) }
}

/** Go writes resources of containers that have none. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([key, inner]) => key !== 'resources' || JSON.stringify(inner) !== '{}')
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutEmpty(inner)]))
}
