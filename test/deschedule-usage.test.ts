// Goals of measured use on the twin: figures come from metrics.k8s.io, and while there are none nothing is done for such a goal.
import { expect, test } from 'vitest'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

/** What each pod of `workload` uses: the twin hands it on to the pods that take their place. */
function uses(workload: string, cpu: string, pods: number): readonly KubeObject[] {
  return Array.from({ length: pods }, (_, at) => ({
    apiVersion: 'metrics.k8s.io/v1beta1',
    kind: 'PodMetrics',
    metadata: { name: `${workload}-abcde12345-${'abcd'[at] ?? ''}`, namespace: 'shop' },
    timestamp: '2026-03-02T03:59:50Z',
    window: '15s',
    containers: [{ name: 'main', usage: { cpu, memory: '100Mi' } }],
  }))
}

const goal = { name: 'n1-cool', nodes: ['n1'], resource: 'cpu', stat: 'usage', max: 60, margin: 1 }

/** n1 uses 3,300 of 4,000 millicores: 900 for each of web and solo, 300 for each of fixed. By requests it is as full as ever. */
async function hot(spec: Record<string, unknown> = {}): Promise<ControlledCluster> {
  const usages = [...uses('web', '900m', 2), ...uses('solo', '900m', 1), ...uses('fixed', '300m', 4), ...uses('other', '10m', 1)]
  return controlledCluster({ objects: [...smallCluster(), ...usages, smallPolicy({ mode: 'Auto', goals: [goal], ...spec })] })
}

const evictions = (cluster: ControlledCluster) =>
  cluster.twin.requests.entries.filter(({ path, code }) => path.endsWith('/eviction') && code === 201).length
const metricsReads = (cluster: ControlledCluster) => cluster.reads.filter(read => read.includes('metrics.k8s.io')).length
const measured = (cluster: ControlledCluster) =>
  cluster
    .list<
      KubeObject & { status?: { conditions?: readonly { type: string; status: string; reason?: string; message?: string }[] } }
    >('rebalancepolicies.ballast.dev')[0]
    ?.status?.conditions?.find(({ type }) => type === 'Measured')

/** Takes the metrics server away, and brings it back. */
function metricsServer(cluster: ControlledCluster) {
  let isAway = false
  cluster.beforeRead = path => {
    if (isAway && path.includes('metrics.k8s.io')) throw new ConnectionError('metrics-server is away')
  }
  return (away: boolean) => {
    isAway = away
  }
}

test('what a node uses is brought below its goal by moves, and judged by figures of after them', async () => {
  await using cluster = await hot()
  cluster.startController()
  await cluster.rebalance('small')
  const [plan] = cluster.plans()
  expect(plan?.status?.phase).toBe('Succeeded')
  expect(plan?.spec.moves).toHaveLength(2)
  expect(plan?.status?.conditions?.find(({ type }) => type === 'GoalsMet')).toMatchObject({ status: 'True', reason: 'Measured' })
  expect(plan?.status?.goals?.[0]?.message).toMatch(/^n1: cpu 3[0-9]\.[0-9] %, max 60 %$/)
  expect(measured(cluster)).toMatchObject({ status: 'True', reason: 'Fresh' })
  expect(cluster.errors).toEqual([])
  expect(cluster.forbidden).toEqual([])
})

test('a policy of requests alone measures nothing', async () => {
  await using cluster = await hot({ goals: [{ ...goal, stat: 'requests', max: 45 }] })
  cluster.startController()
  await cluster.rebalance('small')
  expect([metricsReads(cluster), measured(cluster)]).toEqual([0, undefined])
})

test('without a metrics server nothing is moved for a goal of use, and the plan says why; missing is not taken for 0', async () => {
  await using cluster = await hot({ goals: [goal, { ...goal, name: 'n2-busy', nodes: ['n2'], max: undefined, min: 30 }] })
  const away = metricsServer(cluster)
  away(true)
  cluster.startController()
  await cluster.ask('small')
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Failed')
  const [plan] = cluster.plans()
  expect(plan?.status?.message).toBe('nothing is moved: what the nodes of n1-cool, n2-busy use was not measured')
  expect(plan?.status?.conditions?.find(({ type }) => type === 'GoalsMet')).toMatchObject({
    status: 'Unknown',
    reason: 'NotMeasured',
  })
  expect(measured(cluster)).toMatchObject({ status: 'False', reason: 'NotAnswering' })
  expect(evictions(cluster)).toBe(0)
})

test('goals of requests go on without a metrics server', async () => {
  await using cluster = await hot({ goals: [goal, { ...goal, name: 'n1-light', stat: 'requests', max: 45 }] })
  metricsServer(cluster)(true)
  cluster.startController()
  await cluster.rebalance('small')
  const [plan] = cluster.plans()
  expect(plan?.status?.message).toBe('3 of 3 moves landed; no goal is missed; not measured: n1-cool')
})

test('figures that stop coming let an approved plan stand still; with new ones it goes on', async () => {
  await using cluster = await hot({ mode: 'Approve' })
  const away = metricsServer(cluster)
  cluster.startController()
  await cluster.ask('small')
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
  away(true)
  await cluster.pass(150_000)
  for (const plan of cluster.plans()) await cluster.approve(plan)
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Paused')
  const [paused] = cluster.plans()
  expect(paused?.status?.message).toBe('goal n1-cool stands still: what n1 uses was not measured within two minutes')
  expect(evictions(cluster)).toBe(0)
  away(false)
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Succeeded')
  expect(cluster.plans()[0]?.status?.steps?.map(({ state }) => state)).toEqual(['Landed', 'Landed'])
})
