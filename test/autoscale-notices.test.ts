// The operator on the twin tells receivers what happens, says in their sources how that goes, and counts as KEDA does.
import { Registry } from 'prom-client'
import { expect, test, vi } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { CloudEventSource } from '../src/capabilities/autoscale/kinds/cloud-event-source.ts'
import { cloudEventSources, clusterCloudEventSources, scaledObjects } from '../src/capabilities/autoscale/names.ts'
import { saying, sourceServer } from '../src/capabilities/autoscale/scalers/testdata/source-server.ts'
import { AutoscaleSite, hourly, scaled } from './autoscale-site.ts'

const toldBy = (
  kind: 'CloudEventSource' | 'ClusterCloudEventSource',
  name: string,
  spec: Readonly<Record<string, unknown>>,
  metadata: Partial<KubeObject['metadata']> = {},
): KubeObject => ({
  apiVersion: 'eventing.keda.sh/v1alpha1',
  kind,
  metadata: { name, ...(kind === 'CloudEventSource' ? { namespace: 'default' } : {}), ...metadata },
  spec,
})
const to = (uri: string) => ({ destination: { http: { uri } } })

test('receivers are told what their sources want, once for each event, and a bad one is said', async () => {
  await using receiver = await sourceServer(saying('', 'text/plain', 202))
  await using broken = await sourceServer(saying('', 'text/plain', 500))
  await using site = await AutoscaleSite.start(0)
  const registry = new Registry()
  await site.operator({ isServed: false, registry })
  await site.create(cloudEventSources, toldBy('CloudEventSource', 'all', { ...to(`${receiver.url}/all`), clusterName: 'attic' }))
  const paused = { eventSubscription: { includedEventTypes: ['keda.scaledobject.paused.v1'] } }
  await site.create(
    clusterCloudEventSources,
    toldBy('ClusterCloudEventSource', 'pauses', { ...to(`${receiver.url}/pauses`), ...paused }),
  )
  await site.create(cloudEventSources, toldBy('CloudEventSource', 'broken', to(broken.url)))
  const azure = { destination: { azureEventGridTopic: { endpoint: 'https://grid.example' } } }
  await site.create(cloudEventSources, toldBy('CloudEventSource', 'azure', azure))
  await site.clock.advance(1_000)
  await site.create(scaledObjects, scaled('web', { triggers: [hourly('10 * * * *', '20 * * * *', 2)] }))
  await site.clock.advance(120_000)
  await site.annotate({ 'autoscaling.keda.sh/paused': 'true' })
  await site.clock.advance(120_000)
  await vi.waitFor(() => expect(receiver.asked).toHaveLength(3))
  expect(
    receiver.asked.map(({ path, headers }) => [path, headers['ce-type'], headers['ce-source'], headers['ce-subject']]),
  ).toEqual([
    ['/all', 'keda.scaledobject.ready.v1', '/attic/keda/keda', '/attic/default/scaledobject/web'],
    ['/all', 'keda.scaledobject.paused.v1', '/attic/keda/keda', '/attic/default/scaledobject/web'],
    ['/pauses', 'keda.scaledobject.paused.v1', '/homelab/keda/keda', '/homelab/default/scaledobject/web'],
  ])
  const active = async (name: string) => (await site.get<CloudEventSource>(cloudEventSources, name)).status?.conditions
  expect(await active('all')).toEqual([
    {
      type: 'Active',
      status: 'True',
      reason: 'CloudEventSourceActive',
      message: 'Is configured to send events to the configured destination',
    },
  ])
  expect(await active('broken')).toMatchObject([
    { status: 'False', reason: 'CloudEventSourceFailed', message: expect.stringContaining('status 500') },
  ])
  expect(await active('azure')).toMatchObject([{ status: 'False', message: expect.stringContaining('azureEventGridTopic') }])
  const counted = (await registry.metrics()).split('\n')
  expect(counted).toContain(
    'keda_cloudeventsource_events_emitted_total{namespace="default",cloudeventsource="all",eventsink="http",state="emitted"} 2',
  )
  expect(counted).toContain('keda_cloudeventsource_events_queued{namespace="default"} 0')
  expect(counted).toContain('keda_scaled_object_paused{namespace="default",scaledObject="web"} 1')
  expect(counted).toContain('keda_trigger_registered_total{type="cron"} 1')
  expect(counted).toContain('keda_resource_registered_total{type="cloudevent_source",namespace="default"} 4')
  const sent = async () => (await registry.metrics()).split('\n').filter(line => /^keda_cloudeventsource.*\{.*"all"/.test(line))
  expect(await sent()).toHaveLength(1)
  await site.api.resource(cloudEventSources).delete('all', { namespace: 'default', signal: site.signal })
  await site.clock.advance(10_000)
  expect(await sent()).toEqual([])
})

test("a look is counted, a source that KEDA's finalizer holds is let go, and what is gone leaves no series", async () => {
  await using site = await AutoscaleSite.start(0)
  const registry = new Registry()
  await site.operator({ isServed: false, registry })
  await site.create(
    cloudEventSources,
    toldBy('CloudEventSource', 'held', to('http://receiver.default'), { finalizers: ['finalizer.keda.sh'] }),
  )
  await site.create(scaledObjects, scaled('web', { triggers: [{ ...hourly('0 0 1 1 *', '0 0 30 2 *', 2), name: 'year' }] }))
  await site.clock.advance(60_000)
  const series = async () => (await registry.metrics()).split('\n').filter(line => line.includes('scaledObject="web"'))
  expect((await series()).filter(line => line.startsWith('keda_scaler_'))).toEqual([
    expect.stringMatching(/^keda_scaler_metrics_value\{.*scaler="year",triggerIndex="0"\} \d+$/),
    expect.stringMatching(/^keda_scaler_metrics_latency_seconds\{/),
    expect.stringMatching(/^keda_scaler_active\{.*metric="s0-cron-.*\} [01]$/),
    expect.stringMatching(/^keda_scaler_detail_errors_total\{.*\} 0$/),
  ])
  await site.api.resource(cloudEventSources).delete('held', { namespace: 'default', signal: site.signal })
  await site.api.resource(scaledObjects).delete('web', { namespace: 'default', signal: site.signal })
  await site.clock.advance(60_000)
  expect(await series()).toEqual([])
  const { items } = await site.api.resource(cloudEventSources).list({ namespace: 'default', signal: site.signal })
  expect(items).toEqual([])
})
