// What machines offer: trees of sysfs and /dev, and the resources, ids and files that follow.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { HostTree } from '#machines/host-tree.ts'
import { allocate } from '../src/capabilities/devices/allocation/allocate.ts'
import { kinshipOf, linkedShares } from '../src/capabilities/devices/allocation/linked.ts'
import { cdiSpec, pluginCdi } from '../src/capabilities/devices/cdi/cdi-spec.ts'
import { devicesConfiguration } from '../src/capabilities/devices/config.ts'
import { lookAt, type Offer, offersOf } from '../src/capabilities/devices/discovery/offers.ts'
import { amdCard, computeNode, type Files, intelCard, kfd, merged, npu } from './real/devices/device-trees.ts'
import { writeTree } from './real/features/tree-files.ts'

const roots: string[] = []
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true })
})

function offers(files: Files, section: object = {}, ill: readonly string[] = []) {
  const root = mkdtempSync(join(tmpdir(), 'ballast-devices-'))
  roots.push(root)
  writeTree(root, { files: { 'sys/class': { directory: true }, dev: { directory: true }, ...files } })
  const config = devicesConfiguration.parse(section)
  const machine = lookAt(new HostTree({ hostPrefix: `${root}/`, ownRoot: root }), config)
  const found = offersOf(machine, config, new Set(ill))
  const ids = Object.fromEntries([...found].map(([resource, { shares }]) => [resource, [...shares.keys()]]))
  const paths = (resource: string, id: string) =>
    found
      .get(resource)
      ?.shares.get(id)
      ?.nodes.map(({ path }) => path)
  const mounts = (resource: string, id: string) => found.get(resource)?.shares.get(id)?.mounts
  const offer = (resource: string): Offer => {
    const one = found.get(resource)
    if (one === undefined) throw new Error(`no ${resource}`)
    return one
  }
  return { machine, found, ids, paths, mounts, offer }
}

const igpu = { address: '0000:00:02.0', render: 128 } as const
const card = (number: number) => ['card0', 'card1', 'card2'][number] ?? ''
const dri = (...names: readonly string[]) => names.map(name => `/dev/dri/${name}`)

