// What befalls a ScaledObject: the server goes away, its autoscaler or target is deleted, two operators act, the clock jumps.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startMs, testWorkload } from '#twin/components/cluster-for-tests.ts'
import type { ScaledObject } from '../src/capabilities/autoscale/kinds/scaled-object.ts'
import { scaledObjects } from '../src/capabilities/autoscale/names.ts'
import { objectLife, waiting } from './autoscale-lives.ts'
import { AutoscaleSite, hourly, scaled } from './autoscale-site.ts'

const minuteMs = 60_000

const ready = async (site: AutoscaleSite) =>
  (await site.get<ScaledObject>(scaledObjects, 'web')).status?.conditions?.find(({ type }) => type === 'Ready')?.status

const autoscaler = async (site: AutoscaleSite) => await site.get<KubeObject>(builtIn.horizontalpodautoscalers, 'keda-hpa-web')

test('the server away for two minutes: nothing goes to zero because of it, and all goes on', async () => {
  await using site = await AutoscaleSite.start(2)
  const { wire } = await site.operator({ isServed: false })
  await site.create(scaledObjects, scaled('web', { pollingInterval: 5, cooldownPeriod: 10, triggers: [waiting(2)] }))
  await site.clock.advance(30_000)
  wire.isAway = true
  await site.clock.advance(120_000)
  wire.isAway = false
  for (let step = 0; step < 12; step++) {
    await site.clock.advance(10_000)
    expect(await site.replicas()).toBe(2)
  }
  expect(await ready(site)).toBe('True')
})

test('what was active while the server was away still counts for the cool-down', async () => {
  await using site = await AutoscaleSite.start(0)
  const { wire } = await site.operator({ isServed: false })
  const triggers = [hourly('1 * * * *', '13 * * * *', 1)]
  await site.create(scaledObjects, scaled('web', { pollingInterval: 5, cooldownPeriod: 300, triggers }))
  await site.clock.advance(2 * minuteMs)
  expect(await site.replicas()).toBe(1)
  wire.isAway = true
  await site.clock.advance(12 * minuteMs)
  wire.isAway = false
  await site.clock.advance(2 * minuteMs)
  expect(await site.replicas()).toBe(1)
  const { status } = await site.get<ScaledObject>(scaledObjects, 'web')
  expect(Date.parse(status?.lastActiveTime ?? '')).toBeGreaterThan(startMs + 12 * minuteMs)
  await site.clock.advance(3 * minuteMs)
  expect(await site.replicas()).toBe(0)
})

test('a target of any kind that its owner froze stays as it is, and it is said by whom', async () => {
  await using site = await AutoscaleSite.start(0)
  await site.operator({ isServed: false })
  const frozen = testWorkload('StatefulSet', 'db', { replicas: 0 })
  const annotations = { 'ballast.dev/freeze': 'a restore is under way' }
  await site.create(builtIn.statefulsets, { ...frozen, metadata: { ...frozen.metadata, annotations } })
  const scaleTargetRef = { name: 'db', kind: 'StatefulSet' }
  await site.create(
    scaledObjects,
    scaled('db', { pollingInterval: 5, scaleTargetRef, triggers: [hourly('0 * * * *', '50 * * * *', 1)] }),
  )
  const database = async () => await site.get<KubeObject & { spec: { replicas: number } }>(builtIn.statefulsets, 'db')
  const said = async () =>
    (await site.get<ScaledObject>(scaledObjects, 'db')).status?.conditions?.find(({ type }) => type === 'Ready')?.message
  await site.clock.advance(30_000)
  expect((await database()).spec.replicas).toBe(0)
  expect(await said()).toMatch(/frozen by ballast.dev\/freeze on StatefulSet default\/db: a restore is under way/)
  const paused = { 'autoscaling.keda.sh/paused-replicas': '3' }
  await site.api
    .resource(scaledObjects)
    .patch('db', { type: 'merge', body: { metadata: { annotations: paused } } }, { namespace: 'default', signal: site.signal })
  await site.clock.advance(30_000)
  expect((await database()).spec.replicas).toBe(0)
  const free = { metadata: { annotations: { 'ballast.dev/freeze': null } } }
  await site.api
    .resource(builtIn.statefulsets)
    .patch('db', { type: 'merge', body: free }, { namespace: 'default', signal: site.signal })
  await site.clock.advance(120_000)
  expect((await database()).spec.replicas).toBe(3)
})

