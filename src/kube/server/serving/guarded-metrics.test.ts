// Metrics behind a guard: who is told what, over real sockets and TLS. Whoever may do what is a few lines.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { Registry } from 'prom-client'
import { Agent, request } from 'undici'
import { expect, test } from 'vitest'
import { systemClock, VirtualClock } from '../../clock.ts'
import { silentLog } from '../../log.ts'
import type { Caller } from '../caller.ts'
import { issueAuthority, issueLeaf } from '../certificates.ts'
import { loopFront } from '../front/loop-front.ts'
import { answerGuarded, startGuardedMetrics } from './guarded-metrics.ts'

const robot: Caller = { name: 'robot', groups: ['g'], extra: {} }
const asked: unknown[] = []
const reviews = {
  callerOf: async (token: string) =>
    token === 'good' || token === 'poor' || token === 'lost'
      ? ({ kind: 'caller', caller: { ...robot, name: token } } as const)
      : ({ kind: 'failed', why: 'the token is not good' } as const),
  decide: async (caller: Caller, what: object) => {
    asked.push({ ...what, groups: caller.groups })
    if (caller.name === 'lost') throw new Error('the server is away')
    return { isAllowed: caller.name === 'good', reason: '' }
  },
}
const metrics = { contentType: Registry.PROMETHEUS_CONTENT_TYPE, metrics: async () => 'up 1\n' }
const around = { metrics, log: silentLog }

// biome-ignore format: a table
test.each<[name: string, method: string, url: string, authorization: string | undefined, status: number, body: string]>([
  ['nobody', 'GET', '/metrics', undefined, 401, 'Unauthorized\n'],
  ['another scheme', 'GET', '/metrics', 'Basic Z29vZDo=', 401, 'Unauthorized\n'],
  ['an unknown token', 'GET', '/metrics', 'Bearer bad', 500, 'Authentication failed\n'],
  ['who may not', 'GET', '/metrics', 'Bearer poor', 403, 'Authorization denied for user poor\n'],
  ['a server that cannot be asked', 'GET', '/metrics', 'Bearer lost', 500, 'Authorization for user lost failed\n'],
  ['who may', 'GET', '/metrics?a=b', 'bearer good', 200, 'up 1\n'],
  ['another method', 'POST', '/metrics', 'Bearer good', 405, 'only GET is answered\n'],
  ['another path', 'GET', '/readyz', 'Bearer good', 404, '404 page not found\n'],
])('%s', async (_name, method, url, authorization, status, body) => {
  const call = { method, url, ...(authorization === undefined ? {} : { authorization }) }
  expect(await answerGuarded(call, { ...around, reviews })).toMatchObject({ status, body })
})

test('what is asked of the API server is the path, by who has good credentials', async () => {
  asked.length = 0
  await answerGuarded({ method: 'GET', url: '/metrics?a=b', authorization: 'Bearer good' }, { ...around, reviews })
  expect(asked).toEqual([{ kind: 'path', verb: 'get', path: '/metrics', groups: ['g', 'system:authenticated'] }])
})

test('metrics that cannot be collected are an error, and not the end', async () => {
  const broken = { ...metrics, metrics: () => Promise.reject(new Error('no')) }
  expect(await answerGuarded({ method: 'GET', url: '/metrics' }, { ...around, metrics: broken })).toMatchObject({ status: 500 })
})

const front = () => loopFront({ clock: systemClock, log: silentLog })

async function got(url: string, token?: string): Promise<string> {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false }, allowH2: true })
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const { statusCode, body } = await request(url, { dispatcher, headers })
  const text = await body.text()
  await dispatcher.destroy()
  return `${statusCode} ${text}`
}

/** Who the server at `port` says that it is. */
async function shownBy(port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false }, () => {
    const { subject, subjectaltname } = socket.getPeerCertificate()
    resolve(`${subject.CN} ${subjectaltname}`)
    socket.destroy()
  })
  socket.on('error', reject)
  return promise
}

test('without TLS, and those who may only', async () => {
  await using server = await startGuardedMetrics({
    ...around,
    reviews,
    port: 0,
    host: '127.0.0.1',
    clock: systemClock,
    front: front(),
  })
  const url = `http://127.0.0.1:${server.port}/metrics`
  expect(await Promise.all([got(url), got(url, 'good'), got(url, 'poor'), got(url, 'good')])).toEqual([
    '401 Unauthorized\n',
    '200 up 1\n',
    '403 Authorization denied for user poor\n',
    '200 up 1\n',
  ])
})

test('by TLS: a certificate of its own where none lies there, else the one that does, and the next one when it changes', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-guarded-'))
  using stack = new DisposableStack()
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  const started = (clock: VirtualClock) =>
    startGuardedMetrics({ ...around, certificateDirectory: directory, port: 0, host: '127.0.0.1', clock, front: front() })
  const clock = new VirtualClock(systemClock.now())
  {
    await using server = await started(clock)
    expect(await shownBy(server.port)).toMatch(/^localhost@\d+ DNS:localhost, IP Address:127\.0\.0\.1$/)
    expect(await got(`https://127.0.0.1:${server.port}/metrics`)).toBe('200 up 1\n')
  }
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'ca', nowMs })
  const put = async (commonName: string) => {
    const { certificate, key } = await issueLeaf(authority, { commonName, dnsNames: [commonName], usages: ['server'], nowMs })
    writeFileSync(join(directory, 'tls.crt'), certificate)
    writeFileSync(join(directory, 'tls.key'), key)
  }
  await put('first')
  await using server = await started(clock)
  expect(await shownBy(server.port)).toBe('first DNS:first')
  await put('second')
  await clock.advance(60_000)
  expect(await shownBy(server.port)).toBe('second DNS:second')
  writeFileSync(join(directory, 'tls.key'), 'none')
  await clock.advance(60_000)
  expect(await shownBy(server.port)).toBe('second DNS:second')
})
