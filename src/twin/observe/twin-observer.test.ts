import { describe, expect, test } from 'vitest'
import { TestCluster, testNodes, testWorkload } from '../components/cluster-for-tests.ts'
import { TestClient } from '../twin-for-tests.ts'

const maps = '/api/v1/namespaces/default/configmaps'

async function observed() {
  const cluster = await TestCluster.start([...testNodes(2), testWorkload('Deployment', 'web', { replicas: 3 })])
  await cluster.settle()
  return { cluster, client: new TestClient(cluster.twin.transport({ admin: true })) }
}

const line = (text: string, start: string) => text.split('\n').find(one => one.startsWith(start))

describe('/metrics', () => {
  test('tells of requests, objects, bindings, watches, faults and time', async () => {
    const { cluster, client } = await observed()
    await using _cluster = cluster
    cluster.twin.fault({ match: { name: 'broken' }, reset: { when: 'before' } })
    await client.get(maps)
    await client.get(maps)
    await client.get(`${maps}/none`)
    await expect(client.get(`${maps}/broken`)).rejects.toThrow()
    using watch = await client.watch(maps, {})
    const { text, headers } = await client.get('/metrics')
    expect(headers['content-type']).toContain('text/plain')
    const total = (verb: string, code: number, scope: string) =>
      line(
        text,
        `apiserver_request_total{code="${code}",group="",resource="configmaps",scope="${scope}",subresource="",verb="${verb}",version="v1"}`,
      )
    expect(total('LIST', 200, 'namespace')).toMatch(/ 2$/)
    expect(total('GET', 404, 'resource')).toMatch(/ 1$/)
    expect(total('GET', 0, 'resource')).toMatch(/ 1$/)
    expect(total('WATCH', 200, 'namespace')).toMatch(/ 1$/)
    expect(
      line(
        text,
        'apiserver_request_duration_seconds_bucket{group="",le="+Inf",resource="configmaps",scope="namespace",subresource="",verb="LIST"',
      ),
    ).toMatch(/ 2$/)
    expect(line(text, 'ballast_twin_objects{resource="nodes"}')).toBe('ballast_twin_objects{resource="nodes"} 2')
    expect(line(text, 'ballast_twin_bindings_total')).toBe('ballast_twin_bindings_total 3')
    expect(line(text, 'ballast_twin_watchers{')).toBe('ballast_twin_watchers{resource="configmaps"} 1')
    expect(line(text, 'ballast_twin_faults_fired_total{')).toBe('ballast_twin_faults_fired_total{fault="fault-1"} 1')
    expect(Number(line(text, 'ballast_twin_clock_seconds ')?.split(' ')[1])).toBe(cluster.clock.now() / 1000)
    watch[Symbol.dispose]()
    expect((await client.get('/metrics')).text).not.toContain('ballast_twin_watchers')
  })

  test('is for those alone who may', async () => {
    const { cluster, client } = await observed()
    await using _cluster = cluster
    const answer = await client.get('/metrics', { headers: { 'impersonate-user': 'nobody' } })
    expect([answer.status, answer.message]).toEqual([403, expect.stringContaining('cannot get path "/metrics"')])
  })
})

test('/debug/twin shows the clock, what moves and the faults', async () => {
  const { cluster, client } = await observed()
  await using _cluster = cluster
  cluster.twin.fault({ match: { resource: 'secrets' }, status: { code: 500 } })
  const settled = (await client.get('/debug/twin')).text
  expect(settled).toMatch(/^clock {4}2026-01-01T00:00:\d\dZ$/m)
  expect(settled).toMatch(/^cluster {2}settled$/m)
  expect(settled).toMatch(/^ {9}fault-1: status, fired 0$/m)
  cluster.create('deployments.apps', testWorkload('Deployment', 'more'))
  expect((await client.get('/debug/twin')).text).toMatch(/^cluster {2}\d+ things move$/m)
})
