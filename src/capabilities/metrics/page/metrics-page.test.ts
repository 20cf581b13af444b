import { describe, expect, test } from 'vitest'
import type { MeasuredPicture } from '#dashboard/picture.ts'
import { pictureAt } from '#dashboard/views/moment.ts'
import { pictureOf } from '#dashboard/views/testdata/homelab.ts'
import { everything } from '#dashboard/views/viewing.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { metricsPage } from './metrics-page.ts'

const node = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  spec: {},
  status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'True' }] },
})

const pod = (name: string, nodeName: string, owner: string, limits: Readonly<Record<string, string>> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'shop',
    uid: name,
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: owner, uid: owner, controller: true }],
  },
  spec: { nodeName, containers: [{ name: 'app', image: 'a', resources: { requests: { cpu: '100m', memory: '64Mi' }, limits } }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
})

const timestamp = '2025-12-19T13:03:00Z'
const of = (kind: string, name: string, cpu: string, memory: string): KubeObject => ({
  apiVersion: 'metrics.k8s.io/v1beta1',
  kind,
  metadata: kind === 'PodMetrics' ? { name, namespace: 'shop' } : { name },
  timestamp,
  window: '15s',
  ...(kind === 'PodMetrics' ? { containers: [{ name: 'app', usage: { cpu, memory } }] } : { usage: { cpu, memory } }),
})

const objects = [
  node('n1'),
  node('n2'),
  pod('web-0', 'n1', 'web', { cpu: '1', memory: '128Mi' }),
  pod('web-1', 'n2', 'web', { cpu: '1', memory: '128Mi' }),
  pod('db-0', 'n1', 'db'),
  of('NodeMetrics', 'n1', '1500m', '2Gi'),
  of('PodMetrics', 'web-0', '250m', '32Mi'),
  of('PodMetrics', 'db-0', '700m', '40Mi'),
]

const measured: MeasuredPicture = {
  resolutionMs: 15_000,
  scrapes: [
    { node: 'n1', ageMs: 4_000, failure: undefined },
    { node: 'n2', ageMs: undefined, failure: { reason: 'tls', message: 'it is signed by itself', remedy: 'approve its CSR' } },
  ],
  peaks: new Map([['shop/db-0', { cpu95: 812_500_000, memoryMost: 48 * 1024 ** 2, scrapes: 20 }]]),
}

const viewOf = (given: Parameters<typeof pictureOf>[1] = {}, viewing = everything) =>
  metricsPage.view(pictureOf(objects, { measured, ...given }), viewing)
const cellsOf = (name: string, view = viewOf()) => view.tables.find(table => table.name === name)?.rows.map(({ cells }) => cells)

describe('the page of use', () => {
  test('says how many kubelets answered, and why others did not', () => {
    expect(viewOf().sentences.map(({ text }) => text)).toEqual(['1 of 2 kubelets answered when they were asked last, each 15 s.'])
    expect(cellsOf('silent')).toEqual([['n2', 'tls', 'it is signed by itself', 'approve its CSR', 'never']])
  })

  test('says by whose rules pods are told after a change-over, and until when', () => {
    const { nowMs } = pictureOf(objects, { measured })
    const texts = (strictUntilMs: number) =>
      viewOf({ measured: { ...measured, strictUntilMs } }).sentences.map(({ text }) => text)
    expect(texts(nowMs + 1_000).slice(1)).toEqual([expect.stringMatching(/^Pods are told by metrics-server's rules until 20.*Z/)])
    expect(texts(nowMs)).toHaveLength(1)
  })

  test('shows nodes; what is not measured is unknown, and no zero', () => {
    expect(cellsOf('nodes')).toEqual([
      ['n1', '1500m', '200m', '4', '2.0Gi', '128Mi', '8.0Gi', '4 s'],
      ['n2', '–', '100m', '4', '–', '64Mi', '8.0Gi', '–'],
    ])
  })

  test('no workload uses more than it used at most', () => {
    const peaks = new Map([['shop/db-0', { cpu95: 812_500_000, memoryMost: 8 * 1024 ** 2, scrapes: 20 }]])
    const [db] = cellsOf('workloads', viewOf({ measured: { ...measured, peaks } })) ?? []
    expect(db?.slice(7, 9)).toEqual(['40Mi', '40Mi'])
  })

  test('shows workloads beside requests and limits; one that is measured in part has no sum, one without a limit has none', () => {
    expect(cellsOf('workloads')).toEqual([
      ['shop/db', 'StatefulSet', '1 of 1', '700m', '813m', '100m', 'none', '40Mi', '48Mi', '64Mi', 'none'],
      ['shop/web', 'StatefulSet', '1 of 2', '–', '–', '200m', '2', '–', '–', '128Mi', '256Mi'],
    ])
  })

  test('names no workload of a namespace that the viewer may not see', () => {
    expect(cellsOf('workloads', viewOf({}, { ...everything, sees: () => false }))).toEqual([])
  })

  test('says that others measure, where they do', () => {
    const view = viewOf({ measured: undefined })
    expect(view.sentences.map(({ text }) => text)).toEqual([
      'This process does not measure: figures are those of metrics.k8s.io.',
    ])
    expect(view.tables.map(({ name }) => name)).toEqual(['nodes', 'workloads'])
  })

  test('where pods may not be read nobody knows what is asked for: it is no zero, and why is said', () => {
    const because = 'Your account lacks list on pods.'
    const bare = objects.filter(({ kind }) => kind !== 'Pod')
    const source = { name: 'pods', state: 'down', lastAt: null, limitMs: 60_000, because } as const
    const view = metricsPage.view(pictureOf(bare, { measured, sources: [source] }), everything)
    expect(cellsOf('nodes', view)?.map(cells => [cells[1], cells[2], cells[5]])).toEqual([
      ['1500m', '–', '–'],
      ['–', '–', '–'],
    ])
    expect(view.tables.find(({ name }) => name === 'workloads')).toMatchObject({ rows: [], empty: because })
  })

  test('of an earlier moment nothing is known', () => {
    const now = pictureOf(objects, { measured })
    const then = pictureAt(now, now.nowMs - 60_000)
    if (!('picture' in then)) throw new Error('it is kept for longer')
    const view = metricsPage.view(then.picture, everything)
    expect(view.sentences.map(({ text }) => text)).toEqual(['What was asked for and used then is not kept.'])
    expect(view.tables.map(({ name }) => name)).toEqual(['nodes', 'workloads'])
    expect(cellsOf('nodes', view)).toEqual([
      ['n1', '–', '–', '4', '–', '–', '8.0Gi', '–'],
      ['n2', '–', '–', '4', '–', '–', '8.0Gi', '–'],
    ])
  })

  test('of a source that is down no figure is shown', () => {
    const because = 'metrics.k8s.io has not answered for 1h'
    const down = { name: 'metrics', state: 'down', lastAt: null, limitMs: 120_000, because } as const
    const view = viewOf({ sources: [down] })
    expect(view.sentences[0]?.text).toBe(because)
    expect(cellsOf('nodes', view)?.map(cells => cells[1])).toEqual(['–', '–'])
    expect(cellsOf('workloads', view)?.map(cells => cells[3])).toEqual(['–', '–'])
  })
})
