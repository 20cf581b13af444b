// A policy that somebody edits while its plan waits or runs: what is not begun follows the policy as it is now.
import { expect, test } from 'vitest'
import { type RebalancePlan, rebalancePolicies } from '#coordination/api.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { leftBehind } from './crash-harness.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

async function proposed(spec: Record<string, unknown> = {}): Promise<ControlledCluster> {
  const cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy(spec)] })
  cluster.startController()
  await cluster.ask('small')
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
  return cluster
}

const edit = (cluster: ControlledCluster, spec: Record<string, unknown>) =>
  cluster.change(rebalancePolicies, { name: 'small' }, { spec })
const goal = (max: number) => ({ goals: [{ name: 'n1-light', nodes: ['n1'], resource: 'cpu', stat: 'requests', max }] })
/** First attempts first: those that follow may be made in the same second. */
const plansOf = (cluster: ControlledCluster) => {
  const replaced = (plan: RebalancePlan): number => {
    const old = cluster.plans().find(({ metadata }) => metadata.name === plan.spec.replaces)
    return old === undefined ? 0 : 1 + replaced(old)
  }
  return cluster.plans().toSorted((a, b) => replaced(a) - replaced(b))
}
const phases = (cluster: ControlledCluster) => plansOf(cluster).map(({ status }) => status?.phase)
const evictions = (cluster: ControlledCluster) =>
  cluster.twin.requests.entries.filter(({ path, code }) => path.endsWith('/eviction') && code === 201).length

/** Edits once, when the first pod has gone. */
function editAfterFirstMove(cluster: ControlledCluster, spec: Record<string, unknown>): void {
  let isDone = false
  cluster.meanwhile = async write => {
    if (isDone || !/deployments\/solo$|\/eviction$/.test(write)) return
    isDone = true
    await edit(cluster, spec)
  }
}

test('a proposal is made anew at once, and needs an approval of its own', async () => {
  await using cluster = await proposed()
  const beganMs = cluster.clock.elapsed()
  await edit(cluster, goal(60))
  await cluster.until(() => phases(cluster)[0] === 'Expired')
  const [old, next] = plansOf(cluster)
  expect(cluster.clock.elapsed() - beganMs).toBeLessThan(60_000)
  expect(old?.status?.message).toBe('its policy was changed')
  expect(next?.spec).toMatchObject({ replaces: old?.metadata.name, approved: false })
  expect([old?.spec.moves.length, next?.spec.moves.length]).toEqual([3, 2])
})

test('a proposal that comes out the same stays, and is not looked at again and again', async () => {
  await using cluster = await proposed()
  await edit(cluster, { preferences: [{ nodes: ['n2', 'n3'] }] })
  const hash = cluster.plans()[0]?.status?.policyHash
  await cluster.until(() => cluster.plans()[0]?.status?.policyHash !== hash)
  const before = cluster.writes.length
  await cluster.clock.advance(600_000)
  expect(phases(cluster)).toEqual(['Proposed'])
  expect(cluster.writes.slice(before).filter(write => write.includes('rebalanceplans'))).toEqual([])
})

test('in mid-plan the move under way lands, what is left is planned by the new goals and stays approved where that is less', async () => {
  await using cluster = await proposed()
  editAfterFirstMove(cluster, goal(60))
  await cluster.followPlans()
  expect(phases(cluster)).toEqual(['Expired', 'Succeeded'])
  const [old, next] = plansOf(cluster)
  expect(old?.status?.steps?.map(({ state }) => state)).toEqual(['Landed'])
  expect(next?.spec).toMatchObject({ attempt: 1, batch: old?.spec.batch, approved: true })
  expect(next?.spec.moves).toHaveLength(1)
  expect(leftBehind(cluster)).toEqual([])
})

test('new goals that ask for other moves wait for an approval', async () => {
  await using cluster = await proposed()
  editAfterFirstMove(cluster, { goals: [{ name: 'n2-light', nodes: ['n2'], resource: 'cpu', stat: 'requests', max: 22 }] })
  const [first] = cluster.plans()
  if (first !== undefined) await cluster.approve(first)
  await cluster.until(() => cluster.plans().length === 2)
  await cluster.clock.advance(300_000)
  const next = cluster.plans().find(({ status }) => status?.phase !== 'Expired')
  expect([next?.status?.phase, next?.spec.approved ?? false]).toEqual([
    next?.spec.moves.length === 0 ? 'Failed' : 'Proposed',
    false,
  ])
  expect(evictions(cluster)).toBeLessThanOrEqual(1)
})

test('mode Report holds a running plan; windows that close do too, and neither plans it anew', async () => {
  await using cluster = await proposed()
  editAfterFirstMove(cluster, { mode: 'Report' })
  const [plan] = cluster.plans()
  if (plan !== undefined) await cluster.approve(plan)
  await cluster.until(() => phases(cluster)[0] === 'Paused')
  expect(cluster.plans()[0]?.status?.message).toBe('its policy only reports')
  await edit(cluster, { mode: 'Approve', windows: [{ cron: '0 6 * * *', duration: '1h' }] })
  await cluster.until(() => cluster.plans()[0]?.status?.message?.startsWith('outside of the policy') === true)
  await cluster.until(() => phases(cluster)[0] === 'Succeeded', 3 * 3_600_000)
  expect(cluster.plans()).toHaveLength(1)
  expect(cluster.plans()[0]?.status?.finishedAt).toMatch(/^2026-03-02T06:/)
})

test('a policy that cannot be planned any more ends its plan, and says what is wrong with it', async () => {
  await using cluster = await proposed()
  editAfterFirstMove(cluster, { goals: [{ name: 'n1-light', nodes: ['n9'], resource: 'cpu', stat: 'requests', max: 45 }] })
  await cluster.followPlans()
  expect(phases(cluster)).toEqual(['Failed'])
  expect(cluster.plans()[0]?.status?.message).toContain('[node-missing]')
  expect(leftBehind(cluster)).toEqual([])
})
