import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RebalancePlan } from '#coordination/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import type { Picture } from '../../picture.ts'
import { settingRows } from '../settings.ts'
import { homelab, pictureOf, plannedFor } from '../testdata/homelab.ts'
import { everything } from '../viewing.ts'
import { type NodePodQuery, nodePodsOf, nodeViewOf } from './node.ts'

const session = solveInChild.session()
let plan: RebalancePlan
beforeAll(async () => {
  plan = await plannedFor(homelab(), session.solve)
})
afterAll(() => session[Symbol.dispose]())

const query: NodePodQuery = { sort: 'cpu', descending: true, cursor: null, limit: 500, query: '' }
const page = (picture: Picture, change: Partial<NodePodQuery> = {}, node = 'talos00') =>
  nodePodsOf(picture, node, { ...query, ...change }, everything)

describe('a node', () => {
  test('says how full it is, and which goal it misses', () => {
    const view = nodeViewOf(pictureOf(homelab()), 'talos00', everything)
    expect(view?.verdict.sentences.map(({ text }) => text)).toEqual([
      'talos00 has 93% of its CPU requested; the goal is at most 70%.',
      'Its 59 pods request 82% of its memory.',
    ])
    expect([view?.podCount, view?.goals.map(({ name }) => name)]).toEqual([59, ['cp-light']])
  })

  test('that is not there has no view and no pods', () => {
    const picture = pictureOf(homelab())
    expect([nodeViewOf(picture, 'talos09', everything), page(picture, {}, 'talos09')]).toEqual([undefined, undefined])
  })

  test('is not ready, or draining', () => {
    const change = (spec: object, conditions: readonly object[]) =>
      pictureOf(
        homelab().map(
          (object): KubeObject =>
            object.kind === 'Node' && object.metadata.name === 'talos01'
              ? { ...object, spec, status: { ...Object(object['status']), conditions } }
              : object,
        ),
      )
    const down = [{ type: 'Ready', status: 'False', lastTransitionTime: '2025-12-19T13:01:45Z' }]
    const up = [{ type: 'Ready', status: 'True', lastTransitionTime: '2025-12-19T13:01:45Z', message: 'kubelet is posting' }]
    expect(nodeViewOf(change({}, down), 'talos01', everything)?.verdict.sentences[0]?.text).toBe('talos01 is not ready for 95s.')
    const cordoned = nodeViewOf(change({ unschedulable: true }, up), 'talos01', everything)
    expect(cordoned?.verdict.sentences[0]?.text).toBe('talos01 is cordoned: no new pod comes to it.')
    expect(cordoned?.conditions).toEqual([{ type: 'Ready', status: 'True', message: 'kubelet is posting' }])
  })
})

describe('pods of a node', () => {
  test('each says whether it may leave', () => {
    const found = page(pictureOf([...homelab(), plan]))
    const words = new Map(found?.pods.map(({ ref, movable, because }) => [ref.name, [movable, because.text]]))
    const [moved] = plan.spec.moves.filter(({ from }) => from === 'talos00')
    expect(words.get(moved?.pod.name ?? '')).toEqual([true, 'is to move to talos03'])
    const texts = [...words.values()].map(([, text]) => String(text))
    expect(texts.some(text => text.startsWith('OwnerNone: the label scaling.talos.io/managed-by=none'))).toBe(true)
    expect(texts.some(text => text.startsWith('may go to talos01'))).toBe(true)
    expect(found?.total).toBe(59)
  })

  test('without a policy nobody looks at them', () => {
    const without = homelab().filter(({ kind }) => kind !== 'RebalancePolicy')
    expect(page(pictureOf(without))?.pods.every(({ movable, because }) => !movable && because.code === 'no-policy')).toBe(true)
  })

  test('pages hold each pod once, in order', () => {
    const picture = pictureOf(homelab())
    const all = page(picture)?.pods ?? []
    const seen: string[] = []
    let cursor: string | null = null
    for (let pages = 0; pages < 20; pages++) {
      const next: ReturnType<typeof page> = page(picture, { limit: 7, cursor })
      seen.push(...(next?.pods.map(({ ref }) => `${ref.namespace}/${ref.name}`) ?? []))
      cursor = next?.next ?? null
      if (cursor === null) break
    }
    expect(seen).toEqual(all.map(({ ref }) => `${ref.namespace}/${ref.name}`))
    const cpu = all.map(pod => pod.cpu.requested)
    expect(cpu).toEqual(cpu.toSorted((a, b) => b - a))
  })

  test('what is unknown comes last, whichever way it is sorted', () => {
    const measured = page(pictureOf(homelab()))?.pods[3]?.ref
    const metrics = {
      apiVersion: 'metrics.k8s.io/v1beta1',
      kind: 'PodMetrics',
      metadata: { name: measured?.name ?? '', namespace: measured?.namespace ?? '' },
      timestamp: '2025-12-19T13:03:00Z',
      containers: [
        { name: 'a', usage: { cpu: '100m', memory: '1Mi' } },
        { name: 'b', usage: { cpu: '20m', memory: '2Mi' } },
      ],
    }
    const picture = pictureOf([...homelab(), metrics])
    for (const descending of [true, false]) {
      const [first] = page(picture, { sort: 'used-cpu', descending })?.pods ?? []
      expect([first?.ref, first?.cpu.used, first?.memory.used]).toEqual([measured, 120, 3 * 2 ** 20])
    }
  })

  test('those of namespaces that the viewer may not see are counted and not named', () => {
    const found = nodePodsOf(pictureOf(homelab()), 'talos00', query, {
      ...everything,
      sees: namespace => namespace !== 'monitoring',
    })
    expect(found?.pods.some(({ ref }) => ref.namespace === 'monitoring')).toBe(false)
    expect((found?.total ?? 0) + (found?.hidden ?? 0)).toBe(59)
    expect(found?.hidden).toBeGreaterThan(0)
  })

  test('are found by a part of their name, and not at all by a cursor that is none', () => {
    const picture = pictureOf(homelab())
    expect(page(picture, { query: 'mimir-querier' })?.pods.every(({ ref }) => ref.name.startsWith('mimir-querier'))).toBe(true)
    expect(page(picture, { query: 'no such pod' })).toEqual({ pods: [], total: 0, hidden: 0, next: null })
  })
})

test('settings: what was given goes before what runs, in order, and secrets are dots', () => {
  const rows = settingRows(pictureOf([]), [
    { key: 'dashboard.listen', value: '127.0.0.1:8080', origin: 'default' },
    { key: 'mode', value: 'mine', origin: 'flag' },
    { key: 'dashboard.sessionKey', value: 'abc', origin: 'file' },
    { key: 'dashboard.tls.keyFile', value: '/tls.key', origin: 'file' },
    { key: 'capabilities.autoscale.token', value: 'hunter2', origin: 'file' },
  ])
  const values = new Map(rows.map(({ key, value }) => [key, value]))
  expect(values.get('mode')).toBe('mine')
  expect(values.get('dashboard.sessionKey')).toBe('••••')
  expect(values.get('capabilities.autoscale.token')).toBe('••••')
  expect(values.get('dashboard.tls.keyFile')).toBe('/tls.key')
  expect(values.get('capabilities.deschedule.enabled')).toBe('true')
  expect(rows.map(({ key }) => key)).toEqual(rows.map(({ key }) => key).toSorted())
})
