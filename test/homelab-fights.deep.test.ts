// The fights of the homelab, fought on the whole example: what tools side by side do to it twice or against each other.
import { describe, expect, test } from 'vitest'
import { deschedule } from '#capabilities/deschedule'
import { isolate } from '#capabilities/isolate'
import { reload } from '#capabilities/reload'
import { rebalancePolicies } from '#coordination/api.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { type ControlledCluster, type ControlledOptions, controlledCluster } from './controlled-cluster.ts'
import { leftBehind } from './crash-harness.ts'
import { dayObjects } from './homelab-day.ts'
import { labelled } from './homelab-states.ts'
import { isVerified } from './isolation-scenarios.ts'
import { resizeRequester } from './requesters/resize.ts'
import { scaleRequester } from './requesters/scale.ts'
import { isQuiet, permitsOn, plansAreOver, rotate, templateOf, wishReplicas, wishSize } from './requesters/wishes.ts'

const isolating: ControlledOptions = {
  objects: dayObjects(),
  capabilities: [deschedule, isolate, reload, scaleRequester()],
  configurations: { reload: { arbitration: 'coordinate' }, autoscale: { arbitration: 'coordinate' } },
}

const steps = (cluster: ControlledCluster) => cluster.plans().flatMap(plan => plan.status?.steps ?? [])

describe('the fights of the homelab', () => {
  test('fight 3: another size and the rebalancing of kometa within a minute are one rollout', async () => {
    await using cluster = await controlledCluster({
      objects: labelled(),
      capabilities: [deschedule, resizeRequester()],
      configurations: { rightsize: { arbitration: 'coordinate' } },
    })
    cluster.startController()
    await cluster.ask('talos')
    await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
    const [plan] = cluster.plans()
    if (plan === undefined) throw new Error('no plan')
    await wishSize(cluster, { namespace: 'media', workload: 'kometa', container: 'kometa', cpu: '250m' })
    await cluster.pass(10_000)
    await cluster.approve(plan)
    await cluster.until(() => plansAreOver(cluster) && isQuiet(cluster))
    expect(permitsOn(cluster, 'kometa', 'media')).toEqual([
      { wish: 'deschedule restart', joined: ['rightsize resize resize'], ending: 'done' },
    ])
    expect(templateOf(cluster, 'kometa').cpu).toBe('250m')
    const taken = cluster.witness.disruptions.filter(({ workload }) => workload === 'media/Deployment/kometa')
    expect(taken.map(({ cause }) => cause)).toEqual(['rollout'])
  })

  test('fight 1: a Secret of monitoring rotated during the isolation, moves pending: one restart each', async () => {
    await using cluster = await controlledCluster(isolating)
    cluster.startController()
    await cluster.until(() => steps(cluster).filter(({ state }) => state === 'Landed').length >= 2)
    const rotatedMs = cluster.clock.now()
    const present = new Set(cluster.list<Pod>('pods').map(({ metadata }) => metadata.uid))
    const pending = cluster
      .plans()
      .flatMap(({ spec, status }) => spec.moves.filter(move => !(status?.steps ?? []).some(({ id }) => id === move.id)))
    const readers = pending.filter(({ workload }) => workload.name.startsWith('mimir-'))
    expect(readers.length).toBeGreaterThan(3)
    await rotate(cluster, 'mimir-keys', 'second', 'monitoring')
    await cluster.until(() => isVerified(cluster) && isQuiet(cluster), 4 * 3_600_000)
    const after = cluster.witness.disruptions.filter(({ atMs }) => atMs >= rotatedMs)
    const twice = after.filter(({ workload, uid }) => workload.includes('/mimir-') && !present.has(uid))
    expect(twice.map(({ pod, cause }) => `${pod} ${cause}`)).toEqual([])
    const rolledOut = cluster.permits().filter(({ spec }) => spec.requester === 'reload')
    expect(rolledOut.map(({ spec, status }) => `${spec.workload} ${status?.ending}`).toSorted()).toEqual([
      'monitoring/Deployment/mimir-distributor done',
      'monitoring/Deployment/mimir-querier done',
      'monitoring/StatefulSet/mimir-ingester done',
      'monitoring/StatefulSet/mimir-store-gateway done',
    ])
    const evicted = after.filter(({ workload, cause }) => workload.includes('/mimir-') && cause === 'eviction')
    expect(evicted).toEqual([])
    expect(leftBehind(cluster)).toEqual([])
  })

  test('fight 2: KEDA wakes sonarr while talos00 is emptied: it starts elsewhere and is left alone', async () => {
    await using cluster = await controlledCluster(isolating)
    await cluster.change(rebalancePolicies, { name: 'talos' }, { spec: { isolation: { enabled: false } } })
    cluster.startController()
    await wishReplicas(cluster, 'sonarr', 0, 'media')
    await cluster.until(() => templateOf(cluster, 'sonarr').replicas === 0 && isQuiet(cluster))
    await cluster.change(rebalancePolicies, { name: 'talos' }, { spec: { isolation: { enabled: true } } })
    await cluster.until(() => steps(cluster).length >= 2)
    expect(isVerified(cluster)).toBe(false)
    const wokenMs = cluster.clock.now()
    await wishReplicas(cluster, 'sonarr', 1, 'media')
    const pods = () => cluster.list<Pod>('pods').filter(({ metadata }) => metadata.name.startsWith('sonarr-'))
    await cluster.until(() => pods().some(({ spec }) => spec.nodeName !== undefined))
    const [woken] = pods()
    expect(woken?.spec.nodeName).not.toBe('talos00')
    await cluster.until(() => isVerified(cluster) && isQuiet(cluster), 4 * 3_600_000)
    await cluster.pass(120_000)
    expect(pods().map(({ metadata }) => metadata.uid)).toEqual([woken?.metadata.uid])
    const taken = cluster.witness.disruptions.filter(
      ({ workload, atMs }) => workload === 'media/Deployment/sonarr' && atMs >= wokenMs,
    )
    expect(taken).toEqual([])
    expect(leftBehind(cluster)).toEqual([])
  })
})
