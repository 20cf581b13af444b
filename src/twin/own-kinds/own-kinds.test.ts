// The twin's own kinds as kubectl drives them.
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { PacedClock } from '#kube/time/paced-clock.ts'
import { person, TestCluster, testNodes, testWorkload } from '../components/cluster-for-tests.ts'
import { itemsAt, textAt, valueAt } from '../json-value.ts'
import { itemNames, startTestTwin, testConfigMap } from '../twin-for-tests.ts'

const group = '/apis/ballast.dev/v1alpha1'
const maps = '/api/v1/namespaces/default/configmaps'
const startMs = Date.parse('2026-01-01T00:00:00Z')

function twinFault(name: string, spec: object): KubeObject {
  return { apiVersion: 'ballast.dev/v1alpha1', kind: 'TwinFault', metadata: { name }, spec }
}

function twinClock(spec: object): KubeObject {
  return { apiVersion: 'ballast.dev/v1alpha1', kind: 'TwinClock', metadata: { name: 'clock' }, spec }
}

describe('being served', () => {
  test('not unless asked for', async () => {
    await using twin = await startTestTwin()
    expect((await twin.client.get(`${group}/twinfaults`)).status).toBe(404)
  })

  test('where the objects of the start hold one', async () => {
    await using twin = await startTestTwin([twinFault('slow', { status: { code: 503 }, match: { resource: 'configmaps' } })])
    expect((await twin.client.get(maps)).status).toBe(503)
    expect((await twin.client.get(`${group}/twinfaults/slow`)).body).toMatchObject({ status: { fired: 1 } })
  })

  test('other choices of the seed stay as they are', async () => {
    await using plain = await startTestTwin()
    await using own = await startTestTwin([], { ownKinds: true })
    const made = await Promise.all([plain, own].map(twin => twin.client.post(maps, testConfigMap('a'))))
    expect(new Set(made.map(answer => textAt(answer.body, 'metadata', 'uid'))).size).toBe(1)
  })
})

describe('TwinFault', () => {
  test('fires, counts, changes and goes', async () => {
    await using twin = await startTestTwin([], { ownKinds: true })
    const { client } = twin
    const made = await client.post(
      `${group}/twinfaults`,
      twinFault('maps', { match: { resource: 'configmaps' }, status: { code: 500 } }),
    )
    expect(made.status).toBe(201)
    for (let request = 0; request < 3; request++) expect((await client.get(maps)).status).toBe(500)
    const fault = await client.get(`${group}/twinfaults/maps`)
    expect(fault.body).toMatchObject({
      status: { fired: 3, conditions: [{ type: 'Ready', status: 'True', reason: 'Accepted', observedGeneration: 1 }] },
    })
    await client.patch(`${group}/twinfaults/maps`, 'merge', { spec: { status: { code: 503 } } })
    expect((await client.get(maps)).status).toBe(503)
    expect((await client.get(`${group}/twinfaults/maps`)).body).toMatchObject({ status: { fired: 1 } })
    expect((await client.call('DELETE', `${group}/twinfaults/maps`)).status).toBe(200)
    expect((await client.get(maps)).status).toBe(200)
  })

  test('fails three updates of leases and not the fourth, and says so (case 38)', async () => {
    await using twin = await startTestTwin([], { ownKinds: true })
    const { client } = twin
    const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases'
    await client.post(leases, { metadata: { name: 'a' }, spec: { holderIdentity: 'a' } })
    const spec = { match: { verbs: ['update'], resource: 'leases' }, status: { code: 500 }, count: 3 }
    expect((await client.post(`${group}/twinfaults`, twinFault('leases', spec))).status).toBe(201)
    const answers = []
    for (let update = 0; update < 4; update++) {
      const { body } = await client.get(`${leases}/a`)
      answers.push((await client.put(`${leases}/a`, body)).body)
    }
    const refused = { kind: 'Status', reason: 'InternalError', code: 500 }
    expect(answers).toMatchObject([refused, refused, refused, { kind: 'Lease' }])
    expect((await client.get(`${group}/twinfaults/leases`)).body).toMatchObject({ status: { fired: 3 } })
  })

  // biome-ignore format: a table
  test.each([
    ['on faults themselves', { match: { resource: 'twinfaults' }, status: { code: 500 } }, /a fault must be removable/],
    ['without an effect', { match: { resource: 'pods' } }, /exactly one of status, latency, reset/],
    ['with two effects', { status: { code: 500 }, reset: { when: 'before' } }, /exactly one of/],
    ['with a wait that is none', { latency: { p50: 'soon' } }, /spec\.latency\.p50/],
    ['with a verb that is none', { match: { verbs: ['evict'] }, status: { code: 500 } }, /Unsupported value: "evict"/],
  ])('%s is refused', async (_, spec, words) => {
    await using twin = await startTestTwin([], { ownKinds: true })
    const answer = await twin.client.post(`${group}/twinfaults`, twinFault('bad', spec))
    expect(answer.status).toBe(422)
    expect(answer.message).toMatch(words)
  })

  test('what its schema cannot see becomes a condition and an event', async () => {
    await using twin = await startTestTwin([], { ownKinds: true })
    await twin.client.post(`${group}/twinfaults`, twinFault('when', { from: 'noon', status: { code: 500 } }))
    expect((await twin.client.get(`${group}/twinfaults/when`)).body).toMatchObject({
      status: { conditions: [{ type: 'Ready', status: 'False', reason: 'TimeSyntax' }] },
    })
    const events = await twin.client.get('/api/v1/namespaces/default/events')
    expect(itemsAt(events.body, 'items')).toMatchObject([
      { reason: 'TimeSyntax', type: 'Warning', involvedObject: { name: 'when' } },
    ])
    await twin.client.patch(`${group}/twinfaults/when`, 'merge', { spec: { from: '0s' } })
    expect((await twin.client.get(`${group}/twinfaults/when`)).body).toMatchObject({
      status: { conditions: [{ status: 'True' }] },
    })
    expect((await twin.client.get(maps)).status).toBe(500)
  })

  test('however many there are, each can be removed', async () => {
    await using twin = await startTestTwin([], { ownKinds: true })
    await twin.client.post(`${group}/twinfaults`, twinFault('all', { reset: { when: 'before' } }))
    await expect(twin.client.get(maps)).rejects.toMatchObject({ name: 'ConnectionError' })
    expect(itemNames((await twin.client.get(`${group}/twinfaults`)).body)).toEqual(['all'])
    await twin.client.call('DELETE', `${group}/twinfaults`)
    expect((await twin.client.get(maps)).status).toBe(200)
  })
})

