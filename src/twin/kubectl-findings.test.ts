// What kubectl showed to be different from a real API server, one line for each.
import { describe, expect, test } from 'vitest'
import { itemsAt, textAt, valueAt } from './json-value.ts'
import { startTestTwin, testConfigMap, testDeployment } from './twin-for-tests.ts'

const deployments = '/apis/apps/v1/namespaces/default/deployments'
const pods = '/api/v1/namespaces/default/pods'

const podWith = (container: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  spec: { containers: [{ name: 'c', image: 'i', ...container }] },
})

function statefulSetWith(mount: string) {
  const volumeMounts = [{ name: mount, mountPath: '/data' }]
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: {
      serviceName: 'db',
      selector: { matchLabels: { app: 'db' } },
      template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'c', image: 'i', volumeMounts }] } },
      volumeClaimTemplates: [
        { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
      ],
    },
  }
}

describe('what is refused', () => {
  const noQuantity = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
  test.each([
    {
      name: 'text that is no quantity',
      path: pods,
      body: podWith({ resources: { requests: { cpu: 'abc' } } }),
      status: 400,
      message: `Pod in version "v1" cannot be handled as a Pod: ${noQuantity}`,
    },
    {
      name: 'a request above its limit',
      path: pods,
      body: podWith({ resources: { requests: { cpu: '2' }, limits: { cpu: '1500m' } } }),
      status: 422,
      message:
        'Pod "p" is invalid: spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1500m',
    },
    {
      name: 'a mount of a volume that neither the template nor a claim template has',
      path: '/apis/apps/v1/namespaces/default/statefulsets',
      body: statefulSetWith('other'),
      status: 422,
      message: 'StatefulSet.apps "db" is invalid: spec.template.spec.containers[0].volumeMounts[0].name: Not found: "other"',
    },
    {
      name: 'a TLS secret without its parts',
      path: '/api/v1/namespaces/default/secrets',
      body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, type: 'kubernetes.io/tls', data: {} },
      status: 422,
      message: 'Secret "s" is invalid: [data[tls.crt]: Required value, data[tls.key]: Required value]',
    },
    {
      name: 'a quota of what nobody counts',
      path: '/api/v1/namespaces/default/resourcequotas',
      body: { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q' }, spec: { hard: { 'requests.foo': '1' } } },
      status: 422,
      message:
        'ResourceQuota "q" is invalid: [spec.hard[requests.foo]: Invalid value: "requests.foo": must be a standard resource type or fully qualified, spec.hard[requests.foo]: Invalid value: "requests.foo": must be a standard resource for quota]',
    },
    {
      name: 'ports that are none',
      path: '/api/v1/namespaces/default/services',
      body: { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports: [{ port: 99999 }] } },
      status: 422,
      message:
        'Service "s" is invalid: [spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive, spec.ports[0].targetPort: Invalid value: 99999: must be between 1 and 65535, inclusive]',
    },
  ])('$name', async ({ path, body, status, message }) => {
    await using twin = await startTestTwin()
    const answer = await twin.client.post(path, body)
    expect({ status: answer.status, message: answer.message }).toEqual({ status, message })
  })

  test('a selector with a bad value is named twice', async () => {
    await using twin = await startTestTwin()
    const answer = await twin.client.post(deployments, { ...testDeployment('Bad_'), metadata: { name: 'good' } })
    expect(answer.message).toContain('spec.selector.matchLabels: Invalid value: "Bad_": a valid label must be')
    expect(answer.message).toContain('spec.selector: Invalid value: {"matchLabels":{"app":"Bad_"}}: invalid label selector')
  })
})

test('a StatefulSet may mount what its claim templates make', async () => {
  await using twin = await startTestTwin()
  expect((await twin.client.post('/apis/apps/v1/namespaces/default/statefulsets', statefulSetWith('data'))).status).toBe(201)
})

test('an optional list that became empty is gone', async () => {
  await using twin = await startTestTwin()
  await twin.client.post(pods, podWith({ env: [], ports: [], resources: { limits: {} } }))
  const { body } = await twin.client.get(`${pods}/p`)
  const container = itemsAt(body, 'spec', 'containers')[0]
  expect([valueAt(container, 'env'), valueAt(container, 'ports'), valueAt(container, 'resources')]).toEqual([
    undefined,
    undefined,
    {},
  ])
})

test('a required list that was sent empty comes back as none', async () => {
  await using twin = await startTestTwin()
  const path = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles'
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'r' }, rules: [] }
  expect(valueAt((await twin.client.post(path, role)).body, 'rules')).toBeNull()
})

test('a scale is shown as a table', async () => {
  await using twin = await startTestTwin([testDeployment('web', 3)])
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
  const { body } = await twin.client.get(`${deployments}/web/scale`, { accept })
  expect(itemsAt(body, 'rows')[0]?.['cells']).toEqual(['web', 3, 0, expect.any(String)])
})

