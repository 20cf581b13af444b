// What zones say, from what kubelet and kernel say: tables.
import { describe, expect, test } from 'vitest'
import type { NumaNode } from './numa-nodes.ts'
import type { Allocatable, HeldByPod } from './pod-resources-api.ts'
import { type CountedPod, zonesOf } from './zones.ts'

const gpu = 'gpu.example.com/card'
const gibibyte = 2 ** 30
const at = (...ids: readonly number[]) => ({ nodes: ids.map(id => ({ id })) })
const devices = (resourceName: string, deviceIds: readonly string[], ...ids: readonly number[]) => ({
  ...{ resourceName, deviceIds },
  topology: ids.length === 0 ? undefined : at(...ids),
})
const memory = (size: number, ...ids: readonly number[]) => ({ memoryType: 'memory', size, topology: at(...ids) })
const node = (id: number, cpus: readonly number[], bytes = 4 * gibibyte): NumaNode => ({
  ...{ id, cpus },
  distances: new Map([
    [0, id === 0 ? 10 : 21],
    [1, id === 1 ? 10 : 21],
  ]),
  memory: new Map([
    ['memory', bytes],
    ['hugepages-2Mi', 2 ** 21 * 8],
  ]),
})
/** Two nodes of four processors; the first of each is the system's. */
const nodes = [node(0, [0, 1, 2, 3]), node(1, [4, 5, 6, 7])]
const allocatable: Allocatable = {
  cpuIds: [1, 2, 3, 5, 6, 7],
  devices: [devices(gpu, ['a'], 0), devices(gpu, ['b', 'c'], 1)],
  memory: [memory(3 * gibibyte, 0), memory(3 * gibibyte, 1)],
}
const pod = (container: Partial<HeldByPod['containers'][number]>, hasOwnCpus = true): CountedPod => ({
  held: { name: 'p', namespace: 'n', containers: [{ name: 'c', devices: [], cpuIds: [], memory: [], ...container }] },
  hasOwnCpus,
})

function told(given: Partial<Parameters<typeof zonesOf>[0]>) {
  const { zones, problems } = zonesOf({ nodes, allocatable, pods: [], excluded: new Set(), ...given })
  const of = (zone: string, resource: string) => {
    const found = zones.find(({ name }) => name === zone)?.resources.find(({ name }) => name === resource)
    return found === undefined ? undefined : [found.capacity, found.allocatable, found.available]
  }
  return { zones, problems, of, available: (resource: string) => zones.map(({ name }) => of(name, resource)?.[2]) }
}

describe('what there is', () => {
  test('zones by number, costs by distance, resources by name', () => {
    const { zones, problems } = told({})
    expect(zones[0]).toEqual({
      name: 'node-0',
      type: 'Node',
      costs: [
        { name: 'node-0', value: 10 },
        { name: 'node-1', value: 21 },
      ],
      resources: [
        { name: 'cpu', capacity: '4', allocatable: '3', available: '3' },
        { name: gpu, capacity: '1', allocatable: '1', available: '1' },
        { name: 'memory', capacity: '4294967296', allocatable: '3221225472', available: '3221225472' },
      ],
    })
    expect([zones.map(({ name }) => name), problems]).toEqual([['node-0', 'node-1'], []])
  })

  test.each([
    [
      'a node of which pods may have nothing shows its processors alone',
      { cpuIds: [1, 2, 3], devices: [], memory: [] },
      'cpu',
      ['4', '0', '0'],
    ],
    [
      'huge pages have what the kernel has of them',
      { cpuIds: [], devices: [], memory: [{ ...memory(2 ** 21, 1), memoryType: 'hugepages-2Mi' }] },
      'hugepages-2Mi',
      ['16777216', '2097152', '2097152'],
    ],
    [
      'of a size that the kernel does not tell it is what pods may have',
      { cpuIds: [], devices: [], memory: [{ ...memory(2 ** 30, 1), memoryType: 'hugepages-1Gi' }] },
      'hugepages-1Gi',
      ['1073741824', '1073741824', '1073741824'],
    ],
    ['a device of two nodes is at both', { cpuIds: [], devices: [devices(gpu, ['a'], 0, 1)], memory: [] }, gpu, ['1', '1', '1']],
    [
      'also where it is named once for each',
      { cpuIds: [], devices: [devices(gpu, ['a'], 0), devices(gpu, ['a'], 1)], memory: [] },
      gpu,
      ['1', '1', '1'],
    ],
    ['one without a node is nowhere', { cpuIds: [5], devices: [devices(gpu, ['a'])], memory: [] }, gpu, undefined],
  ])('%s', (_what, there, resource, expected) => {
    expect(told({ allocatable: there }).of('node-1', resource)).toEqual(expected)
  })

  test('numbers are written as quantities are', () => {
    expect(told({ nodes: [node(0, [0], 5_000_000_000)] }).of('node-0', 'memory')?.[0]).toBe('5G')
  })

  test('what is left out is in no zone, and pods that hold it change nothing', () => {
    const held = pod({ cpuIds: [1], memory: [memory(gibibyte, 0)], devices: [devices(gpu, ['a'], 0)] })
    const { zones } = told({ excluded: new Set(['cpu', 'memory']), pods: [held] })
    expect(zones.map(({ resources }) => resources.map(({ name, available }) => [name, available]))).toEqual([
      [[gpu, '0']],
      [[gpu, '2']],
    ])
  })
})

