// HorizontalPodAutoscaler, KEDA and VPA act in the middle of an approved plan: it ends consistently, and its phase says what happened.
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { leftBehind } from './crash-harness.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

interface Pod extends KubeObject {
  readonly spec: { readonly nodeName?: string }
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

async function approved(): Promise<ControlledCluster> {
  const cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy()] })
  cluster.startController()
  await cluster.ask('small')
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
  return cluster
}

/** Acts once, when the first write that `where` matches is sent. */
function during(cluster: ControlledCluster, where: RegExp, act: () => Promise<unknown>): () => boolean {
  let isDone = false
  cluster.meanwhile = async write => {
    if (isDone || !where.test(write)) return
    isDone = true
    await act()
  }
  return () => isDone
}

const podsOf = (cluster: ControlledCluster, app: string) =>
  cluster.list<Pod>('pods').filter(({ metadata }) => metadata.labels?.['app'] === app && metadata.deletionTimestamp === undefined)
const scale = (cluster: ControlledCluster, name: string, replicas: number) =>
  cluster.change(builtIn.deployments, { name, namespace: 'shop' }, { spec: { replicas } })
const target = (name: string) => ({ apiVersion: 'apps/v1', kind: 'Deployment', name })
const scaledObject = (name: string): KubeObject => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { name, namespace: 'shop' },
  spec: { scaleTargetRef: target(name), minReplicaCount: 0, triggers: [{ type: 'cron', metadata: {} }] },
})
/** The twin's own controller then scales it to so many. */
const autoscaler = (name: string, replicas: number): KubeObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name, namespace: 'shop' },
  spec: { scaleTargetRef: target(name), minReplicas: replicas, maxReplicas: replicas },
})
const replicasOf = (cluster: ControlledCluster, name: string) =>
  cluster
    .list<KubeObject & { readonly spec: { readonly replicas?: number } }>('deployments.apps')
    .find(({ metadata }) => metadata.name === name)?.spec.replicas

/** Every plan is over, nothing steers or holds any more, each workload has its pods, all Ready on a node; each step says how it ended. */
function expectConsistent(cluster: ControlledCluster, replicas: Readonly<Record<string, number>>): void {
  expect(leftBehind(cluster)).toEqual([])
  for (const [app, count] of Object.entries(replicas)) {
    const pods = podsOf(cluster, app)
    expect([app, pods.length]).toEqual([app, count])
    const isReady = ({ spec, status }: Pod) =>
      spec.nodeName !== undefined &&
      status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true
    expect(pods.every(isReady), app).toBe(true)
  }
  for (const { spec, status } of cluster.plans()) {
    expect(['Succeeded', 'Incomplete', 'Failed', 'Expired']).toContain(status?.phase)
    const landed = (status?.steps ?? []).filter(({ state }) => state === 'Landed').length
    if (status?.phase === 'Succeeded') expect(landed).toBe(spec.moves.length)
    if (status?.phase === 'Incomplete' && landed < spec.moves.length)
      expect(status.message).toMatch(new RegExp(`^${landed} of ${spec.moves.length} moves landed, `))
  }
}

const outcomes = (cluster: ControlledCluster) => cluster.plans().map(({ status }) => `${status?.phase}: ${status?.message}`)
/** The first move is the surge of solo; those of web follow. */
const surge = /deployments\/solo/
const firstEviction = /web-[^/]*\/eviction$/

