// What was learned of arrivals is in a ConfigMap: a target wakes before somebody is likely to come, rests again, and what it took is written.
import { expect, test } from 'vitest'
import { at } from '#kube/objects/object-fields.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ScaledObject } from '../src/capabilities/autoscale/kinds/scaled-object.ts'
import { learnedConfigMap, scaledObjects } from '../src/capabilities/autoscale/names.ts'
import { bucketOf, noArrivals, quarterAt } from '../src/capabilities/autoscale/prewarm/arrivals.ts'
import { learnedText, nothingLearned, readLearned } from '../src/capabilities/autoscale/prewarm/learned.ts'
import { zoneNamed } from '../src/capabilities/autoscale/prewarm/wish.ts'
import { toldOf } from '../src/capabilities/autoscale/told/told.ts'
import { AutoscaleSite, hourly, scaled } from './autoscale-site.ts'

const minute = 60_000
const ownNamespace = 'kube-system'
const utc = zoneNamed('UTC') ?? expect.unreachable()

/** Somebody came in the second quarter of this hour each week, for long. */
function learnedBefore(nowMs: number): string {
  const fresh = nothingLearned('UTC', nowMs)
  const buckets = noArrivals(nowMs).buckets.with(bucketOf(quarterAt(nowMs) + 1, utc), 250)
  const arrivals = { ...fresh.arrivals, sinceMs: nowMs - 100 * 86_400_000, buckets }
  return learnedText({ ...fresh, arrivals, bootsMs: [2 * minute] })
}

test('a likely arrival: awake a boot and a minute before, at rest after it, told and written down', async () => {
  await using site = await AutoscaleSite.start(0)
  const startMs = site.clock.now()
  const metadata = { name: learnedConfigMap, namespace: ownNamespace }
  const data = { 'default.web': learnedBefore(startMs), 'default.gone': '{}' }
  await site.create(builtIn.configmaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data })
  await site.operator({ isServed: false, ownNamespace })
  const spec = { triggers: [hourly('50 * * * *', '51 * * * *', 1)], cooldownPeriod: 60, pollingInterval: 600 }
  await site.create(scaledObjects, scaled('web', spec, { annotations: { 'ballast.dev/pre-warm': '2h' } }))
  const quarterMs = Math.ceil((startMs + 1) / (15 * minute)) * 15 * minute
  const until = async (ms: number) => await site.clock.advance(ms - site.clock.now())
  await until(quarterMs - 3.1 * minute)
  expect(await site.replicas()).toBe(0)
  const planned = toldOf(await site.get<ScaledObject>(scaledObjects, 'web'), {
    ...{ autoscaler: undefined, target: undefined, nowMs: site.clock.now() },
  })
  expect(planned.warmSpans).toEqual([{ fromMs: quarterMs - 3 * minute, toMs: quarterMs + 15 * minute }])
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
  await until(quarterMs + 14.9 * minute)
  expect(await site.replicas()).toBe(1)
  await until(quarterMs + 15.2 * minute)
  expect(await site.replicas()).toBe(0)
  await until(quarterMs + 35 * minute)
  const kept = await site.get(builtIn.configmaps, learnedConfigMap, ownNamespace)
  expect(Object.keys(kept['data'] as object)).toEqual(['default.web'])
  const read = readLearned(String(at(kept, 'data', 'default.web')))
  if ('problem' in read) expect.unreachable(read.problem)
  expect(read.learned.spentMs / minute).toBeCloseTo(18, 1)
  expect(read.learned.bootsMs).toHaveLength(2)
  expect(read.learned.arrivals.buckets[bucketOf(quarterAt(quarterMs), utc)]).toBeLessThan(250)
})
