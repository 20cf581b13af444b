// A Service on the twin leads to the gateway while its target sleeps: its controllers write slices of their own beside ours.
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import { at, listAt } from '#kube/objects/object-fields.ts'
import type { Condition, KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { TestCluster, testNodes, testWorkload } from '#twin/components/cluster-for-tests.ts'
import { gateway } from '../src/capabilities/gateway/capability.ts'
import { serviceOf } from '../src/capabilities/gateway/endpoints/targets.ts'
import { servedKinds } from '../src/capabilities/gateway/kinds/served-kinds.ts'
import { interceptorRoutes } from '../src/capabilities/gateway/names.ts'
import { startOwnEndpoints } from '../src/capabilities/gateway/own-endpoints/own-endpoints-part.ts'
import { remove } from '../src/deployment/removal/removal.ts'

const asking = { 'ballast.dev/own-endpoints': 'true' }

function withService(name: string, replicas: number, port: object): KubeObject[] {
  const workload = testWorkload('Deployment', name, { replicas })
  const selector = at(workload, 'spec', 'selector', 'matchLabels')
  const service = {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' } },
    spec: { selector, ports: [port] },
  } as KubeObject
  return [workload, service]
}

const route = {
  ...{ apiVersion: 'http.keda.sh/v1beta1', kind: 'InterceptorRoute' },
  metadata: { name: 'web', namespace: 'default', annotations: asking },
  spec: { target: { service: 'web', port: 80 }, scalingMetric: { concurrency: { targetValue: 1 } } },
} as unknown as KubeObject

test('a Service leads to the gateway while nothing of its target is ready', async () => {
  await using cluster = await TestCluster.start([
    ...testNodes(2),
    ...servedKinds.map(({ definition }) => definition as KubeObject),
    ...withService('web', 0, { name: 'api', port: 80 }),
    ...withService('ballast-gateway', 1, { name: 'http', port: 80, targetPort: 8080 }),
  ])
  const { clock, twin } = cluster
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  const routes = api.resource<KubeObject>(interceptorRoutes)
  const options = { namespace: 'default', fieldManager: 'person', signal: new AbortController().signal }
  await clock.advance(30_000)
  const done = async <Value>(write: Promise<Value>) => {
    await clock.advance(1_000)
    return await write
  }
  await done(routes.create(route, options))
  const slicesOfWeb = () =>
    cluster
      .list('endpointslices.discovery.k8s.io', 'default')
      .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'web') as unknown as readonly KubeObject[]
  const own = () => slicesOfWeb().filter(slice => serviceOf(slice) === undefined)
  const reason = async () => {
    const conditions = listAt(await done(routes.get('web', options)), 'status', 'conditions')
    return (conditions as readonly Condition[]).find(({ type }) => type === 'OwnEndpoints')?.reason
  }
  const leader = async () => {
    const stop = new AbortController()
    const pool = new Informers(api, { clock, random: seededRandom(1), log: silentLog, signal: stop.signal })
    const part = gateway.parts.find(({ role }) => role === 'gateway-own-endpoints')
    const needs = (part?.needs ?? []) as readonly { kind: string; scope?: string }[]
    const informers = pool.share({ needs: needs.map(({ kind: _kind, scope: _scope, ...need }) => need) as never })
    const leadership = { assert: () => undefined } as never
    const leading = { effects: { api, clock, leadership } }
    const identity = { name: 'ballast', namespace: 'default', instance: 'one' } as never
    const running = await done(startOwnEndpoints({ leading, informers, clock, log: silentLog, api, identity }, stop.signal))
    await clock.advance(5_000)
    return async () => {
      await running[Symbol.asyncDispose]()
      stop.abort()
      await pool[Symbol.asyncDispose]()
    }
  }
  const end = await leader()
  const [pod] = cluster.readyPods()
  expect(own().map(slice => listAt(slice, 'endpoints').flatMap(one => listAt(one, 'addresses')))).toEqual([[pod?.status?.podIP]])
  expect(own().map(slice => listAt(slice, 'ports'))).toMatchObject([[{ name: 'api', port: 8080 }]])
  expect(await reason()).toBe('CooldownOnly')
  // The target wakes, and sleeps again.
  const scaled = async (replicas: number) => {
    cluster.edit('deployments.apps', 'web', one => ({ ...one, spec: { ...one.spec, replicas } }))
    await clock.advance(120_000)
  }
  await scaled(1)
  expect(own()).toEqual([])
  expect(slicesOfWeb()).toHaveLength(1)
  await scaled(0)
  expect(own()).toHaveLength(1)
  // A leader that ends takes nothing away: the next one goes on, and finds what changed meanwhile.
  await end()
  expect(own()).toHaveLength(1)
  const body = { metadata: { annotations: { 'ballast.dev/own-endpoints': null } } }
  await done(routes.patch('web', { type: 'merge', body }, options))
  const endNext = await leader()
  expect(own()).toEqual([])
  expect(await reason()).toBeUndefined()
  await endNext()
  // Uninstalling takes it away, where nobody looks after it any more, and no other slice.
  await done(routes.patch('web', { type: 'merge', body: { metadata: { annotations: asking } } }, options))
  const endLast = await leader()
  await endLast()
  expect(own()).toHaveLength(1)
  const others = cluster.list('endpointslices.discovery.k8s.io', 'default').length - 1
  const { signal } = options
  const keep = new Set(['crds', 'objects'] as const)
  const asked = { api, clock, capabilities: [gateway], namespace: 'default', release: 'ballast', keep, dryRun: false, signal }
  const { done: taken } = await done(remove(asked))
  expect(taken).toContain('delete endpointslices.discovery.k8s.io default/ballast-web-ipv4')
  expect(own()).toEqual([])
  expect(cluster.list('endpointslices.discovery.k8s.io', 'default')).toHaveLength(others)
  await api.close()
})
