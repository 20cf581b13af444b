// A section `capabilities.gateway` that changes while the gateway has requests, on the twin and over real sockets: the port stays open.
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { PortBook } from '#process/parts/port-book.ts'
import { TestCluster, testNodes } from '#twin/components/cluster-for-tests.ts'
import { gatewayConfiguration } from '../src/capabilities/gateway/config.ts'
import { servedKinds } from '../src/capabilities/gateway/kinds/served-kinds.ts'
import { type RunningGateway, startGateway } from '../src/capabilities/gateway/part.ts'
import { serviceObjects } from './loopback-gateway.ts'

const route = {
  ...{ apiVersion: 'http.keda.sh/v1beta1', kind: 'InterceptorRoute', metadata: { name: 'web', namespace: 'default' } },
  spec: {
    ...{ target: { service: 'web', port: 80 }, rules: [{ hosts: ['web.test'] }] },
    scalingMetric: { concurrency: { targetValue: 1 } },
  },
} as unknown as KubeObject

const streams: ServerResponse[] = []
const target = createServer((request, response) => {
  if (request.url !== '/stream') return void response.end('ok')
  response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: first\n\n')
  streams.push(response)
})

let cluster: TestCluster
let running: RunningGateway
let parts: AsyncDisposableStack
const configOf = (more: object) =>
  gatewayConfiguration.parse({
    ...{ bind: '127.0.0.1', dataPlane: 'builtin', ports: { traffic: 0, tls: 0, admin: 0, scaler: 0 } },
    ...more,
  })

beforeEach(async () => {
  await new Promise<void>(resolve => target.listen(0, '127.0.0.1', resolve))
  const { port } = target.address() as AddressInfo
  cluster = await TestCluster.start([
    ...testNodes(1),
    ...servedKinds.map(({ definition }) => definition as KubeObject),
    ...[route, ...serviceObjects('web', [{ port }])],
  ])
  parts = new AsyncDisposableStack()
  const { clock, twin } = cluster
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  parts.defer(() => api.close())
  const stop = new AbortController()
  const informers = parts.use(new Informers(api, { clock, random: seededRandom(1), log: silentLog, signal: stop.signal }))
  parts.defer(() => stop.abort())
  const identity = { name: 'ballast-gateway-a', namespace: 'ballast-system', instance: 'a' }
  const ports = new PortBook().forPart()
  const context = { clock, log: silentLog, api, informers, identity, ports, metrics: new Registry() }
  let isStarted = false
  const starting = startGateway(context, configOf({}), stop.signal).finally(() => {
    isStarted = true
  })
  await clock.runUntil(() => isStarted, { limitMs: 60_000 })
  running = await starting
})
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.destroy()
  await parts.disposeAsync()
  await cluster[Symbol.asyncDispose]()
  target.closeAllConnections()
  await new Promise(resolve => target.close(resolve))
})

/** On a connection of its own. */
function asked(path: string): Promise<IncomingMessage> {
  const { traffic: port } = running.ports
  return new Promise((resolve, reject) => {
    get({ port, path, host: '127.0.0.1', agent: false, headers: { Host: 'web.test' } }, resolve).on('error', reject)
  })
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of answer) text += String(chunk)
  return text
}

/** The end takes only as much time as the clock of the twin is given. */
async function ended(): Promise<number> {
  const { clock } = cluster
  const begunMs = clock.elapsed()
  let isOver = false
  const ending = (async () => {
    await running[Symbol.asyncDispose]()
    isOver = true
  })()
  await clock.runUntil(() => isOver, { limitMs: 60_000 })
  await ending
  return clock.elapsed() - begunMs
}

test('a changed setting is taken in place: no time passes, a stream goes on and stays counted, the port answers', async () => {
  const { clock } = cluster
  const text = textOf(await asked('/stream'))
  const atMs = clock.elapsed()
  const changes = [
    { timeouts: { request: '90s', connect: '1s' }, hold: { requests: 5 } },
    { coldStartHeader: false, accessLog: true, clusterDomain: 'home.lan' },
    { drain: { delay: '0s', timeout: '0s' }, coldStartHeader: false, scalerAddress: 'elsewhere:9090' },
  ]
  for (const change of changes) {
    const changing = running.reconfigure(configOf(change))
    expect(await textOf(await asked('/'))).toBe('ok')
    expect(await changing).toBe('applied')
    expect(running.health()).toMatchObject([{ ok: true }])
    expect(running.counts.of('default/web').concurrency).toBe(1)
  }
  expect((await asked('/')).resume().headers['x-keda-http-cold-start']).toBeUndefined()
  expect(clock.elapsed()).toBe(atMs)
  streams[0]?.end('data: last\n\n')
  expect(await text).toBe('data: first\n\ndata: last\n\n')
  // The changed drain holds as well.
  expect(await ended()).toBe(0)
})

test('who is to listen elsewhere ends within a second, whatever is under way, and says at once that nobody listens', async () => {
  const stream = (await asked('/stream')).resume().on('error', () => undefined)
  const cut = new Promise(resolve => stream.on('close', resolve))
  expect(await running.reconfigure(configOf({ ports: { traffic: 0, tls: 0, admin: 0, scaler: 1 } }))).toBe('restart-part')
  let said: unknown
  cluster.clock.schedule(1, () => {
    said = running.health()
  })
  expect(await ended()).toBeLessThanOrEqual(1_000)
  expect(said).toMatchObject([{ ok: false, message: 'nobody listens at the port of requests' }])
  await cut
})

test('the end of the process waits as it is set: for others that have to learn of it, and for what is under way', async () => {
  const stream = (await asked('/stream')).resume().on('error', () => undefined)
  const cut = new Promise(resolve => stream.on('close', resolve))
  expect(await ended()).toBe(35_000)
  await cut
})