test('an autoscaler that is deleted by hand comes back; a target that goes is told, and is scaled again when it is back', async () => {
  await using site = await AutoscaleSite.start(2)
  await site.operator({ isServed: false })
  await site.create(
    scaledObjects,
    scaled('web', { pollingInterval: 5, cooldownPeriod: 10, triggers: [hourly('4 * * * *', '50 * * * *', 3)] }),
  )
  await site.clock.advance(20_000)
  const first = await autoscaler(site)
  await site.api.resource(builtIn.horizontalpodautoscalers).delete('keda-hpa-web', { namespace: 'default', signal: site.signal })
  await site.clock.advance(20_000)
  expect((await autoscaler(site)).metadata.uid).not.toBe(first.metadata.uid)
  await site.api
    .resource(builtIn.deployments)
    .delete('web', { namespace: 'default', signal: site.signal, propagationPolicy: 'Background' })
  await site.clock.advance(30_000)
  expect(await ready(site)).toBe('False')
  await site.create(builtIn.deployments, testWorkload('Deployment', 'web', { replicas: 0 }))
  await site.clock.advance(60_000)
  expect(await ready(site)).toBe('True')
  expect(await site.replicas()).toBe(0)
  await site.clock.advance(240_000)
  expect(await site.replicas()).toBe(1)
})

test('two operators for a moment write one autoscaler and one number', async () => {
  await using site = await AutoscaleSite.start(0)
  const first = await site.operator({ isServed: false })
  await site.operator({ isServed: false })
  await site.create(scaledObjects, scaled('web', { pollingInterval: 5, triggers: [waiting(2)] }))
  await site.clock.advance(30_000)
  await first[Symbol.asyncDispose]()
  await site.clock.advance(30_000)
  expect(await site.replicas()).toBe(1)
  const { items } = await site.api
    .resource<KubeObject>(builtIn.horizontalpodautoscalers)
    .list({ namespace: 'default', signal: site.signal })
  expect(items).toHaveLength(1)
  expect(await ready(site)).toBe('True')
})

test('the elder of two ScaledObjects on one target goes on, and the other when that is gone', async () => {
  await using site = await AutoscaleSite.start(1)
  await site.operator({ isServed: false })
  const spec = { scaleTargetRef: { name: 'web' }, triggers: [waiting(2)] }
  await site.create(scaledObjects, scaled('web', spec))
  await site.clock.advance(5_000)
  await site.create(scaledObjects, scaled('after', spec))
  await site.clock.advance(20_000)
  expect(await ready(site)).toBe('True')
  const { status } = await site.get<ScaledObject>(scaledObjects, 'after')
  expect(status?.conditions?.[0]).toMatchObject({ type: 'Ready', status: 'False', reason: 'ScaledObjectCheckFailed' })
  expect(status?.conditions?.[0]?.message).toContain("is already managed by the ScaledObject 'web'")
  await expect(site.get(builtIn.horizontalpodautoscalers, 'keda-hpa-after')).rejects.toThrow(/not found/)
  await site.api.resource(scaledObjects).delete('web', { namespace: 'default', signal: site.signal })
  await site.clock.advance(120_000)
  const freed = await site.get<ScaledObject>(scaledObjects, 'after')
  expect(freed.status?.conditions?.[0]).toMatchObject({ type: 'Ready', status: 'True' })
})

test('a clock that jumps ahead or back moves the schedule, and never what is active', async () => {
  await using site = await AutoscaleSite.start(2)
  await site.operator({ isServed: false })
  await site.create(scaledObjects, scaled('web', { pollingInterval: 5, cooldownPeriod: 60, triggers: [waiting(2)] }))
  await site.clock.advance(20_000)
  for (const jumpMs of [3_600_000, -7_200_000]) {
    site.clock.setWall(jumpMs)
    for (let step = 0; step < 4; step++) {
      await site.clock.advance(10_000)
      expect(await site.replicas()).toBe(2)
    }
  }
})

test('an operator that ends while it wakes its target is followed by one that goes on', async () => {
  const whole = await objectLife()
  expect(whole.seen).toEqual([
    expect.stringMatching(
      /^asleep: 0 replicas, keda-hpa-web, Ready True,Active False,Fallback False,Paused False,HPAActive True, first 2/,
    ),
    expect.stringMatching(/^awake: 1 replicas, keda-hpa-web, Ready True,Active True/),
    expect.stringMatching(/^asleep again: 0 replicas, keda-hpa-web/),
    expect.stringMatching(/^paused: 3 replicas, , Ready True,.*Paused True/),
    expect.stringMatching(/^unpaused: 0 replicas, keda-hpa-web, Ready True,.*Paused False/),
    expect.stringMatching(/^renamed: 0 replicas, other, Ready True/),
    expect.stringMatching(/^deleted: 2 replicas, , undefined/),
  ])
  const wakes = whole.writes.findLastIndex(write => /^PUT .*\/scale$/.test(write)) + 1
  expect(wakes).toBeGreaterThan(0)
  expect((await objectLife({ write: wakes, moment: 'after' })).seen).toEqual(whole.seen)
})
