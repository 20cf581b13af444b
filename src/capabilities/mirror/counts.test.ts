import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { MirrorMetrics } from './counts.ts'

const around = { clock: new VirtualClock(1_000_000), beforeScrape: () => undefined }

test('names and labels are those that dashboards of upstream ask for', async () => {
  const registry = new Registry()
  const metrics = new MirrorMetrics(registry, around)
  metrics.request('docker.io', 'hit')
  metrics.request('docker.io', 'miss')
  metrics.resolved(0.01)
  metrics.advertisedNow(new Map([['docker.io', { tags: 1, digests: 2, content: 3 }]]))
  metrics.begin('/v2/*', 'GET')(206, 10)
  metrics.served('docker.io', 'relay', 'out', 7)
  const shown = await registry.metrics()
  for (const line of [
    'spegel_mirror_requests_total{registry="docker.io",cache="hit"} 1',
    'spegel_mirror_requests_total{registry="docker.io",cache="miss"} 1',
    'spegel_mirror_last_success_timestamp_seconds 1000',
    'spegel_resolve_duration_seconds_count{router="libp2p"} 1',
    'spegel_advertised_image_tags{registry="docker.io"} 1',
    'spegel_advertised_image_digests{registry="docker.io"} 2',
    'spegel_advertised_content_digests{registry="docker.io"} 3',
    'http_request_duration_seconds_count{handler="/v2/*",method="GET",code="206"} 1',
    'http_response_size_bytes_bucket{le="1024",handler="/v2/*",method="GET",code="206"} 1',
    'http_response_size_bytes_bucket{le="2000000000",handler="/v2/*",method="GET",code="206"} 1',
    'http_requests_inflight{handler="/v2/*"} 0',
    'ballast_mirror_bytes_total{source="relay",direction="out"} 7',
  ])
    expect(shown).toContain(`${line}\n`)
  metrics.advertisedNow(new Map())
  expect(await registry.metrics()).not.toContain('spegel_advertised_image_tags{')
})

test('names that requests bring take no more than so much memory', async () => {
  const registry = new Registry()
  const metrics = new MirrorMetrics(registry, around)
  for (let at = 0; at < 500; at++) metrics.request(`registry${at}.test`, 'miss')
  const lines = (await registry.metrics()).split('\n').filter(line => line.startsWith('spegel_mirror_requests_total{'))
  expect(lines).toHaveLength(101)
  expect(lines).toContain('spegel_mirror_requests_total{registry="other",cache="miss"} 400')
})
