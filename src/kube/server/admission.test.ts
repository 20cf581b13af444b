import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { answerAdmission, type MutatingAnswer, type MutatingWebhook, type Webhook, type WebhookCall } from './admission.ts'
import { webhookMetrics } from './webhook-metrics.ts'

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } }
const request = {
  uid: 'u1',
  kind: { group: '', version: 'v1', kind: 'Pod' },
  resource: { group: '', version: 'v1', resource: 'pods' },
  operation: 'CREATE',
  userInfo: { username: 'jane' },
  object: pod,
}
const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }

const mutating = (handle: MutatingWebhook['handle'], failurePolicy: 'Ignore' | 'Fail' = 'Ignore'): Webhook => ({
  kind: 'mutating',
  name: 'pods',
  failurePolicy,
  handle,
})

interface Around {
  readonly clock?: VirtualClock
  readonly registry?: Registry
}

function call(
  webhook: Webhook,
  changes: Partial<WebhookCall> = {},
  { clock = new VirtualClock(0), registry = new Registry() }: Around = {},
) {
  const asked = {
    method: 'POST',
    url: '/mutate/pods',
    contentType: 'application/json',
    body: Buffer.from(JSON.stringify(review)),
    ...changes,
  }
  return answerAdmission([webhook], asked, { clock, log: silentLog, observer: webhookMetrics(registry) })
}

async function response(webhook: Webhook): Promise<Readonly<Record<string, unknown>>> {
  const reply = await call(webhook)
  expect([reply.status, reply.contentType]).toEqual([200, 'application/json'])
  const answered = JSON.parse(reply.body)
  expect([answered.apiVersion, answered.kind, answered.response.uid]).toEqual(['admission.k8s.io/v1', 'AdmissionReview', 'u1'])
  return answered.response
}

describe('answers', () => {
  const patch = [{ op: 'add', path: '/metadata/labels', value: { a: 'b' } }] as const
  const base64 = Buffer.from(JSON.stringify(patch)).toString('base64')
  // biome-ignore format: a table
  test.each<[string, MutatingAnswer, Record<string, unknown>]>([
    ['allowed', { kind: 'allowed' }, { allowed: true }],
    ['denied', { kind: 'denied', message: 'no' }, { allowed: false, status: { code: 403, message: 'no' } }],
    ['denied with code and reason', { kind: 'denied', message: 'no', code: 422, reason: 'Invalid' }, { allowed: false, status: { code: 422, message: 'no', reason: 'Invalid' } }],
    ['a code under 400', { kind: 'denied', message: 'no', code: 200 }, { allowed: false, status: { code: 400, message: 'no' } }],
    ['patched (case 30: the type is always with the patch)', { kind: 'patched', patch }, { allowed: true, patchType: 'JSONPatch', patch: base64 }],
    ['an empty patch is none', { kind: 'patched', patch: [] }, { allowed: true }],
    ['warnings are one line each', { kind: 'allowed', warnings: ['a\nb'] }, { allowed: true, warnings: ['a b'] }],
    ['long warnings are cut', { kind: 'allowed', warnings: ['x'.repeat(300)] }, { allowed: true, warnings: [`${'x'.repeat(255)}…`] }],
    ['audit annotations', { kind: 'allowed', auditAnnotations: { because: 'x' } }, { allowed: true, auditAnnotations: { because: 'x' } }],
  ])('%s', async (_case, answer, expected) => {
    expect(await response(mutating(() => answer))).toEqual({ uid: 'u1', ...expected })
  })

  test('warnings end at 4,096 characters in all', async () => {
    const { warnings } = await response(
      mutating(() => ({ kind: 'allowed', warnings: Array.from({ length: 30 }, () => 'x'.repeat(256)) })),
    )
    expect(warnings).toHaveLength(16)
  })
})

