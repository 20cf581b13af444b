import { describe, expect, test } from 'vitest'
import type { Pod } from '#kube/objects/objects.ts'
import { upstreamText } from '#test/upstream-texts.ts'
import { type Answer, failure, grantedPermit, scripted, startMs } from '../testdata/scripted-api.ts'
import { evict } from './evict.ts'
import { dropGate, openGate } from './gate.ts'
import { restart } from './restart.ts'
import { removeTaint, setTaint } from './taint.ts'

const pod = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'cart-a', uid: 'uid-a' }
const eviction = 'POST /api/v1/namespaces/shop/pods/cart-a/eviction'
const reading = 'GET /api/v1/namespaces/shop/pods/cart-a'
const { signal } = new AbortController()

const standing: Answer = { status: 200, body: { kind: 'Pod', metadata: { name: 'cart-a', namespace: 'shop', uid: 'uid-a' } } }
const replaced: Answer = { status: 200, body: { kind: 'Pod', metadata: { name: 'cart-a', namespace: 'shop', uid: 'uid-new' } } }
const gone = failure(404, 'NotFound', 'pods "cart-a" not found')
const created: Answer = { status: 201, body: { kind: 'Status', status: 'Success' } }
const budget = failure(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
  causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget cart needs 1 healthy pods and has 1 currently' }],
  retryAfterSeconds: 10,
})
const overlap = failure(500, 'InternalError', upstreamText('several-budgets'))

describe('the answer to an eviction', () => {
  // biome-ignore format: a table
  test.each<[string, Answer, Answer, object]>([
    ['201: the pod goes',                              created,                                                      standing, { kind: 'evicted' }],
    ['404: it went before',                            gone,                                                         gone,     { kind: 'already-gone' }],
    ['404, and the pod stands: somebody else answered', gone,                                                        standing, { kind: 'not-done' }],
    ['409: another pod has its name',                  failure(409, 'Conflict', 'the UID in the precondition does not match'), replaced, { kind: 'already-gone' }],
    ['429 with a budget: not now, and when',           budget,                                                       standing, { kind: 'refused', by: 'budget', retryAfterMs: 10_000 }],
    ['429 without: the server is busy',                failure(429, 'TooManyRequests', 'too many requests'),         standing, { kind: 'refused', by: 'busy' }],
    ['403: somebody forbids it',                       failure(403, 'Forbidden', 'admission webhook denied'),        standing, { kind: 'forbidden' }],
    ['500 for two budgets: trying again does not help', overlap,                                                     standing, { kind: 'forbidden' }],
    ['504 and the pod stands: not done',               failure(504, 'Timeout', 'timed out'),                         standing, { kind: 'not-done' }],
    ['504 and another stands: done',                   failure(504, 'Timeout', 'timed out'),                         replaced, { kind: 'evicted' }],
    ['a broken connection and the pod is gone: done',  'broken',                                                     gone,     { kind: 'evicted' }],
  ])('%s', async (_name, answer, pods, expected) => {
    const server = scripted({ [eviction]: [answer], [reading]: [pods] })
    const asked = evict(server.context, grantedPermit(server, { targets: [pod], verb: 'evict' }), pod, signal)
    await server.clock.advance(5_000)
    expect(await asked).toMatchObject(expected)
  })

  test('is asked for once, with the UID as precondition and 4 s for the server', async () => {
    const server = scripted({ [eviction]: [created] })
    await evict(server.context, grantedPermit(server, { targets: [pod], verb: 'evict' }), pod, signal)
    expect(server.asked.map(({ query, priority }) => [query?.['timeout'], priority])).toEqual([['4s', 'effect']])
    expect(JSON.parse(String(server.asked[0]?.body))).toMatchObject({
      apiVersion: 'policy/v1',
      deleteOptions: { preconditions: { uid: 'uid-a' } },
    })
  })
})

describe('no effect without a permit that covers it', () => {
  const other = { ...pod, name: 'cart-b', uid: 'uid-b' }
  test('another pod', async () => {
    const server = scripted({})
    await expect(evict(server.context, grantedPermit(server, { targets: [pod], verb: 'evict' }), other, signal)).rejects.toThrow(
      'does not speak of Pod shop/cart-b',
    )
  })
  test('after its time', async () => {
    const server = scripted({})
    const permit = grantedPermit(server, { targets: [pod], verb: 'evict' })
    await server.clock.advance(600_000)
    await expect(evict(server.context, permit, pod, signal)).rejects.toThrow('expired at 2026-03-02T04:10:00.000Z')
  })
  test('when the lease is lost', async () => {
    const server = scripted({})
    server.leads = false
    await expect(evict(server.context, grantedPermit(server, { targets: [pod], verb: 'evict' }), pod, signal)).rejects.toThrow(
      'the lease is held by another',
    )
  })
})

