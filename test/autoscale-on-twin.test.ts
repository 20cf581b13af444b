// ScaledObjects on the twin: from zero and back, and from one to many through the twin's own HorizontalPodAutoscaler, which asks
// external.metrics.k8s.io as a real one does.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ScaledObject } from '../src/capabilities/autoscale/kinds/scaled-object.ts'
import { scaledObjects } from '../src/capabilities/autoscale/names.ts'
import { AutoscaleSite, hourly, scaled } from './autoscale-site.ts'

test('a schedule wakes a Deployment, its autoscaler takes it to many, and it goes to zero after its cool-down', async () => {
  await using site = await AutoscaleSite.start(0)
  await site.operator()
  await site.create(
    scaledObjects,
    scaled('web', { cooldownPeriod: 120, pollingInterval: 10, triggers: [hourly('10 * * * *', '20 * * * *', 6)] }),
  )
  await site.clock.advance(60_000)
  expect(await site.replicas()).toBe(0)
  const { status } = await site.get<ScaledObject>(scaledObjects, 'web')
  expect(status).toMatchObject({
    scaleTargetKind: 'apps/v1.Deployment',
    originalReplicaCount: 0,
    externalMetricNames: ['s0-cron-Etc-UTC-10xxxx-20xxxx'],
    hpaName: 'keda-hpa-web',
    triggersTypes: 'cron',
    triggersActivity: { 's0-cron-Etc-UTC-10xxxx-20xxxx': { isActive: false } },
  })
  await site.clock.advance(15 * 60_000)
  expect(await site.replicas()).toBe(6)
  await site.clock.advance(15 * 60_000)
  expect(await site.replicas()).toBe(0)
  expect(site.events.map(({ reason }) => reason)).toEqual([
    'KEDAScalersStarted',
    'ScaledObjectReady',
    'KEDAScalersStarted',
    'KEDAScaleTargetActivated',
    'KEDAScaleTargetDeactivated',
  ])
})

const minute = 60_000
const always = hourly('0 0 1 1 *', '0 0 30 2 *', 2)

test('a pause keeps what is there or sets a number, takes the autoscaler away, and its end brings it back', async () => {
  await using site = await AutoscaleSite.start(3)
  await site.operator()
  await site.create(scaledObjects, scaled('web', { minReplicaCount: 1, triggers: [hourly('10 * * * *', '20 * * * *', 2)] }))
  await site.clock.advance(minute)
  expect((await site.get<ScaledObject>(scaledObjects, 'web')).status?.hpaName).toBe('keda-hpa-web')
  await site.annotate({ 'autoscaling.keda.sh/paused-replicas': '2' })
  await site.clock.advance(minute)
  expect(await site.replicas()).toBe(2)
  expect(await site.autoscalers()).toEqual([])
  const { status } = await site.get<ScaledObject>(scaledObjects, 'web')
  expect([status?.pausedReplicaCount, status?.conditions?.find(({ type }) => type === 'Paused')?.status]).toEqual([2, 'True'])
  await site.annotate({ 'autoscaling.keda.sh/paused-replicas': null })
  await site.clock.advance(minute)
  expect(await site.autoscalers()).toEqual(['keda-hpa-web'])
  const after = await site.get<ScaledObject>(scaledObjects, 'web')
  expect(after.status?.conditions?.find(({ type }) => type === 'Paused')).toMatchObject({
    status: 'False',
    reason: 'ScaledObjectUnpaused',
  })
})

test('what goes gives the replicas back that it found, and leaves no autoscaler', async () => {
  await using site = await AutoscaleSite.start(3)
  await site.operator()
  await site.create(
    scaledObjects,
    scaled('web', {
      initialCooldownPeriod: 30,
      pollingInterval: 10,
      advanced: { restoreToOriginalReplicaCount: true },
      triggers: [hourly('10 * * * *', '20 * * * *', 2)],
    }),
  )
  await site.clock.advance(2 * minute)
  expect(await site.replicas()).toBe(0)
  await site.api.resource<KubeObject>(scaledObjects).delete('web', { namespace: 'default', signal: site.signal })
  await site.clock.advance(minute)
  expect(await site.replicas()).toBe(3)
  expect(await site.autoscalers()).toEqual([])
  await expect(site.get(scaledObjects, 'web')).rejects.toThrow('not found')
})