describe('GPUs of Intel', () => {
  test('a card that five share, by its driver', () => {
    const { ids, paths } = offers(intelCard(0, { ...igpu, driver: 'xe', control: true }), { gpu: { sharedDevNum: 5 } })
    expect(ids).toEqual({ 'gpu.intel.com/xe': ['card0-0', 'card0-1', 'card0-2', 'card0-3', 'card0-4'] })
    expect(paths('gpu.intel.com/xe', 'card0-4')).toEqual(dri('card0', 'renderD128'))
  })
  test('without a driver it counts as i915', () => {
    expect(offers(intelCard(0, igpu)).ids).toEqual({ 'gpu.intel.com/i915': ['card0-0'] })
  })
  test('who watches gets all cards, and their firmware interfaces', () => {
    const files = merged(
      intelCard(0, { ...igpu, driver: 'i915', mei: ['mei1'] }),
      intelCard(1, { address: '0000:03:00.0', render: 129, driver: 'xe', id: '0x56a0' }),
    )
    const single = offers(files, { gpu: { enableMonitoring: true } })
    expect(single.ids).toEqual({
      'gpu.intel.com/i915': ['card0-0'],
      'gpu.intel.com/xe': ['card1-0'],
      'gpu.intel.com/monitoring': ['all'],
    })
    expect(single.paths('gpu.intel.com/monitoring', 'all')).toEqual([
      ...dri('card0', 'renderD128'),
      '/dev/mei1',
      ...dri('card1', 'renderD129'),
    ])
    expect(single.paths('gpu.intel.com/i915', 'card0-0')).toEqual(dri('card0', 'renderD128'))
    expect(Object.keys(offers(files, { gpu: { enableMonitoring: true, monitoringMode: 'split' } }).ids)).toEqual([
      'gpu.intel.com/i915',
      'gpu.intel.com/xe',
      'gpu.intel.com/i915_monitoring',
      'gpu.intel.com/xe_monitoring',
    ])
  })
  test.each([
    ['2', ['card1-0', 'card2-0']],
    ['0', ['card0-0', 'card1-0', 'card2-0']],
    ['-1', ['card0-0', 'card1-0', 'card2-0']],
  ] as const)('with %s virtual functions', (functions, expected) => {
    const files = merged(
      intelCard(0, { ...igpu, driver: 'i915', functions }),
      ...[1, 2].map(number => intelCard(number, { address: `0000:00:02.${number}`, render: 128 + number, driver: 'i915' })),
    )
    const { ids, machine } = offers(files)
    expect(ids).toEqual({ 'gpu.intel.com/i915': expected })
    expect(machine.passedOver.map(({ id }) => id)).toEqual(expected.length === 2 ? [card(0)] : [])
  })
  test('cards of others are left to others', () => {
    const { ids, machine } = offers(
      merged(intelCard(0, { ...igpu, vendor: '0x1002' }), intelCard(1, { address: '0000:03:00.0', render: 129 })),
    )
    expect(ids).toEqual({ 'gpu.intel.com/i915': ['card1-0'] })
    expect(machine.passedOver).toEqual([])
  })
  test.each([
    [{ allowIDs: '0x56a0' }, ['card0-0'], '0x7d51 is not in allowIDs'],
    [{ denyIDs: ' 0x56a0 , 0x1234' }, ['card1-0'], '0x56a0 is in denyIDs'],
  ] as const)('chosen by %j', (gpu, expected, reason) => {
    const { ids, machine } = offers(
      merged(
        intelCard(0, { address: '0000:03:00.0', render: 128, id: '0x56a0' }),
        intelCard(1, { address: '0000:00:02.0', render: 129, id: '0x7d51' }),
      ),
      { gpu },
    )
    expect(ids).toEqual({ 'gpu.intel.com/i915': expected })
    expect(machine.passedOver.map(one => one.reason)).toEqual([reason])
  })
  test.each([
    [{ allowIDs: '0x56A0' }, /four lower-case hexadecimal digits/],
    [{ allowIDs: '0x56a0,' }, /four lower-case hexadecimal digits/],
    [{ denyIDs: '0x56a0,,0x56a1' }, /four lower-case hexadecimal digits/],
    [{ allowIDs: '0x56a0', denyIDs: '0x56a1' }, /exclude each other/],
    [{ sharedDevNum: 0 }, />=1/],
    [{ allocationPolicy: 'most' }, /balanced/],
    [{ sharedDevNumber: 5 }, /sharedDevNumber/],
  ])('%j is refused', (gpu, words) => {
    expect(devicesConfiguration.safeParse({ gpu }).error?.message).toMatch(words)
  })
  test.each([
    ['single', ['/dev/dri/by-path/pci-0000:00:02.0-card', '/dev/dri/by-path/pci-0000:00:02.0-render']],
    ['all', ['/dev/dri/by-path']],
    ['none', []],
  ] as const)('links by path: %s', (bypathMode, expected) => {
    const files = merged(
      intelCard(0, { ...igpu, driver: 'i915' }),
      Object.fromEntries(
        ['pci-0000:00:02.0-card', 'pci-0000:00:02.0-render', 'pci-0000:03:00.0-card'].map(name => [
          `dev/dri/by-path/${name}`,
          { link: '../card0' },
        ]),
      ),
    )
    expect(offers(files, { gpu: { bypathMode } }).mounts('gpu.intel.com/i915', 'card0-0')).toEqual(expected)
    expect(offers(intelCard(0, igpu), { gpu: { bypathMode } }).mounts('gpu.intel.com/i915', 'card0-0')).toEqual([])
  })
  test('a card without files, and one whose vendor cannot be read, are passed over', () => {
    const { machine, ids } = offers(
      merged(intelCard(0, { ...igpu, noNodes: true }), { 'sys/class/drm/card7/device/drm/card7/dev': '226:7\n' }),
    )
    expect(ids).toEqual({})
    expect(machine.passedOver.map(({ reason }) => reason)).toEqual(['it has no file in /dev/dri', 'its vendor cannot be read'])
  })
  test.each([
    ['1', '0-7', [1]],
    ['0', '0-7', [0]],
    ['-1', '0-7', []],
    ['1', '', []],
  ] as const)('NUMA node %s beside processors "%s"', (numa, cpus, expected) => {
    const { offer } = offers(intelCard(0, { ...igpu, numa, cpus }))
    expect(offer('gpu.intel.com/i915').shares.get('card0-0')?.numaNodes).toEqual(expected)
  })
  test('a tree that is none, and links in a circle, offer nothing', () => {
    expect(offers({ 'sys/class/drm': { link: 'drm' } }).ids).toEqual({})
    expect(offers({ 'sys/class/drm/card0': { link: 'card0' } }).ids).toEqual({})
    expect(offers({ 'sys/class/drm/card0/device/vendor': { directory: true } }).ids).toEqual({})
  })
})

