// What generated requests showed to be different from a real API server, one line for each cause.
import { describe, expect, test } from 'vitest'
import { fieldsAt, itemsAt, textAt, valueAt } from './json-value.ts'
import { startTestTwin, testConfigMap } from './twin-for-tests.ts'

const configMaps = '/api/v1/namespaces/default/configmaps'

function ownersOf(object: unknown): Record<string, unknown> {
  return Object.fromEntries(
    itemsAt(object, 'metadata', 'managedFields').map(entry => [textAt(entry, 'manager') ?? '', entry['fieldsV1']]),
  )
}

/** A request for a certificate of `CN=a`, made once with OpenSSL. */
const certificateRequest =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIR01HNENBUUF3RERFS01BZ0dBMVVFQXd3QllUQlpNQk1HQnlxR1NNNDlBZ0VHQ0NxR1NNNDlBd0VIQTBJQQpCR3A0NHpDVzRpbDJlQ1JUSHZuVzlzUWpDS2g2dW5ScjluY0hQWG1Iek1TWXFrdWZKaDVqR0NseUdETUNCR0oyCnFlNjUrM0RyckVwcnRuSzUrWU81MStpZ0FEQUtCZ2dxaGtqT1BRUURBZ05JQURCRkFpQWNrZURvRkdwVUdiZjAKem5kMHA5NlhMVFlCY2JYak4rRmhpRXlndHlpNmp3SWhBTVM5VEUwbDhlMUp4bFFOcHNmaXczZ2JubDJMcjdvawpCNmJJbkhhYlh3M1EKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg=='

describe('an applied configuration counts as it was sent', () => {
  const base = { apiVersion: 'v1', kind: 'ConfigMap' }
  test.each([
    { name: 'null', metadata: { labels: null }, owned: { 'f:metadata': { 'f:labels': {} } } },
    { name: 'an empty map', metadata: { annotations: {} }, owned: { 'f:metadata': { 'f:annotations': {} } } },
    { name: 'an empty text', metadata: { generateName: '' }, owned: { 'f:metadata': { 'f:generateName': {} } } },
    { name: 'an empty list with keys, of which nothing is owned', metadata: { ownerReferences: [] }, owned: undefined },
  ])('$name', async ({ metadata, owned }) => {
    await using twin = await startTestTwin()
    await twin.client.post(configMaps, { ...testConfigMap('a'), metadata: { name: 'a', labels: { app: 'a' } } })
    const answer = await twin.client.apply(`${configMaps}/a`, 'three', { ...base, metadata: { name: 'a', ...metadata } })
    expect(answer.status).toBe(200)
    expect(ownersOf(answer.body)['three']).toEqual(owned)
    expect(valueAt(answer.body, 'metadata', 'labels')).toEqual({ app: 'a' })
  })

  test('who applies an empty text over that of another is in conflict', async () => {
    await using twin = await startTestTwin()
    await twin.client.apply(`${configMaps}/a`, 'three', { ...base, metadata: { name: 'a' }, data: { key: 'x' } })
    const answer = await twin.client.apply(`${configMaps}/a`, 'four', { ...base, metadata: { name: 'a' }, data: { key: '' } })
    expect(answer.message).toBe('Apply failed with 1 conflict: conflict with "three": .data.key')
  })
})

describe('who owns what the server takes back', () => {
  test.each([
    {
      name: 'a field of a feature that is off is owned and not kept',
      path: '/api/v1/nodes',
      body: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' }, spec: { configSource: { configMap: { name: 'c' } } } },
      owned: {
        'f:configSource': {
          '.': {},
          'f:configMap': { '.': {}, 'f:kubeletConfigKey': {}, 'f:name': {}, 'f:namespace': {} },
        },
      },
      kept: undefined,
      at: 'configSource',
    },
    {
      name: 'who asks for a certificate owns nothing of what is asked, and asks as who they are',
      path: '/apis/certificates.k8s.io/v1/certificatesigningrequests',
      body: {
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name: 'a' },
        spec: { request: certificateRequest, signerName: 'example.com/a', usages: ['client auth'], username: 'somebody' },
      },
      owned: undefined,
      kept: 'ballast-admin',
      at: 'username',
    },
  ])('$name', async ({ path, body, owned, kept, at }) => {
    await using twin = await startTestTwin()
    const answer = await twin.client.post(path, body, { query: { fieldManager: 'one' } })
    expect(answer.status).toBe(201)
    expect(fieldsAt(ownersOf(answer.body)['one'], 'f:spec')).toEqual(owned)
    expect(valueAt(answer.body, 'spec', at)).toEqual(kept)
  })
})

