// What a person at the dashboard relies on: a plan that is paused stands still between any two moves, and one that is taken move by move
// does one.
import { describe, expect, test } from 'vitest'
import { type RebalancePlan, rebalancePlans } from '#coordination/api.ts'
import { defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { smallCluster, smallPolicy, smallWorkload } from './small-cluster.ts'

async function proposed(spec: Record<string, unknown> = {}, objects = smallCluster()): Promise<ControlledCluster> {
  const arbiter = { caps: { ...defaultPolicy.caps, concurrent: 3 } }
  const cluster = await controlledCluster({ objects: [...objects, smallPolicy(spec)], arbiter })
  cluster.startController()
  await cluster.ask('small')
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
  return cluster
}

const first = (cluster: ControlledCluster): RebalancePlan => {
  const [plan] = cluster.plans()
  if (plan === undefined) throw new Error('no plan was proposed')
  return plan
}
const annotate = (cluster: ControlledCluster, annotations: Readonly<Record<string, string | null>>) =>
  cluster.change(rebalancePlans, { name: first(cluster).metadata.name }, { metadata: { annotations } })
const steps = (plan: RebalancePlan | undefined) => (plan?.status?.steps ?? []).map(({ id, state }) => `${id} ${state}`)
const evictions = (cluster: ControlledCluster) => cluster.writes.filter(write => write.endsWith('/eviction')).length
const isPaused = (cluster: ControlledCluster) => cluster.plans()[0]?.status?.phase === 'Paused'
const cordon = (cluster: ControlledCluster, name: string) =>
  cluster.change(builtIn.nodes, { name }, { spec: { unschedulable: true } })

const homeless = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'homeless', namespace: 'shop' },
  spec: { containers: [{ name: 'main', image: 'registry.example/big:1', resources: { requests: { cpu: '3800m' } } }] },
}

describe('a plan that is taken move by move', () => {
  test('does one move a step, says where it stopped, and succeeds with the last', async () => {
    await using cluster = await proposed({ limits: { concurrent: 3 } })
    await annotate(cluster, { 'ballast.dev/run-until': 'm01' })
    await cluster.approve(first(cluster))
    for (const [done, next] of [
      ['m01', 'm02'],
      ['m02', 'm03'],
    ] as const) {
      await cluster.until(() => isPaused(cluster) && first(cluster).status?.message?.includes(done) === true)
      expect(first(cluster).status?.message).toBe(`it was to run up to move ${done}, which is over`)
      await cluster.pass(600_000)
      expect(steps(first(cluster)).at(-1)).toBe(`${done} Landed`)
      await annotate(cluster, { 'ballast.dev/run-until': next })
    }
    await cluster.followPlans()
    expect([first(cluster).status?.phase, steps(first(cluster))]).toEqual([
      'Succeeded',
      ['m01 Landed', 'm02 Landed', 'm03 Landed'],
    ])
  })

  test('does one move a step where several of a wave may run at once', async () => {
    const single = { name: 'api', cpu: '500m', on: ['n1'], owner: 'descheduler' } as const
    const objects = [...smallCluster({ web: { on: ['n1'] } }), ...smallWorkload(single)]
    await using cluster = await proposed({ limits: { concurrent: 3 } }, objects)
    expect(first(cluster).spec.moves.map(({ wave }) => wave)).toEqual([1, 1, 2])
    await annotate(cluster, { 'ballast.dev/run-until': 'm01' })
    await cluster.approve(first(cluster))
    await cluster.until(() => isPaused(cluster))
    await cluster.pass(600_000)
    expect(steps(first(cluster))).toEqual(['m01 Landed'])
  })

  test('is not made anew and run on behind the back of who takes it so', async () => {
    await using cluster = await proposed()
    await annotate(cluster, { 'ballast.dev/run-until': 'm02' })
    let isClosed = false
    cluster.meanwhile = async write => {
      if (isClosed || !/web-abcde12345-a\/eviction/.test(write)) return
      isClosed = true
      await cordon(cluster, 'n2')
    }
    await cluster.approve(first(cluster))
    await cluster.until(() => cluster.plans().length === 2)
    await cluster.pass(1_200_000)
    const [old, anew] = cluster.plans()
    expect(steps(old)).toEqual(['m01 Landed', 'm02 Mismatch'])
    expect([anew?.spec.approved, anew?.status?.phase]).toEqual([false, 'Proposed'])
    await cluster.followPlans()
    expect(cluster.plans().map(({ status }) => status?.phase)).toEqual(['Expired', 'Succeeded'])
  })
})

