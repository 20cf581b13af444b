// TwinUsage and TwinStage as kubectl makes them, on a cluster whose components run.
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { testNodes, testWorkload } from '../components/cluster-for-tests.ts'
import { itemsAt, valueAt } from '../json-value.ts'
import { startTwin } from '../twin.ts'
import { TestClient } from '../twin-for-tests.ts'

const startMs = Date.parse('2026-01-01T00:00:00Z')
const group = '/apis/ballast.dev/v1alpha1'
const widgets = '/apis/example.com/v1/namespaces/default/widgets'

const definition: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    names: { kind: 'Widget', plural: 'widgets', singular: 'widget', listKind: 'WidgetList' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}

const widget = (name: string, spec: object = {}): KubeObject => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name, namespace: 'default' },
  spec,
})

const stage = (name: string, spec: object): KubeObject => ({
  apiVersion: 'ballast.dev/v1alpha1',
  kind: 'TwinStage',
  metadata: { name },
  spec: { ref: { group: 'example.com', kind: 'Widget' }, ...spec },
})

const twinUsage = (name: string, spec: object): KubeObject => ({ ...stage(name, {}), kind: 'TwinUsage', spec: { ...spec } })

async function cluster(objects: readonly KubeObject[] = [], seed = 1) {
  const clock = new VirtualClock(startMs)
  const twin = await startTwin({ clock, seed, objects, ownKinds: true })
  await twin.settle({ limitMs: 600_000 })
  return { clock, twin, client: new TestClient(twin.transport({ admin: true })), [Symbol.asyncDispose]: () => twin.stop() }
}

const creating = stage('creating', {
  match: '!has(self.status)',
  delay: '30s',
  patch: { subresource: 'status', merge: { status: { phase: 'Creating', size: '$(self.spec.size * 2)', at: '$(now)' } } },
})
const running = stage('running', {
  match: "self.status.phase == 'Creating'",
  delay: '1m',
  patch: { subresource: 'status', merge: { status: { phase: 'Running' } } },
  event: { type: 'Normal', reason: 'Made', message: 'the widget runs' },
})

