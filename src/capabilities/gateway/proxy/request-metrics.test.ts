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