describe('access reviews', () => {
  const resource = { verb: 'get', resource: 'pods' }
  test.each([
    {
      spec: { user: 'a' },
      said: 'spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
    },
    {
      spec: { resourceAttributes: resource },
      said: 'spec.user: Invalid value: "": at least one of user or group must be specified',
    },
    {
      spec: { user: 'a', resourceAttributes: { ...resource, labelSelector: {} } },
      said: 'spec.resourceAttributes.labelSelector.requirements: Required value: when spec.resourceAttributes.labelSelector is specified, requirements or rawSelector is required',
    },
    {
      spec: { user: 'a', resourceAttributes: { ...resource, fieldSelector: { requirements: [{ operator: 'Exists' }] } } },
      said: 'spec.resourceAttributes.fieldSelector.requirements[0].key: Required value: must be specified',
    },
  ])('$said', async ({ spec, said }) => {
    await using twin = await startTestTwin()
    const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec }
    const answer = await twin.client.post('/apis/authorization.k8s.io/v1/subjectaccessreviews', review)
    expect(answer.message).toBe(`.authorization.k8s.io "" is invalid: ${said}`)
  })

  test('a selector that is none is left out, and said to be', async () => {
    await using twin = await startTestTwin()
    const requirements = [{ key: 'a', operator: 'Exists' }]
    const spec = { user: 'a', resourceAttributes: { ...resource, fieldSelector: { requirements } } }
    const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec }
    const { body } = await twin.client.post('/apis/authorization.k8s.io/v1/subjectaccessreviews', review)
    expect(valueAt(body, 'status', 'evaluationError')).toBe('spec.resourceAttributes.fieldSelector ignored due to parse error')
  })
})

const volume = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'a' },
  spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/a' } },
}
const claim = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'a' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
}

describe('what an update may not change', () => {
  test.each([
    {
      path: '/api/v1/persistentvolumes',
      body: volume,
      patch: { spec: { hostPath: { path: '/b' } } },
      said: 'PersistentVolume "a" is invalid: spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n@@ spec @@\n- spec.hostPath',
    },
    {
      path: '/api/v1/namespaces/default/persistentvolumeclaims',
      body: claim,
      patch: { spec: { accessModes: ['ReadWriteMany'] } },
      said: 'PersistentVolumeClaim "a" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n@@ spec @@\n- spec.accessModes',
    },
    {
      path: '/api/v1/persistentvolumes',
      body: volume,
      patch: { spec: { persistentVolumeReclaimPolicy: 'Delete' } },
      said: undefined,
    },
  ])('$patch', async ({ path, body, patch, said }) => {
    await using twin = await startTestTwin()
    expect((await twin.client.post(path, body)).status).toBe(201)
    const answer = await twin.client.patch(`${path}/a`, 'merge', patch)
    expect(answer.status === 200 ? undefined : answer.message).toBe(said)
  })
})

test.each([
  [{ type: 'a' }, 'spec.limits[0].type: Invalid value: "a": must be a standard limit type or fully qualified'],
  [
    { type: 'Pod', min: { cpu: '2' }, max: { cpu: '1' } },
    'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
  ],
  [{ type: 'Pod', default: { cpu: '1' } }, "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
])('a LimitRange with %j', async (limit, said) => {
  await using twin = await startTestTwin()
  const range = { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'a' }, spec: { limits: [limit] } }
  const answer = await twin.client.post('/api/v1/namespaces/default/limitranges', range)
  expect(answer.message).toBe(`LimitRange "a" is invalid: ${said}`)
})
