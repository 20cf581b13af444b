// What was learned of starts outlives the process: on the twin, in the status of the route.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import { listAt } from '#kube/objects/object-fields.ts'
import type { Condition, KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { person, TestCluster } from '#twin/components/cluster-for-tests.ts'
import { ColdStarts } from '../src/capabilities/gateway/cold/cold-start.ts'
import { keptText } from '../src/capabilities/gateway/cold/cold-start-condition.ts'
import { longestLearned } from '../src/capabilities/gateway/cold/learned-boots.ts'
import { StartsTold } from '../src/capabilities/gateway/cold/starts-told.ts'
import { servedKinds } from '../src/capabilities/gateway/kinds/served-kinds.ts'
import { interceptorRoutes } from '../src/capabilities/gateway/names.ts'

const key = 'default/web'
const route = {
  ...{ apiVersion: 'http.keda.sh/v1beta1', kind: 'InterceptorRoute', metadata: { name: 'web', namespace: 'default' } },
  spec: { target: { service: 'web', port: 80 }, scalingMetric: { concurrency: { targetValue: 1 } } },
} as unknown as KubeObject

let cluster: TestCluster
beforeEach(async () => {
  cluster = await TestCluster.start([...servedKinds.map(({ definition }) => definition as KubeObject), route])
})
afterEach(() => cluster[Symbol.asyncDispose]())

const routes = 'interceptorroutes.http.keda.sh'
const stored = () => cluster.access.get(routes, 'default', 'web') as KubeObject
const conditionOf = (type: string) =>
  (listAt(stored(), 'status', 'conditions') as readonly Condition[]).find(one => one.type === type)

/** A replica of the gateway: what it learns of starts and tells. `wire` stands between it and the server. */
async function replica(wire: (inner: Transport) => Transport = inner => inner) {
  const { clock, twin } = cluster
  const stop = new AbortController()
  const api = openApi(wire(twin.transport({ admin: true })), { clock, userAgent: 'test' })
  const pool = new Informers(api, { clock, random: seededRandom(1), log: silentLog, signal: stop.signal })
  const kinds = [pool.of<KubeObject>(interceptorRoutes, { optional: true })]
  const synced = pool.allSynced(stop.signal)
  await clock.advance(1_000)
  await synced
  const warned: string[] = []
  const log = { ...silentLog, warn: (...[facts]: readonly unknown[]) => void warned.push(JSON.stringify(facts)) }
  const told = new StartsTold({ clock, log, api, kinds })
  const starts = new ColdStarts({ clock, onLearned: (route, boots) => told.tell(route, boots, stop.signal) })
  const recall = () => told.recall([key], (route, boots) => starts.remember(route, boots))
  recall()
  return {
    ...{ starts, recall, warned },
    /** A start of so many seconds. */
    start: async (seconds: number) => {
      starts.begin(key)
      starts.observe(key, { stage: 'queued', sentence: '' })
      await clock.advance(seconds * 1_000)
      starts.answered(key)
      await clock.advance(1_000)
    },
    times: () => starts.learned(key).map(({ tookMs }) => tookMs.queued),
    /** As by SIGKILL: nothing that it meant to do is done. */
    kill: async () => {
      stop.abort()
      await pool[Symbol.asyncDispose]()
      await api.close()
    },
  }
}

test('the next process knows what the last one learned', async () => {
  const one = await replica()
  await one.start(10)
  await one.start(30)
  await one.kill()
  const next = await replica()
  expect(next.times()).toEqual([10_000, 30_000])
  expect(next.starts.leftMs(key)).toBe(10_000)
  expect(conditionOf('ColdStart')?.message).toContain('p50/p95 of the last 2 cold starts: 10s/30s.')
  await next.kill()
})

test('replicas learn of each other, and a start that both saw counts once', async () => {
  const [one, other] = [await replica(), await replica()]
  await one.start(10)
  await other.start(20)
  for (const starts of [one.starts, other.starts]) {
    starts.begin(key)
    starts.observe(key, { stage: 'queued', sentence: '' })
  }
  await cluster.clock.advance(40_000)
  for (const starts of [one.starts, other.starts]) starts.answered(key)
  await cluster.clock.advance(1_000)
  for (const each of [one, other]) {
    each.recall()
    expect(each.times()).toEqual([10_000, 20_000, 40_000])
  }
  expect(conditionOf('ColdStart')?.message).toContain('last 3 cold starts')
  await one.kill()
  await other.kill()
})

test.each([
  ['before the write', false, [10_000]],
  ['after it, before the answer', true, [10_000, 20_000]],
])('killed %s: what is kept is whole', async (_name, isWritten, times) => {
  const first = await replica()
  await first.start(10)
  await first.kill()
  const killed = await replica(inner => ({
    ...inner,
    request: async request => {
      if (request.verb !== 'PATCH') return await inner.request(request)
      if (isWritten) await inner.request(request)
      return await Promise.withResolvers<never>().promise
    },
  }))
  await killed.start(20)
  await killed.kill()
  const next = await replica()
  expect(next.times()).toEqual(times)
  expect(conditionOf('ColdStart')?.message).toContain(times.length === 1 ? 'last cold start' : 'last 2 cold starts')
  await next.kill()
})

test.each([
  ['no JSON', 'x', 'it is no JSON'],
  ['of another version', '{"version":2,"boots":[]}', 'version'],
  ['too large', ' '.repeat(longestLearned + 1), `more than ${longestLearned}`],
])('what is kept is %s: it is told once, and the next start writes over it', async (_name, message, why) => {
  const conditions = [
    { type: 'LearnedStarts', status: 'True', reason: 'Kept', message, lastTransitionTime: '2026-01-01T00:00:00Z' },
  ]
  cluster.access.update(routes, { ...stored(), status: { conditions } } as KubeObject, person, { subresource: 'status' })
  const one = await replica()
  one.recall()
  expect(one.times()).toEqual([])
  expect(one.warned).toHaveLength(1)
  expect(one.warned[0]).toContain(why)
  await one.start(10)
  expect(keptText(stored())).toMatch(/^\{"version":1/)
  await one.kill()
  const next = await replica()
  expect(next.times()).toEqual([10_000])
  await next.kill()
})

test('a route that goes takes what was learned with it', async () => {
  const one = await replica()
  await one.start(10)
  cluster.access.remove(routes, 'default', 'web', person)
  cluster.access.create(routes, route, person)
  await cluster.clock.advance(1_000)
  await one.kill()
  const next = await replica()
  expect(next.times()).toEqual([])
  await next.kill()
})
