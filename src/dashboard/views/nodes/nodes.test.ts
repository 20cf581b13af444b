import { describe, expect, test } from 'vitest'
import { ClusterModel } from '#cluster/cluster-model.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Picture } from '../../picture.ts'
import { nodeStateText } from '../../words/en.ts'
import { percentText } from '../../words/percent.ts'
import { nowMs, permitObject, pictureOf, policyObject } from '../testdata/homelab.ts'
import { nodeColumnsOf, nodeRows } from './nodes.ts'
import { totalsOf } from './totals.ts'

interface NodeOptions {
  readonly allocatable?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  readonly spec?: object
  readonly uid?: string
}

function node(
  name: string,
  { allocatable = { cpu: '4', memory: '8Gi', pods: '110' }, labels = {}, spec = {}, uid = name }: NodeOptions = {},
): KubeObject {
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2025-12-19T10:00:00Z' }]
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, uid, labels }, spec, status: { allocatable, conditions } }
}

function pod(name: string, nodeName: string, cpu = '500m'): KubeObject {
  const containers = [{ name: 'c', resources: { requests: { cpu, memory: '1Gi' } } }]
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', uid: name }, spec: { nodeName, containers } }
}

function metrics(name: string, usage: object, timestamp = '2025-12-19T13:03:00Z'): KubeObject {
  return { apiVersion: 'metrics.k8s.io/v1beta1', kind: 'NodeMetrics', metadata: { name }, timestamp, usage }
}

const only = (picture: Picture) => {
  const [row] = nodeRows(picture)
  if (row === undefined) throw new Error('a row')
  return row
}

describe('a row is kept as long as what it speaks of is the same', () => {
  const names = Array.from({ length: 40 }, (_, at) => `n${String(at).padStart(2, '0')}`)
  const objects = names.flatMap(name => [node(name), metrics(name, { cpu: '1', memory: '1Gi' }), pod(`p-${name}`, name)])
  const model = new ClusterModel()
  const put = (object: KubeObject, previous?: KubeObject) => model.change({ object, previous })
  for (const object of objects) put(object)
  const base = pictureOf([policyObject({ goals: [{ name: 'g', nodes: ['n03'], resource: 'cpu', stat: 'requests', max: 90 }] })])
  let sequence = 1
  const now = (given: Partial<Picture> = {}): Picture => ({
    ...base,
    state: model.reading().state,
    sequence: ++sequence,
    ...given,
  })
  const changed = (act: () => void, given: Partial<Picture> = {}) => {
    const before = nodeRows(now())
    act()
    const after = nodeRows(now(given))
    return after.filter((row, at) => row !== before[at]).map(({ name }) => name)
  }
  const object = (kind: string, name: string) => objects.find(one => one.kind === kind && one.metadata.name === name)

  test.each<readonly [string, () => void, readonly string[]]>([
    ['nothing', () => undefined, []],
    ['a pod came', () => put(pod('new', 'n07')), ['n07']],
    ['a node was labelled', () => put(node('n08', { labels: { a: 'b' } }), object('Node', 'n08')), ['n08']],
    ['one was measured', () => put(metrics('n09', { cpu: '2', memory: '1Gi' }), object('NodeMetrics', 'n09')), ['n09']],
    [
      'an object of another kind came',
      () => put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'shop' } }),
      [],
    ],
  ])('%s', (_, act, names) => expect(changed(act)).toEqual(names))

  const goalOn = (...nodes: readonly string[]) =>
    pictureOf([policyObject({ goals: [{ name: 'g', nodes, resource: 'cpu', stat: 'requests', max: 80 }] })]).book

  test('policies that are read anew and name the same nodes keep all rows', () => {
    expect(changed(() => undefined, { book: goalOn('n03') })).toEqual([])
  })

  test('another node in a goal changes that node', () => {
    expect(changed(() => undefined, { book: goalOn('n03', 'n04') })).toEqual(['n04'])
    expect(nodeRows(now({ book: goalOn('n03', 'n04') })).find(({ name }) => name === 'n04')?.goals).toEqual(['g'])
  })

  test('measurements that are too old are forgotten on all of them', () => {
    const source = { name: 'metrics', state: 'down', lastAt: null, limitMs: 1, because: null } as const
    expect(changed(() => undefined, { sources: [source] })).toHaveLength(names.length)
  })
})

