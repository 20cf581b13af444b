import { describe, expect, test } from 'vitest'
import { capabilityView } from '#dashboard/contract.ts'
import { pictureAt } from '#dashboard/views/moment.ts'
import { pictureOf } from '#dashboard/views/testdata/homelab.ts'
import { everything } from '#dashboard/views/viewing.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { hardwarePage } from './hardware-page.ts'

const gpu = 'gpu.intel.com/i915'
const node = (name: string, shares: number | undefined, labels: object = {}, healthy = shares): KubeObject => {
  const amounts = (count: number | undefined) => ({
    cpu: '4',
    memory: '8Gi',
    pods: '110',
    ...(count === undefined ? {} : { [gpu]: String(count) }),
  })
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: {},
    status: { capacity: amounts(shares), allocatable: amounts(healthy), conditions: [{ type: 'Ready', status: 'True' }] },
  }
}
const pod = (name: string, on: string | undefined, shares: number, namespace = 'media'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, uid: name },
  spec: {
    ...(on === undefined ? {} : { nodeName: on }),
    containers: [
      {
        name: 'app',
        image: 'x',
        resources: shares === 0 ? {} : { limits: { [gpu]: String(shares) }, requests: { [gpu]: String(shares) } },
      },
    ],
  },
  status: {
    phase: on === undefined ? 'Pending' : 'Running',
    conditions: [
      { type: 'Ready', status: 'True' },
      ...(name === 'sixth'
        ? [
            {
              type: 'PodScheduled',
              status: 'False',
              message: `0/3 nodes are available: 1 Insufficient ${gpu}. no new claims to deallocate.`,
            },
          ]
        : []),
    ],
  },
})
const rule: KubeObject = {
  apiVersion: 'nfd.k8s-sigs.io/v1alpha1',
  kind: 'NodeFeatureRule',
  metadata: { name: 'intel', uid: 'rule' },
  spec: {
    rules: [
      { name: 'gpu', labels: { 'intel.feature.node.kubernetes.io/gpu': 'true', fast: 'yes' } },
      { name: 'odd', labels: 3 },
    ],
  },
}
const labels = { 'intel.feature.node.kubernetes.io/gpu': 'true', 'feature.node.kubernetes.io/pci-0300_8086.present': 'true' }
const objects = [
  node('media-1', 2, labels),
  node('media-2', 2, { 'feature.node.kubernetes.io/pci-0300_8086.present': 'true' }, 1),
  node('media-3', undefined),
  pod('plex', 'media-1', 1),
  pod('tdarr', 'media-1', 1),
  pod('web', 'media-3', 0),
  pod('sixth', undefined, 1),
  pod('huge', undefined, 3, 'lab'),
  rule,
]
const viewOf = (given: readonly KubeObject[] = objects, viewing = everything) => hardwarePage.view(pictureOf(given), viewing)
const cells = (view: ReturnType<typeof viewOf>, name: string) =>
  view.tables.find(table => table.name === name)?.rows.map(row => row.cells)

describe('the page of hardware', () => {
  test('says what nodes have, who holds it, who waits, and which labels say so', () => {
    const view = viewOf()
    expect(view.sentences.map(({ text }) => text)).toEqual([
      '2 of 3 nodes have devices for containers; 2 of 3 devices and shares are taken.',
      '1 of them cannot be had now: their plugin is away, or they are not well.',
    ])
    expect(cells(view, 'devices')).toEqual([
      ['media-1', gpu, 2, 2, 2, 0, 'plex, tdarr'],
      ['media-2', gpu, 2, 1, 0, 1, ''],
    ])
    expect(cells(view, 'holders')).toEqual([
      ['media/plex', gpu, 1, 'media-1', 'ready'],
      ['media/tdarr', gpu, 1, 'media-1', 'ready'],
    ])
    expect(cells(view, 'waiting')).toEqual([
      ['lab/huge', `${gpu}: 3`, 'on no node', ''],
      ['media/sixth', `${gpu}: 1`, 'media-2', `0/3 nodes are available: 1 Insufficient ${gpu}.`],
    ])
    expect(cells(view, 'labels')).toEqual([
      ['feature.node.kubernetes.io/pci-0300_8086.present', 'true', 2, 'media-1, media-2', ''],
      ['intel.feature.node.kubernetes.io/gpu', 'true', 1, 'media-1', 'intel: gpu'],
    ])
    expect(capabilityView.parse(view)).toEqual(view)
  })

  test('counts what a viewer may not see, and names nothing of it', () => {
    const view = viewOf(objects, { ...everything, sees: namespace => namespace === 'lab' })
    expect(cells(view, 'devices')?.[0]?.at(-1)).toBe('2 that you may not see')
    expect(cells(view, 'holders')).toEqual([])
    expect(cells(view, 'waiting')?.map(([pod]) => pod)).toEqual(['lab/huge'])
  })

  test('names five holders and counts the others', () => {
    const many = [node('media-1', 9), ...Array.from({ length: 7 }, (_, number) => pod(`p${number}`, 'media-1', 1))]
    expect(cells(viewOf(many), 'devices')?.[0]?.at(-1)).toBe('p0, p1, p2, p3, p4 and 2 more')
  })

  test('where pods may not be read nobody knows what is taken', () => {
    const because = 'Your account lacks list on pods.'
    const source = { name: 'pods', state: 'down', lastAt: null, limitMs: 60_000, because } as const
    const view = hardwarePage.view(pictureOf([node('media-1', 2)], { sources: [source] }), everything)
    expect(cells(view, 'devices')).toEqual([['media-1', gpu, 2, 2, null, null, null]])
    expect(view.tables.find(({ name }) => name === 'holders')?.empty).toBe(because)
    expect(view.sentences[0]?.text).toBe('1 of 1 nodes have devices for containers; 2 devices and shares.')
  })

  test('a cluster without devices says so', () => {
    const view = viewOf([node('media-3', undefined)])
    expect(view.tables.map(({ name, empty }) => [name, empty])).toEqual([
      ['devices', 'No node offers a device: no plugin has registered one.'],
      ['holders', 'No pod holds a device.'],
      ['labels', 'No node has a label of a feature.'],
    ])
  })

  test('of an earlier moment nothing is known', () => {
    const now = pictureOf(objects)
    const then = pictureAt(now, now.nowMs - 60_000)
    if (!('picture' in then)) throw new Error('it is kept for longer')
    expect(hardwarePage.view(then.picture, everything)).toEqual({
      title: 'Hardware',
      sentences: [expect.objectContaining({ text: 'What nodes had then is not kept.' })],
      tables: [],
    })
  })
})
