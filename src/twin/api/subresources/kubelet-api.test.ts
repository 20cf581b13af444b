import { describe, expect, test } from 'vitest'
import { startMs, TestCluster, testNodes, testWorkload } from '../../components/cluster-for-tests.ts'
import { itemsAt, numberAt, textAt } from '../../json-value.ts'
import { itemNames, TestClient } from '../../twin-for-tests.ts'
import { goNumber, metricFamily } from '../answers/metric-text.ts'
import { CpuCounters } from './cpu-counters.ts'

const proxy = '/api/v1/nodes/n1/proxy'

async function withPod() {
  const cluster = await TestCluster.start([...testNodes(1), testWorkload('Deployment', 'web')])
  await cluster.settle()
  cluster.components.usage.set({ cpu: { constant: '200m' }, memory: { constant: '64Mi' } })
  return { cluster, client: new TestClient(cluster.twin.transport({ admin: true })) }
}

describe('a kubelet behind nodes/proxy', () => {
  test('tells of resources as metrics-server scrapes them', async () => {
    const { cluster, client } = await withPod()
    await using _cluster = cluster
    const pod = cluster.pods()[0]?.metadata.name ?? ''
    await cluster.clock.advance(60_000)
    const first = await client.get(`${proxy}/metrics/resource`)
    expect(first.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(first.text).toContain(
      `# HELP container_memory_working_set_bytes [STABLE] Current working set of the container in bytes\n# TYPE container_memory_working_set_bytes gauge\ncontainer_memory_working_set_bytes{container="main",namespace="default",pod="${pod}"} 6.7108864e+07 ${cluster.clock.now()}\n`,
    )
    expect(first.text).toContain('resource_scrape_error 0\n')
    const seconds = (text: string) => Number(/^container_cpu_usage_seconds_total\{.*\} (\S+) /m.exec(text)?.[1])
    await cluster.clock.advance(30_000)
    const second = await client.get(`${proxy}/metrics/resource`)
    expect(seconds(second.text) - seconds(first.text)).toBeCloseTo(0.2 * 30, 6)
    expect(/^node_cpu_usage_seconds_total (\S+) \d+$/m.test(second.text)).toBe(true)
  })

  test('tells of pods in its summary and in cadvisor’s words', async () => {
    const { cluster, client } = await withPod()
    await using _cluster = cluster
    const { body } = await client.get(`${proxy}/stats/summary`)
    expect(textAt(body, 'node', 'nodeName')).toBe('n1')
    expect(itemsAt(body, 'pods')).toMatchObject([
      {
        podRef: { namespace: 'default', uid: cluster.pods()[0]?.metadata.uid },
        containers: [{ name: 'main', cpu: { usageNanoCores: 200_000_000 }, memory: { workingSetBytes: 67_108_864 } }],
        cpu: { usageNanoCores: 200_000_000 },
      },
    ])
    expect(numberAt(body, 'node', 'cpu', 'usageNanoCores')).toBe(200_000_000)
    const cadvisor = (await client.get(`${proxy}/metrics/cadvisor`)).text
    expect(cadvisor).toMatch(
      /^container_cpu_usage_seconds_total\{container="main",cpu="total",id="\/kubepods\/pod[^"]+",image="registry\.example\/app:1",name="[0-9a-f]{64}",namespace="default",pod="web-[^"]+"\} \S+ \d+$/m,
    )
    expect(cadvisor).not.toContain('throttled')
  })

  test('answers its other paths, and 404 for those it has not', async () => {
    const { cluster, client } = await withPod()
    await using _cluster = cluster
    expect((await client.get(`${proxy}/healthz`)).text).toBe('ok')
    expect(itemNames((await client.get(`${proxy}/pods`)).body)).toEqual(cluster.pods().map(pod => pod.metadata.name))
    expect((await client.get(`${proxy}/configz`)).body).toMatchObject({ kubeletconfig: { maxPods: 110 } })
    expect((await client.get(`${proxy}/logs`)).status).toBe(404)
    expect((await client.get('/api/v1/nodes/n9/proxy/healthz')).status).toBe(404)
  })

  test('of a node that is silent is not reached', async () => {
    const { cluster, client } = await withPod()
    await using _cluster = cluster
    const pod = cluster.pods()[0]?.metadata.name ?? ''
    const log = `/api/v1/namespaces/default/pods/${pod}/log`
    expect((await client.get(log)).status).toBe(200)
    cluster.components.nodes.kill('n1')
    // At once, and when the cluster has noticed.
    for (const afterMs of [0, 90_000]) {
      await cluster.clock.advance(afterMs)
      for (const path of ['/metrics/resource', '/healthz', '/pods'])
        expect((await client.get(`${proxy}${path}`)).body).toMatchObject({ code: 503, reason: 'ServiceUnavailable' })
      expect((await client.get(log)).body).toMatchObject({ code: 500, message: expect.stringContaining('does not answer') })
    }
    cluster.components.nodes.revive('n1')
    expect((await client.get(`${proxy}/healthz`)).text).toBe('ok')
  })

  test('is open to those who may nodes/proxy, whatever the path behind it', async () => {
    const { cluster, client } = await withPod()
    await using _cluster = cluster
    const asNobody = { headers: { 'impersonate-user': 'nobody' } }
    const refused = await client.get(`${proxy}/metrics/resource`, asNobody)
    expect([refused.status, refused.message]).toEqual([403, expect.stringContaining('cannot get resource "nodes/proxy"')])
    const rules = [{ apiGroups: [''], resources: ['nodes/proxy'], verbs: ['get'] }]
    await client.post('/apis/rbac.authorization.k8s.io/v1/clusterroles', {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'scraper' },
      rules,
    })
    await client.post('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'scraper' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'scraper' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'nobody' }],
    })
    expect((await client.get(`${proxy}/metrics/resource`, asNobody)).status).toBe(200)
  })
})

// biome-ignore format: a table
test.each([
  [0, '0'], [1, '1'], [0.5, '0.5'], [123456, '123456'], [1234567, '1.234567e+06'], [67108864, '6.7108864e+07'],
  [0.0001, '0.0001'], [0.00001, '1e-05'], [1e100, '1e+100'], [Number.POSITIVE_INFINITY, '+Inf'], [Number.NaN, 'NaN'],
])('%d is written %s, as Go does', (value, text) => {
  expect(goNumber(value)).toBe(text)
})

test('labels are sorted and escaped, a family without lines is left out', () => {
  expect(metricFamily('a', 'A thing.', 'gauge', [{ labels: { z: 'say "hi"', b: 'x\\y\nz' }, value: 1 }])).toBe(
    '# HELP a A thing.\n# TYPE a gauge\na{b="x\\\\y\\nz",z="say \\"hi\\""} 1\n',
  )
  expect(metricFamily('a', 'A thing.', 'gauge', [])).toBe('')
})

test('processor time adds up, and what was not got is throttled', () => {
  const counters = new CpuCounters()
  const at = (afterMs: number, nanocores: number) =>
    counters.at('c', { since: startMs, nowMs: startMs + afterMs, nanocores, wantedNanocores: 1e9 })
  expect(at(10_000, 0.5e9)).toMatchObject({ usedSeconds: 5, throttledSeconds: 5 })
  expect(at(20_000, 1e9)).toMatchObject({ usedSeconds: 15, throttledSeconds: 5 })
  expect(at(20_000, 1e9)).toMatchObject({ usedSeconds: 15, throttledSeconds: 5 })
})