test('an NPU that two share', () => {
  const { ids, paths } = offers(npu(0, '0x7d1d'), { npu: { sharedDevNum: 2 } })
  expect(ids).toEqual({ 'npu.intel.com/accel': ['accel0-0', 'accel0-1'] })
  expect(paths('npu.intel.com/accel', 'accel0-1')).toEqual(['/dev/accel/accel0'])
  const other = offers(npu(0, '0x1234'))
  expect(other.ids).toEqual({})
  expect(other.machine.passedOver).toEqual([{ id: 'accel0', reason: '0x1234 is no NPU that is known' }])
})

describe('GPUs of AMD', () => {
  const one = amdCard({ address: '0000:05:00.0', card: 1, render: 129, numa: '-1' })
  test('one, with the compute driver', () => {
    const { ids, paths, offer } = offers(merged(one, kfd()))
    expect(ids).toEqual({ 'amd.com/gpu': ['0000:05:00.0'] })
    expect(paths('amd.com/gpu', '0000:05:00.0')).toEqual(['/dev/kfd', ...dri('card1', 'renderD129')])
    expect(offer('amd.com/gpu').shares.get('0000:05:00.0')?.numaNodes).toEqual([])
  })
  test('shared by three; two shares bring its files once', () => {
    const { ids, offer } = offers(merged(one, kfd()), { amd: { sharedDevNum: 3 } })
    expect(ids).toEqual({ 'amd.com/gpu': [0, 1, 2].map(share => `0000:05:00.0-${share}`) })
    expect(allocate(offer('amd.com/gpu'), ['0000:05:00.0-0', '0000:05:00.0-2']).nodes.map(({ path }) => path)).toEqual([
      '/dev/kfd',
      ...dri('card1', 'renderD129'),
    ])
  })
  test('without the compute driver nothing, or what is there for video', () => {
    expect(offers(one).ids).toEqual({})
    expect(offers(one).machine.passedOver[0]?.reason).toContain('amd.requireKfd')
    expect(offers(one, { amd: { requireKfd: false } }).paths('amd.com/gpu', '0000:05:00.0')).toEqual(dri('card1', 'renderD129'))
  })
  const partitioned = merged(
    kfd(),
    amdCard({ address: '0000:05:00.0', card: 1, render: 129, numa: '0', compute: 'CPX', memory: 'NPS4' }),
    amdCard({ address: '0000:06:00.0', card: 2, render: 130, numa: '1', compute: 'SPX', memory: 'NPS1' }),
    computeNode(0, { cpu_cores_count: 8 }),
    computeNode(1, { drm_render_minor: 129, location_id: 0x500, gfx_target_version: 90402 }, { 2: 11, 3: 2 }),
    computeNode(2, { drm_render_minor: 131, location_id: 0x500, gfx_target_version: 90402 }, { 1: 11, 3: 2 }),
    computeNode(3, { drm_render_minor: 130, location_id: 0x600, gfx_target_version: 90402 }, { 1: 2, 2: 2 }),
    {
      'sys/devices/platform/amdgpu_xcp_1/drm/renderD131': { directory: true },
      'sys/devices/platform/amdgpu_xcp_2/drm/renderD139': { directory: true },
      'dev/dri/renderD131': '',
      'dev/dri/renderD139': '',
    },
  )
  test('partitions of two styles have a resource each, or are refused', () => {
    const { ids, machine } = offers(partitioned, { amd: { resourceNamingStrategy: 'mixed' } })
    expect(ids).toEqual({
      'amd.com/cpx_nps4': ['0000:05:00.0', 'amdgpu_xcp_1'],
      'amd.com/spx_nps1': ['0000:06:00.0'],
    })
    expect(machine.passedOver).toEqual([{ id: 'amdgpu_xcp_2', reason: 'the compute driver does not know it' }])
    const single = offers(partitioned)
    expect(single.ids).toEqual({})
    expect(single.machine.passedOver.at(-1)?.reason).toContain('resourceNamingStrategy mixed')
  })
  test('those that are linked go together', () => {
    const { machine, offer } = offers(partitioned, {
      amd: { resourceNamingStrategy: 'mixed' },
      resources: [{ name: 'gpu.example.com/any', drivers: ['amdgpu'] }],
    })
    const any = offer('gpu.example.com/any')
    const kinship = kinshipOf(machine.devices, machine.compute)
    const { weight } = kinship
    expect(weight('0000:05:00.0', 'amdgpu_xcp_1')).toBe(10 + 10 + 10)
    expect(weight('0000:05:00.0', '0000:06:00.0')).toBe(20 + 40 + 20)
    const available = ['0000:06:00.0', '0000:05:00.0', 'amdgpu_xcp_1']
    const ask = (mustInclude: readonly string[], size: number) =>
      [...linkedShares({ available, mustInclude, size }, any.shares, kinship, false)].sort()
    expect(ask([], 2)).toEqual(['0000:05:00.0', 'amdgpu_xcp_1'])
    expect(ask(['0000:06:00.0'], 2)).toContain('0000:06:00.0')
    expect(ask([], 3)).toEqual([...available].sort())
    expect(() => ask([], 0)).toThrow(/expected one or more/)
    expect(() => ask([], 4)).toThrow(/3 are available/)
    expect(() => ask(available, 2)).toThrow(/3 devices must be included/)
  })
})