describe('a handler that fails', () => {
  const failing = () => {
    throw new Error('boom')
  }
  test('lets through with a warning where its policy is Ignore', async () => {
    expect(await response(mutating(failing))).toEqual({ uid: 'u1', allowed: true, warnings: ['webhook pods failed: boom'] })
  })
  test('denies where it is Fail', async () => {
    expect(await response(mutating(failing, 'Fail'))).toEqual({
      uid: 'u1',
      allowed: false,
      status: { code: 500, reason: 'InternalError', message: 'webhook pods failed: boom' },
    })
  })
  test('so does an audit annotation with a slash', async () => {
    const answer = await response(mutating(() => ({ kind: 'allowed', auditAnnotations: { 'a/b': 'x' } })))
    expect(answer['warnings']).toEqual(['webhook pods failed: audit annotation "a/b": expected a key without "/"'])
  })
})

test.each([
  ['CREATE', { object: pod, oldObject: null, options: null }, ['object']],
  ['UPDATE', { object: pod, oldObject: pod }, ['object', 'oldObject']],
  ['DELETE', { object: null, oldObject: pod }, ['oldObject']],
])('what API servers write as null at %s is not there', async (operation, objects, expected) => {
  let heard: readonly string[] = []
  const webhook = mutating(async asked => {
    heard = ['object', 'oldObject'].filter(name => Object.hasOwn(asked, name))
    return { kind: 'allowed' }
  })
  const body = Buffer.from(JSON.stringify({ ...review, request: { ...request, operation, ...objects } }))
  expect((await call(webhook, { body })).status).toBe(200)
  expect(heard).toEqual(expected)
})

test('a slow handler is cut off 100 ms before the caller gives up, and told', async () => {
  const clock = new VirtualClock(0)
  let reason: unknown
  const slow = mutating((_request, signal) => {
    signal.addEventListener('abort', () => {
      reason = signal.reason
    })
    return new Promise<never>(() => undefined)
  })
  const answered = call(slow, { url: '/mutate/pods?timeout=5s' }, { clock })
  await clock.advance(4_899)
  expect(reason).toBeUndefined()
  await clock.advance(1)
  expect(JSON.parse((await answered).body).response).toEqual({
    uid: 'u1',
    allowed: true,
    warnings: ['webhook pods failed: no answer within 4900 ms'],
  })
  expect(String(reason)).toContain('no answer within 4900 ms')
})

describe('calls that are wrong', () => {
  const body = (value: unknown) => ({ body: Buffer.from(JSON.stringify(value)) })
  // biome-ignore format: a table
  test.each<[string, Partial<WebhookCall>, number]>([
    ['another path', { url: '/mutate/other' }, 404],
    ['validating at the mutating path', { url: '/validate/pods' }, 404],
    ['GET', { method: 'GET' }, 405],
    ['another content type', { contentType: 'application/yaml' }, 415],
    ['no content type', { contentType: undefined }, 415],
    ['no JSON', { body: Buffer.from('{') }, 400],
    ['no UTF-8', { body: Buffer.from([0xff, 0xfe]) }, 400],
    ['v1beta1', body({ ...review, apiVersion: 'admission.k8s.io/v1beta1' }), 400],
    ['another kind', body({ ...review, kind: 'Pod' }), 400],
    ['no request', body({ ...review, request: undefined }), 400],
    ['no uid', body({ ...review, request: { ...request, uid: '' } }), 400],
    ['an unknown operation', body({ ...review, request: { ...request, operation: 'LOOK' } }), 400],
  ])('%s', async (_case, changes, status) => {
    const reply = await call(mutating(() => ({ kind: 'allowed' })), changes)
    expect(reply.status).toBe(status)
  })
  test('a charset in the content type is not', async () => {
    const reply = await call(
      mutating(() => ({ kind: 'allowed' })),
      { contentType: 'application/json; charset=utf-8' },
    )
    expect(reply.status).toBe(200)
  })
})

test('metrics count answers and failures', async () => {
  const registry = new Registry()
  await call(
    mutating(() => Promise.reject(new Error('boom'))),
    {},
    { registry },
  )
  const text = await registry.metrics()
  expect(text).toContain('controller_runtime_webhook_requests_total{webhook="pods",code="200"} 1')
  expect(text).toContain('controller_runtime_webhook_panics_total{webhook="pods"} 1')
  expect(text).toContain('controller_runtime_webhook_requests_in_flight{webhook="pods"} 0')
})
