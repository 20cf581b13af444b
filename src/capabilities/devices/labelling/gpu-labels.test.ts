import { expect, test } from 'vitest'
import type { GpuFacts, NodeGpus } from './gpu-facts.ts'
import { gpuLabels, labelKinds, relabelled } from './gpu-labels.ts'

const gibibyte = 1024 ** 3
const mi210: GpuFacts = {
  deviceId: '740f',
  productName: 'Instinct MI210 (64 GB)',
  driverVersion: '6.10.5',
  driverSourceVersion: undefined,
  vramBytes: 64 * gibibyte - 16 * 1024 ** 2,
  simdCount: 416,
  simdPerCu: 4,
  gfxVersion: 90_010,
  style: undefined,
  firmware: new Map([['MEC', 78]]),
}
const node = (...gpus: readonly GpuFacts[]): NodeGpus => ({ gpus, canPartitionCompute: false, canPartitionMemory: true })

test('two alike: one value each, and the legacy labels with their counts', () => {
  expect(gpuLabels(node(mi210, mi210), labelKinds)).toEqual({
    refused: [],
    labels: {
      'beta.amd.com/gpu.firmware.MEC.fw.78': '2',
      ...both('family', 'AI', 2),
      'amd.com/gpu.driver-version': '6.10.5',
      'amd.com/gpu.driver-src-version': '',
      ...both('device-id', '740f', 2),
      ...both('product-name', 'Instinct_MI210_64_GB', 2),
      ...both('vram', '64G', 2),
      ...both('simd-count', '416', 2),
      ...both('cu-count', '104', 2),
      'amd.com/gpu.compute-partitioning-supported': 'false',
      'amd.com/gpu.memory-partitioning-supported': 'true',
    },
  })
})

function both(kind: string, value: string, count: number): object {
  return {
    [`amd.com/gpu.${kind}`]: value,
    [`beta.amd.com/gpu.${kind}`]: value,
    [`beta.amd.com/gpu.${kind}.${value}`]: String(count),
  }
}

test('two that differ are counted, by both prefixes', () => {
  const other = { ...mi210, deviceId: '73bf', gfxVersion: 100_300, style: 'spx_nps1' }
  expect(gpuLabels(node(mi210, other), ['device-id', 'family', 'compute-memory-partition']).labels).toEqual({
    'amd.com/gpu.device-id.740f': '1',
    'amd.com/gpu.device-id.73bf': '1',
    'beta.amd.com/gpu.device-id.740f': '1',
    'beta.amd.com/gpu.device-id.73bf': '1',
    'amd.com/gpu.family.AI': '1',
    'amd.com/gpu.family.NV': '1',
    'beta.amd.com/gpu.family.AI': '1',
    'beta.amd.com/gpu.family.NV': '1',
    'amd.com/gpu.compute-memory-partition': 'spx_nps1',
  })
  const third = { ...mi210, style: 'cpx_nps4' }
  expect(gpuLabels(node(other, third), ['compute-memory-partition']).labels).toEqual({})
})

test('what is not asked for, not known, or no GPU, has no label', () => {
  const unknown = { ...mi210, gfxVersion: 120_000, vramBytes: undefined, simdPerCu: 0, firmware: new Map() }
  expect(gpuLabels(node(unknown), ['family', 'vram', 'cu-count', 'firmware'])).toEqual({ labels: {}, refused: [] })
  expect(gpuLabels(node(mi210), [])).toEqual({ labels: {}, refused: [] })
  expect(gpuLabels(node(), labelKinds)).toEqual({ labels: {}, refused: [] })
})

test('a name that no API server takes is left out, and told', () => {
  const odd = { ...mi210, productName: 'Pro/W7900 ™' }
  const { labels, refused } = gpuLabels(node(odd), ['product-name', 'device-id'])
  expect(Object.keys(labels)).toEqual(['beta.amd.com/gpu.device-id.740f', 'beta.amd.com/gpu.device-id', 'amd.com/gpu.device-id'])
  expect(refused.map(({ label }) => label)).toContain('amd.com/gpu.product-name=Pro/W7900_™')
})

test('old labels of all kinds go, counted ones too; those of others stay', () => {
  const others = {
    'amd.com/gpu': 'true',
    'amd.com/gpu.other': 'x',
    'amd.com/mi300x': 'true',
    'amd.com/gpu.vramx': '1',
    pool: 'gpu',
  }
  const old = {
    'amd.com/gpu.vram': '64G',
    'amd.com/gpu.device-id.740f': '1',
    'beta.amd.com/gpu.family': 'HPC',
    'beta.amd.com/gpu.family.HPC': '1',
    'beta.amd.com/gpu.firmware.MEC.fw.1': '2',
  }
  expect(relabelled({ ...others, ...old }, { 'amd.com/gpu.vram': '16G' })).toEqual({ ...others, 'amd.com/gpu.vram': '16G' })
})
