import { describe, expect, test } from 'vitest'
import type { ResourceSlice } from '#cluster/devices/device-shapes.ts'
import type { FoundDevice } from '../discovery/found-device.ts'
import type { DraDevice } from './dra-devices.ts'
import { type SliceSettings, slicedDevices, sliceWrites } from './slices.ts'

const settings: SliceSettings = { driver: 'gpu.intel.com', node: 'n1', taintEffect: 'NoSchedule', keepsTaints: true }
const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'uid-n1', controller: true }
const nothingSent = () => false

const found: FoundDevice = {
  ...{ id: 'card0', resource: 'gpu.intel.com/i915', address: '0000:00:02.0', pciId: '0x7d51', vendor: 'intel', kind: 'gpu' },
  ...{ driver: 'i915', nodes: [], mounts: [], numaNodes: [], directory: '/sys/card0', shares: 1 },
}
const device = (at: number, more: Partial<DraDevice> = {}, of: Partial<FoundDevice> = {}): DraDevice => ({
  name: `d${String(at).padStart(3, '0')}`,
  driver: 'gpu.intel.com',
  found: { ...found, ...of },
  isWatched: true,
  isVirtualFunction: false,
  canSplit: false,
  ...more,
})
const hot = { complaint: { why: 'too hot', about: ['temperature', 'memory'] as const } }
const many = (count: number) => Array.from({ length: count }, (_, at) => device(at))

function written(present: readonly ResourceSlice[], devices: readonly DraDevice[], of: Partial<SliceSettings> = {}) {
  const all = { ...settings, ...of }
  return sliceWrites(present, { ...all, devices: slicedDevices(devices, all), owner, isAsSent: nothingSent })
}

/** As the server keeps them. */
const kept = (slices: readonly ResourceSlice[]): readonly ResourceSlice[] =>
  slices.map(slice => ({ ...slice, metadata: { ...slice.metadata, uid: `uid-${slice.metadata.name}`, resourceVersion: '1' } }))

describe('the slices of a pool', () => {
  test.each([
    ['none', [], []],
    ['one', many(1), [1]],
    ['as many as fit', many(128), [128]],
    ['more', many(130), [128, 2]],
    ['fewer where one has a taint', [...many(64), device(64, hot)], [64, 1]],
    ['as many as ever where taints are off', [...many(64), device(64, hot)], [65], { taintEffect: 'none' }],
    ['without the unhealthy where the server keeps no taints', [...many(2), device(2, hot)], [2], { keepsTaints: false }],
  ] as const)('%s', (_, devices, sizes, of: Partial<SliceSettings> = {}) => {
    expect(slicedDevices(devices, { ...settings, ...of }).map(list => list.length)).toEqual(sizes)
  })

  test('say what a device is', () => {
    const numa = { pcieRoot: 'pci0000:00', canSplit: true, memory: 16n * 1_024n ** 3n, ...hot }
    expect(slicedDevices([device(0, numa, { shares: 1_000, numaNodes: [1] })], settings)).toEqual([
      [
        {
          name: 'd000',
          attributes: {
            ...{ type: { string: 'gpu' }, driver: { string: 'i915' }, pciId: { string: '0x7d51' } },
            ...{
              pciAddress: { string: '0000:00:02.0' },
              health: { string: 'Unhealthy' },
              sriov: { bool: true },
              numaNode: { int: 1 },
            },
            'resource.kubernetes.io/pciBusID': { string: '0000:00:02.0' },
            'resource.kubernetes.io/pcieRoot': { string: 'pci0000:00' },
          },
          allowMultipleAllocations: true,
          capacity: {
            shares: { value: '1k', requestPolicy: { default: '1', validRange: { min: '1', step: '1' } } },
            memory: { value: '16Gi', requestPolicy: { default: '0', validRange: { min: '0' } } },
          },
          taints: [{ key: 'HealthIssues-memory_temperature', effect: 'NoSchedule' }],
        },
      ],
    ])
    const [[plain] = []] = slicedDevices([device(0, { memory: 1_024n, isVirtualFunction: true })], settings)
    expect(plain).toMatchObject({ attributes: { type: { string: 'vf' } }, capacity: { memory: { value: '1Ki' } } })
    expect(plain).not.toHaveProperty('allowMultipleAllocations')
    expect(plain?.capacity?.['memory']).not.toHaveProperty('requestPolicy')
  })
})

