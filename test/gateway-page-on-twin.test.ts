// The page Gateway as a cluster shows it: two gateways that really answer, found by the EndpointSlices of a twin and asked over sockets.
import { once } from 'node:events'
import { request } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { gatewaysPort } from '#coordination/ports/gateway-door.ts'
import type { PictureSource } from '#dashboard/picture.ts'
import { testSettings } from '#dashboard/stream/streams-for-tests.ts'
import { everything } from '#dashboard/views/viewing.ts'
import { accountToken, installBallast } from '#deployment/install-ballast.ts'
import { openApi } from '#kube/client/api.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom, systemRandom } from '#kube/random.ts'
import { runApiserver } from '#process/apiserver/apiserver.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { apiserverAccount } from '#process/own-names.ts'
import { PortBook } from '#process/parts/port-book.ts'
import { person, TestCluster, testNodes, testWorkload } from '#twin/components/cluster-for-tests.ts'
import { gateway } from '../src/capabilities/gateway/capability.ts'
import { gatewayConfiguration } from '../src/capabilities/gateway/config.ts'
import { servedKinds } from '../src/capabilities/gateway/kinds/served-kinds.ts'
import { gatewayPage } from '../src/capabilities/gateway/page/gateway-page.ts'
import { startGateway } from '../src/capabilities/gateway/part.ts'
import { startAskingGateways } from '../src/capabilities/gateway/standing/asking-part.ts'
import { pictureOf } from '../src/dashboard/views/testdata/homelab.ts'

const own = 'ballast-system'
const route = {
  ...{ apiVersion: 'http.keda.sh/v1beta1', kind: 'InterceptorRoute', metadata: { name: 'web', namespace: 'default' } },
  spec: {
    target: { service: 'web', port: 80 },
    rules: [{ hosts: ['web.test'] }],
    scalingMetric: { concurrency: { targetValue: 1 } },
  },
} as unknown as KubeObject

/** Two addresses of this machine, at which both have one port. */
const places = [
  { name: 'ballast-gateway-a', address: '127.0.3.1' },
  { name: 'ballast-gateway-b', address: '127.0.3.2' },
]
const admin = 20_000 + Math.floor(systemRandom() * 10_000)
const { signal } = new AbortController()

let cluster: TestCluster
beforeEach(async () => {
  cluster = await TestCluster.start([
    ...testNodes(1),
    ...servedKinds.map(({ definition }) => definition as KubeObject),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: own } },
    testWorkload('Deployment', 'web', { replicas: 0 }),
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' }, spec: { ports: [{ port: 80 }] } },
    route,
  ])
})
afterEach(() => cluster[Symbol.asyncDispose]())

const apiOf = (user: Parameters<TestCluster['twin']['transport']>[0]) =>
  openApi(cluster.twin.transport(user), { clock: cluster.clock, userAgent: 'test' })

/** One replica, from its watches to its ports. */
async function gatewayAt({ name, address }: (typeof places)[number]) {
  const { clock } = cluster
  const api = apiOf({ admin: true })
  const stop = new AbortController()
  const pool = new Informers(api, { clock, random: seededRandom(1), log: silentLog, signal: stop.signal })
  const config = gatewayConfiguration.parse({
    ...{ bind: address, dataPlane: 'builtin', drain: { delay: '0s', timeout: '0s' } },
    ports: { traffic: 0, tls: 0, admin, scaler: 0 },
  })
  const identity = { name, namespace: own, instance: name }
  let isStarted = false
  const starting = startGateway(
    { clock, log: silentLog, api, informers: pool, identity, ports: new PortBook().forPart() },
    config,
    stop.signal,
  )
  void starting.then(() => {
    isStarted = true
  })
  await clock.runUntil(() => isStarted, { limitMs: 60_000 })
  const running = await starting
  return {
    address,
    ports: running.ports,
    end: async () => {
      stop.abort()
      await running[Symbol.asyncDispose]()
      await pool[Symbol.asyncDispose]()
      await api.close()
    },
  }
}

function listReady(names: readonly string[]): void {
  const endpoints = places
    .filter(({ name }) => names.includes(name))
    .map(({ name, address }) => ({ addresses: [address], conditions: { ready: true }, targetRef: { kind: 'Pod', name } }))
  const slice = {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', endpoints, ports: [] },
    metadata: { name: 'ballast-gateway-1', namespace: own, labels: { 'kubernetes.io/service-name': 'ballast-gateway' } },
  } as unknown as KubeObject
  const key = 'endpointslices.discovery.k8s.io'
  const known = cluster.access.get(key, own, slice.metadata.name)
  if (known === undefined) cluster.access.create(key, slice, person)
  else cluster.access.update(key, { ...known, endpoints } as KubeObject, person)
}

