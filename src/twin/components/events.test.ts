import { describe, expect, test } from 'vitest'
import { TestCluster, testNodes, testWorkload } from './cluster-for-tests.ts'

const reasons = (cluster: TestCluster) => new Set(cluster.list('events').map(event => event['reason']))

describe('which events are written', () => {
  // biome-ignore format: a table
  test.each([
    ['full', ['ScalingReplicaSet', 'SuccessfulCreate', 'Scheduled', 'Pulling', 'Pulled', 'Created', 'Started']],
    ['scheduling', ['Scheduled']],
    ['off', []],
  ] as const)('%s', async (events, expected) => {
    await using cluster = await TestCluster.start(testNodes(1), { events })
    cluster.create('deployments.apps', testWorkload('Deployment', 'web', { replicas: 1 }))
    await cluster.settle()
    expect(reasons(cluster)).toEqual(new Set(expected))
  })
})

test('a repeated event is counted up, and an hour after its last time it is gone', async () => {
  await using cluster = await TestCluster.start(testNodes(1))
  const spec = { containers: [{ name: 'a', image: 'i', resources: { requests: { cpu: '100' } } }] }
  cluster.create('pods', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'default' }, spec })
  await cluster.settle()
  await cluster.clock.advance(700_000)
  const [event] = cluster.list('events')
  expect(event).toMatchObject({
    reason: 'FailedScheduling',
    type: 'Warning',
    action: 'Scheduling',
    reportingComponent: 'default-scheduler',
    series: { count: 3 },
  })
  expect(cluster.list('events')).toHaveLength(1)
  cluster.access.remove('pods', 'default', 'p', { manager: 'kubectl', user: 'u' })
  await cluster.clock.advance(3_300_000)
  expect(cluster.list('events')).toHaveLength(1)
  await cluster.clock.advance(500_000)
  expect(cluster.list('events')).toEqual([])
  expect(cluster.failures).toEqual([])
})
