import { describe, expect, test } from 'vitest'
import { encodeFrame } from '#kube/client/protobuf.ts'
import { fieldsAt, itemsAt, listAt, textAt, valueAt } from './json-value.ts'
import { startTestTwin, testPod } from './twin-for-tests.ts'

const core = '/api/v1/namespaces/default'
const protobuf = { contentType: 'application/vnd.kubernetes.protobuf' }
const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))

describe('protobuf bodies, as kubectl sends them', () => {
  test('create configmap', async () => {
    await using twin = await startTestTwin()
    const hex = '6b3873000a0f0a0276311209436f6e6669674d6170121b0a110a016112001a0022002a0032003800420012060a01621201631a002200'
    const answer = await twin.client.call('POST', `${core}/configmaps?fieldManager=kubectl-create`, {
      ...protobuf,
      bytes: bytesOf(hex),
    })
    expect(answer.status).toBe(201)
    expect(answer.body).toMatchObject({ kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' }, data: { b: 'c' } })
    expect(Object.keys(fieldsAt(answer, 'body') ?? {}).toSorted()).toEqual(['apiVersion', 'data', 'kind', 'metadata'])
    expect(itemsAt(answer.body, 'metadata', 'managedFields')[0]).toMatchObject({
      manager: 'kubectl-create',
      operation: 'Update',
      fieldsV1: { 'f:data': { '.': {}, 'f:b': {} } },
    })
  })

  test('auth can-i', async () => {
    await using twin = await startTestTwin()
    const hex =
      '6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a656374416363657373526576696577123c0a100a0012001a0022002a00320038004200121e0a1c0a0764656661756c7412036765741a0022002a04706f647332003a001a08080012001a0020001a002200'
    const answer = await twin.client.call('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      ...protobuf,
      bytes: bytesOf(hex),
    })
    expect(answer.status).toBe(201)
    expect(valueAt(answer.body, 'spec')).toEqual({ resourceAttributes: { namespace: 'default', verb: 'get', resource: 'pods' } })
    expect(valueAt(answer.body, 'status', 'allowed')).toBe(true)
  })

  // biome-ignore format: recorded bytes
  test.each([
    { seconds: 600, spec: '121d0a100a0012001a0022002a00320038004200120320d8041a040a0012001a002200', status: 201, message: undefined },
    { seconds: 60, spec: '121c0a100a0012001a0022002a003200380042001202203c1a040a0012001a002200', status: 422, message: 'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes' },
  ])('create token for $seconds s', async ({ spec, status, message }) => {
    await using twin = await startTestTwin([
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'acc', namespace: 'default' } },
    ])
    const hex = `6b3873000a280a1861757468656e7469636174696f6e2e6b38732e696f2f7631120c546f6b656e52657175657374${spec}`
    const answer = await twin.client.call('POST', `${core}/serviceaccounts/acc/token`, { ...protobuf, bytes: bytesOf(hex) })
    expect(answer.status).toBe(status)
    expect(answer.message).toBe(message)
    if (status === 201) expect(valueAt(answer.body, 'spec', 'expirationSeconds')).toBe(600)
  })

  test('a zero that was sent is kept where the field is a pointer: nothing may be away is not the default', async () => {
    await using twin = await startTestTwin()
    // metadata.name a; spec.selector {}; spec.maxUnavailable {type 0, intVal 0, strVal ''}
    const raw = bytesOf('0a030a0161' + '120a' + '1200' + '1a06' + '08001000' + '1a00')
    const answer = await twin.client.call('POST', '/apis/policy/v1/namespaces/default/poddisruptionbudgets', {
      ...protobuf,
      bytes: encodeFrame({ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', raw }),
    })
    expect([answer.status, valueAt(answer.body, 'spec')]).toEqual([201, { maxUnavailable: 0, selector: {} }])
  })

  test.each(['6b38730', '6b387300', '6b3873000aff', '6b3873000a0f0a02763112ff'])('bytes that break off: %s', async hex => {
    await using twin = await startTestTwin()
    const answer = await twin.client.call('POST', `${core}/configmaps`, { ...protobuf, bytes: bytesOf(hex) })
    expect(answer.status).toBe(400)
    expect(answer.message).toContain('the object provided is unrecognized (must be of type ConfigMap)')
  })
})

describe('content negotiation', () => {
  test.each([
    { accept: 'application/vnd.kubernetes.protobuf', status: 200 },
    { accept: 'application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1', status: 406 },
    { accept: 'application/vnd.kubernetes.protobuf,application/json', status: 200 },
    { accept: 'application/cbor', status: 406 },
    { accept: 'application/yaml', status: 200 },
    { accept: 'application/json;as=Table;g=meta.k8s.io;v=v2,application/json', status: 200 },
  ])('$accept → $status', async ({ accept, status }) => {
    await using twin = await startTestTwin()
    expect((await twin.client.get(`${core}/pods`, { accept })).status).toBe(status)
  })

  test('aggregated and legacy discovery', async () => {
    await using twin = await startTestTwin()
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'
    const aggregated = await twin.client.get('/apis', { accept })
    expect(aggregated.headers['content-type']).toBe('application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList')
    const apps = itemsAt(aggregated.body, 'items').find(group => textAt(group, 'metadata', 'name') === 'apps')
    const deployments = itemsAt(itemsAt(apps, 'versions')[0], 'resources').find(
      resource => resource['resource'] === 'deployments',
    )
    expect(deployments).toMatchObject({
      // As recorded: a group and version that are those around it are left empty.
      responseKind: { group: '', version: '', kind: 'Deployment' },
      verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
      scope: 'Namespaced',
      singularResource: 'deployment',
      shortNames: ['deploy'],
      categories: ['all'],
    })
    expect(itemsAt(deployments, 'subresources').map(subresource => subresource['subresource'])).toEqual(['scale', 'status'])
    const again = await twin.client.get('/apis', { accept, headers: { 'if-none-match': aggregated.headers['etag'] ?? '' } })
    expect(again.status).toBe(304)
    expect(textAt(aggregated.body, 'kind')).toBe('APIGroupDiscoveryList')
    expect((await twin.client.get('/apis', { accept: 'application/json' })).body).toMatchObject({ kind: 'APIGroupList' })
    const coreList = await twin.client.get('/api/v1')
    expect(itemsAt(coreList.body, 'resources').find(resource => resource['name'] === 'pods/eviction')).toEqual({
      name: 'pods/eviction',
      singularName: '',
      namespaced: true,
      group: 'policy',
      version: 'v1',
      kind: 'Eviction',
      verbs: ['create'],
    })
  })

  test('a table has the columns and cells kubectl prints', async () => {
    await using twin = await startTestTwin([testPod('p1')])
    const answer = await twin.client.get(`${core}/pods`, {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
    })
    expect(answer.body).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' })
    expect(itemsAt(answer.body, 'columnDefinitions').map(column => column['name'])).toEqual([
      'Name',
      'Ready',
      'Status',
      'Restarts',
      'Age',
      'IP',
      'Node',
      'Nominated Node',
      'Readiness Gates',
    ])
    const [row] = itemsAt(answer.body, 'rows')
    expect(listAt(row, 'cells')).toEqual(['p1', '0/1', 'Running', '0', '0s', '<none>', 'n1', '<none>', '<none>'])
    expect(fieldsAt(row, 'object')).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'p1' } })
  })

  test('metadata alone', async () => {
    await using twin = await startTestTwin([testPod('p1')])
    const answer = await twin.client.get(`${core}/pods`, {
      accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
    })
    expect(answer.body).toMatchObject({
      kind: 'PartialObjectMetadataList',
      items: [{ kind: 'PartialObjectMetadata', metadata: { name: 'p1' } }],
    })
    expect(valueAt(itemsAt(answer.body, 'items')[0], 'spec')).toBeUndefined()
  })
})

