// Requests to sources are counted for the metric that they are asked for, through the scalers.
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { TriggerSet } from '../operator/trigger-set.ts'
import { openedTrigger, scalerWorld } from '../scalers/testdata/scaler-world.ts'
import { sourceServer } from '../scalers/testdata/source-server.ts'
import { kedaMetrics } from './keda-metrics.ts'

const { signal } = new AbortController()

test('by upstream’s names and labels: answers, failures, queries that come to nothing; gone with their object', async () => {
  const registry = new Registry()
  const counts = kedaMetrics(registry)
  const said = ['{"data":{"resultType":"vector","result":[]}}', '{"data":{"resultType":"vector","result":[{"value":[1,"7"]}]}}']
  const statuses = [200, 200, 503, 503]
  await using source = await sourceServer((_request, response) => {
    response.writeHead(statuses.shift() ?? 500)
    response.end(said.shift() ?? 'no')
  })
  await using world = scalerWorld()
  const triggers = [
    { type: 'prometheus', name: 'queue', metadata: { serverAddress: source.url, query: 'a', threshold: '1' } },
    { type: 'prometheus', metadata: { serverAddress: 'http://127.0.0.1:1', query: 'b', threshold: '1' } },
  ]
  const { owner } = openedTrigger('prometheus', {})
  const given = async ({ metadata }: (typeof triggers)[number]) => ({ metadata, env: {}, auth: {} })
  await using set = await TriggerSet.open({ owner, triggers, world: { ...world, counts }, given: given as never }, signal)
  for (const value of [0, 7]) expect((await set.read(0, 's0-prometheus', signal)).values[0]?.value).toBe(value)
  await expect(set.read(0, 's0-prometheus', signal)).rejects.toThrow(/503/)
  await expect(set.read(1, 's1-prometheus', signal)).rejects.toThrow()
  const series = async () =>
    (await registry.metrics())
      .split('\n')
      .filter(line => /^keda_scaler_(http|empty)/.test(line) && !/_bucket|_sum/.test(line))
      .toSorted()
  const asked = 'namespace="media",scaled_resource="sonarr",scaler="prometheus"'
  const first = `${asked},trigger_name="queue",metric_name="s0-prometheus"`
  expect(await series()).toEqual(
    [
      'keda_scaler_empty_upstream_responses_total{namespace="media",scaledResource="sonarr",triggerName="queue",metricName="s0-prometheus",resourceType="ScaledObject",ignoreNullValues="true"} 1',
      'keda_scaler_http_request_duration_seconds_count{scaler="prometheus",status_code="200"} 2',
      'keda_scaler_http_request_duration_seconds_count{scaler="prometheus",status_code="503"} 2',
      'keda_scaler_http_request_duration_seconds_count{scaler="prometheus",status_code="error"} 2',
      `keda_scaler_http_requests_total{${first},status_code="200"} 2`,
      `keda_scaler_http_requests_total{${first},status_code="503"} 2`,
      `keda_scaler_http_requests_total{${asked},trigger_name="",metric_name="s1-prometheus",status_code="error"} 2`,
    ].toSorted(),
  )
  counts.forget({ type: 'scaledobject', namespace: 'media', name: 'sonarr' })
  expect((await series()).filter(line => line.includes('sonarr'))).toEqual([])
})