describe('TwinStage', () => {
  test('takes objects from state to state, whenever their kind comes to be served', async () => {
    await using made = await cluster([creating, running])
    await made.client.post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition)
    await made.client.post(widgets, widget('w', { size: 3 }))
    const status = async () => valueAt((await made.client.get(`${widgets}/w`)).body, 'status')
    await made.clock.advance(29_999)
    expect(await status()).toBeUndefined()
    await made.clock.advance(1)
    expect(await status()).toEqual({ phase: 'Creating', size: 6, at: '2026-01-01T00:00:30Z' })
    await made.twin.settle({ limitMs: 600_000 })
    expect(await status()).toMatchObject({ phase: 'Running', size: 6 })
    expect(made.clock.now()).toBe(startMs + 90_000)
    const events = itemsAt((await made.client.get('/api/v1/namespaces/default/events')).body, 'items')
    expect(events.filter(event => event['reason'] === 'Made')).toHaveLength(1)
    expect((await made.client.get(`${group}/twinstages/running`)).body).toMatchObject({ status: { played: 1 } })
  })

  test('draws among those that match by weight, and waits a jitter longer', async () => {
    const outcome = (name: string, weight: number) =>
      stage(name, {
        match: '!has(self.status)',
        weight,
        delay: '1s',
        jitter: '10s',
        patch: { subresource: 'status', merge: { status: { outcome: name } } },
      })
    await using made = await cluster([definition, outcome('good', 9), outcome('bad', 1)])
    for (let index = 0; index < 100; index++) await made.client.post(widgets, widget(`w${index}`))
    await made.clock.advance(999)
    const outcomes = async () =>
      itemsAt((await made.client.get(widgets)).body, 'items').flatMap(item => valueAt(item, 'status', 'outcome') ?? [])
    expect(await outcomes()).toEqual([])
    await made.clock.advance(5_000)
    const early = (await outcomes()).length
    expect(early).toBeGreaterThan(20)
    expect(early).toBeLessThan(80)
    await made.clock.advance(6_000)
    const good = (await outcomes()).filter(name => name === 'good').length
    expect(await outcomes()).toHaveLength(100)
    expect(good).toBeGreaterThan(75)
    expect(good).toBeLessThan(100)
  })

  test('deletes, and stops when it is deleted itself', async () => {
    await using made = await cluster([definition, stage('gone', { match: 'true', delay: '5s', delete: true })])
    await made.client.post(widgets, widget('a'))
    await made.clock.advance(5_000)
    expect((await made.client.get(`${widgets}/a`)).status).toBe(404)
    await made.client.call('DELETE', `${group}/twinstages/gone`)
    await made.client.post(widgets, widget('b'))
    await made.clock.advance(60_000)
    expect((await made.client.get(`${widgets}/b`)).status).toBe(200)
  })

  test('one that matches what it has made does not run away', async () => {
    const counting = stage('counting', {
      match: 'true',
      patch: { merge: { spec: { count: '$(has(self.spec.count) ? self.spec.count + 1 : 1)' } } },
    })
    await using made = await cluster([definition, counting])
    await made.client.post(widgets, widget('w'))
    await made.clock.advance(10_000)
    expect(valueAt((await made.client.get(`${widgets}/w`)).body, 'spec', 'count')).toBe(11)
  })

  test('an expression that cannot be read is a condition at once', async () => {
    await using made = await cluster([definition, stage('unreadable', { match: 'self.spec.(', delete: true })])
    expect((await made.client.get(`${group}/twinstages/unreadable`)).body).toMatchObject({
      status: { conditions: [{ type: 'Ready', status: 'False', reason: 'TwinExpression' }] },
    })
  })

  test('an expression that fails is a condition', async () => {
    const broken = stage('broken', { match: 'true', patch: { merge: { spec: { x: '$(self.nothing.here)' } } } })
    await using made = await cluster([definition, broken])
    await made.client.post(widgets, widget('w'))
    await made.clock.advance(1_000)
    expect((await made.client.get(`${group}/twinstages/broken`)).body).toMatchObject({
      status: { conditions: [{ type: 'Ready', status: 'False', reason: 'TwinExpression' }] },
    })
  })
})

describe('TwinUsage', () => {
  const podMetrics = '/apis/metrics.k8s.io/v1beta1/namespaces/default/pods'

  test('is what metrics.k8s.io serves', async () => {
    await using made = await cluster([...testNodes(1), testWorkload('Deployment', 'web')])
    const answer = await made.client.post(
      `${group}/twinusages`,
      twinUsage('web', { selector: { workload: 'web' }, cpu: { constant: '750m' }, memory: { ofRequest: 2 } }),
    )
    expect(answer.status).toBe(201)
    const [pod] = itemsAt((await made.client.get(podMetrics)).body, 'items')
    expect(pod).toMatchObject({ containers: [{ name: 'main', usage: { cpu: '750000000n', memory: '131072Ki' } }] })
    await made.client.call('DELETE', `${group}/twinusages/web`)
    const [after] = itemsAt((await made.client.get(podMetrics)).body, 'items')
    expect(after).toMatchObject({ containers: [{ usage: { cpu: '30000000n' } }] })
  })

  // biome-ignore format: a table
  test.each([
    ['nothing at all', {}, /cpu or memory is needed/],
    ['two sources', { cpu: { constant: '1', ofRequest: 1 } }, /exactly one of constant, curve, ofRequest, expression/],
    ['a time that is none', { cpu: { curve: [{ at: '25:00', value: '1' }] } }, /spec\.cpu\.curve\[0\]\.at/],
  ])('%s is refused', async (_, spec, words) => {
    await using made = await cluster()
    const answer = await made.client.post(`${group}/twinusages`, twinUsage('bad', spec))
    expect([answer.status, answer.message]).toEqual([422, expect.stringMatching(words)])
  })
})
