// What the API server answers to evictions, and what the drop-in descheduler makes of it: each is classified, none is tried again within
// the cycle, and what was not answered is looked at before it is counted.
import { afterEach, expect, test } from 'vitest'
import { ConnectionError, RequestTimeoutError } from '#kube/client/connection-error.ts'
import type { Transport, TransportRequest, TransportResponse } from '#kube/client/transport.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { DeschedulerCluster } from './descheduler-cluster.ts'
import { cluster as objectsOf, policyOf, tainted } from './descheduler-objects.ts'
import { node } from './small-cluster.ts'

const open: DeschedulerCluster[] = []
afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster[Symbol.asyncDispose]()
})

const { signal } = new AbortController()
const policy = {
  ...policyOf({ deschedule: { RemovePodsViolatingNodeTaints: {} } }),
  evictionFailureEventNotification: true,
}
const first = 'n1-0-abcde12345-a'

async function start(): Promise<DeschedulerCluster> {
  const cluster = await DeschedulerCluster.start(objectsOf([tainted('n1'), node('n2')], { n1: 2 }))
  open.push(cluster)
  return cluster
}

type Answering = (request: TransportRequest, inner: Transport) => Promise<TransportResponse>

/** The eviction of the first pod is answered otherwise. */
function answering(answer: Answering): (transport: Transport) => Transport {
  return inner => ({
    request: request => (request.path.endsWith(`/${first}/eviction`) ? answer(request, inner) : inner.request(request)),
    stream: request => inner.stream(request),
    close: () => inner.close(),
  })
}

function status(code: number, reason: string, message: string, more: object = {}): TransportResponse {
  const body = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, reason, message, ...more }
  return { status: code, headers: { 'content-type': 'application/json' }, body: new TextEncoder().encode(JSON.stringify(body)) }
}

const budgetWords = "Cannot evict pod as it would violate the pod's disruption budget."
const several = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'

// biome-ignore format: a table
test.each<[string, TransportResponse, string]>([
  ['429 of a budget', status(429, 'TooManyRequests', budgetWords), `error when evicting pod (ignoring) "${first}": ${budgetWords}`],
  ['429 with Retry-After', { ...status(429, 'TooManyRequests', 'busy', { details: { retryAfterSeconds: 10 } }), headers: { 'content-type': 'application/json', 'retry-after': '10' } }, `error when evicting pod (ignoring) "${first}": busy`],
  ['403', status(403, 'Forbidden', 'pods is forbidden'), 'pods is forbidden'],
  ['404', status(404, 'NotFound', 'pods "x" not found'), `pod not found when evicting "${first}": pods "x" not found`],
  ['409', status(409, 'Conflict', 'the UID in the precondition does not match'), 'the UID in the precondition does not match'],
  ['500 of two budgets', status(500, 'InternalError', several), several],
  ['503', status(503, 'ServiceUnavailable', 'no leader'), 'no leader'],
  ['a webhook that denies', status(400, 'BadRequest', 'admission webhook "no.example" denied the request: not today'), 'admission webhook "no.example" denied the request: not today'],
])('%s: counted as an error, told by log and Event, not tried again, and the next pod is evicted', async (_, answer, message) => {
  const cluster = await start()
  let asked = 0
  const run = cluster.run({
    policy,
    isServing: true,
    settings: { deschedulingIntervalMs: 3_600_000 },
    between: answering(async () => {
      asked++
      return answer
    }),
  })
  await cluster.until(() => run.log.includes('"Number of evictions/requests" totalEvicted=1'))
  expect(asked).toBe(1)
  expect(cluster.evictions).toEqual(['201 n1-1-abcde12345-a'])
  expect(cluster.standing()).toHaveProperty(first)
  expect(run.log).toContain(`"Error evicting pod" err=${JSON.stringify(message)} pod="shop/${first}" reason=""`)
  const warnings = (await cluster.events()).filter(({ line }) => line.startsWith('Warning'))
  expect(warnings.map(({ line }) => line)).toEqual([
    `Warning EvictionFailed ${first}: pod eviction from n1 node by sigs.k8s.io/descheduler failed: ${message}`,
  ])
  expect(await run.metrics()).toMatch(/descheduler_pods_evicted_total\{result="error",.*node="n1"\} 1/)
  expect(await run.metrics()).toMatch(/descheduler_pods_evicted_total\{result="success",.*node="n1"\} 1/)
})

