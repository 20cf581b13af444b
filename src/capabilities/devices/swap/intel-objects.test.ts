// What plugins of Intel are told by objects of their operator and by flags of DaemonSets, as values of ours.

import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { readValuesInput } from '#upstreams/values-input.ts'
import type { ValuesTree } from '#upstreams/values-tree.ts'
import { convertIntelObjects, isPluginObject } from './intel-objects.ts'
import { intelPlugins } from './intel-plugins.ts'

const object = (kind: string, name: string, spec: ValuesTree): ValuesTree => ({
  apiVersion: 'deviceplugin.intel.com/v1',
  kind,
  metadata: { name },
  spec,
})

function daemonSet(device: string, args: readonly string[], more: ValuesTree = {}, metadata: ValuesTree = {}): ValuesTree {
  const name = `intel-${device}-plugin`
  const containers = [{ name, image: `docker.io/intel/${name}:0.36.0`, args }]
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: 'kube-system', ...metadata },
    spec: { template: { spec: { containers, ...more } } },
  }
}

const converted = (first: ValuesTree, ...beside: readonly ValuesTree[]) =>
  convertIntelObjects(first, { beside, namespace: undefined })
const section = (first: ValuesTree, ...beside: readonly ValuesTree[]) => converted(first, ...beside).values['capabilities']
const devices = (of: object) => ({ devices: { enabled: true, ...of } })
const off = { enabled: false }
const lost = ({ report }: ReturnType<typeof converted>) =>
  report.filter(({ kind }) => kind === 'lost' || kind === 'changed').map(({ from, why }) => `${from}: ${why}`)

const igpu = object('GpuDevicePlugin', 'igpu', {
  image: 'intel/intel-gpu-plugin:0.36.0',
  logLevel: 2,
  sharedDevNum: 5,
  enableMonitoring: true,
  preferredAllocationPolicy: 'packed',
  allowIDs: '',
  nodeSelector: { 'intel.feature.node.kubernetes.io/gpu': 'true' },
  tolerations: [],
})

test('an object of the operator, and its DaemonSet, which says the same', () => {
  const owner = { kind: 'GpuDevicePlugin', name: 'igpu', controller: true }
  const set = daemonSet('gpu', ['-v', '2', '-shared-dev-num', '5'], {}, { ownerReferences: [owner] })
  const { values, isLossy, report } = converted(set, igpu)
  const gpu = { enabled: true, sharedDevNum: 5, enableMonitoring: true, allocationPolicy: 'packed' }
  expect([values, isLossy]).toEqual([{ capabilities: devices({ npu: off, amd: off, gpu }) }, false])
  expect(report.map(({ from }) => from)).toContain('GpuDevicePlugin igpu: sharedDevNum')
})

test('flags of a DaemonSet, with its nodes', () => {
  const words = ['-shared-dev-num=3', '-enable-monitoring', '-bypath', 'all', '-v=4']
  const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } }
  const more = { nodeSelector: { pool: 'media', 'kubernetes.io/arch': 'amd64', 'ballast.dev/asleep': 'true' }, affinity }
  const { values, isLossy } = converted(daemonSet('gpu', words, more))
  expect([values, isLossy]).toEqual([
    {
      capabilities: devices({
        npu: off,
        amd: off,
        gpu: { enabled: true, sharedDevNum: 3, enableMonitoring: true, bypathMode: 'all' },
      }),
      agent: { nodeSelector: { pool: 'media' }, affinity },
    },
    false,
  ])
})

test('xpumd is asked on', () => {
  const { values, isLossy } = converted(daemonSet('gpu', ['-xpumd-endpoint=/run/xpumd/intelxpuinfo.sock']))
  const xpumd = { enabled: true, socket: '/run/xpumd/intelxpuinfo.sock' }
  expect([values, isLossy]).toEqual([{ capabilities: devices({ npu: off, amd: off, gpu: { enabled: true, xpumd } }) }, false])
})

test('plugins before 0.36 monitor each driver by itself', () => {
  const old = object('GpuDevicePlugin', 'old', { image: 'intel/intel-gpu-plugin:0.34.1', enableMonitoring: true })
  expect(section(old)).toEqual(
    devices({ npu: off, amd: off, gpu: { enabled: true, enableMonitoring: true, monitoringMode: 'split' } }),
  )
})

test('GPUs and NPUs side by side', () => {
  const npu = object('NpuDevicePlugin', 'npu', { image: 'intel/intel-npu-plugin:0.36.0', sharedDevNum: 2 })
  expect(section(npu, daemonSet('gpu', []))).toEqual(
    devices({ amd: off, gpu: { enabled: true }, npu: { enabled: true, sharedDevNum: 2 } }),
  )
})