describe('what is left', () => {
  test.each([
    ['processors that are its own', [pod({ cpuIds: [1, 2] })], 'cpu', ['1', '3']],
    ['none where they are shared', [pod({ cpuIds: [1, 2] }, false)], 'cpu', ['3', '3']],
    ['a device', [pod({ devices: [devices(gpu, ['b'], 1)] }, false)], gpu, ['1', '1']],
    [
      'a device that two containers hold one after the other, once',
      [pod({ devices: [devices(gpu, ['b'], 1)] }), pod({ devices: [devices(gpu, ['b'], 1)] })],
      gpu,
      ['1', '1'],
    ],
    ['memory of its node', [pod({ memory: [memory(gibibyte, 1)] })], 'memory', ['3221225472', '2147483648']],
    ['memory of two nodes, the first to its end', [pod({ memory: [memory(4 * gibibyte, 0, 1)] })], 'memory', ['0', '2147483648']],
    ['in the order of the kubelet', [pod({ memory: [memory(4 * gibibyte, 1, 0)] })], 'memory', ['2147483648', '0']],
    ['no more than there is', [pod({ memory: [memory(9 * gibibyte, 0, 1)] })], 'memory', ['0', '0']],
  ])('%s', (_what, pods, resource, expected) => {
    expect(told({ pods }).available(resource)).toEqual(expected)
  })

  test('a device of two nodes is missing at both', () => {
    const there = { ...allocatable, devices: [devices(gpu, ['a'], 0, 1)] }
    expect(told({ allocatable: there, pods: [pod({ devices: [devices(gpu, ['a'], 0, 1)] })] }).available(gpu)).toEqual(['0', '0'])
  })
})

describe('what makes no sense is told and left out', () => {
  test.each([
    ['a processor of no node', { allocatable: { ...allocatable, cpuIds: [1, 99, -3] } }, 'processor 99 is at no NUMA node'],
    [
      'a node that the kernel does not know',
      { allocatable: { ...allocatable, devices: [devices(gpu, ['a'], 7)] } },
      'knows no NUMA node 7',
    ],
    ['memory below nothing', { allocatable: { ...allocatable, memory: [memory(-1, 0)] } }, '-1 bytes'],
    ['memory beyond all bounds', { allocatable: { ...allocatable, memory: [memory(2 ** 60, 0)] } }, '1152921504606847000 bytes'],
    [
      'memory that is a card',
      { allocatable: { ...allocatable, memory: [{ ...memory(1, 0), memoryType: gpu }] } },
      'are no memory',
    ],
    [
      'devices that are processors',
      { allocatable: { ...allocatable, devices: [devices('cpu', ['1'], 0)] } },
      'the resource "cpu"',
    ],
    ['a device that nobody has', { pods: [pod({ devices: [devices(gpu, ['z'], 0)] })] }, '"z" is held and not to be had'],
    ['a resource that nobody has', { pods: [pod({ devices: [devices('__proto__', ['z'], 0)] })] }, '__proto__ "z" is held'],
  ])('%s', (_what, given, why) => {
    const { zones, problems } = told(given)
    expect(problems.join('\n')).toContain(why)
    for (const { resources } of zones) for (const { available } of resources) expect(available).toMatch(/^[0-9]/)
  })
})