test.each<[string, () => Error]>([
  ['no answer in time', () => new RequestTimeoutError('no answer within 8 s')],
  ['a connection that broke', () => new ConnectionError('socket hang up', { code: 'ECONNRESET' })],
])('%s after the server acted: the pod is read back and counts as evicted', async (_, broken) => {
  const cluster = await start()
  const run = cluster.run({
    policy,
    between: answering(async (request, inner) => {
      await inner.request(request)
      throw broken()
    }),
  })
  await cluster.ended(run, 500)
  expect(cluster.evictions).toEqual([`201 ${first}`, '201 n1-1-abcde12345-a'])
  expect(run.log).toContain('totalEvicted=2')
  expect(run.log).not.toContain('Error evicting pod')
})

test('no answer and nothing done: the pod is looked at until the server has surely ended, and counts as failed', async () => {
  const cluster = await start()
  let sentMs = 0
  const run = cluster.run({
    policy,
    between: answering(async () => {
      sentMs = cluster.clock.now()
      throw new RequestTimeoutError('no answer within 8 s')
    }),
  })
  await cluster.ended(run, 500)
  expect(cluster.clock.now() - sentMs).toBeGreaterThanOrEqual(5_000)
  expect(run.log).toContain('"Error evicting pod" err="no answer within 8 s"')
  expect(run.log).toContain('totalEvicted=1')
})

test('another pod got its name meanwhile: the UID is a precondition, it is left alone', async () => {
  const cluster = await start()
  const pods = cluster.admin.resource<KubeObject>(builtIn.pods)
  const run = cluster.run({
    policy,
    between: answering(async (request, inner) => {
      const { apiVersion, kind, metadata, spec } = { ...(await pods.get(first, { namespace: 'shop', signal })) } as KubeObject & {
        readonly spec: object
      }
      await pods.delete(first, { namespace: 'shop', signal, gracePeriodSeconds: 0 })
      const { name, namespace, labels } = metadata
      await pods.create({ apiVersion, kind, metadata: { name, namespace, labels }, spec } as KubeObject, {
        namespace: 'shop',
        signal,
      })
      return await inner.request(request)
    }),
  })
  await cluster.ended(run)
  expect(cluster.evictions).toEqual([`409 ${first}`, '201 n1-1-abcde12345-a'])
  expect(cluster.standing()).toHaveProperty(first)
})

test('EvictionsInBackground: who is to evict by request alone is assumed, counted against the limits, and asked once', async () => {
  const cluster = await start()
  const pods = cluster.admin.resource<KubeObject>(builtIn.pods)
  const annotations = { 'descheduler.alpha.kubernetes.io/request-evict-only': '' }
  await pods.patch(first, { type: 'merge', body: { metadata: { annotations } } }, { namespace: 'shop', signal })
  let asked = 0
  const run = cluster.run({
    policy: { ...policy, maxNoOfPodsToEvictTotal: 1 },
    isServing: true,
    verbosity: 4,
    settings: { deschedulingIntervalMs: 60_000, evictionsInBackground: true },
    between: answering(async () => {
      asked++
      return status(429, 'TooManyRequests', 'Eviction triggered evacuation')
    }),
  })
  await cluster.until(() => run.log.includes('"Number of evictions/requests" totalEvicted=0 evictionRequests=1'))
  // It takes the place of one eviction in each cycle, until the pod is gone.
  await cluster.until(() => run.log.split('evictionRequests=1').length > 2, 5_000)
  expect(asked).toBe(1)
  expect(cluster.evictions).toEqual([])
  expect(await run.metrics()).toMatch(/result="background"/)
  await pods.delete(first, { namespace: 'shop', signal, gracePeriodSeconds: 0 })
  await cluster.until(() => cluster.evictions.length > 0, 5_000)
  expect(cluster.evictions[0]).toBe('201 n1-1-abcde12345-a')
  expect(await run.metrics()).toMatch(/descheduler_pods_evicted_total\{result="success",.*\} [12]/)
})
