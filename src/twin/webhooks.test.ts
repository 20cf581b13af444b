import { createServer, type Server } from 'node:https'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Authority, makeAuthority } from './authority.ts'
import { type Draft, fieldsAt, isFields, textAt, valueAt } from './json-value.ts'
import { startTestTwin, testPod } from './twin-for-tests.ts'

const core = '/api/v1/namespaces/default'
const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A webhook that listens; what it was asked is in `reviews`. */
async function listen(
  respond: (request: Draft) => Draft,
): Promise<{ readonly url: string; readonly authority: Authority; readonly reviews: Draft[] }> {
  const authority = await makeAuthority(systemClock.now(), ['hook.default.svc'])
  const reviews: Draft[] = []
  const server = createServer({ key: authority.server.key, cert: authority.server.certificate }, (incoming, outgoing) => {
    let text = ''
    incoming.on('data', chunk => {
      text += String(chunk)
    })
    incoming.on('end', () => {
      const review: unknown = JSON.parse(text)
      const request = fieldsAt(review, 'request') ?? {}
      reviews.push(request)
      outgoing.setHeader('content-type', 'application/json')
      outgoing.end(
        JSON.stringify({
          kind: 'AdmissionReview',
          apiVersion: 'admission.k8s.io/v1',
          response: { uid: request['uid'], allowed: true, ...respond(request) },
        }),
      )
    })
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return { url: `https://127.0.0.1:${isFields(address) ? String(address['port']) : ''}`, authority, reviews }
}

function configuration(kind: 'Mutating' | 'Validating', webhook: object): KubeObject {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: `${kind}WebhookConfiguration`,
    metadata: { name: 'hooks' },
    webhooks: [
      {
        name: 'landing.deschedule.ballast.dev',
        rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        ...webhook,
      },
    ],
  }
}

const gate = Buffer.from(
  JSON.stringify([{ op: 'add', path: '/spec/schedulingGates', value: [{ name: 'ballast.dev/landing' }] }]),
).toString('base64')
const caBundle = (authority: Authority) => Buffer.from(authority.certificate).toString('base64')

describe('a mutating webhook', () => {
  test('patches pods whose owner its condition names, and no others', async () => {
    const hook = await listen(() => ({ patchType: 'JSONPatch', patch: gate }))
    const matchConditions = [
      {
        name: 'wave',
        expression:
          "has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(o, o.uid in ['uid-1', 'uid-2'])",
      },
    ]
    const service: KubeObject = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'hook', namespace: 'default', annotations: { 'ballast.dev/twin-endpoint': hook.url } },
      spec: { ports: [{ port: 443 }] },
    }
    const clientConfig = {
      service: { namespace: 'default', name: 'hook', path: '/mutate/landing' },
      caBundle: caBundle(hook.authority),
    }
    await using twin = await startTestTwin([
      service,
      configuration('Mutating', { clientConfig, matchConditions, failurePolicy: 'Ignore' }),
    ])
    const pod = (name: string, uid: string) => {
      const { nodeName: _node, ...spec } = { nodeName: '', ...fieldsAt(testPod(name), 'spec') }
      return {
        ...testPod(name),
        spec,
        metadata: {
          name,
          namespace: 'default',
          ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid }],
        },
      }
    }
    const gated = await twin.client.post(`${core}/pods`, pod('a', 'uid-1'))
    expect(valueAt(gated.body, 'spec', 'schedulingGates')).toEqual([{ name: 'ballast.dev/landing' }])
    const free = await twin.client.post(`${core}/pods`, pod('b', 'uid-3'))
    expect(valueAt(free.body, 'spec', 'schedulingGates')).toBeUndefined()
    const made = await twin.twin.access.createAdmitted('pods', pod('c', 'uid-2'), {
      manager: 'kube-controller-manager',
      user: 'system:serviceaccount:kube-system:replicaset-controller',
    })
    expect(valueAt(made, 'spec', 'schedulingGates')).toEqual([{ name: 'ballast.dev/landing' }])
    expect(hook.reviews.map(review => [review['name'], review['operation'], textAt(review, 'userInfo', 'username')])).toEqual([
      ['a', 'CREATE', 'ballast-admin'],
      ['c', 'CREATE', 'system:serviceaccount:kube-system:replicaset-controller'],
    ])
  })

  test.each([
    { failurePolicy: 'Ignore', status: 201 },
    { failurePolicy: 'Fail', status: 500 },
  ])('that cannot be reached, with failurePolicy $failurePolicy: $status', async ({ failurePolicy, status }) => {
    await using twin = await startTestTwin([
      configuration('Mutating', { clientConfig: { url: 'https://127.0.0.1:1/' }, failurePolicy }),
    ])
    const answer = await twin.client.post(`${core}/pods`, testPod('a'))
    expect(answer.status).toBe(status)
    if (status === 500)
      expect(answer.message).toContain('Internal error occurred: failed calling webhook "landing.deschedule.ballast.dev": ')
  })
})

