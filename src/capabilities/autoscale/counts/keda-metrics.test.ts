// Names, labels and life of the series, as people's dashboards know them.
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { type CountedObject, type CountedReading, kedaMetrics } from './keda-metrics.ts'
import { scalerName } from './scaler-names.ts'

const web: CountedObject = { type: 'scaledobject', namespace: 'media', name: 'web' }
const job: CountedObject = { type: 'scaledjob', namespace: 'media', name: 'web' }
const reading: CountedReading = {
  ...{ metric: 's0-prometheus', trigger: { index: 0, type: 'prometheus' } },
  ...{ value: 7, isActive: true, isFailed: false, tookMs: 250 },
}

async function series(registry: Registry): Promise<readonly string[]> {
  return (await registry.metrics()).split('\n').filter(line => line.startsWith('keda_'))
}

const labels =
  'namespace="media",scaledObject="web",type="scaledobject",metric="s0-prometheus",scaler="prometheusScaler",triggerIndex="0"'

test('a look is counted by upstream’s names and labels', async () => {
  const registry = new Registry()
  const metrics = kedaMetrics(registry)
  metrics.read(web, reading)
  metrics.read(web, { ...reading, value: undefined, isActive: undefined, isFailed: true })
  metrics.paused(web, false)
  metrics.looked(web, 1_500)
  metrics.failed(job, 1)
  expect(await series(registry)).toEqual([
    `keda_scaler_metrics_value{${labels}} 7`,
    `keda_scaler_metrics_latency_seconds{${labels}} 0.25`,
    `keda_scaler_active{${labels}} 1`,
    `keda_scaler_detail_errors_total{${labels}} 1`,
    'keda_scaled_object_errors_total{namespace="media",scaledObject="web"} 1',
    'keda_scaled_object_paused{namespace="media",scaledObject="web"} 0',
    'keda_scaled_job_errors_total{namespace="media",scaledJob="web"} 1',
    'keda_internal_scale_loop_latency_seconds{namespace="media",type="scaledobject",resource="web"} 1.5',
  ])
})

test('series of triggers go with them, all others with the object, and none of another object', async () => {
  const registry = new Registry()
  const metrics = kedaMetrics(registry)
  for (const scaled of [web, job]) {
    metrics.read(scaled, reading)
    metrics.looked(scaled, 0)
  }
  metrics.paused(web, true)
  metrics.forgetTriggers(web)
  const left = await series(registry)
  expect(left.filter(line => line.includes('type="scaledobject"') && line.includes('scaler='))).toEqual([])
  expect(left).toContain('keda_scaled_object_paused{namespace="media",scaledObject="web"} 1')
  metrics.forget(web)
  expect((await series(registry)).every(line => line.includes('scaledjob') || line.includes('scaledJob'))).toBe(true)
  metrics.forget(job)
  expect(await series(registry)).toEqual([])
})

test('what is registered is counted anew each time, and nothing is left when the part ends', async () => {
  const registry = new Registry()
  const metrics = kedaMetrics(registry)
  const types = ['cron', 'cron', 'kafka']
  const running = metrics.begin({
    triggers: () => types,
    resources: () => [
      { type: 'scaled_object', namespace: 'media' },
      { type: 'cluster_trigger_authentication', namespace: '' },
    ],
  })
  metrics.read(web, reading)
  types.pop()
  expect((await series(registry)).filter(line => line.includes('registered'))).toEqual([
    'keda_trigger_registered_total{type="cron"} 2',
    'keda_resource_registered_total{type="scaled_object",namespace="media"} 1',
    'keda_resource_registered_total{type="cluster_trigger_authentication",namespace="default"} 1',
  ])
  running[Symbol.dispose]()
  expect((await series(registry)).filter(line => !line.endsWith(' 0'))).toEqual([])
})

test.each([
  [{ type: 'cron', name: 'nights' }, 'nights'],
  [{ type: 'cron' }, 'cronScaler'],
  [{ type: 'aws-sqs-queue', name: '' }, 'awsSqsQueueScaler'],
  [{ type: 'redis-streams' }, 'redisStreamsScaler'],
  [{ type: 'redis-sentinel-streams' }, 'redisStreamsScaler'],
  [{ type: 'metrics-api' }, 'metricsAPIScaler'],
  [{ type: 'memory' }, 'cpuMemoryScaler'],
  [{ type: 'apache-kafka' }, 'apacheKafkaScaler'],
])('the label scaler of %o is %s', (trigger, name) => {
  expect(scalerName(trigger)).toBe(name)
})
