// Faults as clients see them: in memory and over real sockets.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import type { Transport } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { textAt, valueAt } from '../json-value.ts'
import { startTestTwin, TestClient, testConfigMap, testPod } from '../twin-for-tests.ts'
import type { FaultSpec } from './fault-spec.ts'

const maps = '/api/v1/namespaces/default/configmaps'
const lease = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'ballast', namespace: 'default' },
  spec: { holderIdentity: 'a' },
}
const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases'

test('three updates of a Lease fail, the fourth works', async () => {
  await using twin = await startTestTwin([lease])
  const fault = twin.twin.fault({ match: { verbs: ['update'], resource: 'leases' }, status: { code: 500 }, count: 3 })
  const codes: number[] = []
  for (let request = 0; request < 4; request++) {
    const current = (await twin.client.get(`${leases}/ballast`)).body
    const answer = await twin.client.put(`${leases}/ballast`, current)
    codes.push(answer.status)
    if (answer.status === 500) expect(answer.body).toMatchObject({ kind: 'Status', reason: 'InternalError', code: 500 })
  }
  expect(codes).toEqual([500, 500, 500, 200])
  expect(fault.fired).toBe(3)
})

test('a Status with words and a time to come back', async () => {
  await using twin = await startTestTwin()
  twin.twin.fault({ status: { code: 429, message: 'try later', retryAfterSeconds: 7 }, count: 1 })
  const answer = await twin.client.get(maps)
  expect(answer.body).toMatchObject({ reason: 'TooManyRequests', message: 'try later', details: { retryAfterSeconds: 7 } })
  expect(answer.headers['retry-after']).toBe('7')
  expect((await twin.client.get(maps)).status).toBe(200)
})

test('who may not ask is told so before any fault; what cannot be read is not looked at', async () => {
  await using twin = await startTestTwin()
  const fault = twin.twin.fault({ status: { code: 503 } })
  const impersonated = { headers: { 'impersonate-user': 'nobody' } }
  expect((await twin.client.get(maps, impersonated)).status).toBe(403)
  expect(fault.fired).toBe(0)
  expect((await twin.client.call('POST', maps, { bytes: new TextEncoder().encode('{') })).status).toBe(503)
  fault.remove()
  expect((await twin.client.call('POST', maps, { bytes: new TextEncoder().encode('{') })).status).toBe(400)
})

test('discovery and health are never hit', async () => {
  await using twin = await startTestTwin()
  twin.twin.fault({ reset: { when: 'before' } })
  for (const path of ['/api', '/apis', '/api/v1', '/version', '/readyz', '/openapi/v3'])
    expect((await twin.client.get(path)).status).toBe(200)
})

test('a wait is of the wire clock, which a virtual cluster may share', async () => {
  const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
  await using twin = await startTestTwin([], { clock, wire: clock })
  twin.twin.fault({ latency: { p50: '90s' }, count: 1 })
  let answered = 0
  const asked = twin.client.get(maps).then(answer => {
    answered = answer.status
  })
  await clock.advance(89_999)
  expect(answered).toBe(0)
  await clock.advance(1)
  await asked
  expect(answered).toBe(200)
})

test('forgotten history: a list in pages and a watch from before are told to begin anew', async () => {
  await using twin = await startTestTwin([testConfigMap('a'), testConfigMap('b')])
  const page = await twin.client.get(`${maps}?limit=1`)
  const revision = textAt(page.body, 'metadata', 'resourceVersion') ?? ''
  await twin.client.post(maps, testConfigMap('c'))
  expect(twin.twin.fault({ compact: { keepRevisions: 0 } }).fired).toBe(1)
  const next = await twin.client.get(`${maps}?limit=1&continue=${textAt(page.body, 'metadata', 'continue')}`)
  expect(next.body).toMatchObject({ code: 410, reason: 'Expired' })
  using watch = await twin.client.watch(maps, { resourceVersion: revision })
  expect(await watch.next(1)).toMatchObject([{ type: 'ERROR', object: { code: 410 } }])
})

interface Wire extends AsyncDisposable {
  readonly client: TestClient
  readonly transport: Transport
  fault(spec: FaultSpec): { readonly fired: number; remove(): void }
}

async function inMemory(): Promise<Wire> {
  const twin = await startTestTwin([testPod('web')])
  const transport = twin.twin.transport({ admin: true })
  return {
    client: twin.client,
    transport,
    fault: spec => twin.twin.fault(spec),
    [Symbol.asyncDispose]: () => twin[Symbol.asyncDispose](),
  }
}

async function overHttp(): Promise<Wire> {
  const twin = await startTestTwin([testPod('web')], { listen: { port: 0 } })
  const folder = mkdtempSync(join(tmpdir(), 'twin-faults-'))
  const kubeconfig = join(folder, 'kubeconfig')
  writeFileSync(kubeconfig, await twin.twin.kubeconfig(), { mode: 0o600 })
  const config = await loadConfig({ environment: {}, homeDirectory: folder, kubeconfig })
  rmSync(folder, { recursive: true })
  const transport = openHttpTransport(config, { clock: twin.clock, random: () => 0 })
  return {
    client: new TestClient(transport),
    transport,
    fault: spec => twin.twin.fault(spec),
    async [Symbol.asyncDispose]() {
      await transport.close()
      await twin[Symbol.asyncDispose]()
    },
  }
}

describe.each([
  ['in memory', inMemory],
  ['over HTTP', overHttp],
])('a broken connection, %s', (_, open) => {
  test('before: nothing was done', async () => {
    await using wire = await open()
    const fault = wire.fault({ match: { verbs: ['create'] }, reset: { when: 'before' }, count: 1 })
    await expect(wire.client.post(maps, testConfigMap('a'))).rejects.toMatchObject({ name: 'ConnectionError' })
    expect(fault.fired).toBe(1)
    expect((await wire.client.get(`${maps}/a`)).status).toBe(404)
  })

  test('after: it was done, and the client does not hear of it', async () => {
    await using wire = await open()
    wire.fault({ match: { verbs: ['create'] }, reset: { when: 'after' }, count: 1 })
    await expect(wire.client.post(maps, testConfigMap('a'))).rejects.toMatchObject({ name: 'ConnectionError' })
    expect((await wire.client.get(`${maps}/a`)).status).toBe(200)
    expect((await wire.client.post(maps, testConfigMap('a'))).body).toMatchObject({ reason: 'AlreadyExists' })
  })

  test('in the middle of an event', async () => {
    await using wire = await open()
    wire.fault({ match: { verbs: ['watch'] }, watch: { cut: { afterEvents: 1 } } })
    await wire.client.post(maps, testConfigMap('a'))
    await wire.client.post(maps, testConfigMap('b'))
    const stop = new AbortController()
    const stream = await wire.transport.stream({
      verb: 'GET',
      path: maps,
      query: { watch: 'true', resourceVersion: '0' },
      priority: 'watch',
      signal: stop.signal,
    })
    let text = ''
    const read = async () => {
      for await (const chunk of stream.chunks) text += new TextDecoder().decode(chunk)
    }
    await expect(read()).rejects.toMatchObject({ name: 'ConnectionError' })
    const [whole = '', half = ''] = text.split('\n')
    expect(valueAt(JSON.parse(whole), 'object', 'metadata', 'name')).toBe('a')
    expect(half).toMatch(/^\{"type":"ADDED"/)
    expect(() => JSON.parse(half)).toThrow(SyntaxError)
    stop.abort()
  })
})