test('a bundle may be the certificate of the webhook itself, as that of envtest is', async () => {
  const hook = await listen(() => ({ allowed: false, status: { message: 'no' } }))
  const own = Buffer.from(hook.authority.server.certificate).toString('base64')
  const clientConfig = { url: `${hook.url}/validate`, caBundle: own }
  await using twin = await startTestTwin([configuration('Validating', { clientConfig, failurePolicy: 'Fail' })])
  const { message } = await twin.client.post(`${core}/pods`, testPod('a'))
  expect(message).toBe('admission webhook "landing.deschedule.ballast.dev" denied the request: no')
})

test('a validating webhook denies with its words, and warns', async () => {
  const hook = await listen(request =>
    valueAt(request, 'object', 'metadata', 'labels', 'bad') === undefined
      ? { warnings: ['mind the gap'] }
      : { allowed: false, status: { message: 'bad pod' } },
  )
  const clientConfig = { url: `${hook.url}/validate`, caBundle: caBundle(hook.authority) }
  await using twin = await startTestTwin([configuration('Validating', { clientConfig, failurePolicy: 'Fail' })])
  const good = await twin.client.post(`${core}/pods`, testPod('a'))
  expect([good.status, good.headers['warning']]).toEqual([201, '299 - "mind the gap"'])
  const bad = await twin.client.post(`${core}/pods`, testPod('b', { labels: { bad: 'yes' } }))
  expect([bad.status, bad.message]).toEqual([
    400,
    'admission webhook "landing.deschedule.ballast.dev" denied the request: bad pod',
  ])
})

test('a denial as our own handlers write it reads as kubectl prints it (kube-machinery case 30)', async () => {
  const hook = await listen(() => ({ allowed: false, status: { code: 403, message: 'no' } }))
  const clientConfig = { url: `${hook.url}/validate`, caBundle: caBundle(hook.authority) }
  const webhook = { name: 'pods.ballast.dev', clientConfig, failurePolicy: 'Fail' }
  await using twin = await startTestTwin([configuration('Validating', webhook)])
  const refused = await twin.client.post(`${core}/pods`, testPod('a'))
  expect([refused.status, refused.message]).toEqual([403, 'admission webhook "pods.ballast.dev" denied the request: no'])
})

// biome-ignore format: a table
test.each([
  ['*',          500],
  ['*/*',        500],
  ['pods',       500],
  ['pods/*',     500],
  ['services',   201],
  ['services/*', 201],
])('a rule for %s answers a new pod with %i where the webhook is out of reach', async (resources, status) => {
  await using twin = await startTestTwin()
  const rules = [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: [resources] }]
  const clientConfig = { service: { name: 'gone', namespace: 'default' } }
  const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
  const made = await twin.client.post(path, configuration('Validating', { rules, clientConfig }))
  expect(made.status).toBe(201)
  expect((await twin.client.post(`${core}/pods`, testPod('a'))).status).toBe(status)
})
