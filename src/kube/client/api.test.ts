// Requests as an API server expects them, what its answers become, and kube-machinery.md §7 case 23.

import { describe, expect, test } from 'vitest'
import {
  answer,
  broken,
  refusal,
  type Scripted,
  ScriptedTransport,
  type SeenRequest,
  statusOf,
} from '#test/scripted-transport.ts'
import { VirtualClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import type { KubeObject } from '../objects/objects.ts'
import { builtIn } from '../objects/resource.ts'
import { StatusError } from '../objects/status.ts'
import { type Api, openApi } from './api.ts'
import type { TransportRequest } from './transport.ts'

const signal = new AbortController().signal

function scene(script: (request: SeenRequest, index: number) => Scripted): {
  api: Api
  clock: VirtualClock
  transport: ScriptedTransport
} {
  const clock = new VirtualClock(0)
  const transport = new ScriptedTransport(script)
  return { api: openApi(transport, { clock, userAgent: 'test' }), clock, transport }
}

const deployment: KubeObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'cart', namespace: 'shop' } }

describe('requests', () => {
  const by = { signal, namespace: 'shop', fieldManager: 'ballast-test' }
  const written = { fieldManager: 'ballast-test', fieldValidation: 'Strict' }
  const deployments = (api: Api) => api.resource(builtIn.deployments)
  const path = '/apis/apps/v1/namespaces/shop/deployments'

  test.each<[string, (api: Api) => Promise<unknown>, Partial<SeenRequest>]>([
    ['get', api => deployments(api).get('cart', by), { verb: 'GET', path: `${path}/cart`, query: {} }],
    [
      'create in the object’s namespace',
      api => deployments(api).create(deployment, { signal }),
      { verb: 'POST', path, query: { fieldValidation: 'Strict' }, body: deployment },
    ],
    [
      'update of the status',
      api => deployments(api).updateStatus(deployment, by),
      { verb: 'PUT', path: `${path}/cart/status`, query: written },
    ],
    [
      'patch',
      api => deployments(api).patch('cart', { type: 'merge', body: { a: 1 } }, by),
      { verb: 'PATCH', path: `${path}/cart`, query: written, body: { a: 1 } },
    ],
    [
      'apply',
      api => deployments(api).apply(deployment, { ...by, force: true }),
      { verb: 'PATCH', path: `${path}/cart`, query: { ...written, force: 'true' } },
    ],
    [
      'delete',
      api => deployments(api).delete('cart', { ...by, propagationPolicy: 'Foreground', preconditions: { uid: 'u' } }),
      {
        verb: 'DELETE',
        path: `${path}/cart`,
        body: { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Foreground', preconditions: { uid: 'u' } },
      },
    ],
    [
      'sub-resource',
      api => deployments(api).sub('cart', 'scale', 'GET', undefined, by),
      { verb: 'GET', path: `${path}/cart/scale`, body: undefined },
    ],
    [
      'a name that needs escaping',
      api => api.resource(builtIn.clusterroles).get('system:a/b', { signal }),
      { path: '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aa%2Fb' },
    ],
  ])('%s', async (_, call, expected) => {
    const { api, transport } = scene(() => answer(200, deployment))
    await call(api)
    expect(transport.seen).toHaveLength(1)
    expect(transport.seen[0]).toMatchObject(expected)
  })

  test('a body that no server takes is refused here', async () => {
    const { api, transport } = scene(() => answer(200, { metadata: { name: 'a' } }))
    const data = { a: 'x'.repeat(3 * 1024 * 1024) }
    await expect(deployments(api).create({ ...deployment, data }, { signal })).rejects.toThrow('larger than 3145728 bytes')
    expect(transport.seen).toHaveLength(0)
  })
})

describe('lists', () => {
  test('items get the kind that they lack on the wire', async () => {
    const { api } = scene(() =>
      answer(200, {
        kind: 'DeploymentList',
        apiVersion: 'apps/v1',
        metadata: { resourceVersion: '7' },
        items: [{ metadata: { name: 'a' } }],
      }),
    )
    const list = await api.resource(builtIn.deployments).list({ signal })
    expect(list).toEqual({
      kind: 'DeploymentList',
      apiVersion: 'apps/v1',
      metadata: { resourceVersion: '7' },
      items: [{ metadata: { name: 'a' }, apiVersion: 'apps/v1', kind: 'Deployment' }],
    })
  })

  test('pages follow their token, without the version of the first', async () => {
    const { api, transport } = scene((_, index) =>
      answer(200, {
        kind: 'PodList',
        apiVersion: 'v1',
        metadata: index === 0 ? { continue: 'more' } : {},
        items: [{ metadata: { name: `p${index}` } }],
      }),
    )
    const seen: string[] = []
    for await (const page of api.resource(builtIn.pods).pages({ signal, resourceVersion: '0' }))
      seen.push(...page.items.map(item => item.metadata.name))
    expect(seen).toEqual(['p0', 'p1'])
    expect(transport.seen.map(request => request.query)).toEqual([
      { resourceVersion: '0', limit: '500' },
      { limit: '500', continue: 'more' },
    ])
  })
})

describe('refusals', () => {
  test.each<[string, Scripted, Partial<StatusError>]>([
    [
      'a Status',
      refusal(404, 'NotFound', 'pods "a" not found'),
      { code: 404, reason: 'NotFound', message: 'pods "a" not found' },
    ],
    ['no body', answer(503, ''), { code: 503, reason: 'ServiceUnavailable', message: 'the server answered 503 without a body' }],
    ['text', answer(502, '<html>bad gateway</html>'), { code: 502, reason: 'Unknown', message: '<html>bad gateway</html>' }],
    ['429 without a header', answer(429, ''), { code: 429, reason: 'TooManyRequests', retryAfterSeconds: 1 }],
  ])('%s', async (_, said, expected) => {
    const { api } = scene(() => said)
    const asked = api.resource(builtIn.pods).get('a', { signal, namespace: 'shop' })
    await expect(asked).rejects.toBeInstanceOf(StatusError)
    await expect(asked).rejects.toMatchObject(expected)
  })
})

test('7.23 which queue of the server was full is logged for who looks for it', async () => {
  const told: object[] = []
  const log = { ...silentLog, debug: (facts: object) => void told.push(facts) }
  const full = answer(429, statusOf(429, 'TooManyRequests'), { 'x-kubernetes-pf-flowschema-uid': 'schema-1' })
  const api = openApi(new ScriptedTransport(() => full), { clock: new VirtualClock(0), userAgent: 'test', log })
  await expect(api.resource(builtIn.pods).get('a', { signal, namespace: 'shop' })).rejects.toMatchObject({ code: 429 })
  expect(told).toEqual([{ path: '/api/v1/namespaces/shop/pods/a', flowSchema: 'schema-1' }])
})

describe('7.23 repetition', () => {
  const get = (api: Api) => api.resource(builtIn.pods).get('a', { signal, namespace: 'shop' })
  const create = (api: Api) => api.resource(builtIn.pods).create({ ...deployment }, { signal, namespace: 'shop' })
  const evict = (api: Api) =>
    api.resource(builtIn.pods).sub('a', 'eviction', 'POST', {}, { signal, namespace: 'shop', priority: 'effect' })
  const slowDown = answer(429, statusOf(429, 'TooManyRequests'), { 'retry-after': '2' })

  test.each<[string, (api: Api) => Promise<unknown>, Scripted, number[]]>([
    ['429 with Retry-After is asked again after it', get, slowDown, [0, 2000]],
    ['a write too: it was not taken', create, slowDown, [0, 2000]],
    ['not an effect: the arbiter decides', evict, slowDown, [0]],
    ['429 without Retry-After is the caller’s', get, refusal(429, 'TooManyRequests'), [0]],
    ['a read after a broken connection', get, broken(), [0, 1000]],
    ['not a write after a broken connection: its outcome is unknown', create, broken(), [0]],
  ])('%s', async (_, call, first, expected) => {
    const atMs: number[] = []
    const { api, clock } = scene((_, index) => {
      atMs.push(clock.elapsed())
      return index === 0 ? first : answer(200, deployment)
    })
    const asked = call(api).catch((error: unknown) => error)
    await clock.advance(10_000)
    const outcome = await asked
    expect(atMs).toEqual(expected)
    expect(outcome instanceof Error).toBe(expected.length === 1)
  })

  test('ends after ten', async () => {
    const { api, clock, transport } = scene(() => slowDown)
    const asked = expect(get(api)).rejects.toMatchObject({ code: 429, retryAfterSeconds: 2 })
    await clock.advance(100_000)
    await asked
    expect(transport.seen).toHaveLength(11)
  })
})

describe('the bucket', () => {
  test('holds back what is too much and lets effects pass first, leases and watches always', async () => {
    const clock = new VirtualClock(0)
    const transport = new ScriptedTransport(() => answer(200, { metadata: { name: 'a' } }))
    const api = openApi(transport, { clock, userAgent: 'test', bucket: { perSecond: 10, burst: 2 } })
    const send = (priority: TransportRequest['priority'], name: string) =>
      api.resource(builtIn.leases).get(name, { signal, namespace: 'x', ...(priority === undefined ? {} : { priority }) })
    const all = [
      send(undefined, 'first'),
      send(undefined, 'second'),
      send('event', 'event'),
      send('status', 'status'),
      send('effect', 'effect'),
      send('lease', 'lease'),
    ]
    const names = () => transport.seen.map(request => request.path.split('/').at(-1))
    await clock.advance(0)
    expect(names()).toEqual(['first', 'second', 'lease'])
    await clock.advance(100)
    expect(names().slice(3)).toEqual(['effect'])
    await clock.advance(200)
    expect(names().slice(3)).toEqual(['effect', 'status', 'event'])
    await Promise.all(all)
  })
})

test('discovery goes on without the groups that do not answer', async () => {
  const { api, clock } = scene(({ path }) => {
    if (path === '/api') return answer(200, { versions: ['v1'] })
    if (path === '/apis')
      return answer(200, {
        groups: [{ versions: [{ groupVersion: 'apps/v1' }] }, { versions: [{ groupVersion: 'metrics.k8s.io/v1beta1' }] }],
      })
    if (path.startsWith('/apis/metrics')) return answer(503, 'no')
    const name = path === '/api/v1' ? 'pods' : 'deployments'
    const resources = [
      { name, kind: 'X', namespaced: true, verbs: ['get'], shortNames: ['x'] },
      { name: `${name}/status`, kind: 'X', namespaced: true, verbs: ['get'] },
    ]
    return answer(200, { groupVersion: path.replace(/^\/apis?\//, ''), resources })
  })
  const asked = api.discover(signal)
  await clock.advance(60_000)
  const { resources, unavailable } = await asked
  expect(resources.map(({ group, version, resource }) => [group, version, resource])).toEqual([
    ['', 'v1', 'pods'],
    ['apps', 'v1', 'deployments'],
  ])
  expect(unavailable).toEqual([{ groupVersion: 'metrics.k8s.io/v1beta1', why: 'no' }])
})

describe('bytes of what is no JSON', () => {
  const path = '/api/v1/nodes/n1/proxy/metrics/resource'
  test('come as they are, up to a limit', async () => {
    const { api, transport } = scene(() => answer(200, 'node_cpu 1\n'))
    expect((await api.getBytes(path, { signal, mostBytes: 11 })).toString()).toBe('node_cpu 1\n')
    await expect(api.getBytes(path, { signal, mostBytes: 10 })).rejects.toThrow('larger than 10 bytes')
    expect(transport.seen.map(({ verb, path: asked }) => [verb, asked])).toEqual([
      ['GET', path],
      ['GET', path],
    ])
  })

  test('are a StatusError where they are refused', async () => {
    const { api } = scene(() => refusal(403, 'Forbidden', 'no'))
    await expect(api.getBytes(path, { signal, mostBytes: 10 })).rejects.toBeInstanceOf(StatusError)
  })
})
