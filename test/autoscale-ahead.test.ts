// What is done before anybody comes, on the twin: images are asked for before a window opens, by the part of `ballast controller`; and a target
// wakes before somebody is likely to come, by what was learned.
import { expect, test } from 'vitest'
import type { PullAhead } from '#coordination/ports/pull-ahead.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import { at } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { testWorkload } from '#twin/components/cluster-for-tests.ts'
import { startPullingAhead } from '../src/capabilities/autoscale/ahead/pull-part.ts'
import { autoscaleConfiguration } from '../src/capabilities/autoscale/config.ts'
import type { ScaledObject } from '../src/capabilities/autoscale/kinds/scaled-object.ts'
import { learnedConfigMap, scaledObjects } from '../src/capabilities/autoscale/names.ts'
import { bucketOf, noArrivals, quarterAt } from '../src/capabilities/autoscale/prewarm/arrivals.ts'
import { learnedText, nothingLearned, readLearned } from '../src/capabilities/autoscale/prewarm/learned.ts'
import { zoneNamed } from '../src/capabilities/autoscale/prewarm/wish.ts'
import { toldOf } from '../src/capabilities/autoscale/told/told.ts'
import { AutoscaleSite, hourly, scaled } from './autoscale-site.ts'

test('ten minutes before a window its images are asked for, once; a failure is no fault, and nobody who pulls is none', async () => {
  await using site = await AutoscaleSite.start(0)
  const { clock, api, signal } = site
  await using informers = new Informers(api, { clock, random: seededRandom(1), log: silentLog, signal })
  const wishes: string[] = []
  const told: string[] = []
  const startedMs = clock.now()
  const ahead: PullAhead = {
    pull: async ({ requester, images, nodes, deadlineMs }) => {
      const at = (ms: number) => (ms - startedMs) / 60_000
      wishes.push(`${at(clock.now())}: ${requester} ${images.join(' ')} on ${nodes.join(' ')} until ${at(deadlineMs)}`)
      throw new Error('no agent answers')
    },
  }
  let isOffered = false
  const ports = { take: () => (isOffered ? ahead : undefined), offer: () => undefined } as never
  const ofWindows = { annotations: { 'ballast.dev/pull-ahead': 'true' } }
  await site.create(scaledObjects, scaled('web', { triggers: [hourly('30 * * * *', '40 * * * *', 1)] }, ofWindows))
  for (const resource of [scaledObjects, builtIn.deployments, builtIn.statefulsets, builtIn.nodes]) informers.of(resource)
  await using part = await startPullingAhead(
    { informers, clock, log: silentLog, ports, events: { emit: ({ reason, note }) => void told.push(`${reason} ${note}`) } },
    autoscaleConfiguration.parse({}),
    signal,
  )
  await clock.advance(22 * 60_000)
  expect(wishes).toEqual([])
  isOffered = true
  await clock.advance(30 * 60_000)
  expect(wishes).toEqual([expect.stringMatching(/^23: autoscale \S+ on \S+ \S+ until 30$/)])
  // The next hour's window, with the agent there from the beginning.
  await clock.advance(60 * 60_000)
  expect(wishes[1]).toMatch(/^80: autoscale \S+ on \S+ \S+ until 90$/)
  expect(wishes).toHaveLength(2)
  expect(told).toEqual(Array(2).fill('ImagesNotPulledAhead Images could not be pulled before the window: no agent answers'))
  expect(part.health()).toEqual([{ name: 'autoscale-ahead', ok: true, message: 'images are pulled for 0 windows' }])
})

const minute = 60_000
const ownNamespace = 'kube-system'
const utc = zoneNamed('UTC') ?? expect.unreachable()

/** Somebody came in the second and in the last quarter of this hour each week, for long. */
function learnedBefore(nowMs: number): string {
  const fresh = nothingLearned('UTC', nowMs)
  const at = (later: number) => bucketOf(quarterAt(nowMs) + later, utc)
  const buckets = noArrivals(nowMs).buckets.with(at(1), 250).with(at(3), 250)
  const arrivals = { ...fresh.arrivals, sinceMs: nowMs - 100 * 86_400_000, buckets }
  return learnedText({ ...fresh, arrivals, bootsMs: [2 * minute] })
}

