// Settings change while requests go on: nobody finds a closed port, and what is under way goes on to its end.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { isByHaproxy, triedDataPlane } from '#test/gateway-data-plane.ts'
import { gatewayOn, routeTo, serviceObjects } from '#test/loopback-gateway.ts'
import { type GatewayConfig, gatewayConfiguration } from './config.ts'
import { Doors } from './doors.ts'

const atOnce = 4
const inARow = 50
let streaming: ServerResponse | undefined
const target = createServer((request, response) => {
  if (request.url === '/stream') {
    streaming = response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.write('data: first\n\n')
  } else response.end('ok')
})

let gateway: Awaited<ReturnType<typeof gatewayOn>>
let doors: Doors
let port: number
const configOf = (more: object): GatewayConfig =>
  gatewayConfiguration.parse({ ...{ ports: { traffic: 0, tls: 0 }, bind: '127.0.0.1', dataPlane: triedDataPlane }, ...more })

beforeEach(async () => {
  await new Promise<void>(resolve => target.listen(0, '127.0.0.1', resolve))
  gateway = await gatewayOn(systemClock, {
    routes: [routeTo('web')],
    objects: serviceObjects('web', [{ port: (target.address() as AddressInfo).port }]),
    dataPlane: 'builtin',
  })
  const { exchanges } = gateway
  const around = { clock: systemClock, log: silentLog, tls: undefined, mostPending: 0, metrics: undefined, exchanges }
  doors = new Doors({ ...around, config: configOf({}), onRefused: () => undefined })
  await doors.listen()
  port = doors.ports.traffic
})
afterEach(async () => {
  await doors[Symbol.asyncDispose]()
  await gateway[Symbol.asyncDispose]()
  target.closeAllConnections()
  await new Promise(resolve => target.close(resolve))
})

/** On a connection of its own. */
function asked(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get({ port, path, host: '127.0.0.1', agent: false, headers: { Host: 'web.test' } }, resolve).on('error', reject)
  })
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of answer) text += String(chunk)
  return text
}

/** Pairs of certificates in files, each for `NAME.test`. */
async function folderOf(names: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-doors-'))
  const life = { nowMs: Date.now(), lifeMs: 3_600_000 }
  const authority = await issueAuthority({ commonName: 'ca', ...life })
  for (const name of names) {
    const commonName = `${name}.test`
    const pair = await issueLeaf(authority, { commonName, dnsNames: [commonName], usages: ['server'], ...life })
    writeFileSync(join(folder, `${name}.crt`), pair.certificate)
    writeFileSync(join(folder, `${name}.key`), pair.key)
  }
  return {
    path: (name: string) => join(folder, name),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}

/** The name in the certificate that a client is shown who asks for `servername`. */
function shownAt(at: number, servername: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port: at, host: '127.0.0.1', servername, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN)
      socket.destroy()
    }).on('error', reject)
  })
}

/** Asks as fast as it is answered while `work` goes on. */
async function during(work: () => Promise<void>) {
  let isOver = false
  const answered = { ok: 0, other: 0 }
  const failures: unknown[] = []
  const ask = async () => {
    while (!isOver) {
      try {
        if ((await textOf(await asked('/'))) === 'ok') answered.ok++
        else answered.other++
      } catch (error) {
        failures.push(error)
      }
    }
  }
  const asking = Array.from({ length: atOnce }, ask)
  await work().finally(() => {
    isOver = true
  })
  await Promise.all(asking)
  return { ...answered, failures }
}

it('finds the port open through every change, and a stream goes on', async () => {
  const stream = await asked('/stream')
  const text = textOf(stream)
  const changes = [
    { timeouts: { connect: '900ms', responseHeader: '20s' } },
    { coldStartHeader: false, hold: { requests: 7 } },
    { accessLog: true, dataPlane: isByHaproxy ? 'auto' : 'builtin' },
    { dataPlane: triedDataPlane, drain: { timeout: '20s' } },
  ]
  for (const change of changes) {
    const { ok, other, failures } = await during(() => doors.change(configOf(change)))
    expect({ change, ok: ok > 0, other }).toEqual({ change, ok: true, other: 0 })
    // Who waits in the queue of a listener that another program follows is lost with it.
    const most = isByHaproxy && 'dataPlane' in change ? atOnce : 0
    expect(failures.slice(most)).toEqual([])
    expect(doors.isListening).toBe(true)
  }
  expect(gateway.counts.of('default/web').concurrency).toBeGreaterThan(0)
  streaming?.end('data: last\n\n')
  expect(await text).toBe('data: first\n\ndata: last\n\n')
})

it('takes settings of answers and of those that wait from the next request on', async () => {
  const headerOf = async () => (await asked('/')).headers['x-keda-http-cold-start']
  expect(await headerOf()).toBe('false')
  await doors.change(configOf({ coldStartHeader: false, hold: { requestsPerRoute: 3 } }))
  // A HAProxy that leaves answers as before until it has read its signal.
  for (let others = 0; others < (isByHaproxy ? inARow : 0); ) others = (await headerOf()) === undefined ? others + 1 : 0
  expect(await headerOf()).toBeUndefined()
  const { room, settings } = gateway.exchanges
  expect([settings.bounds.perRoute, room.admits('a/b', 0, undefined)]).toEqual([3, true])
  for (let at = 0; at < 3; at++) room.enter('a/b', 0, () => undefined)
  expect(room.admits('a/b', 0, undefined)).toBe(false)
})

it('takes other certificates at the same port, and TLS comes and goes', async () => {
  using folder = await folderOf(['one', 'two'])
  const tlsOf = (name: string, more: object = {}) =>
    configOf({
      tls: { enabled: true, certificateFile: folder.path(`${name}.crt`), keyFile: folder.path(`${name}.key`), ...more },
    })
  await doors.change(tlsOf('one'))
  const tlsPort = doors.ports.tls ?? expect.unreachable()
  expect(await shownAt(tlsPort, 'any.test')).toBe('one.test')
  await doors.change(tlsOf('two'))
  expect([doors.ports.tls, await shownAt(tlsPort, 'any.test')]).toEqual([tlsPort, 'two.test'])
  // Names were not asked for when the port was opened.
  await doors.change(tlsOf('two', { stores: [folder.path('')] }))
  expect(await shownAt(tlsPort, 'one.test')).toBe('one.test')
  await doors.change(configOf({}))
  await expect(shownAt(tlsPort, 'one.test')).rejects.toThrow('ECONNREFUSED')
  expect(doors.ports.tls).toBeUndefined()
})

it('keeps what was where a change cannot hold', async () => {
  const changed = doors.change(configOf({ tls: { enabled: true, certificateFile: '/nowhere.crt' }, coldStartHeader: false }))
  await expect(changed).rejects.toThrow('/nowhere.crt')
  const answer = await asked('/')
  expect([answer.statusCode, answer.headers['x-keda-http-cold-start']]).toEqual([200, 'false'])
  expect(doors.isListening).toBe(true)
})

it('says that nobody listens from the moment on in which its door is closed', async () => {
  const closing = doors.close(0, new AbortController().signal)
  expect(doors.isListening).toBe(false)
  await closing
  await expect(asked('/')).rejects.toThrow('ECONNREFUSED')
})