describe('a plan that is frozen', () => {
  test.each([0, 1, 2])('after %d moves begins no further one, and goes on when it is thawed', async done => {
    await using cluster = await proposed()
    // In the moment in which the last of them begins: that one is followed to its end.
    const begins = [/rebalanceplans\/.*status$/, /deployments\/solo$/, /eviction$/][done]
    let isFrozen = false
    cluster.meanwhile = async write => {
      if (isFrozen || begins?.test(write) !== true) return
      isFrozen = true
      await annotate(cluster, { 'ballast.dev/freeze': 'dinner' })
    }
    await cluster.approve(first(cluster))
    await cluster.until(() => isPaused(cluster) && first(cluster).status?.message?.includes('dinner') === true)
    await cluster.pass(1_800_000)
    expect(steps(first(cluster))).toEqual(['m01 Landed', 'm02 Landed'].slice(0, done))
    expect(evictions(cluster)).toBe(Math.max(0, done - 1))
    expect(cluster.list<Node>('nodes').flatMap(node => node.spec?.taints ?? [])).toEqual([])
    await annotate(cluster, { 'ballast.dev/freeze': null })
    await cluster.followPlans()
    expect(first(cluster).status?.phase).toBe('Succeeded')
  })

  test('while the API server refuses an eviction does not ask for it again', async () => {
    await using cluster = await proposed()
    const refuse = cluster.twin.fault({
      match: { verbs: ['create'], resource: 'pods', subresource: 'eviction' },
      status: { code: 429, reason: 'TooManyRequests', message: 'not now' },
    })
    await cluster.approve(first(cluster))
    await cluster.until(() => refuse.fired === 1)
    await annotate(cluster, { 'ballast.dev/freeze': 'dinner' })
    refuse.remove()
    await cluster.pass(900_000)
    expect([steps(first(cluster)), evictions(cluster)]).toEqual([['m01 Landed'], 1])
    expect(first(cluster).status?.message).toBe(
      `frozen by ballast.dev/freeze on RebalancePlan ${first(cluster).metadata.name}: dinner`,
    )
    await annotate(cluster, { 'ballast.dev/freeze': null })
    await cluster.followPlans()
    expect(steps(first(cluster))).toEqual(['m01 Landed', 'm02 Landed', 'm03 Landed'])
  })

  test('while a move waits for the arbiter does not begin that move', async () => {
    await using cluster = await proposed()
    // A red gate: nothing of its class begins while a pod finds no node.
    await cluster.admin.resource(builtIn.pods).create(homeless, { namespace: 'shop', signal: new AbortController().signal })
    await cluster.pass(120_000)
    await cluster.approve(first(cluster))
    await cluster.pass(120_000)
    expect(first(cluster).status).toMatchObject({ phase: 'Running' })
    await annotate(cluster, { 'ballast.dev/freeze': 'dinner' })
    await cluster.admin.resource(builtIn.pods).delete('homeless', { namespace: 'shop', signal: new AbortController().signal })
    await cluster.pass(1_800_000)
    expect([steps(first(cluster)), evictions(cluster)]).toEqual([[], 0])
    await annotate(cluster, { 'ballast.dev/freeze': null })
    await cluster.followPlans()
    expect(steps(first(cluster))).toEqual(['m01 Landed', 'm02 Landed', 'm03 Landed'])
  })

  test('stays frozen when it is made anew, whose name stands beside it', async () => {
    await using cluster = await proposed()
    let isClosed = false
    cluster.meanwhile = async write => {
      if (isClosed || !/web-abcde12345-a\/eviction/.test(write)) return
      isClosed = true
      await cordon(cluster, 'n2')
      await annotate(cluster, { 'ballast.dev/freeze': 'dinner', 'ballast.dev/frozen-by': 'anna' })
    }
    await cluster.approve(first(cluster))
    await cluster.until(() => cluster.plans().length === 2)
    await cluster.pass(1_800_000)
    const anew = cluster.plans()[1]
    expect(anew?.metadata.annotations).toMatchObject({ 'ballast.dev/freeze': 'dinner', 'ballast.dev/frozen-by': 'anna' })
    expect([anew?.status?.phase, steps(anew)]).toEqual(['Approved', []])
  })
})
