import { expect, test } from 'vitest'
import { type PodState, podState } from '#cluster/cluster-state.ts'
import { type PodOptions, pod } from '#cluster/testdata/objects.ts'
import { ConnectionError, RequestTimeoutError } from '#kube/client/connection-error.ts'
import { StatusError, statusBody } from '#kube/objects/status.ts'
import { upstreamText } from '#test/upstream-texts.ts'
import { evictionAnnotations, outcomeByPod, outcomeOf } from './eviction.ts'

function web(options: PodOptions = {}, annotations?: Readonly<Record<string, string>>): PodState {
  const made = pod('shop/web', { node: 'a', ...options })
  return podState(
    { object: () => undefined },
    { ...made, metadata: { ...made.metadata, uid: 'u1', ...(annotations && { annotations }) } },
  )
}

const refused = (code: number, message: string, retryAfterSeconds?: number) =>
  new StatusError(statusBody(code, message, undefined, retryAfterSeconds === undefined ? {} : { retryAfterSeconds }))

test('an eviction says who asks for it and why', () => {
  const wish = { pod: web(), profile: 'p', strategy: 'PodLifeTime', reason: 'too old' }
  expect(evictionAnnotations(wish)).toEqual({
    reason: 'triggered by p/PodLifeTime: too old',
    'requested-by': 'sigs.k8s.io/descheduler',
  })
  expect(evictionAnnotations({ ...wish, reason: '' })['reason']).toBe('triggered by p/PodLifeTime: ')
})

const budget = "Cannot evict pod as it would violate the pod's disruption budget."
const severalBudgets = upstreamText('several-budgets')

test.each<[string, Error, object]>([
  [
    '429 of a budget',
    refused(429, budget),
    { kind: 'failed', why: 'too-many-requests', message: `error when evicting pod (ignoring) "web": ${budget}` },
  ],
  [
    '429 with a time to wait',
    refused(429, budget, 10),
    { kind: 'failed', why: 'too-many-requests', message: expect.stringContaining('ignoring'), retryAfterSeconds: 10 },
  ],
  [
    '404',
    refused(404, 'pods "web" not found'),
    { kind: 'failed', why: 'not-found', message: 'pod not found when evicting "web": pods "web" not found' },
  ],
  [
    '403',
    refused(403, 'pods "web" is forbidden: no'),
    { kind: 'failed', why: 'forbidden', message: 'pods "web" is forbidden: no' },
  ],
  [
    '403 of a webhook',
    refused(403, `${upstreamText('webhook-denied', 'a.b')}: no`),
    { kind: 'failed', why: 'webhook-denied', message: 'admission webhook "a.b" denied the request: no' },
  ],
  [
    '409: another pod has the name',
    refused(409, 'the UID in the precondition'),
    { kind: 'failed', why: 'conflict', message: expect.any(String) },
  ],
  ['500: two budgets', refused(500, severalBudgets), { kind: 'failed', why: 'several-budgets', message: severalBudgets }],
  ['500 otherwise', refused(500, 'oops'), { kind: 'failed', why: 'unavailable', message: 'oops' }],
  ['503', refused(503, 'starting'), { kind: 'failed', why: 'unavailable', message: 'starting' }],
  ['422', refused(422, 'invalid'), { kind: 'failed', why: 'refused', message: 'invalid' }],
  ['504: the server timed out', refused(504, 'timeout'), { kind: 'unknown', message: 'timeout' }],
  ['no answer in time', new RequestTimeoutError('no answer in 30s'), { kind: 'unknown', message: 'no answer in 30s' }],
  ['a connection that broke', new ConnectionError('reset', { code: 'ECONNRESET' }), { kind: 'unknown', message: 'reset' }],
  [
    'a connection that never was',
    new ConnectionError('refused', { code: 'ECONNREFUSED' }),
    { kind: 'failed', why: 'unavailable', message: 'refused' },
  ],
  ['anything else', new Error('odd'), { kind: 'failed', why: 'refused', message: 'odd' }],
])('%s', (_, error, expected) => {
  expect(outcomeOf(error, web(), { inBackground: true })).toEqual(expected)
})

const evacuation = refused(429, 'admission webhook "virt" denied the request: Eviction triggered evacuation of VMI')
const asks = { 'descheduler.alpha.kubernetes.io/request-evict-only': '' }

test.each<[string, PodState, boolean, string]>([
  ['a pod that asks for it', web({}, asks), true, 'background'],
  ['a finished pod', web({ status: { phase: 'Succeeded' } }, asks), true, 'ignored'],
  ['a pod that does not ask', web(), true, 'failed'],
  ['the gate off', web({}, asks), false, 'failed'],
])('eviction in background: %s', (_, one, inBackground, kind) => {
  expect(outcomeOf(evacuation, one, { inBackground }).kind).toBe(kind)
})

test.each<[string, Parameters<typeof outcomeByPod>[1], string]>([
  ['it is gone', undefined, 'evicted'],
  ['another pod has its name', { ...web().object, metadata: { name: 'web', uid: 'u2' } }, 'evicted'],
  ['it is terminating', { ...web().object, metadata: { name: 'web', uid: 'u1', deletionTimestamp: 'x' } }, 'evicted'],
  ['it is as it was', web().object, 'failed'],
])('after no answer: %s', (_, found, kind) => {
  expect(outcomeByPod(web(), found, 'no answer').kind).toBe(kind)
})

test('a pod that was leaving before was not evicted by us', () => {
  const leaving = web({ deletionTimestamp: '2026-01-01T00:00:00Z' })
  expect(outcomeByPod(leaving, leaving.object, 'no answer').kind).toBe('failed')
})
