import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { itemsAt, listAt, valueAt } from './json-value.ts'
import { startTestTwin } from './twin-for-tests.ts'

const definition: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'] },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {}, scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size' } },
        additionalPrinterColumns: [
          { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
          { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
        ],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                'x-kubernetes-validations': [
                  { rule: 'self.size <= 10', message: 'too big' },
                  { rule: '!has(oldSelf.mode) || self.mode == oldSelf.mode', messageExpression: '"mode was " + oldSelf.mode' },
                ],
                properties: {
                  size: { type: 'integer', minimum: 0, default: 3 },
                  mode: { type: 'string', enum: ['a', 'b'] },
                  name: { type: 'string', pattern: '^[a-z]+$', maxLength: 5 },
                  items: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
                  free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                },
              },
              status: { type: 'object', properties: { size: { type: 'integer' } }, 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
        },
      },
    ],
  },
}

const unchecked =
  '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation'
const path = '/apis/example.com/v1/namespaces/default/widgets'
const widget = (spec: object) => ({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec })

async function widgetTwin() {
  const twin = await startTestTwin()
  const created = await twin.client.post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition)
  expect(created.status).toBe(201)
  return twin
}

describe('objects of a custom kind', () => {
  test.each([
    { spec: { mode: 'z' }, message: `[spec.mode: Unsupported value: "z": supported values: "a", "b", ${unchecked}]` },
    { spec: { size: 11 }, message: 'spec: Invalid value: too big' },
    { spec: { size: -1 }, message: 'spec.size: Invalid value: -1: spec.size in body should be greater than or equal to 0' },
    {
      spec: { size: 'x' },
      message: `[spec.size: Invalid value: "string": spec.size in body must be of type integer: "string", ${unchecked}]`,
    },
    { spec: { name: 'A' }, message: 'spec.name: Invalid value: "A": spec.name in body should match \'^[a-z]+$\'' },
    { spec: { items: ['x', 'x'] }, message: 'spec.items[1]: Duplicate value: "x"' },
  ])('$spec is refused', async ({ spec, message }) => {
    await using twin = await widgetTwin()
    const answer = await twin.client.post(path, widget(spec))
    expect([answer.status, answer.message]).toEqual([422, `Widget.example.com "w" is invalid: ${message}`])
  })

  test('are pruned and defaulted', async () => {
    await using twin = await widgetTwin()
    const answer = await twin.client.post(path, widget({ extra: 1, free: { any: { thing: true } } }))
    expect(answer.status).toBe(201)
    expect(answer.headers['warning']).toBe('299 - "unknown field \\"spec.extra\\""')
    expect(valueAt(answer.body, 'spec')).toEqual({ size: 3, free: { any: { thing: true } } })
    expect(valueAt(answer.body, 'metadata', 'generation')).toBe(1)
    const other = await twin.client.post(path, { ...widget({ extra: 1 }), metadata: { name: 'v' } })
    expect(valueAt(other.body, 'spec')).toEqual({ size: 3 })
  })

  test('keep a transition rule', async () => {
    await using twin = await widgetTwin()
    await twin.client.post(path, widget({ mode: 'a' }))
    const answer = await twin.client.patch(`${path}/w`, 'merge', { spec: { mode: 'b' } })
    expect(answer.message).toBe('Widget.example.com "w" is invalid: spec: Invalid value: mode was a')
  })

  test('have status and scale of their own', async () => {
    await using twin = await widgetTwin()
    await twin.client.post(path, widget({ size: 2 }))
    const status = await twin.client.patch(`${path}/w/status`, 'merge', {
      spec: { size: 9 },
      status: { size: 2, conditions: [{ type: 'Ready', status: 'True' }] },
    })
    expect([valueAt(status.body, 'spec', 'size'), valueAt(status.body, 'metadata', 'generation')]).toEqual([2, 1])
    const scale = await twin.client.patch(`${path}/w/scale`, 'merge', { spec: { replicas: 5 } })
    expect(scale.body).toMatchObject({ kind: 'Scale', spec: { replicas: 5 }, status: { replicas: 2 } })
    const table = await twin.client.get(path, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
    expect(listAt(itemsAt(table.body, 'rows')[0], 'cells')).toEqual(['w', 5, 'True'])
  })

  test('cannot be patched strategically, and need a resourceVersion to be replaced', async () => {
    await using twin = await widgetTwin()
    await twin.client.post(path, widget({}))
    expect((await twin.client.patch(`${path}/w`, 'strategic', {})).status).toBe(415)
    const replaced = await twin.client.put(`${path}/w`, widget({ size: 4 }))
    expect(replaced.message).toBe(
      'widgets.example.com "w" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
    )
  })

  test('go with their definition', async () => {
    await using twin = await widgetTwin()
    await twin.client.post(path, widget({}))
    await twin.client.call('DELETE', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com')
    expect((await twin.client.get(path)).status).toBe(404)
    expect((await twin.client.get('/apis/example.com/v1')).status).toBe(404)
  })
})

test('a kind of which only objects are loaded gets a permissive definition', async () => {
  const scaled: KubeObject = {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: 's', namespace: 'media' },
    spec: { anything: [1, { x: null }] },
    status: { was: 'there' },
  }
  await using twin = await startTestTwin([scaled])
  const answer = await twin.client.get('/apis/keda.sh/v1alpha1/namespaces/media/scaledobjects/s')
  expect(valueAt(answer.body, 'spec')).toEqual({ anything: [1, { x: null }] })
  const made = await twin.client.get('/apis/apiextensions.k8s.io/v1/customresourcedefinitions/scaledobjects.keda.sh')
  expect(valueAt(made.body, 'metadata', 'labels')).toEqual({ 'ballast.dev/twin-synthesised': 'true' })
  expect((await twin.client.get('/api/v1/namespaces/media')).status).toBe(200)
  // Controllers write what they see to it; and that is no change of what is wanted.
  const status = await twin.client.patch('/apis/keda.sh/v1alpha1/namespaces/media/scaledobjects/s/status', 'merge', {
    status: { is: 'here' },
  })
  expect(valueAt(status.body, 'status')).toEqual({ was: 'there', is: 'here' })
  expect(valueAt(status.body, 'metadata', 'generation')).toBe(valueAt(answer.body, 'metadata', 'generation'))
})

test('what cannot be loaded is named and left out; owners that are absent are listed', async () => {
  const orphan: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'c',
      namespace: 'default',
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'gone', uid: 'uid-gone' }],
    },
  }
  await using twin = await startTestTwin([
    orphan,
    { apiVersion: 'policy/v1beta1', kind: 'PodSecurityPolicy', metadata: { name: 'old' } },
  ])
  expect(twin.twin.report.problems).toEqual([expect.objectContaining({ code: 'kind-unknown', where: 'PodSecurityPolicy old' })])
  expect([...twin.twin.report.absentOwners]).toEqual(['uid-gone'])
})
