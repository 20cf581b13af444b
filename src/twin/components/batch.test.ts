import { expect, test } from 'vitest'
import { TestCluster, testNodes, testTemplate } from './cluster-for-tests.ts'

function job(name: string, spec: Readonly<Record<string, unknown>>, annotations: Readonly<Record<string, string>> = {}) {
  const template = testTemplate(name, { restartPolicy: 'Never', annotations })
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name, namespace: 'default' }, spec: { template, ...spec } }
}

test('a Job runs its pods to the end, as many at once as it may', async () => {
  await using cluster = await TestCluster.start(testNodes(2))
  let most = 0
  cluster.access.subscribe('pods', () => {
    most = Math.max(most, cluster.pods().filter(pod => pod.status?.phase !== 'Succeeded').length)
  })
  cluster.create('jobs.batch', job('work', { completions: 5, parallelism: 2 }))
  await cluster.settle()
  const done = cluster.get('jobs.batch', 'work')
  expect(done?.status).toMatchObject({
    succeeded: 5,
    conditions: [{ type: 'SuccessCriteriaMet' }, { type: 'Complete', status: 'True', reason: 'CompletionsReached' }],
  })
  expect(done?.status?.completionTime).toBeDefined()
  expect(most).toBe(2)
  expect(cluster.pods().map(pod => [pod.status?.phase, pod.metadata.finalizers ?? []])).toEqual(
    Array.from({ length: 5 }, () => ['Succeeded', []]),
  )
  expect(cluster.failures).toEqual([])
})

test('a Job that is loaded as it was written finds its pods', async () => {
  await using cluster = await TestCluster.start([...testNodes(1), job('loaded', { completions: 2 })])
  await cluster.settle()
  expect(cluster.get('jobs.batch', 'loaded')?.status).toMatchObject({ succeeded: 2 })
  expect(cluster.pods()).toHaveLength(2)
  expect(cluster.failures).toEqual([])
})

test('a Job that fails is tried again after 10, 20, 40 s and given up at its limit', async () => {
  await using cluster = await TestCluster.start(testNodes(1))
  cluster.create(
    'jobs.batch',
    job('work', { backoffLimit: 2 }, { 'ballast.dev/twin-exit-code': '3', 'ballast.dev/twin-run-for': '1s' }),
  )
  await cluster.settle()
  expect(cluster.get('jobs.batch', 'work')?.status).toMatchObject({
    failed: 3,
    conditions: [{ type: 'FailureTarget' }, { type: 'Failed', reason: 'BackoffLimitExceeded' }],
  })
  const created = cluster
    .pods()
    .map(pod => Date.parse(pod.metadata.creationTimestamp ?? '') / 1000)
    .toSorted((a, b) => a - b)
  const waits = created.slice(1).map((at, index) => at - (created[index] ?? 0))
  expect(waits[0]).toBeGreaterThanOrEqual(10)
  expect(waits[1]).toBeGreaterThanOrEqual(20)
  expect(cluster.failures).toEqual([])
})

test('a CronJob of every five minutes makes twelve Jobs an hour and keeps three (case 33)', async () => {
  await using cluster = await TestCluster.start(testNodes(1))
  const names: string[] = []
  cluster.access.subscribe('jobs.batch', ({ type, object }) => type === 'ADDED' && names.push(object.metadata.name))
  const jobTemplate = {
    spec: { template: testTemplate('tick', { restartPolicy: 'Never', annotations: { 'ballast.dev/twin-run-for': '30s' } }) },
  }
  cluster.create('cronjobs.batch', {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'tick', namespace: 'default' },
    spec: { schedule: '*/5 * * * *', jobTemplate },
  })
  await cluster.clock.advance(3_600_000)
  await cluster.settle()
  const firstMinute = Date.parse('2026-01-01T00:05:00Z') / 60_000
  expect(names).toEqual(Array.from({ length: 12 }, (_, index) => `tick-${firstMinute + 5 * index}`))
  expect(cluster.list('jobs.batch').map(({ metadata }) => metadata.name)).toEqual(names.slice(-3))
  expect(cluster.pods()).toHaveLength(3)
  expect(cluster.get('cronjobs.batch', 'tick')?.status).toMatchObject({ lastScheduleTime: '2026-01-01T01:00:00Z' })
  expect(cluster.failures).toEqual([])
})

test('a finished Job goes with its pods when its time to live is over', async () => {
  await using cluster = await TestCluster.start(testNodes(1))
  cluster.create('jobs.batch', job('work', { ttlSecondsAfterFinished: 60 }, { 'ballast.dev/twin-run-for': '1s' }))
  await cluster.settle()
  expect(cluster.pods()).toHaveLength(1)
  await cluster.clock.advance(61_000)
  expect([cluster.list('jobs.batch').length, cluster.pods().length]).toEqual([0, 0])
})
