// Energy on the twin: what could be off is said on the plan, and nothing is moved for it while nobody switches nodes.
import { expect, test } from 'vitest'
import { type RebalancePolicy, rebalancePolicies } from '#coordination/api.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

const watts = (name: string) => ({ name, idleWatts: 30, maxWatts: 110, powerDown: 'allowed' })
const energy = { nodes: ['n1', 'n2', 'n3'].map(watts), reserve: { cpu: '500m', memory: '1Gi' } }

async function planned(
  spec: Record<string, unknown>,
  changed: Parameters<typeof smallCluster>[0] = {},
): Promise<ControlledCluster> {
  const cluster = await controlledCluster({ objects: [...smallCluster(changed), smallPolicy({ mode: 'Auto', energy, ...spec })] })
  cluster.startController()
  await cluster.rebalance('small')
  return cluster
}

const evictions = (cluster: ControlledCluster) =>
  cluster.twin.requests.entries.filter(({ path }) => path.endsWith('/eviction')).length

test('a policy of energy alone names the node that could be off, its watts and the pods that would leave; nothing is moved', async () => {
  await using cluster = await planned({ goals: [] }, { fixed: { owner: 'descheduler' }, other: { owner: 'descheduler' } })
  const [plan] = cluster.plans()
  expect(plan?.status?.phase).toBe('Succeeded')
  expect(plan?.spec.moves).toEqual([])
  expect(plan?.status?.energy?.nodes.map(({ node, decision, reason }) => [node, reason ?? decision])).toEqual([
    ['n1', 'TooFewNodes'],
    ['n2', 'power-down'],
    ['n3', 'TooFewNodes'],
  ])
  expect(plan?.status?.energy).toMatchObject({ wattsBefore: 189, wattsAfter: 160, moves: [{ from: 'n2' }] })
  expect(plan?.status?.message).toMatch(
    /energy: 189 W now, 160 W then: n2 could be off, which saves 29 W; nobody switches nodes yet, so this is advice/,
  )
  expect([evictions(cluster), cluster.errors, cluster.forbidden]).toEqual([0, [], []])
})

test('what ran within the last day counts, also for a controller that did not see it', async () => {
  await using cluster = await controlledCluster({
    objects: [
      ...smallCluster({ fixed: { owner: 'descheduler' }, other: { owner: 'descheduler' } }),
      smallPolicy({ mode: 'Auto', energy, goals: [] }),
    ],
  })
  const policies = cluster.admin.resource(rebalancePolicies)
  // Three hours ago more ran than two nodes carry below their headroom.
  const demand = [{ hour: '2026-03-02T01:00:00Z', cpu: 7_000, memory: 0 }]
  await policies.patch(
    'small',
    { type: 'merge', body: { status: { demand } } },
    { signal: new AbortController().signal, subresource: 'status' },
  )
  cluster.startController()
  await cluster.rebalance('small')
  const [plan] = cluster.plans()
  expect(plan?.status?.energy?.nodes.map(({ reason }) => reason)).toEqual(['NoRoomToWake', 'NoRoomToWake', 'NoRoomToWake'])
  const [policy] = cluster.list<RebalancePolicy>('rebalancepolicies.ballast.dev')
  expect(policy?.status?.demand).toEqual([...demand, { hour: '2026-03-02T04:00:00Z', cpu: 4_950, memory: expect.any(Number) }])
})

test('goals come first; who holds each node on is said', async () => {
  await using cluster = await planned({})
  const [plan] = cluster.plans()
  expect(plan?.status?.phase).toBe('Succeeded')
  expect(plan?.spec.moves).toHaveLength(3)
  expect(plan?.status?.energy?.nodes.map(({ node, reason }) => [node, reason])).toEqual([
    ['n1', 'PodStays'],
    ['n2', 'PodStays'],
    ['n3', 'PodStays'],
  ])
  expect(plan?.status?.energy?.nodes[0]?.message).toMatch(/^pod shop\/fixed-abcde12345-a stays: the label/)
})

test('workloads that stay for want of a budget have one proposed on the plan', async () => {
  await using cluster = await planned({ energy: undefined }, { web: { hasBudget: false } })
  const [plan] = cluster.plans()
  expect(plan?.status?.budgets).toEqual([{ namespace: 'shop', name: 'web', selector: { matchLabels: { app: 'web' } } }])
})