describe('strict bodies', () => {
  const pod = { ...testPod('p1'), spec: { containers: [{ name: 'c', image: 'x' }], foo: 1 } }

  test.each([
    { fieldValidation: 'Strict', status: 400, warning: undefined },
    { fieldValidation: 'Warn', status: 201, warning: '299 - "unknown field \\"spec.foo\\""' },
    { fieldValidation: 'Ignore', status: 201, warning: undefined },
  ])('an unknown field under $fieldValidation', async ({ fieldValidation, status, warning }) => {
    await using twin = await startTestTwin()
    const answer = await twin.client.post(`${core}/pods?fieldValidation=${fieldValidation}`, pod)
    expect(answer.status).toBe(status)
    expect(answer.headers['warning']).toBe(warning)
    if (status === 400)
      expect(answer.message).toBe(
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.foo"',
      )
    else expect(valueAt(answer.body, 'spec', 'foo')).toBeUndefined()
  })

  test('duplicate fields are named', async () => {
    await using twin = await startTestTwin()
    const answer = await twin.client.post(
      `${core}/configmaps?fieldValidation=Strict`,
      '{"metadata":{"name":"a"},"data":{"k":"1","k":"2"}}',
    )
    expect(answer.message).toContain('strict decoding error: duplicate field "data.k"')
  })

  test.each([
    { body: '{"metadata":', status: 400 },
    { body: '[]', status: 400 },
    { body: '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}', status: 400 },
    { body: '{"metadata":{"name":"a","labels":{"x":1}}}', status: 400 },
    { body: '{"metadata":{"name":"A_B"}}', status: 422 },
    { body: '{"metadata":{"name":"a","namespace":"other"}}', status: 400 },
    { body: `{"metadata":{"name":"a"},"x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, status: 400 },
  ])('$status for a body that is no ConfigMap', async ({ body, status }) => {
    await using twin = await startTestTwin()
    expect((await twin.client.post(`${core}/configmaps`, body)).status).toBe(status)
  })

  test('keys that are dangerous elsewhere are data here', async () => {
    await using twin = await startTestTwin()
    const answer = await twin.client.post(
      `${core}/configmaps`,
      '{"metadata":{"name":"a"},"data":{"__proto__":"x","constructor":"y"}}',
    )
    expect(answer.status).toBe(201)
    expect(answer.text).toContain('"data":{"__proto__":"x","constructor":"y"}')
  })
})