describe('other names', () => {
  const files = merged(
    intelCard(0, { ...igpu, driver: 'i915', id: '0x7d51' }),
    intelCard(1, { address: '0000:03:00.0', render: 129, driver: 'xe', id: '0x56a0' }),
  )
  test('besides the own one, or in its place', () => {
    const alias = { name: 'gpu.intel.com/arc', ids: ['0x56a0'], drivers: ['xe'] }
    expect(offers(files, { resources: [alias] }).ids).toEqual({
      'gpu.intel.com/i915': ['card0-0'],
      'gpu.intel.com/xe': ['card1-0'],
      'gpu.intel.com/arc': ['card1-0'],
    })
    expect(offers(files, { resources: [{ ...alias, exclusive: true }] }).ids).toEqual({
      'gpu.intel.com/i915': ['card0-0'],
      'gpu.intel.com/arc': ['card1-0'],
    })
  })
  test.each([
    ['gpu', 'name'],
    ['node.kubernetes.io/gpu', 'kubernetes.io'],
    ['gpu.example.com/arc', 'ids, drivers or both'],
  ])('%s alone is refused', (name, words) => {
    expect(devicesConfiguration.safeParse({ resources: [{ name }] }).error?.message).toContain(words)
  })
})

describe('a container', () => {
  const { offer, machine } = (() => {
    const made = offers(
      merged(intelCard(0, { ...igpu, driver: 'i915' }), intelCard(1, { address: '0000:03:00.0', render: 129 })),
      {
        gpu: { sharedDevNum: 2 },
      },
      ['card1'],
    )
    return made
  })()
  const i915 = offer('gpu.intel.com/i915')
  test('gets each file and name once', () => {
    expect(allocate(i915, ['card0-0', 'card0-1'])).toEqual({
      nodes: dri('card0', 'renderD128').map(path => ({ path, group: expect.any(Number) })),
      mounts: [],
      environment: {},
      cdi: ['intel.cdi.k8s.io/gpu=card0'],
    })
  })
  test.each([
    ['card9-0', 'has no device card9-0'],
    ['card1-0', 'device card1-0 of gpu.intel.com/i915 is unhealthy'],
  ])('does not get %s', (id, words) => {
    expect(() => allocate(i915, ['card0-0', id])).toThrow(words)
  })
  test('is told by CDI what a device is, in the lowest version that can say it', () => {
    const [device] = machine.devices
    if (device === undefined) throw new Error('a device')
    const name = pluginCdi(device)
    if (name === undefined) throw new Error('a name for CDI')
    const nodes = [{ path: '/dev/dri/renderD128', group: 109 }]
    expect(cdiSpec({ ...device, nodes, mounts: ['/dev/dri/by-path/x'] }, name, false)).toEqual({
      cdiVersion: '0.5.0',
      kind: 'intel.cdi.k8s.io/gpu',
      devices: [
        {
          name: 'card0',
          containerEdits: {
            deviceNodes: [{ path: '/dev/dri/renderD128', hostPath: '/dev/dri/renderD128', permissions: 'rw' }],
            mounts: [
              {
                containerPath: '/dev/dri/by-path/x',
                hostPath: '/dev/dri/by-path/x',
                type: 'none',
                options: ['bind', 'ro'],
              },
            ],
          },
        },
      ],
    })
    expect(cdiSpec({ ...device, nodes }, name, true)).toMatchObject({
      cdiVersion: '0.7.0',
      devices: [{ containerEdits: { additionalGids: [109] } }],
    })
  })
})
