import { expect, test } from 'vitest'
import type { KubeObject } from '../objects/objects.ts'
import { KnownSpecs } from './known-specs.ts'
import { parseObjectText } from './object-text.ts'
import { fieldProjection, SharedParts } from './projection.ts'

const spec = { containers: [{ image: 'app:1', env: [{ name: 'A' }] }], note: 'a "spec":{ in words },"status":{ and out' }

function eventText(type: string, object: object): Buffer {
  return Buffer.from(JSON.stringify({ type, object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, ...object } }))
}

function read(bytes: Buffer, knownSpecs: KnownSpecs): KubeObject {
  return (parseObjectText(bytes, { knownSpecs }) as { readonly object: KubeObject }).object
}

test('a spec written as before is the stored one, whatever its status became', () => {
  const knownSpecs = new KnownSpecs()
  const { project } = fieldProjection(['spec.containers.image', 'status.phase'], new SharedParts(), knownSpecs)
  const first = project(read(eventText('MODIFIED', { spec, status: { phase: 'Pending' } }), knownSpecs))
  const again = read(eventText('MODIFIED', { spec, status: { phase: 'Running' } }), knownSpecs)
  expect(again['spec']).toBe(first['spec'])
  const next = project(again, first)
  expect(next['spec']).toBe(first['spec'])
  expect(next['status']).toEqual({ phase: 'Running' })
  const changed = read(eventText('MODIFIED', { spec: { ...spec, note: '' }, status: {} }), knownSpecs)
  expect(changed['spec']).toEqual({ ...spec, note: '' })
})

test.each<[string, string, object]>([
  ['the first of an object', 'ADDED', { spec, status: {} }],
  ['no spec', 'MODIFIED', { status: {} }],
  ['no status', 'MODIFIED', { spec }],
  ['status first', 'MODIFIED', { status: {}, spec }],
  ['another part between', 'MODIFIED', { spec, data: { a: 'b' }, status: {} }],
  ['a spec and a status deeper down', 'MODIFIED', { items: { spec: { a: 1 }, status: {} } }],
  ['a spec in a spec', 'MODIFIED', { spec: { template: { spec: { a: 1 }, status: { b: 2 } } }, status: {} }],
])('%s reads as it is written, again and again', (_, type, object) => {
  const knownSpecs = new KnownSpecs()
  const { project } = fieldProjection(['spec', 'status', 'data', 'items'], new SharedParts(), knownSpecs)
  for (let time = 0; time < 3; time++) {
    const found = read(eventText(type, object), knownSpecs)
    expect(found).toMatchObject(object)
    expect(project(found)).toMatchObject(object)
  }
})

test.each(['{"type":"MODIFIED","object":{"spec":{"a":},"status":{}}}', '{"type":"MODIFIED","object":{"spec":{},"status":{}'])(
  'what is no JSON is refused: %s',
  text => {
    expect(() => read(Buffer.from(text), new KnownSpecs())).toThrow(SyntaxError)
  },
)

test('a list that never ends is refused without delay', () => {
  const text = `{"metadata":{"managedFields":["${'a'.repeat(100_000)}`
  expect(() => parseObjectText(Buffer.from(text), { withoutManagedFields: true })).toThrow(SyntaxError)
})
