// The drop-in descheduler in one process with a twin: a cycle that evicts, a dry run, limits, the rhythm, upstream's words.
import { afterEach, describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { chartPolicy } from '../bench/descheduler-policies.ts'
import { DeschedulerCluster } from './descheduler-cluster.ts'
import { cluster as objectsOf, overfull, policyOf, tainted } from './descheduler-objects.ts'
import { node, smallWorkload } from './small-cluster.ts'

const open: DeschedulerCluster[] = []
afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster[Symbol.asyncDispose]()
})

async function start(objects: readonly KubeObject[] = overfull): Promise<DeschedulerCluster> {
  const cluster = await DeschedulerCluster.start(objects)
  open.push(cluster)
  return cluster
}

const evictTainted = policyOf({ deschedule: { RemovePodsViolatingNodeTaints: {} } })
const { signal } = new AbortController()

describe('one cycle', () => {
  test("the chart's default policy evicts what is above the target, tells it in upstream's words and ends", async () => {
    const cluster = await start()
    const run = cluster.run({ policy: chartPolicy(), verbosity: 1 })
    await cluster.ended(run)
    expect(cluster.evictions).toEqual(['201 a-abcde12345-a', '201 b-abcde12345-a'])
    expect(run.lines).toContainEqual(
      expect.stringMatching(
        /^I0302 04:\d\d:\d\d\.\d{6} +1 descheduler:1\] "Evicted pod" pod="shop\/a-abcde12345-a" reason="" strategy="LowNodeUtilization" node="n1" profile="default"$/,
      ),
    )
    expect(run.log).toContain('"Number of evictions/requests" totalEvicted=2 evictionRequests=0')
    const events = await cluster.events()
    expect(events.map(({ line }) => line)).toEqual([
      'Normal LowNodeUtilization a-abcde12345-a: pod eviction from n1 node by sigs.k8s.io/descheduler',
      'Normal LowNodeUtilization b-abcde12345-a: pod eviction from n1 node by sigs.k8s.io/descheduler',
    ])
    expect(events[0]).toMatchObject({ reportingController: 'sigs.k8s.io.descheduler', action: 'Descheduled' })
  })

  test('each eviction says who asks, why, for which pod and with which grace', async () => {
    const sent: unknown[] = []
    const cluster = await start()
    const run = cluster.run({
      policy: { ...policyOf({ balance: { LowNodeUtilization: lowUtilization } }), gracePeriodSeconds: 7 },
      between: transport => ({
        ...transport,
        request: request => {
          if (request.path.endsWith('/eviction')) sent.push(JSON.parse(String(request.body)))
          return transport.request(request)
        },
        stream: request => transport.stream(request),
        close: () => transport.close(),
      }),
    })
    await cluster.ended(run)
    expect(sent[0]).toEqual({
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: {
        name: 'a-abcde12345-a',
        namespace: 'shop',
        annotations: { reason: 'triggered by default/LowNodeUtilization: ', 'requested-by': 'sigs.k8s.io/descheduler' },
      },
      deleteOptions: { gracePeriodSeconds: 7, preconditions: { uid: 'pod-a-0' } },
    })
  })

  test('in JSON, as component-base writes it', async () => {
    const cluster = await start()
    const run = cluster.run({ policy: chartPolicy(), format: 'json', verbosity: 1 })
    await cluster.ended(run)
    const lines = run.lines.map((line): unknown => JSON.parse(line))
    expect(lines).toContainEqual({
      ts: expect.any(Number),
      caller: 'descheduler:1',
      msg: 'Evicted pod',
      v: 1,
      pod: { name: 'a-abcde12345-a', namespace: 'shop' },
      reason: '',
      strategy: 'LowNodeUtilization',
      node: 'n1',
      profile: 'default',
    })
  })

  test('--v=4 says why a pod is not evictable; --v=0 says little', async () => {
    const cluster = await start([...overfull, bare])
    const told = cluster.run({ policy: chartPolicy(), verbosity: 4, settings: { dryRun: true } })
    await cluster.ended(told)
    expect(told.log).toMatch(
      /"Pod fails the following checks" plugin="DefaultEvictor" profile="default" extensionPoint="Filter" pod="shop\/bare"/,
    )
    const quiet = cluster.run({ policy: policyOf({ balance: { LowNodeUtilization: lowUtilization } }), verbosity: 0 })
    await cluster.ended(quiet)
    expect(quiet.lines.filter(line => !line.includes('Node has been classified'))).toHaveLength(1)
    expect(quiet.log).toContain('kept in memory')
  })

  test('fewer than two ready nodes: nothing is done, and that is no error', async () => {
    const cluster = await start([node('n1'), ...overfull.filter(({ kind }) => kind !== 'Node')])
    const run = cluster.run({ policy: chartPolicy() })
    await cluster.ended(run)
    expect(run.log).toContain('"Skipping descheduling cycle: requires >=2 nodes" found=1')
    expect(cluster.evictions).toEqual([])
  })

  test('a server without evictions: it does not begin, other than upstream, which ends silently with 0', async () => {
    const cluster = await start()
    const run = cluster.run({
      policy: chartPolicy(),
      between: transport => ({
        request: async request => {
          const answer = await transport.request(request)
          if (request.path !== '/api/v1') return answer
          const listed: { resources: { name: string }[] } = JSON.parse(new TextDecoder().decode(answer.body))
          const resources = listed.resources.filter(({ name }) => name !== 'pods/eviction')
          return { ...answer, body: new TextEncoder().encode(JSON.stringify({ ...listed, resources })) }
        },
        stream: request => transport.stream(request),
        close: () => transport.close(),
      }),
    })
    await expect(cluster.ended(run)).rejects.toThrow('the API server does not serve evictions of pods')
  })

  test('a priority threshold by name is asked of the cluster; an unknown class is refused', async () => {
    const policy = (name: string) =>
      policyOf({ balance: { LowNodeUtilization: lowUtilization } }, { evictor: { priorityThreshold: { name } } })
    const low = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'low' }, value: 0 }
    const cluster = await start([...overfull, low])
    // Every pod has at least this priority.
    await cluster.ended(cluster.run({ policy: policy('low') }))
    expect(cluster.evictions).toEqual([])
    await expect(cluster.ended(cluster.run({ policy: policy('missing') }))).rejects.toThrow(/missing/)
  })
})

