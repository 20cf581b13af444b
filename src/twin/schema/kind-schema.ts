// The schema of any resource that is served.

import type { ResourceType } from '../api/resource-type.ts'
import { type Draft, fieldsAt, listAt, textAt, valueAt } from '../json-value.ts'
import type { ListSemantics } from './list-semantics.ts'
import { anySchema, atomicList, type FieldSchema, type Schema, type StructSchema } from './schema.ts'
import { builtInSchema, structSchema } from './schema-table.ts'

const customSchemas = new WeakMap<Draft, StructSchema>()

/** The schema of objects of the type, metadata included. */
export function kindSchema(type: ResourceType): StructSchema {
  if (type.custom !== undefined) return customSchema(type.custom.schema)
  return builtInSchema(type.group, type.version, type.kind) ?? permissive(type.kind)
}

function permissive(name: string): StructSchema {
  const fields = new Map<string, FieldSchema>([['metadata', { schema: structSchema('V1ObjectMeta'), isRequired: false }]])
  return { kind: 'struct', name, fields, isAtomic: false, preservesUnknown: true }
}

/** A structural schema of a CustomResourceDefinition, with apiVersion, kind and metadata added. */
function customSchema(definition: Draft): StructSchema {
  let schema = customSchemas.get(definition)
  if (schema === undefined) {
    const converted = convert(definition)
    const fields = new Map(converted.kind === 'struct' ? converted.fields : [])
    fields.set('apiVersion', { schema: { kind: 'scalar', scalar: 'string' }, isRequired: false })
    fields.set('kind', { schema: { kind: 'scalar', scalar: 'string' }, isRequired: false })
    fields.set('metadata', { schema: structSchema('V1ObjectMeta'), isRequired: false })
    const preservesUnknown = definition['x-kubernetes-preserve-unknown-fields'] === true
    schema = { kind: 'struct', name: '', fields, isAtomic: false, preservesUnknown }
    customSchemas.set(definition, schema)
  }
  return schema
}

function convert(definition: Draft | undefined): Schema {
  if (definition === undefined) return anySchema
  if (definition['x-kubernetes-int-or-string'] === true) return { kind: 'scalar', scalar: 'int-or-string' }
  switch (definition['type']) {
    case 'array':
      return { kind: 'list', item: convert(fieldsAt(definition, 'items')), semantics: listSemanticsOf(definition) }
    case 'object':
      return convertObject(definition)
    case 'string':
      return { kind: 'scalar', scalar: definition['format'] === 'byte' ? 'bytes' : 'string' }
    case 'integer':
      return { kind: 'scalar', scalar: 'int64' }
    case 'number':
      return { kind: 'scalar', scalar: 'double' }
    case 'boolean':
      return { kind: 'scalar', scalar: 'boolean' }
    default:
      return anySchema
  }
}

function convertObject(definition: Draft): Schema {
  const isAtomic = definition['x-kubernetes-map-type'] === 'atomic'
  const preservesUnknown = definition['x-kubernetes-preserve-unknown-fields'] === true
  const properties = fieldsAt(definition, 'properties')
  const additional = valueAt(definition, 'additionalProperties')
  if (properties === undefined && additional !== undefined && additional !== false) {
    return { kind: 'map', value: convert(fieldsAt(definition, 'additionalProperties')), isAtomic }
  }
  const required = listAt(definition, 'required')
  const fields = new Map<string, FieldSchema>()
  for (const name of Object.keys(properties ?? {})) {
    fields.set(name, { schema: convert(fieldsAt(properties, name)), isRequired: required.includes(name) })
  }
  if (definition['x-kubernetes-embedded-resource'] === true) {
    for (const name of ['apiVersion', 'kind'])
      fields.set(name, { schema: { kind: 'scalar', scalar: 'string' }, isRequired: false })
    fields.set('metadata', { schema: structSchema('V1ObjectMeta'), isRequired: false })
  }
  return { kind: 'struct', name: '', fields, isAtomic, preservesUnknown, needed: required.map(String) }
}

function listSemanticsOf(definition: Draft): ListSemantics {
  switch (textAt(definition, 'x-kubernetes-list-type')) {
    case 'map':
      return { list: { kind: 'map', keys: listAt(definition, 'x-kubernetes-list-map-keys').map(String) } }
    case 'set':
      return { list: { kind: 'set' } }
    default:
      return atomicList
  }
}
