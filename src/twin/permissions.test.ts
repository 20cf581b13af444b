import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { itemsAt, textAt, valueAt } from './json-value.ts'
import { itemNames, startTestTwin, TestClient, testDeployment, testPod } from './twin-for-tests.ts'

const core = '/api/v1/namespaces/default'
const rbac = 'rbac.authorization.k8s.io'

const account: KubeObject = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'app', namespace: 'default' } }

function role(rules: readonly object[]): KubeObject {
  return { apiVersion: `${rbac}/v1`, kind: 'Role', metadata: { name: 'r', namespace: 'default' }, rules }
}

const binding: KubeObject = {
  apiVersion: `${rbac}/v1`,
  kind: 'RoleBinding',
  metadata: { name: 'b', namespace: 'default' },
  roleRef: { apiGroup: rbac, kind: 'Role', name: 'r' },
  subjects: [
    { kind: 'ServiceAccount', name: 'app', namespace: 'default' },
    { kind: 'User', name: 'u', apiGroup: rbac },
  ],
}

async function accountTwin(rules: readonly object[]) {
  const twin = await startTestTwin([account, role(rules), binding, testPod('a'), testPod('b')])
  const token = await twin.twin.issueToken({ namespace: 'default', serviceAccount: 'app' })
  return { ...twin, app: new TestClient(twin.twin.transport({ token })), token }
}

test('a user with get on one name may not list, nor get another (case 32)', async () => {
  await using twin = await accountTwin([{ apiGroups: [''], resources: ['pods'], verbs: ['get'], resourceNames: ['a'] }])
  const user = new TestClient(twin.twin.transport({ user: 'u', groups: ['system:authenticated'] }))
  const list = await user.get(`${core}/pods`)
  expect([list.status, list.message]).toEqual([
    403,
    'pods is forbidden: User "u" cannot list resource "pods" in API group "" in the namespace "default"',
  ])
  const other = await user.get(`${core}/pods/b`)
  expect([other.status, other.message]).toEqual([
    403,
    'pods "b" is forbidden: User "u" cannot get resource "pods" in API group "" in the namespace "default"',
  ])
  expect((await user.get(`${core}/pods/a`)).status).toBe(200)
})

describe('a ServiceAccount', () => {
  test('may do what its role says, by name', async () => {
    await using twin = await accountTwin([{ apiGroups: [''], resources: ['pods'], verbs: ['get'], resourceNames: ['a'] }])
    const user = 'system:serviceaccount:default:app'
    expect((await twin.app.get(`${core}/pods/a`)).status).toBe(200)
    const other = await twin.app.get(`${core}/pods/b`)
    expect([other.status, other.message]).toEqual([
      403,
      `pods "b" is forbidden: User "${user}" cannot get resource "pods" in API group "" in the namespace "default"`,
    ])
    expect((await twin.app.get(`${core}/pods`)).message).toBe(
      `pods is forbidden: User "${user}" cannot list resource "pods" in API group "" in the namespace "default"`,
    )
    expect((await twin.app.get('/api/v1/nodes')).message).toBe(
      `nodes is forbidden: User "${user}" cannot list resource "nodes" in API group "" at the cluster scope`,
    )
  })

  test('needs the subresource by name', async () => {
    await using twin = await accountTwin([{ apiGroups: [''], resources: ['pods'], verbs: ['*'] }])
    const eviction = await twin.app.post(`${core}/pods/a/eviction`, { metadata: { name: 'a' } })
    expect([eviction.status, eviction.message]).toEqual([
      403,
      'pods "a" is forbidden: User "system:serviceaccount:default:app" cannot create resource "pods/eviction" in API group "" in the namespace "default"',
    ])
  })

  test('loses its token with the account, and in time', async () => {
    await using twin = await accountTwin([{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }])
    expect(itemNames((await twin.app.get(`${core}/pods`)).body)).toEqual(['a', 'b'])
    await twin.clock.advance(3_601_000)
    expect((await twin.app.get(`${core}/pods`)).status).toBe(401)
    const fresh = new TestClient(
      twin.twin.transport({ token: await twin.twin.issueToken({ namespace: 'default', serviceAccount: 'app' }) }),
    )
    expect((await fresh.get(`${core}/pods`)).status).toBe(200)
    await twin.client.call('DELETE', `${core}/serviceaccounts/app`)
    expect((await fresh.get(`${core}/pods`)).status).toBe(401)
  })

  test('is told what it may', async () => {
    await using twin = await accountTwin([{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }])
    const ask = (verb: string) =>
      twin.app.post(`/apis/authorization.k8s.io/v1/selfsubjectaccessreviews`, {
        spec: { resourceAttributes: { namespace: 'default', verb, resource: 'pods' } },
      })
    expect(valueAt((await ask('list')).body, 'status')).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "b/default" of Role "r" to ServiceAccount "app/default"',
    })
    expect(valueAt((await ask('delete')).body, 'status')).toEqual({ allowed: false })
  })

  test('is known to a TokenReview', async () => {
    await using twin = await accountTwin([])
    const review = (token: string) => twin.client.post('/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token } })
    const good = await review(twin.token)
    expect(valueAt(good.body, 'status')).toMatchObject({
      authenticated: true,
      user: { username: 'system:serviceaccount:default:app' },
    })
    expect(valueAt((await review(`${twin.token}x`)).body, 'status', 'authenticated')).toBeUndefined()
  })
})