describe('in the middle of a plan', () => {
  // biome-ignore format: a table
  test.each<[string, RegExp, number, string]>([
    ['before its first move, up',   surge,         4, 'Succeeded: 3 of 3 moves landed; all goals are met'],
    ['before its first move, down', surge,         1, 'Incomplete: 2 of 3 moves landed, 1 left out (NoReplacement: m03); all goals are met'],
    ['while its pod goes, up',      firstEviction, 4, 'Succeeded: 3 of 3 moves landed; all goals are met'],
    ['while its pod goes, down',    firstEviction, 1, 'Succeeded: 3 of 3 moves landed; all goals are met'],
  ])('a HorizontalPodAutoscaler scales a workload of it, %s', async (_name, where, replicas, outcome) => {
    await using cluster = await approved()
    const isDone = during(cluster, where, async () => cluster.twin.load([autoscaler('web', replicas)]))
    await cluster.followPlans()
    await cluster.pass(120_000)
    expect(isDone()).toBe(true)
    expect(outcomes(cluster)).toEqual([outcome])
    expectConsistent(cluster, { web: replicas, solo: 1, fixed: 4, other: 1 })
    expect(cluster.errors).toEqual([])
  })

  test('a HorizontalPodAutoscaler scales up and down again while the plan runs', async () => {
    await using cluster = await approved()
    const seen: (number | undefined)[] = []
    during(cluster, surge, async () => {
      cluster.twin.load([autoscaler('web', 4)])
      during(cluster, /deployments\/solo|permit|status/, async () => {
        seen.push(replicasOf(cluster, 'web'))
        await cluster.change(
          builtIn.horizontalpodautoscalers,
          { name: 'web', namespace: 'shop' },
          { spec: { minReplicas: 2, maxReplicas: 2 } },
        )
      })
    })
    await cluster.followPlans()
    await cluster.pass(120_000)
    expect(seen.length).toBe(1)
    expectConsistent(cluster, { web: 2, solo: 1 })
    expect(cluster.errors).toEqual([])
  })

  // biome-ignore format: a table
  test.each<[string, RegExp, readonly string[]]>([
    ['before its first move', surge,         ['Expired: m02: pod shop/web-abcde12345-a of the plan is gone', 'Succeeded: all goals are met already']],
    ['while its pod goes',    firstEviction, ['Incomplete: 1 of 3 moves landed, 2 left out (NoReplacement: m02; WorkloadLeftOut: m03); all goals are met']],
  ])(
    'KEDA takes a workload of it over and to zero, %s: nothing of it is evicted after that',
    async (_name, where, expected) => {
      await using cluster = await approved()
      let evicted = 0
      const isDone = during(cluster, where, async () => {
        cluster.twin.load([scaledObject('web')])
        await scale(cluster, 'web', 0)
        evicted = cluster.twin.requests.entries.filter(({ path, code }) => path.endsWith('/eviction') && code === 201).length
      })
      await cluster.followPlans()
      await cluster.pass(120_000)
      expect(isDone()).toBe(true)
      const all = cluster.twin.requests.entries.filter(({ path, code }) => path.endsWith('/eviction') && code === 201).length
      expect(all - evicted).toBeLessThanOrEqual(where === surge ? 0 : 1)
      expect(outcomes(cluster)).toEqual(expected)
      expectConsistent(cluster, { web: 0, solo: 1 })
      expect(cluster.errors).toEqual([])
    },
  )

  // biome-ignore format: a table
  test.each<[string, RegExp, readonly string[]]>([
    ['before its first move', surge,         ['Incomplete: 1 of 3 moves landed, 2 left out (CoolDown: m02; WorkloadLeftOut: m03); not met: n1-light']],
    ['while another goes',    firstEviction, ['Expired: m03: pod shop/web-abcde12345-b of the plan is gone', 'Succeeded: all goals are met already']],
  ])(
    'a VPA evicts pods of the plan, %s: the plan does not count that as its own',
    async (_name, where, expected) => {
      await using cluster = await approved()
      const isDone = during(cluster, where, async () => {
        const [pod] = podsOf(cluster, 'web').toSorted((a, b) => (a.metadata.name < b.metadata.name ? 1 : -1))
        await cluster.admin.resource(builtIn.pods).delete(pod?.metadata.name ?? '', { namespace: 'shop', signal: new AbortController().signal })
      })
      await cluster.followPlans()
      await cluster.pass(120_000)
      expect(isDone()).toBe(true)
      expect(outcomes(cluster)).toEqual(expected)
      expectConsistent(cluster, { web: 2, solo: 1 })
      const landed = cluster.plans().flatMap(({ status }) => (status?.steps ?? []).filter(({ state }) => state === 'Landed'))
      const replacements = landed.map(({ replacement }) => replacement?.uid)
      expect(new Set(replacements).size).toBe(replacements.length)
      expect(cluster.errors).toEqual([])
    },
  )
})