describe('TwinClock', () => {
  test('has one name', async () => {
    await using twin = await startTestTwin([], { ownKinds: true })
    const answer = await twin.client.post(`${group}/twinclocks`, { ...twinClock({}), metadata: { name: 'other' } })
    expect([answer.status, answer.message]).toEqual([422, expect.stringMatching(/there is one clock, named clock/)])
  })

  test('advances a clock that stands still, as often as it is told', async () => {
    await using twin = await startTestTwin([], { ownKinds: true })
    await twin.client.post(`${group}/twinclocks`, twinClock({ advance: '1h' }))
    await expect.poll(() => twin.clock.now()).toBe(startMs + 3_600_000)
    await twin.client.patch(`${group}/twinclocks/clock`, 'merge', { spec: { advance: '30m' } })
    await expect.poll(() => twin.clock.now()).toBe(startMs + 5_400_000)
    await twin.clock.quiet()
    const clock = (await twin.client.get(`${group}/twinclocks/clock`)).body
    expect(clock).toMatchObject({
      status: { now: '2026-01-01T01:30:00.000000Z', advanced: '1h30m0s', settled: true, paused: true },
    })
    expect(valueAt(clock, 'spec')).toEqual({})
  })

  test('goes to the next timer, as often as it is told, and no further', async () => {
    await using twin = await startTestTwin([], { ownKinds: true })
    const fired: number[] = []
    for (const ms of [70_000, 90_000, 100_000, 500_000]) twin.clock.schedule(ms, () => fired.push(ms))
    await twin.client.post(`${group}/twinclocks`, twinClock({ next: 1 }))
    await expect.poll(() => twin.clock.now()).toBe(startMs + 70_000)
    await twin.client.patch(`${group}/twinclocks/clock`, 'merge', { spec: { next: 2 } })
    await expect.poll(() => twin.clock.now()).toBe(startMs + 100_000)
    await twin.clock.quiet()
    expect(fired).toEqual([70_000, 90_000, 100_000])
    expect(valueAt((await twin.client.get(`${group}/twinclocks/clock`)).body, 'spec')).toEqual({})
  })

  test('goes to what happens next in the cluster, past heartbeats', async () => {
    await using cluster = await TestCluster.start([...testNodes(3), twinClock({})])
    await cluster.settle()
    cluster.create('deployments.apps', testWorkload('Deployment', 'web', { replicas: 1 }))
    await cluster.clock.quiet()
    const seen: number[] = []
    for (let event = 0; cluster.readyPods().length === 0 && event < 20; event++) {
      const clock = cluster.access.get('twinclocks.ballast.dev', undefined, 'clock')
      if (clock !== undefined) cluster.access.update('twinclocks.ballast.dev', { ...clock, spec: { next: 1 } }, person)
      await cluster.clock.quiet()
      seen.push(cluster.clock.now())
    }
    expect(cluster.readyPods().length).toBe(1)
    // Binding, pull, start, probe: a handful of moments, none of them a heartbeat of the three nodes.
    expect(new Set(seen).size).toBeLessThan(8)
  })

  test('changes the pace of one that runs, and pauses it', async () => {
    const host = new VirtualClock(0)
    const clock = new PacedClock(host, { startMs })
    await using twin = await startTestTwin([], { clock, wire: host, ownKinds: true })
    await twin.client.post(`${group}/twinclocks`, twinClock({ speed: '60' }))
    await host.advance(1_000)
    expect(clock.now() - startMs).toBe(60_000)
    await twin.client.patch(`${group}/twinclocks/clock`, 'merge', { spec: { paused: true } })
    await host.advance(60_000)
    expect(clock.now() - startMs).toBe(60_000)
    await twin.client.patch(`${group}/twinclocks/clock`, 'merge', { spec: { paused: false, speed: '1' } })
    await host.advance(1_000)
    expect(clock.now() - startMs).toBe(61_000)
    expect((await twin.client.get(`${group}/twinclocks/clock`)).body).toMatchObject({ status: { speed: '1', paused: false } })
  })

  test('a speed beyond the fastest is told, and the clock stays as it was', async () => {
    const host = new VirtualClock(0)
    const clock = new PacedClock(host, { startMs, isPaused: true })
    await using twin = await startTestTwin([], { clock, wire: host, ownKinds: true })
    await twin.client.post(`${group}/twinclocks`, twinClock({ speed: '20000', paused: false }))
    expect((await twin.client.get(`${group}/twinclocks/clock`)).body).toMatchObject({
      status: { conditions: [{ type: 'Ready', status: 'False', reason: 'TwinClockSpeed' }] },
    })
    expect([clock.pace, clock.isPaused]).toEqual([1, true])
  })
})
