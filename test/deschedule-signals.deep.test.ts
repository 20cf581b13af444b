// What takes long of plans with signals: taking back all that has landed, and a day's limits.
import { expect, test } from 'vitest'
import { controlledCluster } from './controlled-cluster.ts'
import { podsOn, prometheus, signalsOf } from './signalled-plans.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

test('with rollBack what has landed goes back, by a plan of its own that is not undone again', async () => {
  let value = '0'
  using server = await prometheus(() => value)
  const rolling = { canary: { share: 40, waitSeconds: 60 }, signals: signalsOf(server.address), rollBack: true }
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Auto', auto: rolling })] })
  cluster.startController()
  await cluster.ask('small')
  await cluster.until(() => cluster.plans()[0]?.status?.trial?.canaryDoneAt !== undefined)
  value = '2.5'
  cluster.meanwhile = write => {
    // Its leader dies between the end of the plan and the plan that undoes it.
    if (write.startsWith('POST') && write.endsWith('/rebalanceplans') && cluster.started === 1) cluster.killController()
  }
  await cluster.until(() => cluster.plans().length === 2)
  await cluster.followPlans()
  const [stopped, back] = cluster.plans()
  expect([stopped?.status?.phase, stopped?.status?.trial?.stopped?.rollsBack]).toEqual(['Failed', true])
  expect(back?.spec.rollsBack).toBe(stopped?.metadata.name)
  const landed = (stopped?.status?.steps ?? []).filter(({ state }) => state === 'Landed').map(({ id }) => id)
  const moves = stopped?.spec.moves.filter(({ id }) => landed.includes(id)) ?? []
  expect(landed.length).toBe(2)
  expect(back?.spec.moves.map(({ from, to }) => `${from}>${to}`)).toEqual(
    moves.toReversed().map(({ from, to }) => `${to}>${from}`),
  )
  expect([back?.status?.phase, back?.status?.message]).toEqual(['Succeeded', '2 of 2 moves landed; not met: n1-light'])
  expect([podsOn(cluster, 'web'), podsOn(cluster, 'solo')]).toEqual([['n1', 'n1'], ['n1']])
  await cluster.pass(7_200_000)
  expect([cluster.plans().length, cluster.started]).toEqual([2, 2])
  expect(stopped?.status?.conditions?.find(({ type }) => type === 'RolledBack')?.message).toBe(`by ${back?.metadata.name}`)
  expect(cluster.errors).toEqual([])
})

test('what the day has used up bounds the next plan', async () => {
  const limits = { perPlan: 30, perHour: 30, perDay: 2, concurrent: 1 }
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Auto', limits })] })
  cluster.startController()
  await cluster.rebalance('small')
  await cluster.ask('small', 'again')
  await cluster.until(() => cluster.plans().length > 1 && cluster.plans()[1]?.status?.phase === 'Failed')
  expect(cluster.plans().map(({ spec }) => spec.moves.length)).toEqual([2, 0])
  expect(cluster.plans()[1]?.status?.message).toContain('spec.limits.perDay')
})
