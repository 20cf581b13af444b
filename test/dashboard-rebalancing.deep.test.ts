// Rebalancing over time as the page shows it, of runs that really happen on a twin: a plan that lands as meant, one that does not, and
// evictions of the drop-in descheduler.
import { describe, expect, onTestFinished, test } from 'vitest'
import { ballastKinds } from '#coordination/kinds.ts'
import { rebalancingView } from '#dashboard/contract.ts'
import { type LiveSource, openLiveSource } from '#dashboard/source/live-source.ts'
import { testSettings } from '#dashboard/stream/streams-for-tests.ts'
import { rebalancingViewOf, usualQuery } from '#dashboard/views/plans/rebalancing.ts'
import { everything } from '#dashboard/views/viewing.ts'
import type { Api } from '#kube/client/api.ts'
import type { VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { controlledCluster } from './controlled-cluster.ts'
import { DeschedulerCluster } from './descheduler-cluster.ts'
import { overfull, policyOf } from './descheduler-objects.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

const { signal } = new AbortController()
const minute = 60_000

/** The page's source of the cluster behind `api`; ready. */
async function followed(api: Api, clock: VirtualClock): Promise<LiveSource> {
  const informers = new Informers(api, { clock, random: seededRandom(1), signal })
  const source = openLiveSource({
    informers,
    api,
    clock,
    wallClock: clock,
    random: seededRandom(7),
    mode: 'twin',
    cluster: 'small',
    settings: () => testSettings,
    twin: { source: 'small', seed: 1 },
    signal,
  })
  onTestFinished(async () => {
    await source[Symbol.asyncDispose]()
    await informers[Symbol.asyncDispose]()
  })
  let isReady = false
  void source.ready.then(() => {
    isReady = true
  })
  await clock.runUntil(() => isReady, { limitMs: 2 * minute })
  return source
}

function shown(source: LiveSource, plan?: string) {
  const view = rebalancingViewOf(source.current(), { ...usualQuery, plan }, { viewing: everything, plans: true, permits: true })
  expect(rebalancingView.parse(view)).toEqual(view)
  if (view === undefined) throw new Error('there is no plan of no name')
  return view
}

const small = () => controlledCluster({ objects: [...smallCluster(), smallPolicy()] })

describe('a plan', () => {
  test('that lands as meant: each move, each node, the rate, and what the lines say', async () => {
    await using cluster = await small()
    const source = await followed(cluster.admin, cluster.clock)
    await cluster.clock.advance(2 * minute)
    cluster.startController()
    await cluster.rebalance('small')
    await cluster.pass(2 * minute)
    const { plan, landings, utilisation } = shown(source)
    expect(plan?.moves.map(({ result, landedOn, meant }) => [result, meant.includes(landedOn ?? '')])).toEqual(
      Array.from({ length: 3 }, () => ['expected', true]),
    )
    for (const move of plan?.moves ?? [])
      expect(move).toMatchObject({
        at: expect.stringMatching(/^2026-03-02T04:/),
        permit: expect.stringMatching(/^shop\//),
        ms: expect.any(Number),
      })
    // What was planned, what its moves come to, and what the controller measured at its end are the same.
    expect(plan?.nodes.length).toBeGreaterThan(1)
    for (const { cpu, memory } of plan?.nodes ?? [])
      for (const { planned, landed, measured, now } of [cpu, memory])
        expect([landed, measured, now]).toEqual([planned, planned, planned])
    expect(landings).toMatchObject({ foretold: 3, expected: 3, rate: 1_000, isTrusted: true })
    const n1 = utilisation.nodes.find(({ node }) => node === 'n1')
    const [before, after] = [
      plan?.nodes.find(({ node }) => node === 'n1')?.cpu.before,
      plan?.nodes.find(({ node }) => node === 'n1')?.cpu.now,
    ]
    expect(n1?.cpu.requestedRange).toMatchObject({ first: before, last: after })
    expect([n1?.left, n1?.marks.every(({ way, plan: of }) => way === 'left' && of === plan?.outcome.name)]).toEqual([3, true])
  })

  test('that lands elsewhere: where, and what followed on it', async () => {
    await using cluster = await small()
    const source = await followed(cluster.admin, cluster.clock)
    // The node that the plan means closes in the moment in which its pod goes.
    let isClosed = false
    cluster.meanwhile = async write => {
      if (isClosed || !/web-abcde12345-a\/eviction/.test(write)) return
      isClosed = true
      await cluster.change(builtIn.nodes, { name: 'n2' }, { spec: { unschedulable: true } })
    }
    cluster.startController()
    await cluster.rebalance('small')
    await cluster.pass(minute)
    const old = cluster.plans().find(({ status }) => status?.phase === 'Expired')
    const last = cluster.plans().find(({ status }) => status?.phase === 'Succeeded')
    const { plan } = shown(source, old?.metadata.name)
    const missed = plan?.moves.find(({ result }) => result !== 'expected')
    expect(plan?.moves.map(({ result }) => result)).toEqual(['expected', 'other', 'skipped'])
    expect([missed?.meant, missed?.landedOn === 'n2', missed?.permit?.startsWith('shop/')]).toEqual([['n2'], false, true])
    expect(missed?.because?.text).toMatch(
      new RegExp(`^LandingMismatch: landed on n\\d, meant were n2\\. Planned anew as ${last?.metadata.name}\\.$`),
    )
    expect(plan?.sentences.map(({ code }) => code)).toEqual(['plan-happened', 'plan-followed'])
    // The plan had meant n2 to get it.
    const n2 = plan?.nodes.find(({ node }) => node === 'n2')?.cpu
    expect((n2?.planned ?? 0) > (n2?.landed ?? 0)).toBe(true)
    const { landings, plans } = shown(source)
    expect([landings?.foretold, landings?.expected, landings?.counts.other]).toEqual([3, 2, 1])
    expect(plans?.map(({ name, rate }) => [name, rate])).toEqual([
      [last?.metadata.name, 1_000],
      [old?.metadata.name, 500],
    ])
  })
})

test('evictions of the drop-in descheduler: by strategy and by node, and when they left', async () => {
  const kinds = ballastKinds.flatMap(({ definition }) => (definition === undefined ? [] : [definition]))
  await using cluster = await DeschedulerCluster.start([...kinds, ...overfull])
  const source = await followed(cluster.admin, cluster.clock)
  const run = cluster.run({
    policy: policyOf({
      balance: {
        LowNodeUtilization: {
          thresholds: { cpu: 20, memory: 20, pods: 20 },
          targetThresholds: { cpu: 50, memory: 50, pods: 50 },
        },
      },
    }),
    hasPermits: true,
  })
  await cluster.ended(run)
  await cluster.until(() => shown(source).evictions?.total === 2)
  const { evictions, utilisation } = shown(source)
  expect(evictions?.byStrategy).toEqual([{ name: 'LowNodeUtilization', evicted: 2, refused: 0 }])
  expect(evictions?.byNode).toEqual([{ name: 'n1', evicted: 2, refused: 0 }])
  expect(evictions?.rows.map(({ pod, node, result }) => [pod?.name, node, result]).toSorted()).toEqual([
    ['a-abcde12345-a', 'n1', 'evicted'],
    ['b-abcde12345-a', 'n1', 'evicted'],
  ])
  for (const { permit } of evictions?.rows ?? []) expect(permit).toMatch(/^shop\//)
  const n1 = utilisation.nodes.find(({ node }) => node === 'n1')
  expect([n1?.left, n1?.marks.map(({ plan }) => plan)]).toEqual([2, [null, null]])
})