test('a likely arrival: awake a boot and a minute before, at rest after it, told and written down; whoever is asked for goes first', async () => {
  await using site = await AutoscaleSite.start(0, [testWorkload('Deployment', 'llm', { replicas: 0 })])
  const startMs = site.clock.now()
  const metadata = { name: learnedConfigMap, namespace: ownNamespace }
  const data = { 'default.web': learnedBefore(startMs), 'default.gone': '{}' }
  await site.create(builtIn.configmaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data })
  await site.operator({ isServed: false, ownNamespace })
  const gpu = { 'ballast.dev/one-awake': 'gpu' }
  const spec = { triggers: [hourly('58 * * * *', '59 * * * *', 1)], cooldownPeriod: 60, pollingInterval: 600 }
  await site.create(
    scaledObjects,
    scaled('web', spec, { annotations: { ...gpu, 'ballast.dev/pre-warm': '2h', 'ballast.dev/one-awake-priority': '10' } }),
  )
  const triggers = [hourly('47 * * * *', '49 * * * *', 1)]
  await site.create(scaledObjects, scaled('llm', { triggers, pollingInterval: 10 }, { annotations: gpu }))
  const quarterMs = Math.ceil((startMs + 1) / (15 * minute)) * 15 * minute
  const until = async (ms: number) => await site.clock.advance(ms - site.clock.now())
  await until(quarterMs - 3.1 * minute)
  expect(await site.replicas()).toBe(0)
  const planned = toldOf(await site.get<ScaledObject>(scaledObjects, 'web'), {
    ...{ autoscaler: undefined, target: undefined, nowMs: site.clock.now() },
  })
  expect(planned.warmSpans.map(({ fromMs, toMs }) => [(fromMs - quarterMs) / minute, (toMs - quarterMs) / minute])).toEqual([
    [-3, 15],
    [27, 45],
  ])
  expect(planned.reasons.find(({ rule }) => rule === 'pre-warm')?.sentence).toMatch(
    /^It is to be awake before anybody comes: learned: 1 quarter-hours of a week with arrivals; boot time 2m0s; 2h0m0s of 2h0m0s are left today; next warm /,
  )
  // Not when it would be looked at next, but when the span begins.
  await until(quarterMs - 2.9 * minute)
  expect(await site.replicas()).toBe(1)
  expect(site.events.filter(({ reason }) => /PreWarm/.test(reason))).toEqual([
    {
      reason: 'KEDAScaleTargetPreWarmed',
      note: expect.stringMatching(/^Scaled .* from 0 to 1, before anybody comes: an arrival within/),
    },
  ])
  const warm = await site.get<ScaledObject>(scaledObjects, 'web')
  expect(warm.status?.conditions?.find(({ type }) => type === 'PreWarm')).toMatchObject({ status: 'True', reason: 'PreWarmed' })
  const target = await site.get(builtIn.deployments, 'web')
  const rules = toldOf(warm, { autoscaler: undefined, target, nowMs: site.clock.now() }).reasons.map(({ rule }) => rule)
  expect(rules).toEqual(['pre-warm', 'not-active', 'next-window'])
  await until(quarterMs + 14.9 * minute)
  expect(await site.replicas()).toBe(1)
  await until(quarterMs + 15.2 * minute)
  expect(await site.replicas()).toBe(0)
  await until(quarterMs + 31 * minute)
  expect(await site.replicas()).toBe(1)
  const kept = await site.get(builtIn.configmaps, learnedConfigMap, ownNamespace)
  expect(Object.keys(kept['data'] as object)).toEqual(['default.web'])
  const read = readLearned(String(at(kept, 'data', 'default.web')))
  if ('problem' in read) expect.unreachable(read.problem)
  expect(read.learned.spentMs / minute).toBeCloseTo(18, 1)
  expect(read.learned.bootsMs).toHaveLength(2)
  expect(read.learned.arrivals.buckets[bucketOf(quarterAt(quarterMs), utc)]).toBeLessThan(250)
  await until(quarterMs + 34 * minute)
  const llm = await site.get<KubeObject & { readonly spec: { readonly replicas: number } }>(builtIn.deployments, 'llm')
  expect([await site.replicas(), llm.spec.replicas]).toEqual([0, 1])
  expect(site.events.map(({ note }) => note)).toContainEqual(
    expect.stringMatching(/^Deactivated .*web from 1 to 0, .* nobody asked for the other yet/),
  )
})
