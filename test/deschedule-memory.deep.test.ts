// What was moved, and what would not stay where it was moved to, is remembered over a restart: on workloads, plans and permits.
import { expect, test } from 'vitest'
import { type RebalancePlan, rebalancePlans, rebalancePolicies } from '#coordination/api.ts'
import { defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

const signal = () => new AbortController().signal
const cordon = (cluster: ControlledCluster, name: string, unschedulable: boolean) =>
  cluster.change(builtIn.nodes, { name }, { spec: { unschedulable } })
const web = (plan: RebalancePlan | undefined) => ({
  moves: plan?.spec.moves.filter(({ workload }) => workload.name === 'web').map(({ from, to }) => `${from} ${to}`) ?? [],
  stays: [...new Set(plan?.status?.unmovable?.filter(({ workload }) => workload.endsWith('/web')).map(({ reason }) => reason))],
  steps: plan?.status?.steps?.map(({ state, reason = '' }) => `${state} ${reason}`.trim()) ?? [],
})

/** Another process takes over, with nothing in its memory. */
async function restarted(cluster: ControlledCluster): Promise<void> {
  cluster.killController()
  await cluster.pass(60_000)
}

async function askedAgain(cluster: ControlledCluster, value: string): Promise<RebalancePlan | undefined> {
  const before = new Set(cluster.plans().map(({ metadata }) => metadata.name))
  await cluster.ask('small', value)
  const made = () => cluster.plans().find(({ metadata, status }) => !before.has(metadata.name) && status?.phase !== undefined)
  await cluster.until(() => made() !== undefined)
  await cluster.followPlans()
  return made()
}

/** web has gone from n1 to n2; now n2 is to be light, and only n1 could take it. */
async function movedAway(): Promise<ControlledCluster> {
  // Cool-downs are short, so that they have nothing to say.
  const arbiter = { coolDownMs: { ...defaultPolicy.coolDownMs, balance: 60_000 } }
  const cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Auto' })], arbiter })
  await cordon(cluster, 'n3', true)
  cluster.startController()
  await cluster.rebalance('small')
  expect(cluster.plans()[0]?.status?.phase).toBe('Succeeded')
  await cluster.pass(180_000)
  const goals = [{ name: 'n2-light', nodes: ['n2'], resource: 'cpu', stat: 'requests', max: 45 }]
  await cluster.change(rebalancePolicies, { name: 'small' }, { spec: { goals } })
  return cluster
}

const noteOf = (cluster: ControlledCluster, value: string | null) =>
  cluster.change(
    builtIn.deployments,
    { namespace: 'shop', name: 'web' },
    { metadata: { annotations: { 'ballast.dev/last-move': value } } },
  )

test('case 26: a move back within a day is not planned, also where only a permit knows of it', {
  timeout: 240_000,
}, async () => {
  await using cluster = await movedAway()
  await restarted(cluster)
  expect(web(await askedAgain(cluster, 'on its workload'))).toMatchObject({ moves: [], stays: ['RecentlyMoved'] })
  // Somebody took the note away: the permits of the last two days know it too.
  await noteOf(cluster, null)
  await restarted(cluster)
  expect(web(await askedAgain(cluster, 'in its permit'))).toMatchObject({ moves: [], stays: ['RecentlyMoved'] })
})

test('a workload that came back is left alone, also by a controller that never saw it, and where its plan is gone', {
  timeout: 240_000,
}, async () => {
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Auto' })] })
  cluster.startController()
  let isDone = false
  cluster.meanwhile = async write => {
    if (isDone || !/web-abcde12345-.\/eviction/.test(write)) return
    isDone = true
    for (const name of ['n2', 'n3']) await cordon(cluster, name, true)
  }
  await cluster.ask('small')
  const cameBack = () => cluster.plans().some(({ status }) => status?.steps?.some(({ state }) => state === 'Mismatch') === true)
  await cluster.until(cameBack)
  await cluster.followPlans()
  for (const name of ['n2', 'n3']) await cordon(cluster, name, false)
  await restarted(cluster)
  expect(web(await askedAgain(cluster, 'on its plan')).stays).toEqual(['Quarantined'])
  for (const plan of cluster.plans())
    await cluster.admin.resource(rebalancePlans).delete(plan.metadata.name, { signal: signal() })
  await restarted(cluster)
  const asked = web(await askedAgain(cluster, 'in its permit'))
  expect(asked.steps.filter(step => step.startsWith('Landed'))).toHaveLength(0)
  expect(asked).toMatchObject({ moves: [], stays: ['CoolingDown'] })
})
