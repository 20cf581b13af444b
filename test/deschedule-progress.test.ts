// A policy in mode Auto that comes no nearer to its goals, on the twin: who is told, and how often.
import { expect, test } from 'vitest'
import type { RebalancePolicy } from '#coordination/api.ts'
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