test('without credentials only health and version are answered', async () => {
  await using twin = await startTestTwin()
  const nobody = new TestClient(twin.twin.transport({ token: 'none' }))
  expect((await nobody.get('/readyz')).text).toBe('ok')
  expect((await nobody.get('/version')).body).toMatchObject({ major: '1', minor: '36' })
  expect((await nobody.get('/api')).status).toBe(401)
})

test('the administrator speaks for others', async () => {
  await using twin = await accountTwin([{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }])
  const as = (user: string) => twin.client.get(`${core}/pods`, { headers: { 'impersonate-user': user } })
  expect((await as('u')).status).toBe(200)
  expect((await as('someone')).status).toBe(403)
  const forbidden = await twin.app.get(`${core}/pods`, { headers: { 'impersonate-user': 'u' } })
  expect([forbidden.status, forbidden.message]).toEqual([
    403,
    'users "u" is forbidden: User "system:serviceaccount:default:app" cannot impersonate resource "users" in API group "" at the cluster scope',
  ])
})

test('every request is on record: who, what, answer, time', async () => {
  await using twin = await accountTwin([])
  await twin.clock.advance(5000)
  await twin.app.post(`${core}/pods/a/eviction`, { metadata: { name: 'a' } })
  expect(twin.twin.requests.entries.at(-1)).toEqual({
    verb: 'POST',
    path: `${core}/pods/a/eviction`,
    query: '',
    user: 'system:serviceaccount:default:app',
    agent: 'test-client/1.0',
    code: 403,
    at: Date.parse('2026-01-01T00:00:05Z'),
  })
})

test('a virtual clock stands still while a request is answered', async () => {
  await using twin = await startTestTwin([testPod('a')])
  let answeredAtMs = -1
  const wanted = twin.twin.access.revision + 1
  // A read of a revision that is not there yet waits, in real time, until the write below has made it.
  const reading = twin.client.get(`${core}/pods/a?resourceVersion=${wanted}`).then(() => {
    answeredAtMs = twin.clock.elapsed()
  })
  twin.clock.schedule(60_000, () => undefined)
  const driving = twin.clock.advance(60_000)
  await twin.client.patch(`${core}/pods/a`, 'merge', { metadata: { labels: { x: 'y' } } })
  await Promise.all([reading, driving])
  expect(answeredAtMs).toBe(0)
})

test('the autoscaler may scale whatever has a scale, and no more than a real one', async () => {
  await using twin = await startTestTwin([testPod('a'), testDeployment('web')])
  const user = 'system:serviceaccount:kube-system:horizontal-pod-autoscaler'
  const autoscaler = new TestClient(twin.twin.transport({ user, groups: ['system:authenticated'] }))
  const scale = '/apis/apps/v1/namespaces/default/deployments/web/scale'
  const found = await autoscaler.get(scale)
  expect(found.status).toBe(200)
  expect((await autoscaler.put(scale, found.body)).status).toBe(200)
  expect((await autoscaler.get(`${core}/pods`)).status).toBe(200)
  expect((await autoscaler.call('DELETE', `${core}/pods/a`)).status).toBe(403)
  expect((await autoscaler.get('/apis/apps/v1/namespaces/default/deployments/web')).status).toBe(403)
})

test('roles of a new cluster are those clients expect', async () => {
  await using twin = await startTestTwin()
  const roles = await twin.client.get(`/apis/${rbac}/v1/clusterroles`)
  expect(itemNames(roles.body)).toEqual(expect.arrayContaining(['admin', 'cluster-admin', 'edit', 'system:discovery', 'view']))
  const [first] = itemsAt(roles.body, 'items')
  expect(textAt(first, 'metadata', 'labels', 'kubernetes.io/bootstrapping')).toBe('rbac-defaults')
})
