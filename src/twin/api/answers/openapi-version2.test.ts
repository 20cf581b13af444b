import { describe, expect, it } from 'vitest'
import { type Draft, fieldsAt, isFields } from '../../json-value.ts'
import { startTestTwin } from '../../twin-for-tests.ts'
import { version2Document, version2Message } from './openapi-version2.ts'

/** The fields of a protobuf message whose fields all have a length, by number. */
function fieldsOf(bytes: Buffer): ReadonlyMap<number, readonly Buffer[]> {
  const fields = new Map<number, Buffer[]>()
  let at = 0
  const varint = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0
      value |= (byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (at < bytes.byteLength) {
    const tag = varint()
    expect(tag & 7).toBe(2)
    const length = varint()
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), bytes.subarray(at, at + length)])
    at += length
  }
  return fields
}

const textOf = (fields: ReadonlyMap<number, readonly Buffer[]>, number: number) => fields.get(number)?.[0]?.toString()

function referencesIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn)
  if (!isFields(value)) return []
  return Object.entries(value).flatMap(([name, inner]) =>
    name === '$ref' && typeof inner === 'string' ? [inner] : referencesIn(inner),
  )
}

const definition = {
  openAPIV3Schema: {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          size: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
          open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { a: { type: 'string' } } },
          perhaps: { type: 'string', nullable: true },
        },
      },
    },
  },
}

async function startedWithCars() {
  const twin = await startTestTwin()
  await twin.client.post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'cars.example.com' },
    spec: {
      ...{
        group: 'example.com',
        scope: 'Namespaced',
        names: { kind: 'Car', plural: 'cars', singular: 'car', listKind: 'CarList' },
      },
      versions: [{ name: 'v1', served: true, storage: true, schema: definition }],
    },
  })
  return twin
}

describe('OpenAPI v2, by which Argo CD compares what the server applies', () => {
  it('names every kind once, and what it refers to is there', async () => {
    await using twin = await startedWithCars()
    const { status, body } = await twin.client.get('/openapi/v2')
    expect(status).toBe(200)
    const definitions = fieldsAt(body, 'definitions') ?? {}
    const kinds = Object.values(definitions).flatMap(one => (isFields(one) ? (one['x-kubernetes-group-version-kind'] ?? []) : []))
    const names = kinds.map(kind => JSON.stringify(kind))
    for (const [group, version, kind] of [
      ['rbac.authorization.k8s.io', 'v1', 'RoleBinding'],
      ['apps', 'v1', 'StatefulSet'],
      ['', 'v1', 'PersistentVolumeClaim'],
      ['example.com', 'v1', 'Car'],
    ])
      expect(names.filter(name => name === JSON.stringify({ group, version, kind }))).toHaveLength(1)
    expect(new Set(names).size).toBe(names.length)
    for (const reference of new Set(referencesIn(definitions)))
      expect(definitions).toHaveProperty([reference.replace('#/definitions/', '')])
    const spec = fieldsAt(definitions['com.example.v1.Car'], 'properties', 'spec', 'properties')
    expect(spec).toEqual({
      size: { 'x-kubernetes-int-or-string': true },
      open: { 'x-kubernetes-preserve-unknown-fields': true },
      perhaps: {},
    })
    // Asked again it is the same one.
    const { headers } = await twin.client.get('/openapi/v2')
    const etag = headers['etag'] ?? ''
    expect((await twin.client.get('/openapi/v2', { headers: { 'if-none-match': etag } })).status).toBe(304)
  })

  it('is a message for Go clients, with types, references and merge rules', () => {
    const port: Draft = { type: 'integer', format: 'int32' }
    const list = {
      ...{ type: 'array', items: { $ref: '#/definitions/port' }, description: 'words' },
      ...{ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['number'] },
    }
    const ports = { type: 'object', required: ['list'], properties: { list }, additionalProperties: port }
    const document = { ...version2Document([]), definitions: { ports } }
    const message = fieldsOf(Buffer.from(version2Message(document)))
    expect(textOf(message, 1)).toBe('2.0')
    const [entry = Buffer.alloc(0)] = fieldsOf(message.get(9)?.[0] ?? Buffer.alloc(0)).get(1) ?? []
    const named = fieldsOf(entry)
    expect(textOf(named, 1)).toBe('ports')
    const schema = fieldsOf(named.get(2)?.[0] ?? Buffer.alloc(0))
    expect(textOf(schema, 19)).toBe('list')
    expect(textOf(fieldsOf(schema.get(22)?.[0] ?? Buffer.alloc(0)), 1)).toBe('object')
    const property = fieldsOf(fieldsOf(schema.get(25)?.[0] ?? Buffer.alloc(0)).get(1)?.[0] ?? Buffer.alloc(0))
    const inner = fieldsOf(property.get(2)?.[0] ?? Buffer.alloc(0))
    expect(textOf(inner, 4)).toBe('words')
    expect(textOf(fieldsOf(fieldsOf(inner.get(23)?.[0] ?? Buffer.alloc(0)).get(1)?.[0] ?? Buffer.alloc(0)), 1)).toBe(
      '#/definitions/port',
    )
    const extension = fieldsOf(inner.get(31)?.[1] ?? Buffer.alloc(0))
    expect(textOf(extension, 1)).toBe('x-kubernetes-list-map-keys')
    expect(textOf(fieldsOf(extension.get(2)?.[0] ?? Buffer.alloc(0)), 2)).toBe('["number"]')
    const more = fieldsOf(fieldsOf(schema.get(21)?.[0] ?? Buffer.alloc(0)).get(1)?.[0] ?? Buffer.alloc(0))
    expect(textOf(more, 2)).toBe('int32')
  })
})
