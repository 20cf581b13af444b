// One write of the operator fails once, and the process lives on: what was to follow it is done all the same.
import { afterEach, expect, test, vi } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { testWorkload } from '#twin/components/cluster-for-tests.ts'
import type { ScaledObject } from '../src/capabilities/autoscale/kinds/scaled-object.ts'
import { scaledObjects } from '../src/capabilities/autoscale/names.ts'
import { TriggerSet } from '../src/capabilities/autoscale/operator/trigger-set.ts'
import { AutoscaleSite, hourly, scaled } from './autoscale-site.ts'

const minuteMs = 60_000
/** Not active in the first half hour. */
const later = hourly('40 * * * *', '50 * * * *', 2)
const isSettledStatus = (write: string, body: string) => /PATCH .*\/web\/status$/.test(write) && body.includes('hpaName')

afterEach(() => void vi.restoreAllMocks())

/** Every trigger is one that tells, once `tell` is called, that it is active. */
function pushing(): { readonly tell: () => void; readonly followed: () => number } {
  const told = Promise.withResolvers<void>()
  let followed = 0
  const { scaler } = TriggerSet.prototype
  vi.spyOn(TriggerSet.prototype, 'scaler').mockImplementation(function (this: TriggerSet, index) {
    const found = scaler.call(this, index)
    if (found === undefined) return undefined
    async function* pushes() {
      followed++
      await told.promise
      yield true
      await new Promise(() => undefined)
    }
    return { ...found, pushes, [Symbol.asyncDispose]: () => found[Symbol.asyncDispose]() }
  })
  return { tell: told.resolve, followed: () => followed }
}

const hpa = async (site: AutoscaleSite) =>
  await site.get<KubeObject & { readonly spec: { readonly minReplicas: number; readonly maxReplicas: number } }>(
    builtIn.horizontalpodautoscalers,
    'keda-hpa-web',
  )

test('the write that tells that all is settled: it is told, and what pushes is heard', async () => {
  const { tell, followed } = pushing()
  await using site = await AutoscaleSite.start(0)
  const { wire } = await site.operator({ isServed: false })
  wire.refuseOnce(isSettledStatus)
  await site.create(scaledObjects, scaled('web', { pollingInterval: 3_600, triggers: [later] }))
  await site.clock.advance(minuteMs)
  const { status } = await site.get<ScaledObject>(scaledObjects, 'web')
  expect([status?.hpaName, status?.externalMetricNames?.length, followed()]).toEqual(['keda-hpa-web', 1, 1])
  wire.refuseOnce(write => /PUT .*\/scale$/.test(write))
  tell()
  // Less than the half hour in which nothing else wakes it.
  for (let minute = 0; minute < 25 && (await site.replicas()) !== 1; minute++) await site.clock.advance(minuteMs)
  expect(await site.replicas()).toBe(1)
})

test('the write that ends a pause: the next pause holds', async () => {
  await using site = await AutoscaleSite.start(2)
  const { wire } = await site.operator({ isServed: false })
  const paused = { 'autoscaling.keda.sh/paused-replicas': '1' }
  await site.create(
    scaledObjects,
    scaled('web', { pollingInterval: 5, triggers: [hourly('0 * * * *', '50 * * * *', 2)] }, { annotations: paused }),
  )
  await site.clock.advance(minuteMs)
  wire.refuseOnce((write, body) => /\/web\/status$/.test(write) && body.includes('pausedReplicaCount'))
  await site.annotate({ 'autoscaling.keda.sh/paused-replicas': null })
  await site.clock.advance(5 * minuteMs)
  const { status } = await site.get<ScaledObject>(scaledObjects, 'web')
  expect(status?.pausedReplicaCount).toBeUndefined()
  expect(status?.conditions?.find(({ type }) => type === 'Paused')?.status).toBe('False')
})

test('an autoscaler that belongs to somebody else: no trigger stays open, however often it is tried', async () => {
  const open = vi.spyOn(TriggerSet, 'open')
  const close = vi.spyOn(TriggerSet.prototype, Symbol.asyncDispose)
  await using site = await AutoscaleSite.start(1)
  await site.operator({ isServed: false })
  const { metadata } = testWorkload('Deployment', 'keda-hpa-web', { replicas: 1 })
  const spec = { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'other' }, maxReplicas: 3 }
  await site.create(builtIn.horizontalpodautoscalers, {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata,
    spec,
  })
  await site.create(scaledObjects, scaled('web', { triggers: [later] }))
  await site.clock.advance(5 * minuteMs)
  expect(open.mock.calls.length).toBeGreaterThan(3)
  expect(close.mock.calls.length).toBe(open.mock.calls.length)
})

test('an autoscaler that somebody edits by hand is as the object says again', async () => {
  await using site = await AutoscaleSite.start(1)
  const { wire } = await site.operator({ isServed: false })
  await site.create(scaledObjects, scaled('web', { pollingInterval: 5, maxReplicaCount: 4, triggers: [later] }))
  await site.clock.advance(minuteMs)
  const body = { spec: { minReplicas: 9, maxReplicas: 50 } }
  await site.api
    .resource(builtIn.horizontalpodautoscalers)
    .patch('keda-hpa-web', { type: 'merge', body }, { namespace: 'default', signal: site.signal })
  await site.clock.advance(minuteMs)
  const { minReplicas, maxReplicas } = (await hpa(site)).spec
  expect([minReplicas, maxReplicas]).toEqual([1, 4])
  const before = wire.writes.length
  await site.clock.advance(10 * minuteMs)
  expect(wire.writes.slice(before).filter(write => write.includes('horizontalpodautoscalers'))).toEqual([])
})

test('a clock that was ahead holds nothing from zero once it is right', async () => {
  await using site = await AutoscaleSite.start(1)
  await site.operator({ isServed: false })
  await site.create(
    scaledObjects,
    scaled('web', { pollingInterval: 5, initialCooldownPeriod: 60, cooldownPeriod: 60, triggers: [later] }),
  )
  await site.clock.advance(10_000)
  const body = { status: { lastActiveTime: '2027-06-01T00:00:00Z' } }
  await site.api
    .resource(scaledObjects)
    .patch('web', { type: 'merge', body }, { namespace: 'default', subresource: 'status', signal: site.signal })
  await site.clock.advance(20_000)
  expect(await site.replicas()).toBe(1)
  await site.clock.advance(2 * minuteMs)
  expect(await site.replicas()).toBe(0)
})