/** The gateways as the process that serves the page has them. */
async function offered(user: Parameters<TestCluster['twin']['transport']>[0] = { admin: true }) {
  const api = apiOf(user)
  const ports = new PortBook().forPart()
  const identity = { name: 'ballast-apiserver', namespace: own, instance: 'x' }
  await startAskingGateways({ api, clock: cluster.clock, identity, ports }, gatewayConfiguration.parse({ ports: { admin } }))
  const found = ports.take(gatewaysPort) ?? expect.unreachable()
  const view = () => {
    const standing = found.standing()
    return gatewayPage.view(pictureOf([route], standing === undefined ? {} : { gateways: standing }), everything)
  }
  return {
    ask: async () => {
      const asking = found.ask?.(signal)
      // The client and the twin take turns on the clock.
      let isDone = false
      void asking?.then(() => {
        isDone = true
      })
      await cluster.clock.runUntil(() => isDone, { limitMs: 10_000 })
    },
    row: () =>
      view()
        .tables.find(({ name }) => name === 'routes')
        ?.rows[0]?.cells.slice(4, 7),
    starting: () =>
      view()
        .tables.find(({ name }) => name === 'starts')
        ?.rows.map(({ cells }) => [cells[0], cells[1], cells[5]]),
    said: () => view().sentences[0]?.text,
    end: () => api.close(),
  }
}

/** A request that waits for the target. */
async function waiting({ address, ports }: { readonly address: string; readonly ports: { readonly traffic: number } }) {
  const asked = request({ host: address, port: ports.traffic, headers: { Host: 'web.test' } })
  asked.on('error', () => undefined)
  asked.end()
  await once(asked, 'finish')
  return asked
}

test('numbers of all gateways, and of one that goes', async () => {
  const [a, b] = [await gatewayAt(places[0] ?? expect.unreachable()), await gatewayAt(places[1] ?? expect.unreachable())]
  const page = await offered()
  await page.ask()
  expect(page.said()).toBe('No pod of the gateway is ready: requests wake nothing, and none is counted.')
  listReady(places.map(({ name }) => name))
  await page.ask()
  expect([page.row(), page.starting()]).toEqual([[0, 0, 'no ScaledObject scales it'], []])
  const requests = [await waiting(a), await waiting(a), await waiting(b)]
  await expect
    .poll(async () => {
      await page.ask()
      return page.row()
    })
    .toEqual([3, 3, 'starting'])
  expect(page.starting()).toEqual([['default/web', 'queued', 3]])
  expect(page.said()).toBe('1 route: 0 asleep, 1 starting.')
  await b.end()
  await cluster.clock.advance(10_000)
  await page.ask()
  expect(page.said()).toMatch(/^1 of 2 gateways did not answer when asked last \(ballast-gateway-b: 1\ds ago\)/)
  expect(page.row()?.slice(0, 2)).toEqual([3, 3])
  await cluster.clock.advance(60_000)
  await page.ask()
  expect(page.said()).toMatch(
    /^1 of 2 gateways did not answer \(ballast-gateway-b: .*ECONNREFUSED.*\): their requests are missing here/,
  )
  expect(page.row()?.slice(0, 2)).toEqual([2, 2])
  for (const one of requests) one.destroy()
  await a.end()
  await page.end()
})

test('a process without the right to find them says so', async () => {
  const page = await offered({ user: 'nobody', groups: [] })
  await page.ask()
  expect(page.said()).toMatch(/^Which gateways there are cannot be read: .*forbidden/)
  await page.end()
})

test('the process that serves the page asks by itself, with the rights that are installed, and only while somebody looks', async () => {
  const { clock } = cluster
  const administrator = apiOf({ admin: true })
  await installBallast(administrator, { capabilities: [gateway], namespace: own, signal })
  const a = await gatewayAt(places[0] ?? expect.unreachable())
  listReady(places.map(({ name }) => name))
  const token = await accountToken(administrator, apiserverAccount, { namespace: own, seconds: 86_400, signal })
  const inner = cluster.twin.transport({ token })
  let lists = 0
  const stop = new AbortController()
  const shown: PictureSource[] = []
  const done = runApiserver({
    ...{ clock, log: silentLog, health: new ControllerHealth(), signal: stop.signal, random: seededRandom(1) },
    transport: {
      ...inner,
      // Lists are read piece by piece.
      stream: asked => {
        if (asked.query?.['labelSelector'] === 'kubernetes.io/service-name=ballast-gateway') lists++
        return inner.stream(asked)
      },
    },
    identity: { name: 'ballast-apiserver', namespace: own },
    capabilities: [gateway],
    configurations: { gateway: { ports: { admin } } },
    page: {
      cluster: 'small',
      settings: () => ({ ...testSettings, ownNamespace: own }),
      openPage: async ({ source }) => {
        shown.push(source)
        return { port: 8080, [Symbol.asyncDispose]: async () => undefined }
      },
      openStandby: async () => new AsyncDisposableStack(),
    },
  })
  await clock.advance(60_000)
  const source = shown[0] ?? expect.unreachable()
  expect(lists).toBe(0)
  const gateways = () => source.current().gateways
  const asked = await waiting(a)
  const endLooking = source.onChange(() => undefined)
  await expect
    .poll(async () => {
      await clock.advance(2_000)
      return gateways()
    })
    .toMatchObject({ answered: 1, silent: [{ name: 'ballast-gateway-b', why: expect.stringContaining('ECONNREFUSED') }] })
  expect(gateways()?.routes.get('default/web')).toMatchObject({ requests: 1, held: 1, start: { stage: 'queued' } })
  endLooking()
  await clock.advance(4_000)
  const before = lists
  expect(before).toBeGreaterThan(0)
  await clock.advance(120_000)
  expect(lists).toBe(before)
  asked.destroy()
  stop.abort(new DOMException('the test is over', 'AbortError'))
  await clock.advance(30_000)
  await done
  await a.end()
  await administrator.close()
})
