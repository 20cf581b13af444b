// OpenAPI v2: one document with the definitions of every kind, as JSON and as the protobuf message that Go clients ask for. Clients learn
// from it which fields are merged how (Argo CD compares so what is applied by the server); its paths are left out.
import { type Draft, fieldsAt, isFields, itemsAt, textAt } from '../../json-value.ts'
import type { ResourceType } from '../resource-type.ts'
import { customComponents, definitionComponents } from './openapi-components.ts'

const info = { title: 'Kubernetes', version: 'ballast' } as const
const kindExtension = 'x-kubernetes-group-version-kind'

export function version2Document(types: readonly ResourceType[]): Draft {
  const definitions: Draft = {}
  for (const type of types) {
    const components = type.custom === undefined ? definitionComponents(type) : customComponents(type)
    for (const [name, component] of Object.entries(components)) {
      // A kind that another refers to is written once, with its own name.
      const isKnown = Object.hasOwn(definitions, name)
      if (!isFields(component) || (isKnown && !Object.hasOwn(component, kindExtension))) continue
      definitions[name] = shapeOf(component)
    }
  }
  return { swagger: '2.0', info, paths: {}, definitions }
}

/** What version 2 does not know. */
const unknownHere = new Set(['allOf', 'oneOf', 'anyOf', 'not', 'nullable'])

/** A schema of version 3 in the words of version 2; values that may be anything have no type, as upstream's. */
function shapeOf(schema: Draft): Draft {
  const reference = textAt(schema, '$ref') ?? referenceIn(schema)
  if (reference !== undefined) {
    const { description } = schema
    return {
      ...(description === undefined ? {} : { description }),
      $ref: reference.replace('#/components/schemas/', '#/definitions/'),
    }
  }
  const shape = Object.fromEntries(Object.entries(schema).filter(([name]) => !unknownHere.has(name)))
  if (Array.isArray(schema['oneOf']) && shape['type'] === undefined) shape['type'] = 'string'
  const isOpen = schema['nullable'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true
  if (isOpen) for (const name of ['items', 'properties', 'type']) delete shape[name]
  const properties = fieldsAt(shape, 'properties')
  if (properties !== undefined)
    shape['properties'] = Object.fromEntries(
      Object.entries(properties).map(([name, value]) => [name, isFields(value) ? shapeOf(value) : value]),
    )
  for (const name of ['items', 'additionalProperties']) {
    const inner = fieldsAt(shape, name)
    if (inner !== undefined) shape[name] = shapeOf(inner)
  }
  return shape
}

/** The only reference of a field that has more to say beside it. */
function referenceIn(schema: Draft): string | undefined {
  const [first, ...others] = itemsAt(schema, 'allOf')
  return others.length > 0 ? undefined : textAt(first, '$ref')
}

/** The document as gnostic's message `openapi.v2.Document`, with what shapes say: types, references, merge rules and kinds. */
export function version2Message(document: Draft): Uint8Array {
  const definitions = Object.entries(fieldsAt(document, 'definitions') ?? {})
  return Buffer.concat([
    field(1, '2.0'),
    field(2, Buffer.concat([field(1, info.title), field(2, info.version)])),
    field(8, ''),
    field(9, Buffer.concat(definitions.map(([name, schema]) => field(1, named(name, schemaMessage(schema)))))),
  ])
}

/** A field of text or of a message: its tag, its length, its bytes. */
function field(number: number, value: Uint8Array | string): Uint8Array {
  const bytes = Buffer.from(value)
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.byteLength), bytes])
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest])
    bytes.push((rest & 127) | 128)
  }
}

const named = (name: string, value: Uint8Array) => Buffer.concat([field(1, name), field(2, value)])

function schemaMessage(schema: unknown): Uint8Array {
  if (!isFields(schema)) return Buffer.alloc(0)
  const text = (number: number, name: string) => {
    const value = schema[name]
    return typeof value === 'string' ? [field(number, value)] : []
  }
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  const { additionalProperties, items } = schema
  const properties = Object.entries(fieldsAt(schema, 'properties') ?? {})
  return Buffer.concat([
    ...text(1, '$ref'),
    ...text(2, 'format'),
    ...text(4, 'description'),
    ...required.map(name => field(19, String(name))),
    // A boolean is field 2 of its message, a varint.
    ...(isFields(additionalProperties) ? [field(21, field(1, schemaMessage(additionalProperties)))] : []),
    ...(additionalProperties === true ? [field(21, Buffer.from([0x10, 1]))] : []),
    ...(typeof schema['type'] === 'string' ? [field(22, field(1, schema['type']))] : []),
    ...(isFields(items) ? [field(23, field(1, schemaMessage(items)))] : []),
    ...(properties.length === 0
      ? []
      : [field(25, Buffer.concat(properties.map(([name, value]) => field(1, named(name, schemaMessage(value))))))]),
    ...Object.entries(schema)
      .filter(([name]) => name.startsWith('x-'))
      // Its value is YAML, which JSON is.
      .map(([name, value]) => field(31, named(name, field(2, JSON.stringify(value))))),
  ])
}
