// A policy in mode Auto that comes no nearer to its goals, on the twin: who is told, and how often.
import { expect, test } from 'vitest'
import type { RebalancePolicy } from '#coordination/api.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { controlledCluster } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

test('a policy whose goals stay missed says so once, by condition, Event and metric; one that moved says it no more', async () => {
  const held = { web: { owner: 'none' }, solo: { owner: 'none' } } as const
  await using cluster = await controlledCluster({ objects: [...smallCluster(held), smallPolicy({ mode: 'Auto' })] })
  cluster.startController()
  const policy = () => cluster.list<RebalancePolicy>('rebalancepolicies.ballast.dev')[0]
  const look = async (value: string) => {
    await cluster.ask('small', value)
    await cluster.until(() => policy()?.status?.lastPlanNow === value)
  }
  const condition = () => {
    const found = policy()?.status?.conditions?.find(({ type }) => type === 'Progressing')
    return `${found?.status} ${found?.reason}`
  }
  const stuck = async () => /stuck\{.*\} (\d)/.exec(await cluster.metrics.getSingleMetricAsString('ballast_rebalance_stuck'))?.[1]
  for (const value of ['a', 'b', 'c', 'd']) await look(value)
  expect(condition()).toBe('True Nearing')
  await look('e')
  expect(condition()).toBe('False NoProgress')
  await look('f')
  await cluster.pass(60_000)
  expect(await stuck()).toBe('1')
  const told = (await cluster.events()).filter(line => line.includes('NoProgress'))
  expect(told.length).toBe(1)
  expect(told[0]).toMatch(/^Warning NoProgress RebalancePolicy small: goals are missed by 36\.\d points; 4 plans in a row/)
  for (const name of ['web', 'solo'])
    await cluster.change(
      { group: 'apps', version: 'v1', resource: 'deployments' },
      { name, namespace: 'shop' },
      { metadata: { labels: { 'scaling.talos.io/managed-by': 'descheduler' } } },
    )
  await look('g')
  await cluster.followPlans()
  await look('h')
  await cluster.pass(60_000)
  expect([condition(), await stuck()]).toEqual(['True GoalsMet', '0'])
  const moves = await cluster.metrics.getSingleMetricAsString('ballast_rebalance_moves_total')
  expect(moves).toContain('ballast_rebalance_moves_total{policy="small",result="landed"} 3')
  expect(cluster.errors).toEqual([])
})

test('a policy that only reports keeps what its plans foretold of pods that others moved, day by day', async () => {
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Report' })] })
  cluster.startController()
  await cluster.ask('small', 'a')
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
  const [plan] = cluster.plans()
  const [move] = plan?.spec.moves.filter(({ workload }) => workload.name === 'web') ?? []
  const { namespace = '', name = '' } = move?.pod ?? {}
  // Somebody keeps pods off the other nodes, and takes this one away.
  for (const other of ['n1', 'n2', 'n3'].filter(node => node !== move?.to))
    await cluster.change(builtIn.nodes, { name: other }, { spec: { unschedulable: true } })
  await cluster.admin.resource(builtIn.pods).delete(name, { namespace, signal: new AbortController().signal })
  await cluster.pass(60_000)
  await cluster.ask('small', 'b')
  const days = () => cluster.list<RebalancePolicy>('rebalancepolicies.ballast.dev')[0]?.status?.days ?? []
  await cluster.until(() => days().some(({ proposed }) => proposed > 0))
  const [row] = days()
  expect(row?.day).toBe('2026-03-02')
  expect([row?.begun, row?.moves, row?.proposed, row?.asForetold, row?.otherwise]).toEqual([0, 0, 3, 1, 0])
  expect(cluster.errors).toEqual([])
})

test('the days of a policy that moved pods are those of its plans', async () => {
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Auto' })] })
  cluster.startController()
  await cluster.rebalance('small')
  const days = () => cluster.list<RebalancePolicy>('rebalancepolicies.ballast.dev')[0]?.status?.days ?? []
  await cluster.until(() => days().length > 0)
  const [row] = days()
  const [plan] = cluster.plans()
  const seconds = (Date.parse(plan?.status?.finishedAt ?? '') - Date.parse(plan?.status?.startedAt ?? '')) / 1000
  expect(row).toMatchObject({ plans: 1, begun: 1, goalsMet: 1, moves: 3, landed: 3, elsewhere: 0, left: 0, realSeconds: seconds })
  expect(row?.expectedSeconds).toBe(plan?.status?.expected?.seconds)
})
