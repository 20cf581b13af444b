// Every listener of ours that speaks TLS on a loop of its own process: a stranger that never ends its handshake, in pieces or in silence, is
// turned away by the time that is written down, and one that takes every place keeps nobody else out.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import { seededRandom } from '#kube/random.ts'
import { startAggregatedServer } from '#kube/server/aggregated-server.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import { startWebhookServer } from '#kube/server/webhook.ts'
import { startTwin } from '#twin/twin.ts'
import { listenTls } from '../src/capabilities/mirror/front/listener.ts'
import { dashboardSchema } from '../src/dashboard/configuration.ts'
import { startTestDashboard } from '../src/dashboard/http/dashboard-for-tests.ts'
import { pictureOf } from '../src/dashboard/views/testdata/homelab.ts'
import { openStandby } from '../src/process/apiserver/apiserver-standby.ts'
import { smallCluster } from './small-cluster.ts'

const folder = mkdtempSync(join(tmpdir(), 'ballast-tls-'))
const tls = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') }
let authority: KeyPair
let pair: KeyPair

beforeAll(async () => {
  const nowMs = systemClock.now()
  authority = await issueAuthority({ commonName: 'test', nowMs })
  const names = { commonName: 'test', dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] }
  pair = await issueLeaf(authority, { ...names, usages: ['server', 'client'], nowMs })
  writeFileSync(tls.certFile, pair.certificate)
  writeFileSync(tls.keyFile, pair.key)
})
afterAll(() => rmSync(folder, { recursive: true }))

type Listening = AsyncDisposable & { readonly port: number }

const listeners: Readonly<Record<string, () => Promise<Listening>>> = {
  dashboard: () =>
    startTestDashboard({ picture: pictureOf(smallCluster()), section: { auth: { mode: 'token' }, tls }, clock: systemClock }),
  'standby of the dashboard': () =>
    openStandby({
      configuration: dashboardSchema.parse({ listen: '127.0.0.1:0', auth: { mode: 'token' }, tls }),
      namespace: 'ballast-system',
      holder: () => 'another',
    }),
  'aggregated APIs': async () => {
    await using opening = new AsyncDisposableStack()
    const twin = opening.use(await startTwin({ clock: systemClock, seed: 1, components: false, objects: [] }))
    const api = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test' })
    opening.defer(() => api.close())
    const stop = new AbortController()
    opening.defer(() => stop.abort(new Error('the test is over')))
    const informers = opening.use(new Informers(api, { clock: systemClock, random: seededRandom(1), signal: stop.signal }))
    const server = opening.use(
      await startAggregatedServer({
        apis: () => [],
        awaited: [],
        tls: pair,
        port: 0,
        host: '127.0.0.1',
        api,
        informers,
        clock: systemClock,
        random: seededRandom(1),
        log: silentLog,
        metrics: new Registry(),
        version: 'v1',
      }),
    )
    const stack = opening.move()
    return { port: server.port, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  },
  'mirror, with mutual TLS': () =>
    listenTls({
      address: { host: '127.0.0.1', port: 0 },
      askers: { may: () => true },
      clock: systemClock,
      identity: { ca: authority.certificate, certificate: pair.certificate, key: pair.key },
      handle: (_request, response) => void response.writeHead(404).end(),
    }),
  webhooks: () => startWebhookServer({ webhooks: [], tls: pair, port: 0, host: '127.0.0.1', clock: systemClock, log: silentLog }),
}

/** The first bytes of a ClientHello that says it is 512 bytes long. */
const hello = Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), Buffer.alloc(200, 7)])

interface Stranger {
  readonly socket: Socket
  readonly closed: Promise<number>
}

/** A connection from `localAddress`; `closed` says after how many milliseconds. */
function stranger(port: number, localAddress: string): Stranger {
  const sinceMs = systemClock.elapsed()
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  // Being closed by the other side is what is waited for.
  socket.on('error', () => socket.destroy())
  socket.resume()
  return { socket, closed: new Promise(resolve => socket.once('close', () => resolve(systemClock.elapsed() - sinceMs))) }
}

/** The status that a well-behaved client gets from another address. */
function asked(port: number, localAddress: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const own = { cert: pair.certificate, key: pair.key, rejectUnauthorized: false, agent: false as const }
  const sent = request({ host: '127.0.0.1', port, path: '/livez', localAddress, ...own }, response => {
    response.resume()
    resolve(response.statusCode ?? 0)
  })
  sent.on('error', reject)
  sent.end()
  return promise
}

test.each(Object.keys(listeners))('%s: a handshake that does not end is ended', { timeout: 200_000 }, async name => {
  await using listener = await listeners[name]?.()
  const port = listener?.port ?? 0
  const silent = stranger(port, '127.0.0.2')
  const slow = stranger(port, '127.0.0.3')
  let at = 0
  const more = () => {
    if (slow.socket.destroyed || at >= hello.length) return
    slow.socket.write(hello.subarray(at, ++at))
    systemClock.schedule(1_000, more)
  }
  more()
  const tookMs = await Promise.all([silent.closed, slow.closed])
  for (const ms of tookMs) expect(ms).toBeLessThan(15_000)
  expect(await asked(port, '127.0.0.4')).toBeGreaterThanOrEqual(200)
})

test.each(Object.keys(listeners))('%s: who takes every place keeps nobody out', { timeout: 200_000 }, async name => {
  await using listener = await listeners[name]?.()
  const port = listener?.port ?? 0
  // More than any listener has places for, from one peer and from many.
  const all = Array.from({ length: 2_400 }, (_, nth) =>
    stranger(port, nth % 2 === 0 ? '127.0.0.2' : `127.0.1.${1 + (nth % 200)}`),
  )
  await Promise.all(all.map(({ socket }) => new Promise(resolve => socket.once('connect', resolve).once('close', resolve))))
  for (const { socket } of all) if (!socket.destroyed) socket.write(hello.subarray(0, 40))
  const sinceMs = systemClock.elapsed()
  expect(await asked(port, '127.0.0.9')).toBeGreaterThanOrEqual(200)
  expect(systemClock.elapsed() - sinceMs).toBeLessThan(9_000)
  for (const { socket } of all) socket.destroy()
})
