// The seed of the Talos homelab: rebalancing by a schedule, coordinated, with both goals, from the proposal at its hour to the goals met.
import { expect, test } from 'vitest'
import type { DisruptionPermit, RebalancePolicy } from '#coordination/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { leftBehind } from './crash-harness.ts'
import { labelled } from './homelab-states.ts'

/** The example as it stands, its policy planned at 05:30 and carried out between 06:00 and 08:00, as people in Berlin have it. */
function scheduled(spec: Record<string, unknown> = {}): readonly KubeObject[] {
  return labelled().map(object => {
    if (object.kind !== 'RebalancePolicy') return object
    const times = { schedule: '30 5 * * *', windows: [{ cron: '0 6 * * *', duration: '2h' }] }
    return { ...object, spec: { ...(object['spec'] as object), ...times, ...spec } }
  })
}

const percent = (cluster: ControlledCluster, node: string) =>
  cluster.plans()[0]?.status?.after?.find(one => one.node === node && one.resource === 'cpu')?.percent ?? Number.NaN
const policyOf = (cluster: ControlledCluster) => cluster.list<RebalancePolicy>('rebalancepolicies.ballast.dev')[0]

test('planned at its hour, approved by a person, moved inside its window: both goals are met, each move under its permit, KEDA’s left alone', {
  timeout: 240_000,
}, async () => {
  await using cluster = await controlledCluster({ objects: scheduled() })
  cluster.startController()
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
  expect(new Date(cluster.clock.now()).toISOString()).toMatch(/^2026-03-02T04:30/)
  const [plan] = cluster.plans()
  if (plan === undefined) throw new Error('nothing was proposed')
  expect(plan.spec.moves).toHaveLength(15)
  expect(new Set(plan.spec.moves.map(({ to }) => to))).toEqual(new Set(['talos03']))
  await cluster.approve(plan)
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Succeeded')
  expect(cluster.plans()[0]?.status?.startedAt).toMatch(/^2026-03-02T05:0/)
  expect(cluster.plans()[0]?.status?.message).toBe('15 of 15 moves landed; all goals are met')
  expect(percent(cluster, 'talos00')).toBeLessThanOrEqual(68)
  expect(percent(cluster, 'talos03')).toBeGreaterThanOrEqual(31)
  const moved = cluster.list<DisruptionPermit>('disruptionpermits.ballast.dev').filter(({ spec }) => spec.purpose === 'move')
  expect(moved.length).toBeGreaterThan(0)
  expect(moved.every(({ spec }) => spec.requester === 'deschedule' && spec.class === 'balance')).toBe(true)
  expect(plan.status?.unmovable?.filter(({ reason }) => reason === 'KedaManaged').length).toBeGreaterThan(0)
  expect(policyOf(cluster)?.status).toMatchObject({ nextPlanTime: '2026-03-03T04:30:00Z' })
  expect([leftBehind(cluster), cluster.errors, cluster.forbidden]).toEqual([[], [], []])
  // A second plan right after has nothing to do.
  await cluster.ask('talos', 'again')
  await cluster.until(() => cluster.plans().length === 2 && cluster.plans().every(({ status }) => status?.phase === 'Succeeded'))
  expect(cluster.plans().find(({ spec }) => spec.moves.length === 0)?.status?.message).toBe('all goals are met already')
})

test('H24 and a continuous trigger: with the goals no node could be off, for four reasons; every five minutes is refused by the rule’s name', {
  timeout: 120_000,
}, async () => {
  const watts = (name: string) => ({ name, idleWatts: 30, maxWatts: 100, powerDown: 'allowed' })
  const energy = { nodes: ['talos00', 'talos01', 'talos02-gpu', 'talos03'].map(watts) }
  await using cluster = await controlledCluster({ objects: scheduled({ energy }) })
  cluster.startController()
  await cluster.ask('talos')
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
  expect(cluster.plans()[0]?.status?.energy?.nodes.map(({ node, reason }) => [node, reason])).toEqual([
    ['talos00', 'ControlPlane'],
    ['talos01', 'PodStays'],
    ['talos02-gpu', 'PodStays'],
    ['talos03', 'GoalNeedsNode'],
  ])
  const resource = { group: 'ballast.dev', version: 'v1alpha1', resource: 'rebalancepolicies' }
  await cluster.change(resource, { name: 'talos' }, { spec: { schedule: '*/5 * * * *' } })
  const valid = () => policyOf(cluster)?.status?.conditions?.find(({ type }) => type === 'Valid')
  await cluster.until(() => valid()?.status === 'False')
  expect(valid()?.message).toContain('[schedule-continuous]')
  await cluster.pass(5_000)
  expect(await cluster.events()).toContainEqual(
    expect.stringMatching(/^Warning InvalidSpec RebalancePolicy talos: .*\[schedule-continuous\]/),
  )
})