describe('from client-side to server-side apply', () => {
  const annotation = 'kubectl.kubernetes.io/last-applied-configuration'
  const path = '/api/v1/namespaces/default/configmaps'
  const applied = (data: Record<string, string>) => ({
    ...testConfigMap('moves', data),
    metadata: { name: 'moves', namespace: 'default' },
  })
  const appliedHere = (data: Record<string, string>) => ({
    ...applied(data),
    metadata: { name: 'moves', namespace: 'default', annotations: { [annotation]: JSON.stringify(applied(data)) } },
  })

  test('what kubectl applied before is no conflict for kubectl, and the annotation follows', async () => {
    await using twin = await startTestTwin()
    await twin.client.post(`${path}?fieldManager=kubectl-client-side-apply`, appliedHere({ a: '1' }))
    const moved = await twin.client.apply(`${path}/moves`, 'kubectl', applied({ a: '2' }))
    expect(moved.status).toBe(200)
    expect(textAt(moved.body, 'metadata', 'annotations', annotation)).toContain('"data":{"a":"2"}')
  })

  test('for another manager it is one', async () => {
    await using twin = await startTestTwin()
    await twin.client.post(`${path}?fieldManager=kubectl-client-side-apply`, appliedHere({ a: '1' }))
    expect((await twin.client.apply(`${path}/moves`, 'other', applied({ a: '2' }))).status).toBe(409)
  })

  test('what somebody else wrote since is one for kubectl too', async () => {
    await using twin = await startTestTwin()
    await twin.client.post(`${path}?fieldManager=kubectl-client-side-apply`, appliedHere({ a: '1' }))
    await twin.client.patch(`${path}/moves?fieldManager=other`, 'merge', { data: { b: '1' } })
    expect((await twin.client.apply(`${path}/moves`, 'kubectl', applied({ a: '1', b: '2' }))).status).toBe(409)
  })

  test('records of ownership that a patch rewrites are taken as they are', async () => {
    await using twin = await startTestTwin()
    await twin.client.post(`${path}?fieldManager=first`, testConfigMap('moves', { a: '1', b: '2' }))
    const before = await twin.client.get(`${path}/moves`)
    const entry = { ...itemsAt(before.body, 'metadata', 'managedFields')[0], manager: 'kubectl', operation: 'Apply' }
    await twin.client.patch(`${path}/moves`, 'json', [{ op: 'replace', path: '/metadata/managedFields', value: [entry] }])
    await twin.client.apply(`${path}/moves`, 'kubectl', applied({ a: '1' }))
    expect(valueAt((await twin.client.get(`${path}/moves`)).body, 'data')).toEqual({ a: '1' })
  })
})

test('a map that one manager shared with another stays when its record of the map itself goes', async () => {
  await using twin = await startTestTwin()
  await twin.client.post(`${deployments}?fieldManager=kubectl`, testDeployment('web'))
  const before = await twin.client.get(`${deployments}/web`)
  const entry = { ...itemsAt(before.body, 'metadata', 'managedFields')[0], operation: 'Apply' }
  await twin.client.patch(`${deployments}/web`, 'json', [{ op: 'replace', path: '/metadata/managedFields', value: [entry] }])
  const applied = await twin.client.apply(`${deployments}/web`, 'kubectl', testDeployment('web', 2))
  expect([applied.status, valueAt(applied.body, 'spec', 'template', 'metadata', 'labels')]).toEqual([200, { app: 'web' }])
})

describe('warnings', () => {
  test.each([
    { name: 'a refusal', path: pods, body: { ...podWith({ image: '' }), extra: 1 }, status: 422 },
    { name: 'an answer', path: pods, body: { ...podWith({}), extra: 1 }, status: 201 },
  ])('about unknown fields come with $name', async ({ path, body, status }) => {
    await using twin = await startTestTwin()
    const answer = await twin.client.post(path, body)
    expect([answer.status, answer.headers['warning']]).toEqual([status, '299 - "unknown field \\"extra\\""'])
  })

  test.each([
    { kubernetesVersion: '1.32', warning: undefined },
    { kubernetesVersion: '1.34', warning: '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"' },
  ])('about Endpoints in $kubernetesVersion', async ({ kubernetesVersion, warning }) => {
    await using twin = await startTestTwin([], { kubernetesVersion })
    expect((await twin.client.get('/api/v1/namespaces/default/endpoints')).headers['warning']).toBe(warning)
  })
})

test('quantities are stored in their canonical form', async () => {
  await using twin = await startTestTwin()
  const requests = { cpu: '1000m', memory: '1024Mi', 'ephemeral-storage': '2e6' }
  await twin.client.post(pods, podWith({ resources: { requests, limits: { cpu: 1.5, memory: '1.5Gi' } } }))
  const { body } = await twin.client.get(`${pods}/p`)
  expect(itemsAt(body, 'spec', 'containers')[0]?.['resources']).toEqual({
    requests: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '2e6' },
    limits: { cpu: '1500m', memory: '1536Mi' },
  })
})

test('a pod with one address has a list of it', async () => {
  const pod = { ...podWith({}), metadata: { name: 'p', namespace: 'default' }, status: { phase: 'Running', podIP: '10.0.0.9' } }
  await using twin = await startTestTwin([pod])
  expect(valueAt((await twin.client.get(`${pods}/p`)).body, 'status', 'podIPs')).toEqual([{ ip: '10.0.0.9' }])
})
