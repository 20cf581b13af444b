import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { answer, broken, ScriptedTransport, statusOf, watchOf } from '#test/scripted-transport.ts'
import { VirtualClock } from '../clock.ts'
import { Informers } from '../informers/informer.ts'
import { builtIn } from '../objects/resource.ts'
import { openApi } from './api.ts'
import { countedTransport, requestMetrics, watchInformers } from './client-metrics.ts'

test('informers and requests are counted under the names of dashboards', async () => {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  const registry = new Registry()
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', namespace: 'shop', uid: '1', resourceVersion: '6' } }
  const script = [
    answer(500, statusOf(500, 'InternalError'), { 'retry-after': '1' }),
    answer(200, { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '5' }, items: [] }),
    watchOf([{ type: 'ADDED', object: pod }], 'stay'),
  ]
  const transport = new ScriptedTransport((_, index) => script[index] ?? broken())
  const stop = new AbortController()
  const server = { registry, clock, host: 'kube.test:6443' }
  const requestObserver = requestMetrics(server)
  const api = openApi(countedTransport(transport, server), { clock, userAgent: 'test', requestObserver })
  const informers = new Informers(api, { clock, random: () => 0, watchList: 'off', signal: stop.signal })
  watchInformers(registry, () => informers.all(), clock)
  informers.of(builtIn.pods)
  await clock.advance(2_000)
  const lines = (await registry.metrics()).split('\n')
  for (const line of [
    'ballast_informer_objects{kind="pods"} 1',
    'ballast_informer_synced{kind="pods"} 1',
    'ballast_informer_last_event_timestamp_seconds{kind="pods"} 1767225601',
    'ballast_informer_events_total{kind="pods"} 1',
    'ballast_informer_relists_total{kind="pods",reason="start"} 1',
    'rest_client_requests_total{code="500",method="GET",host="kube.test:6443"} 1',
    'rest_client_requests_total{code="200",method="GET",host="kube.test:6443"} 2',
    'rest_client_request_retries_total{code="500",verb="GET",host="kube.test:6443"} 1',
    'rest_client_rate_limiter_duration_seconds_count{verb="GET",host="kube.test:6443"} 3',
    'ballast_informer_apply_seconds_count{kind="pods"} 1',
    'rest_client_request_duration_seconds_count{verb="GET",host="kube.test:6443"} 3',
  ])
    expect(lines).toContain(line)
  const figure = (name: string) => Number(lines.find(line => line.startsWith(name))?.split(' ')[1])
  expect(figure('ballast_api_bytes_total{kind="pods",direction="received"}')).toBeGreaterThan(JSON.stringify(pod).length)
  expect(figure('ballast_informer_bytes_estimate{kind="pods"}')).toBeGreaterThan(JSON.stringify(pod).length)
  // Asked again, nothing is counted twice.
  expect((await registry.metrics()).split('\n')).toContain('ballast_informer_events_total{kind="pods"} 1')
  stop.abort(new Error('the test is over'))
})