test('D26: columns say what rows say', () => {
  const rows = nodeRows(pictureOf(Array.from({ length: 5_000 }, (_, at) => node(`n${at}`))))
  const columns = nodeColumnsOf(rows)
  const back = rows.map((_, at) => Object.fromEntries(Object.entries(columns).map(([field, cells]) => [field, cells[at]])))
  expect(back).toEqual(rows)
  expect(Object.keys(columns).toSorted()).toEqual(Object.keys(rows[0] ?? {}).toSorted())
})

describe('nodes of all kinds', () => {
  test.each<readonly [string, NodeOptions, string, string]>([
    ['nothing allocatable', { allocatable: {} }, '–', '–'],
    ['allocatable 0', { allocatable: { cpu: '0', memory: '0', pods: '0' } }, '–', '–'],
    ['less than is asked for', { allocatable: { cpu: '480m', memory: '1Gi', pods: '1' } }, '104%', '100%'],
  ])('%s', (_, options, cpu, memory) => {
    const row = only(pictureOf([node('n', options), pod('p', 'n')]))
    expect([
      percentText(row.cpu.requested, row.cpu.allocatable),
      percentText(row.memory.requested, row.memory.allocatable),
    ]).toEqual([cpu, memory])
  })

  test.each<readonly [string, unknown, number | null]>([
    ['as it should be', { cpu: '250m', memory: '1Gi' }, 250],
    ['no quantities', { cpu: 'much', memory: '1Gi' }, null],
    ['negative', { cpu: '-1', memory: '1Gi' }, null],
    ['nothing', undefined, null],
    ['a text', 'x', null],
  ])('usage that is %s', (_, usage, used) => {
    const object = { ...metrics('n', {}), usage }
    expect(only(pictureOf([node('n'), object])).cpu.used).toBe(used)
  })

  test('roles, zones, taints', () => {
    const labels = { 'topology.kubernetes.io/zone': 'z1', 'node-role.kubernetes.io/control-plane': '' }
    const taints = [
      { key: 'a', value: 'b', effect: 'NoSchedule' },
      { key: 'c', effect: 'NoExecute' },
    ]
    const row = only(pictureOf([node('n', { labels, spec: { taints } })]))
    expect([row.role, row.zone, row.taints]).toEqual(['control-plane', 'z1', ['a=b:NoSchedule', 'c:NoExecute']])
    expect(only(pictureOf([node('n', { labels: { type: 'virtual-kubelet' } })])).role).toBe('virtual')
  })

  test('a node that we drain under a permit is draining', () => {
    const permit = permitObject({ verb: 'drain', releasedAgo: undefined })
    const spec = { ...Object(permit['spec']), targets: [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'n' }] }
    const row = only(pictureOf([node('n'), { ...permit, spec }]))
    expect([row.draining, nodeStateText(row, nowMs)]).toEqual([true, 'Draining'])
  })

  test('a name of 253 characters in any script stays as it is', () => {
    const name = `${'ن'.repeat(126)}\u202e${'x'.repeat(126)}`
    expect(only(pictureOf([node(name)])).name).toBe(name)
  })
})

describe('sums', () => {
  const objects = [node('a'), node('b'), pod('p', 'a'), pod('q', 'b')]

  test('what was used is known as far as all were measured', () => {
    const one = [metrics('a', { cpu: '1', memory: '1Gi' })]
    expect(totalsOf(nodeRows(pictureOf([...objects, ...one]))).cpu).toEqual({
      allocatable: 8_000,
      requested: 1_000,
      used: null,
      usedAt: null,
    })
    const both = [...one, metrics('b', { cpu: '2', memory: '1Gi' }, '2025-12-19T13:00:00Z')]
    expect(totalsOf(nodeRows(pictureOf([...objects, ...both]))).cpu).toEqual({
      allocatable: 8_000,
      requested: 1_000,
      used: 3_000,
      usedAt: '2025-12-19T13:00:00Z',
    })
  })

  test('of nothing', () => {
    expect(totalsOf([])).toEqual({
      nodes: 0,
      cpu: { allocatable: 0, requested: 0, used: null, usedAt: null },
      memory: { allocatable: 0, requested: 0, used: null, usedAt: null },
      pods: { allocatable: 0, count: 0 },
    })
  })
})
