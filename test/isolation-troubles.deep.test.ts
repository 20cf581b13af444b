// What goes wrong while the homelab's control plane is isolated, and what is left when the isolation is aborted.
import { describe, expect, test } from 'vitest'
import { rebalancePolicies } from '#coordination/api.ts'
import type { Node, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import {
  approveUntil,
  controlPlane,
  evictions,
  homelab,
  isolationOf,
  left,
  pinned,
  podsOn,
  setTaints,
  start,
  taint,
  taintsOf,
  until,
  untilLanded,
  without,
} from './isolated-homelab.ts'

describe('what happens meanwhile', () => {
  test('the taint removed in the waves: paused, told, nothing more evicted until it is back and has stayed', async () => {
    await using cluster = await start(homelab({ keda: 'evict' }))
    await until(cluster, 'Taint Waiting')
    await setTaints(cluster, 'talos00', [taint])
    await untilLanded(cluster, 5)
    await setTaints(cluster, 'talos00', [])
    await until(cluster, 'Taint Paused')
    const before = evictions(cluster)
    expect(isolationOf(cluster)?.message).toContain('the taint was removed from talos00')
    expect(cluster.plans()[0]?.status?.phase).toBe('Paused')
    await cluster.clock.advance(1_800_000)
    expect(evictions(cluster)).toBe(before)
    const { signal } = new AbortController()
    const events = await cluster.admin.resource(builtIn.events).list({ signal })
    expect(events.items.map(event => event['reason'])).toContain('IsolationPaused')
    await setTaints(cluster, 'talos00', [taint])
    const backMs = cluster.clock.now()
    await cluster.until(() => evictions(cluster) > before)
    expect(cluster.clock.now() - backMs).toBeGreaterThanOrEqual(120_000)
    await until(cluster, 'Verify Verified', 4 * 3_600_000)
    expect(podsOn(cluster, 'talos00')).toHaveLength(36)
  })

  test('our taint taken away by somebody: not fought over, said how to go on', async () => {
    await using cluster = await start(homelab({ keda: 'evict', taintMode: 'kubernetes' }))
    await untilLanded(cluster, 3)
    await setTaints(cluster, 'talos00', [])
    await until(cluster, 'Taint Paused')
    const before = evictions(cluster)
    await cluster.clock.advance(1_800_000)
    expect([taintsOf(cluster), evictions(cluster)]).toEqual([[], before])
    await cluster.change(builtIn.nodes, { name: 'talos00' }, { metadata: { annotations: { 'ballast.dev/isolated-by': null } } })
    await until(cluster, 'Verify Verified', 4 * 3_600_000)
    expect(taintsOf(cluster)).toEqual([`${controlPlane}:NoSchedule`])
  })

  test('talos03 cordoned in the waves: planned anew without it, nothing left pending', async () => {
    await using cluster = await start(homelab({ keda: 'evict', taintMode: 'kubernetes' }))
    await untilLanded(cluster, 4)
    await cluster.change(builtIn.nodes, { name: 'talos03' }, { spec: { unschedulable: true } })
    await until(cluster, 'Verify Verified', 4 * 3_600_000)
    const later = cluster.plans().filter(plan => plan.spec.attempt > 0)
    expect(later.flatMap(plan => plan.spec.moves.map(move => move.to))).not.toContain('talos03')
    expect(podsOn(cluster, 'talos00')).toHaveLength(36)
    expect(cluster.list<Pod>('pods').filter(pod => pod.spec.nodeName === undefined)).toEqual([])
    expect(left(cluster)).toEqual([])
  })

  test('talos03 lost in the waves: paused while core misses its pods there, and planned anew once the node is given up', async () => {
    await using cluster = await start(homelab({ keda: 'evict', taintMode: 'kubernetes' }))
    await untilLanded(cluster, 4)
    cluster.twin.components?.nodes.kill('talos03')
    await until(cluster, 'Tolerations Paused')
    expect(isolationOf(cluster)?.blocked?.map(({ subject }) => subject)).toContain('DaemonSet kube-system/cilium')
    const before = evictions(cluster)
    await cluster.clock.advance(900_000)
    expect(evictions(cluster)).toBe(before)
    const pending = () => cluster.list<Pod>('pods').filter(pod => pod.spec.nodeName === undefined)
    expect(pending()).toEqual([])
    await cluster.admin.resource(builtIn.nodes).delete('talos03', { signal: new AbortController().signal })
    // The policy has a goal for that node.
    await cluster.until(() => isolationOf(cluster)?.phase === 'Blocked')
    expect(isolationOf(cluster)?.message).toContain('[node-missing]')
    await cluster.change(rebalancePolicies, { name: 'talos' }, { spec: { goals: [] } })
    await until(cluster, 'Verify Verified', 12 * 3_600_000)
    expect(podsOn(cluster, 'talos00')).toHaveLength(36)
    expect(pending()).toEqual([])
    expect(left(cluster)).toEqual([])
  })

  test('all other nodes but a full one cordoned: said infeasible with the row, nothing more moves', async () => {
    await using cluster = await start(homelab({ keda: 'evict', taintMode: 'kubernetes' }))
    await untilLanded(cluster, 2)
    for (const name of ['talos02-gpu', 'talos03'])
      await cluster.change(builtIn.nodes, { name }, { spec: { unschedulable: true } })
    await until(cluster, 'Preflight Blocked', 4 * 3_600_000)
    expect(
      isolationOf(cluster)?.blocked?.map(({ reason, message }) => [reason, /memory: .* is left \(talos01 0Mi\)/.test(message)]),
    ).toEqual([['Infeasible', true]])
    const before = evictions(cluster)
    await cluster.clock.advance(1_800_000)
    expect(evictions(cluster)).toBe(before)
    expect(cluster.list<Pod>('pods').filter(pod => pod.spec.nodeName === undefined)).toEqual([])
  })

  test('a plan for balance under way pauses between two steps, and goes on when the isolation is over', async () => {
    await using cluster = await start(homelab({ enabled: false }, { mode: 'Approve' }))
    await cluster.ask('talos')
    await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
    const [balance] = cluster.plans()
    if (balance !== undefined) await cluster.approve(balance)
    await untilLanded(cluster, 2)
    await cluster.change(
      rebalancePolicies,
      { name: 'talos' },
      { spec: { isolation: { enabled: true, taintMode: 'kubernetes', keda: 'evict' } } },
    )
    const phases = new Set<string>()
    cluster.meanwhile = () => {
      const running = cluster.plans().filter(plan => plan.status?.phase === 'Running')
      phases.add(
        running
          .map(plan => plan.spec.purpose)
          .toSorted()
          .join('+'),
      )
    }
    await approveUntil(cluster, 'Verify Verified')
    expect([...phases]).not.toContain('isolate+move')
    await cluster.until(
      () => cluster.plans().every(plan => ['Succeeded', 'Failed', 'Expired'].includes(plan.status?.phase ?? '')),
      8 * 3_600_000,
    )
    expect(podsOn(cluster, 'talos00')).toHaveLength(36)
    expect(left(cluster)).toEqual([])
  })
})

describe('abort, at any stage: a working mix is left, and the way back is said', () => {
  const disable = (cluster: ControlledCluster) =>
    cluster.change(rebalancePolicies, { name: 'talos' }, { spec: { isolation: { enabled: false } } })
  const annotate = (cluster: ControlledCluster) =>
    cluster.change(rebalancePolicies, { name: 'talos' }, { metadata: { annotations: { 'ballast.dev/abort-isolation': 'true' } } })
  const removal = 'Talos: take node-role.kubernetes.io/control-plane out of machine.nodeTaints of talos00'

  /** The cluster in the middle of a stage. */
  const stages: Readonly<Record<string, () => Promise<ControlledCluster>>> = {
    async Preflight() {
      const cluster = await start([...homelab({ keda: 'evict' }), ...pinned()])
      await until(cluster, 'Preflight Blocked')
      return cluster
    },
    async Tolerations() {
      const cluster = await start(without(homelab({ keda: 'evict' }), 'Deployment', 'argocd'))
      await until(cluster, 'Tolerations Waiting')
      return cluster
    },
    async Taint() {
      const cluster = await start(homelab({ keda: 'evict' }))
      await until(cluster, 'Taint Waiting')
      return cluster
    },
    async Waves() {
      const cluster = await start(homelab({ keda: 'evict' }))
      await setTaints(cluster, 'talos00', [taint])
      await untilLanded(cluster, 5)
      return cluster
    },
    async Verify() {
      const cluster = await start(homelab({ keda: 'waitForZero' }))
      await setTaints(cluster, 'talos00', [taint])
      await until(cluster, 'Verify Watching', 4 * 3_600_000)
      return cluster
    },
  }

  test.each(Object.keys(stages))('in stage %s', async stage => {
    const begin = stages[stage]
    if (begin === undefined) throw new Error(`no stage ${stage}`)
    await using cluster = await begin()
    await (stage === 'Taint' ? annotate(cluster) : disable(cluster))
    await cluster.until(() => isolationOf(cluster)?.phase === 'Aborted')
    const before = evictions(cluster)
    const taints = taintsOf(cluster)
    expect(isolationOf(cluster)?.undo[0]).toContain(removal)
    await cluster.clock.advance(1_800_000)
    expect(evictions(cluster)).toBe(before)
    expect(taintsOf(cluster)).toEqual(taints)
    expect(cluster.plans().filter(plan => !['Succeeded', 'Failed', 'Expired'].includes(plan.status?.phase ?? ''))).toEqual([])
    expect(cluster.list<Pod>('pods').filter(pod => pod.spec.nodeName === undefined)).toEqual([])
    expect(left(cluster)).toEqual([])
  })

  test('a taint of ours is taken away, also where the policy was deleted', async () => {
    for (const end of [disable, deletePolicy]) {
      await using cluster = await start(homelab({ keda: 'evict', taintMode: 'kubernetes' }))
      await untilLanded(cluster, 5)
      expect(taintsOf(cluster)).toEqual([`${controlPlane}:NoSchedule`])
      await end(cluster)
      await cluster.until(() => taintsOf(cluster).length === 0)
      const node = cluster.list<Node>('nodes').find(({ metadata }) => metadata.name === 'talos00')
      expect(node?.metadata.annotations?.['ballast.dev/isolated-by']).toBeUndefined()
      await cluster.clock.advance(600_000)
      expect(left(cluster)).toEqual([])
    }
  })
})

async function deletePolicy(cluster: ControlledCluster): Promise<void> {
  await cluster.admin.resource(rebalancePolicies).delete('talos', { signal: new AbortController().signal })
}