test('an autoscaler of somebody else is left alone, and taken over where that is asked for', async () => {
  await using site = await AutoscaleSite.start(2)
  await site.operator()
  const theirs = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'mine', namespace: 'default' },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, minReplicas: 2, maxReplicas: 2 },
  }
  await site.create(builtIn.horizontalpodautoscalers, theirs)
  const advanced = { horizontalPodAutoscalerConfig: { name: 'mine' } }
  await site.create(scaledObjects, scaled('web', { minReplicaCount: 1, maxReplicaCount: 5, advanced, triggers: [always] }))
  await site.clock.advance(minute)
  const refused = await site.get<ScaledObject>(scaledObjects, 'web')
  expect(refused.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
    status: 'False',
    reason: 'ScaledObjectCheckFailed',
    message: expect.stringContaining('transfer-hpa-ownership'),
  })
  expect((await site.get<KubeObject>(builtIn.horizontalpodautoscalers, 'mine'))['spec']).toMatchObject({ maxReplicas: 2 })
  await site.annotate({ 'scaledobject.keda.sh/transfer-hpa-ownership': 'true' })
  await site.clock.advance(minute)
  const taken = await site.get<KubeObject>(builtIn.horizontalpodautoscalers, 'mine')
  expect(taken).toMatchObject({
    spec: { maxReplicas: 5 },
    metadata: { ownerReferences: [{ kind: 'ScaledObject', name: 'web' }] },
  })
})

test('a formula over two schedules, and an activation that is forced', async () => {
  await using site = await AutoscaleSite.start(0)
  await site.operator()
  const [one, other] = [
    { ...hourly('10 * * * *', '50 * * * *', 2), name: 'one' },
    { ...hourly('10 * * * *', '50 * * * *', 4), name: 'other' },
  ]
  const scalingModifiers = { formula: 'one + other > 5 ? one + other : 0', target: '2' }
  await site.create(
    scaledObjects,
    scaled('web', {
      pollingInterval: 10,
      cooldownPeriod: 60,
      advanced: { scalingModifiers },
      triggers: [one, { ...other, metadata: { ...other.metadata, end: '51 * * * *' } }],
    }),
  )
  await site.clock.advance(5 * minute)
  expect(await site.replicas()).toBe(0)
  await site.clock.advance(10 * minute)
  expect(await site.replicas()).toBe(3)
  await site.clock.advance(50 * minute)
  expect(await site.replicas()).toBe(0)
  await site.annotate({ 'autoscaling.keda.sh/force-activation': 'maybe' })
  await site.clock.advance(minute)
  expect(await site.replicas()).toBe(1)
  expect(site.events.at(-1)).toMatchObject({ note: expect.stringContaining('caused by forced activation annotation') })
})

test('an open time window is a floor and a ceiling, and leaves both when it closes', async () => {
  await using site = await AutoscaleSite.start(0)
  await site.operator()
  const window = { type: 'time-window', metadata: { timezone: 'Etc/UTC', from: '00:05', to: '00:15', min: '2', max: '3' } }
  const triggers = [hourly('0 * * * *', '20 * * * *', 6), window]
  await site.create(scaledObjects, scaled('web', { pollingInterval: 10, cooldownPeriod: 30, maxReplicaCount: 10, triggers }))
  const bounds = async () => {
    const { spec } = await site.get<KubeObject & { readonly spec: { readonly maxReplicas: number } }>(
      builtIn.horizontalpodautoscalers,
      'keda-hpa-web',
    )
    return [spec.maxReplicas, await site.replicas()]
  }
  await site.clock.advance(4 * 60_000)
  expect(await bounds()).toEqual([10, 6])
  await site.clock.advance(3 * 60_000)
  expect(await bounds()).toEqual([3, 3])
  await site.clock.advance(10 * 60_000)
  expect(await bounds()).toEqual([10, 6])
})

test('stepwise: the autoscaler takes it to one by its own behavior, then the cool-down counts, and why is told', async () => {
  await using site = await AutoscaleSite.start(0)
  await site.operator()
  const scaleDown = { stabilizationWindowSeconds: 0, policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] }
  const advanced = { horizontalPodAutoscalerConfig: { behavior: { scaleDown } } }
  const spec = { pollingInterval: 10, cooldownPeriod: 120, advanced, triggers: [hourly('1 * * * *', '10 * * * *', 4)] }
  const asked = { annotations: { 'ballast.dev/scale-to-zero-policy': 'stepwise' } }
  await site.create(scaledObjects, scaled('web', spec, asked))
  await site.clock.advance(9.5 * minute)
  const seen = [await site.replicas()]
  for (let at = 0; at < 60 && seen.at(-1) !== 0; at++) {
    await site.clock.advance(10_000)
    const replicas = await site.replicas()
    if (replicas === seen.at(-1)) continue
    seen.push(replicas)
    if (replicas !== 3) continue
    const { status } = await site.get<ScaledObject>(scaledObjects, 'web')
    expect(status?.conditions?.find(({ type }) => type === 'Active')).toMatchObject({
      reason: 'ScalerCooldown',
      message: 'HPA scales down to 1 first because of ballast.dev/scale-to-zero-policy',
    })
  }
  expect(seen).toEqual([4, 3, 2, 1, 0])
  await site.annotate({ 'ballast.dev/scale-to-zero-policy': 'slow' })
  await site.clock.advance(minute)
  expect(site.events.at(-1)).toEqual({
    reason: 'ScaledObjectAnnotationIgnored',
    note: 'annotation ballast.dev/scale-to-zero-policy: "slow" is ignored: expected stepwise',
  })
})
