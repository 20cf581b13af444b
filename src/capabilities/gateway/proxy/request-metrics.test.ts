// What the gateway counts outlives its part: a change of the configuration starts that again in the same process.
import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { scalerMetrics } from '../counts/scaler-metrics.ts'
import { requestMetrics } from './request-metrics.ts'

it('counts go on when the part starts again, and ask its routes', async () => {
  const registry = new Registry()
  const route = { namespace: 'media', name: 'sonarr' }
  requestMetrics(registry, () => [{ ...route, concurrency: 3, waiting: 2 }]).answered('GET', 200, route, 0.02)
  requestMetrics(registry, () => [{ ...route, concurrency: 1, waiting: 0 }]).answered('GET', 200, route, 0.2)
  scalerMetrics(registry)({ tookMs: 10, peers: 2, unreached: 2 })
  scalerMetrics(registry)({ tookMs: 10, peers: 2, unreached: 2 })
  const text = await registry.metrics()
  const labels = 'route_name="sonarr",route_namespace="media"'
  expect(text).toContain(`interceptor_request_count_total{code="200",method="GET",${labels}} 2`)
  expect(text).toContain(`interceptor_request_concurrency{${labels}} 1`)
  expect(text).toContain(`ballast_gateway_held_requests{${labels}} 0`)
  expect(text).toContain('scaler_pinger_fetch_errors_total 2')
})

it('times of requests are in the text, and for whoever asks for values', async () => {
  const registry = new Registry()
  const metrics = requestMetrics(registry, () => [])
  const route = { namespace: 'media', name: 'sonarr' }
  for (const seconds of [0.02, 0.02, 0.5, 70]) metrics.answered('GET', 200, route, seconds)
  metrics.answered('BREW', 404, undefined, 1)
  const labels = 'code="200",method="GET",route_name="sonarr",route_namespace="media"'
  const text = await registry.metrics()
  expect(text).toContain('# TYPE interceptor_request_duration_seconds histogram\n')
  const samples = text.split('\n').filter(line => line.startsWith('interceptor_request_duration_seconds'))
  // Fourteen buckets and the last one, sum and count: of two kinds of requests.
  expect(samples).toHaveLength(2 * 17)
  expect(samples).toEqual(
    expect.arrayContaining([
      `interceptor_request_duration_seconds_bucket{le="0.01",${labels}} 0`,
      `interceptor_request_duration_seconds_bucket{le="0.025",${labels}} 2`,
      `interceptor_request_duration_seconds_bucket{le="10",${labels}} 3`,
      `interceptor_request_duration_seconds_bucket{le="+Inf",${labels}} 4`,
      `interceptor_request_duration_seconds_sum{${labels}} 70.54`,
      `interceptor_request_duration_seconds_count{${labels}} 4`,
      'interceptor_request_duration_seconds_count{code="404",method="_OTHER",route_name="",route_namespace=""} 1',
    ]),
  )
  const [found] = (await registry.getMetricsAsJSON()).filter(({ name }) => name === 'interceptor_request_duration_seconds')
  expect(Reflect.get(found ?? {}, 'values')).toContainEqual({
    metricName: 'interceptor_request_duration_seconds_count',
    labels: { code: '200', method: 'GET', route_name: 'sonarr', route_namespace: 'media' },
    value: 4,
  })
})