test('two plugins of one device: the same settings are one, others are named, and so are their nodes', () => {
  const same = object('GpuDevicePlugin', 'other', { ...Object(igpu['spec']) })
  expect(lost(converted(igpu, same))).toEqual([])
  const other = object('GpuDevicePlugin', 'other', { sharedDevNum: 2, nodeSelector: { pool: 'big' } })
  expect(lost(converted(igpu, other))).toEqual([
    'GpuDevicePlugin other: sharedDevNum is 2, and 5 of GpuDevicePlugin igpu: ours has one setting of gpu for all nodes',
    'GpuDevicePlugin other: enableMonitoring is undefined, and true of GpuDevicePlugin igpu: ours has one setting of gpu for all nodes',
    'GpuDevicePlugin other: allocationPolicy is undefined, and "packed" of GpuDevicePlugin igpu: ours has one setting of gpu for all nodes',
    'GpuDevicePlugin other: its nodes: other plugins have other nodes: ours offers what is there on every node',
  ])
})

test.each([
  ['a key that nobody knows', object('GpuDevicePlugin', 'a', { sharedDev: 1 }), 'unknown'],
  ['an init container', object('GpuDevicePlugin', 'a', { initImage: 'intel/intel-gpu-initcontainer:0.32.1' }), 'lost'],
  ['flags that ours refuses', daemonSet('gpu', ['-shared-dev-num=0']), 'lost'],
  ['GPUs of Windows, whose sidecar goes', daemonSet('gpu', ['-wsl']), 'lost'],
  ['ids that upstream would refuse, too', daemonSet('gpu', ['-allow-ids=0x56A0']), 'lost'],
  ['health by a sidecar', daemonSet('gpu', ['-health-management']), 'changed'],
])('named: %s', (_what, told, kind) => {
  const { report, isLossy } = converted(told)
  expect([report.some(line => line.kind === kind), isLossy]).toEqual([true, true])
})

test('kinds that ours has no plugin for stay, and nothing is lost by it', () => {
  const { report, isLossy } = converted(igpu, object('QatDevicePlugin', 'qat', {}))
  expect([report.at(-1)?.from, report.at(-1)?.kind, isLossy]).toEqual(['QatDevicePlugin qat', 'dropped', false])
})

test('a file with any number of objects is taken; one of something else is refused', () => {
  const { replaced } = intelPlugins
  const read = (...documents: readonly ValuesTree[]) =>
    readValuesInput('f.yaml', documents.map(one => stringify(one)).join('---\n'), 'intel-device-plugins-gpu', [], replaced)
  const input = read({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x' } }, igpu, daemonSet('npu', []))
  expect([input.from, input.workload?.['kind'], input.beside?.length]).toEqual(['objects', 'GpuDevicePlugin', 3])
  expect(() => read({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x' } })).toThrow(/Namespace/)
  expect([igpu, daemonSet('gpu', []), daemonSet('sgx', [])].map(isPluginObject)).toEqual([true, true, false])
})

test('releases of each of the charts are told apart, by name and by reference', () => {
  const { replaced } = intelPlugins
  const release = (chart: object) =>
    stringify({
      apiVersion: 'helm.toolkit.fluxcd.io/v2',
      kind: 'HelmRelease',
      metadata: { name: 'r' },
      spec: { ...chart, values: {} },
    })
  const repository = (name: string, url: string) =>
    stringify({
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind: 'OCIRepository',
      metadata: { name },
      spec: { url, ref: { tag: '0.36.0' } },
    })
  const chartIn = (text: string) => readValuesInput('f.yaml', text, 'intel-device-plugins-gpu', [], replaced).chart
  const named = (chart: string) => release({ chart: { spec: { chart, version: '0.36.0' } } })
  const referred = release({ chartRef: { kind: 'OCIRepository', name: 'any' } })
  const url = 'oci://ghcr.io/intel/helm-charts/intel-device-plugins-npu'
  expect([
    chartIn(named('intel-device-plugins-operator')),
    chartIn(`${referred}---\n${repository('any', url)}`),
    chartIn(release({ chartRef: { kind: 'OCIRepository', name: 'intel-device-plugins-gpu' } })),
    chartIn(referred),
  ]).toEqual(['intel-device-plugins-operator', 'intel-device-plugins-npu', 'intel-device-plugins-gpu', undefined])
})