describe('what is written', () => {
  const first = written([], many(130))
  const present = kept(first?.puts ?? [])

  test('130 devices are two slices of one generation, and nothing once they are there', () => {
    expect(first?.puts.map(({ metadata, spec }) => [metadata.name, spec.pool, spec.devices?.length])).toEqual([
      ['0-gpu.intel.com-n1', { name: 'n1', generation: 1, resourceSliceCount: 2 }, 128],
      ['1-gpu.intel.com-n1', { name: 'n1', generation: 1, resourceSliceCount: 2 }, 2],
    ])
    expect(written(present, many(130))).toBeUndefined()
    expect(written([], [])).toBeUndefined()
  })

  const [one, two] = present
  if (one === undefined || two === undefined) throw new Error('two slices')
  const foreign: ResourceSlice = { ...two, metadata: { name: 'foreign', uid: 'uid-foreign' } }
  const changed = (spec: Partial<ResourceSlice['spec']>): ResourceSlice => ({ ...two, spec: { ...two.spec, ...spec } })
  test.each([
    ['a slice is gone', [one], [], 2],
    ['a slice is of another generation', [one, changed({ pool: { ...two.spec.pool, generation: 7 } })], [], 8],
    ['a slice counts otherwise', [one, changed({ pool: { ...two.spec.pool, resourceSliceCount: 1 } })], [], 2],
    ['a slice has other devices', [one, changed({ devices: [] })], [], 2],
    ['a slice is nobody’s', [one, { ...two, metadata: { ...two.metadata, ownerReferences: [] } }], [], 2],
    [
      'the node is another one',
      [one, { ...two, metadata: { ...two.metadata, ownerReferences: [{ ...owner, uid: 'x' }] } }],
      [],
      2,
    ],
    ['there is one more', [one, two, foreign], ['foreign'], 2],
  ] as const)('%s: all have the next generation', (_, there, deleted, generation) => {
    const writes = written(there, many(130))
    expect(writes?.deletes.map(({ metadata }) => metadata.name)).toEqual(deleted)
    expect(writes?.puts.map(({ spec }) => spec.pool)).toEqual(
      [0, 1].map(() => ({ name: 'n1', generation, resourceSliceCount: 2 })),
    )
  })

  test('what is not needed goes, and what is there is written over', () => {
    const writes = written(present, many(3))
    expect(writes?.deletes.map(({ metadata }) => metadata.name)).toEqual(['1-gpu.intel.com-n1'])
    expect(writes?.puts).toMatchObject([{ metadata: { uid: 'uid-0-gpu.intel.com-n1', resourceVersion: '1' } }])
    expect(written(present, [])?.deletes).toHaveLength(2)
    expect(written(present, [])?.puts).toEqual([])
  })

  test('amounts that a server writes otherwise are the same; a taint that stays keeps its time', () => {
    const shared = [device(0, hot, { shares: 1_000 })]
    const puts = kept(written([], shared)?.puts ?? [])
    const served = puts.map(slice => ({
      ...slice,
      spec: {
        ...slice.spec,
        devices: (slice.spec.devices ?? []).map(one => ({
          ...one,
          capacity: { shares: { ...one.capacity?.['shares'], value: '1000' } },
          taints: (one.taints ?? []).map(taint => ({ ...taint, timeAdded: '2026-03-02T04:00:00Z' })),
        })),
      },
    }))
    expect(written(served, shared)).toBeUndefined()
    expect(written(served, [...shared, device(1)])?.puts[0]?.spec.devices?.[0]?.taints).toEqual([
      { key: 'HealthIssues-memory_temperature', effect: 'NoSchedule', timeAdded: '2026-03-02T04:00:00Z' },
    ])
  })

  test('a server that keeps less than it was sent is not asked again and again', () => {
    const shared = [device(0, {}, { shares: 2 })]
    const devices = slicedDevices(shared, settings)
    const bare = kept(written([], shared)?.puts ?? []).map(slice => ({
      ...slice,
      spec: { ...slice.spec, devices: (slice.spec.devices ?? []).map(({ allowMultipleAllocations: _, ...rest }) => rest) },
    }))
    expect(sliceWrites(bare, { ...settings, devices, owner, isAsSent: () => true })).toBeUndefined()
    expect(sliceWrites(bare, { ...settings, devices, owner, isAsSent: nothingSent })?.puts).toHaveLength(1)
  })

  test('names stay within what a name may have, and apart', () => {
    const nodes = ['a', 'b'].map(end => `${'n'.repeat(60)}.${'m'.repeat(180)}.${end}`)
    const names = nodes.map(node => written([], many(1), { node })?.puts[0]?.metadata.name ?? '')
    expect(names.map(name => name.length <= 253 && /^[a-z0-9][-a-z0-9.]*[a-z0-9]$/.test(name))).toEqual([true, true])
    expect(names[0]).not.toBe(names[1])
  })
})