describe('a restart', () => {
  const cart = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'uid-cart' }
  const patching = 'PATCH /apis/apps/v1/namespaces/shop/deployments/cart'

  const written: Answer = { status: 200, body: { kind: 'Deployment', metadata: { name: 'cart', generation: 4 } } }

  test('writes the time of its permit, so that a second call changes nothing', async () => {
    const server = scripted({
      [patching]: [written],
    })
    const permit = grantedPermit(server, { targets: [cart], verb: 'restart' })
    expect(await restart(server.context, permit, cart, signal)).toMatchObject({ kind: 'restarted', generation: 4 })
    await server.clock.advance(5_000)
    await restart(server.context, permit, cart, signal)
    const bodies = server.asked.map(({ body }) => String(body))
    expect(bodies[0]).toBe(bodies[1])
    expect(JSON.parse(bodies[0] ?? '')).toEqual({
      metadata: { uid: 'uid-cart' },
      spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': new Date(startMs).toISOString() } } } },
    })
  })

  test.each([
    ['gone', [gone], 'gone'],
    ['another of its name', Array(5).fill(failure(409, 'Conflict', 'Precondition failed')), 'refused'],
    // The server itself tries five times before it says so.
    ['written by others all the time', [...Array(4).fill(failure(409, 'Conflict', 'modified')), written], 'restarted'],
    ['never left alone', Array(5).fill(failure(409, 'Conflict', 'modified')), 'refused'],
  ])('of a workload that is %s', async (_name, answers, expected) => {
    const server = scripted({ [patching]: answers })
    const asked = restart(server.context, grantedPermit(server, { targets: [cart], verb: 'restart' }), cart, signal)
    await server.clock.advance(100)
    expect([(await asked).kind, server.asked.length]).toEqual([expected, answers.length])
  })
})

describe('a taint', () => {
  const nodeReading = 'GET /api/v1/nodes/n1'
  const nodePatching = 'PATCH /api/v1/nodes/n1'
  const taint = { key: 'ballast.dev/rebalance', value: 'p', effect: 'PreferNoSchedule' }
  const others = { key: 'example.org/gpu', effect: 'NoSchedule' }
  const node = (version: string, taints: readonly object[]): Answer => ({
    status: 200,
    body: { kind: 'Node', metadata: { name: 'n1', resourceVersion: version }, spec: { taints } },
  })
  const n1 = { apiVersion: 'v1', kind: 'Node', name: 'n1' }

  test('is set beside those of others, under the version that was read', async () => {
    const server = scripted({ [nodeReading]: [node('5', [others])], [nodePatching]: [node('6', [others, taint])] })
    const outcome = await setTaint(
      server.context,
      grantedPermit(server, { targets: [n1], verb: 'taint' }),
      { node: 'n1', taint },
      signal,
    )
    expect(outcome.kind).toBe('written')
    expect(JSON.parse(String(server.asked[1]?.body))).toEqual({
      metadata: { resourceVersion: '5' },
      spec: { taints: [others, taint] },
    })
  })
  test('that is there already is not written', async () => {
    const server = scripted({ [nodeReading]: [node('5', [taint])] })
    expect(
      (await setTaint(server.context, grantedPermit(server, { targets: [n1], verb: 'taint' }), { node: 'n1', taint }, signal))
        .kind,
    ).toBe('unchanged')
  })
  test('is read and written again when somebody wrote in between', async () => {
    const server = scripted({
      [nodeReading]: [node('5', [taint]), node('6', [taint, others])],
      [nodePatching]: [failure(409, 'Conflict', 'modified'), node('7', [others])],
    })
    const outcome = await removeTaint(server.context, { node: 'n1', key: taint.key, requester: 'deschedule' }, signal)
    expect(outcome.kind).toBe('written')
    expect(JSON.parse(String(server.asked.at(-1)?.body))).toEqual({
      metadata: { resourceVersion: '6' },
      spec: { taints: [others] },
    })
  })
  test('of a node that is gone is gone', async () => {
    expect(
      (
        await removeTaint(
          scripted({ [nodeReading]: [failure(404, 'NotFound', 'nodes "n1" not found')] }).context,
          { node: 'n1', key: taint.key, requester: 'd' },
          signal,
        )
      ).kind,
    ).toBe('gone')
  })
})

describe('a landing gate', () => {
  const patching = 'PATCH /api/v1/namespaces/shop/pods/cart-c'
  const ours = { name: 'ballast.dev/landing' }
  const gated = (spec: object = {}): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'cart-c', namespace: 'shop', uid: 'uid-c' },
    spec: { containers: [], schedulingGates: [ours], ...spec },
  })
  const answered: Answer = { status: 200, body: gated() }
  const operations = async (given: Pod) => {
    const server = scripted({ [patching]: [answered] })
    const outcome = await openGate(
      server.context,
      grantedPermit(server, { targets: [pod], verb: 'evict' }),
      { pod: given, node: 'n2' },
      signal,
    )
    return outcome.kind === 'opened' ? JSON.parse(String(server.asked[0]?.body)) : outcome.kind
  }
  const towards = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n2'] }] }

  test('is opened towards its node in one patch', async () => {
    expect(await operations(gated())).toEqual([
      { op: 'test', path: '/metadata/uid', value: 'uid-c' },
      { op: 'test', path: '/spec/schedulingGates', value: [ours] },
      {
        op: 'add',
        path: '/spec/affinity',
        value: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [towards] } } },
      },
      { op: 'remove', path: '/spec/schedulingGates' },
    ])
  })
  test('keeps the terms of the pod, each with our node', async () => {
    const terms = [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }]
    const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } }
    const patch = await operations(gated({ affinity }))
    expect(patch[2].value.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms).toEqual([
      { ...terms[0], ...towards },
    ])
  })
  test('with an empty term of the pod stays: the server would refuse', async () => {
    expect(
      await operations(
        gated({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{}] } } } }),
      ),
    ).toBe('refused')
  })
  test('that is not there is not opened', async () => expect(await operations(gated({ schedulingGates: [] }))).toBe('not-gated'))
  test('is dropped without a word about nodes, beside the gates of others', async () => {
    const server = scripted({ [patching]: [answered] })
    const other = { name: 'other.example/gate' }
    await dropGate(server.context, { pod: gated({ schedulingGates: [other, ours] }), requester: 'deschedule' }, signal)
    expect(JSON.parse(String(server.asked[0]?.body)).slice(2)).toEqual([
      { op: 'replace', path: '/spec/schedulingGates', value: [other] },
    ])
  })
})
