// The gateway is switched off, on the twin with the rights that are installed: no Service leads to it any more, whichever way it was done.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { accountToken, installBallast } from '#deployment/install-ballast.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import { silentLog } from '#kube/log.ts'
import { at, listAt } from '#kube/objects/object-fields.ts'
import type { Condition, KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { runApiserver } from '#process/apiserver/apiserver.ts'
import { fixedSettings, type Reload } from '#process/configuration/controller-settings.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { apiserverAccount } from '#process/own-names.ts'
import { person, TestCluster, testNodes, testWorkload } from '#twin/components/cluster-for-tests.ts'
import { gateway } from '../src/capabilities/gateway/capability.ts'
import { isOwnSlice } from '../src/capabilities/gateway/own-endpoints/slices-for.ts'
import { namespace } from './controlled-cluster.ts'

const slices = 'endpointslices.discovery.k8s.io'
const roles = 'clusterroles.rbac.authorization.k8s.io'
const role = 'ballast-gateway-workloads'
const { signal } = new AbortController()

function withService(name: string, replicas: number, where: string, port: object): KubeObject[] {
  const { metadata, ...workload } = testWorkload('Deployment', name, { replicas })
  const selector = at(workload, 'spec', 'selector', 'matchLabels')
  return [
    { ...workload, metadata: { ...metadata, namespace: where } } as KubeObject,
    { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: where }, spec: { selector, ports: [port] } },
  ]
}

const route = {
  ...{ apiVersion: 'http.keda.sh/v1beta1', kind: 'InterceptorRoute' },
  metadata: { name: 'web', namespace: 'default', annotations: { 'ballast.dev/own-endpoints': 'true' } },
  spec: { target: { service: 'web', port: 80 }, scalingMetric: { concurrency: { targetValue: 1 } } },
} as unknown as KubeObject

let cluster: TestCluster
let admin: Api
beforeEach(async () => {
  cluster = await TestCluster.start([...testNodes(2), ...withService('web', 0, 'default', { name: 'api', port: 80 })])
  admin = openApi(cluster.twin.transport({ admin: true }), { clock: cluster.clock, userAgent: 'test' })
  await installBallast(admin, { capabilities: [gateway], namespace, signal })
  const parts = withService('ballast-gateway', 1, namespace, { name: 'http', port: 80, targetPort: 8080 })
  for (const object of parts) {
    const resource = object.kind === 'Service' ? 'services' : 'deployments.apps'
    if (cluster.access.get(resource, namespace, 'ballast-gateway') === undefined) cluster.access.create(resource, object, person)
  }
  cluster.access.create('interceptorroutes.http.keda.sh', route, person)
  await cluster.clock.advance(60_000)
})
afterEach(async () => {
  await admin.close()
  await cluster[Symbol.asyncDispose]()
})

const own = () => (cluster.access.list(slices, 'default') as readonly KubeObject[]).filter(isOwnSlice)
const others = () => cluster.access.list(slices, 'default').length - own().length
const condition = () =>
  (listAt(cluster.access.get('interceptorroutes.http.keda.sh', 'default', 'web'), 'status', 'conditions') as Condition[]).find(
    ({ type }) => type === 'OwnEndpoints',
  )

/** `ballast apiserver` with the rights of its account; `paths` are those that it asked. */
async function apiserver({ isEnabled = true } = {}) {
  const { clock, twin } = cluster
  const stop = new AbortController()
  const token = await accountToken(admin, apiserverAccount, { namespace, seconds: 86_400, signal })
  const inner = twin.transport({ token })
  const paths = new Set<string>()
  const transport: Transport = {
    ...inner,
    request: request => {
      paths.add(request.path)
      return inner.request(request)
    },
    stream: request => {
      paths.add(request.path)
      return inner.stream(request)
    },
  }
  const { current } = fixedSettings({ capabilities: [gateway] })
  const settingsWith = (isOn: boolean) => {
    const section = current.capabilities['gateway'] ?? expect.unreachable()
    return { ...current, capabilities: { gateway: { ...section, isEnabled: isOn } } }
  }
  const listeners = new Set<(reload: Reload) => void>()
  const settings = {
    current: settingsWith(isEnabled),
    onReload: (listener: (reload: Reload) => void) => {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
  }
  const done = runApiserver({
    ...{ clock, log: silentLog, health: new ControllerHealth(), signal: stop.signal, transport },
    random: seededRandom(1),
    identity: { name: 'test', namespace },
    capabilities: [gateway],
    settings,
  })
  await clock.advance(60_000)
  return {
    paths,
    switched: async (isOn: boolean) => {
      settings.current = settingsWith(isOn)
      for (const listener of [...listeners]) listener({ kind: 'applied', needRestart: [] })
      await clock.advance(40_000)
    },
    end: async () => {
      stop.abort(new DOMException('the test is over', 'AbortError'))
      await clock.advance(60_000)
      await done
    },
  }
}

test('in the configuration, while it runs: slices and conditions go, and come back', async () => {
  const process = await apiserver()
  expect(own()).toHaveLength(1)
  expect(own()[0]?.metadata.ownerReferences).toMatchObject([{ kind: 'ClusterRole', name: role }])
  expect(condition()?.reason).toBe('CooldownOnly')
  const before = others()
  await process.switched(false)
  expect([own(), condition(), others()]).toEqual([[], undefined, before])
  await process.switched(true)
  expect(own()).toHaveLength(1)
  // Another leads, or the process ends: the gateway is still there.
  await process.end()
  expect(own()).toHaveLength(1)
})

test('with what it is installed by, while nobody of ours runs', async () => {
  const process = await apiserver()
  await process.end()
  expect(own()).toHaveLength(1)
  const before = others()
  cluster.access.remove(roles, undefined, role, person)
  await cluster.clock.advance(60_000)
  expect([own(), others()]).toEqual([[], before])
  // The next one, without the gateway, looks at nothing of it.
  const next = await apiserver({ isEnabled: false })
  expect([...next.paths].filter(path => /endpointslices|clusterroles|http\.keda\.sh/.test(path))).toEqual([])
  await next.end()
})

test('with roles that were taken away before the configuration was read', async () => {
  const process = await apiserver()
  const rights = 'ballast-apiserver-workloads'
  const held = cluster.access.get(roles, undefined, rights) ?? expect.unreachable()
  cluster.access.update(roles, { ...held, rules: [] } as KubeObject, person)
  cluster.access.remove(roles, undefined, role, person)
  await cluster.clock.advance(60_000)
  expect(own()).toEqual([])
  await process.switched(false)
  expect(own()).toEqual([])
  await process.end()
})

test('a role that was put there anew: slices come back, and stay', async () => {
  const process = await apiserver()
  const { metadata, ...held } = cluster.access.get(roles, undefined, role) ?? expect.unreachable()
  cluster.access.remove(roles, undefined, role, person)
  cluster.access.create(roles, { ...held, metadata: { name: role, labels: metadata.labels ?? {} } } as KubeObject, person)
  await cluster.clock.advance(120_000)
  const uid = cluster.access.get(roles, undefined, role)?.metadata.uid
  expect(own().map(slice => slice.metadata.ownerReferences?.map(one => one.uid))).toEqual([[uid]])
  await process.end()
})

test('a route that goes while nobody of ours runs: the next leader takes its slice away', async () => {
  const process = await apiserver()
  await process.end()
  cluster.access.remove('interceptorroutes.http.keda.sh', 'default', 'web', person)
  await cluster.clock.advance(60_000)
  const next = await apiserver()
  expect(own()).toEqual([])
  await next.end()
})