const lowUtilization = { thresholds: { cpu: 20, memory: 20, pods: 20 }, targetThresholds: { cpu: 50, memory: 50, pods: 50 } }
const bare: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'bare', namespace: 'shop', uid: 'pod-bare' },
  spec: { nodeName: 'n1', containers: [{ name: 'main', image: 'registry.example/bare:1' }] },
  status: { phase: 'Running' },
}

describe('a dry run', () => {
  test('writes nothing, says what it would evict, where that would land and what a budget would refuse', async () => {
    const guarded = smallWorkload({ name: 'e', cpu: '500m', on: ['n1'] })
    const cluster = await start([...overfull, ...guarded])
    const never = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' }
    await cluster.admin.resource(builtIn.poddisruptionbudgets).create(
      {
        ...never,
        metadata: { name: 'a', namespace: 'shop' },
        spec: { maxUnavailable: 0, selector: { matchLabels: { app: 'a' } } },
      },
      { signal, namespace: 'shop' },
    )
    const run = cluster.run({ policy: chartPolicy(), verbosity: 1, settings: { dryRun: true } })
    await cluster.ended(run)
    expect(run.log).toContain('"Evicted pod in dry run mode" pod="shop/a-abcde12345-a"')
    expect(run.log).toMatch(/"The eviction would be refused" pod="shop\/a-abcde12345-a" why="Cannot evict pod/)
    expect(run.log).toContain('"The replacement would land" pod="shop/b-abcde12345-a" nodes="n2, n3"')
    const asked = cluster.twin.requests.entries.filter(({ agent }) => agent === 'ballast descheduler')
    expect([...new Set(asked.map(({ verb }) => verb))]).toEqual(['GET'])
    expect(await cluster.events()).toEqual([])
  })
})

describe('limits', () => {
  test('case 25: per node, then per namespace, in the order of the nodes, each refusal counted under its text', async () => {
    const cluster = await start(objectsOf([tainted('n1'), tainted('n2'), node('n3')], { n1: 4, n2: 4 }))
    const run = cluster.run({
      policy: {
        ...evictTainted,
        maxNoOfPodsToEvictTotal: 5,
        maxNoOfPodsToEvictPerNode: 2,
        maxNoOfPodsToEvictPerNamespace: 3,
        evictionFailureEventNotification: true,
      },
      settings: { deschedulingIntervalMs: 3_600_000 },
      isServing: true,
    })
    await cluster.until(() => run.log.includes('totalEvicted=3'))
    expect(cluster.evictions.map(line => line.replace(/-\w+$/, ''))).toHaveLength(3)
    const counted = (await run.metrics()).split('\n').filter(line => line.startsWith('descheduler_pods_evicted_total{'))
    const byResult = (result: string, nodeName: string) =>
      counted
        .filter(line => line.includes(`result="${result}"`) && line.includes(`node="${nodeName}"`))
        .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
    expect(byResult('success', 'n1')).toBe(2)
    expect(byResult('maximum number of evicted pods per node reached', 'n1')).toBe(1)
    expect(byResult('success', 'n2')).toBe(1)
    expect(byResult('maximum number of evicted pods per namespace reached', 'n2')).toBe(3)
    expect(await run.metrics()).toMatch(
      /^ballast_arbiter_requests_total\{requester="deschedule",class="correctness",decision="Granted",reason=".*"\} [1-3]$/m,
    )
    const warnings = (await cluster.events()).filter(({ line }) => line.startsWith('Warning EvictionFailed'))
    expect(warnings.map(({ line }) => line.replace(/^.*failed: /, ''))).toEqual([
      'node eviction limit exceeded (2)',
      ...Array.from({ length: 3 }, () => 'namespace eviction limit exceeded (3)'),
    ])
  })
})
