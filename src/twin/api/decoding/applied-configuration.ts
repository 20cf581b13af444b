// Applied configurations before they are merged: they must be of the kind that is patched and fit its schema, in the words of
// upstream's structured merge.
import type { KubeObject } from '#kube/objects/objects.ts'
import { badRequest, type StatusError } from '#kube/objects/status.ts'
import { type Draft, draftOf, isFields, OddNumber, textAt, valueAt } from '../../json-value.ts'
import { keyOf } from '../../patch/field-set.ts'
import { kindSchema } from '../../schema/kind-schema.ts'
import type { Scalar, Schema } from '../../schema/schema.ts'
import { bareError } from '../bare-error.ts'
import { goKind, goPrinted } from '../go-words.ts'
import type { ResourceRequest } from '../request.ts'
import { apiVersionOf, type ResourceType, splitApiVersion } from '../resource-type.ts'
import type { DecodedBody } from './decoded-body.ts'

/** The configuration in a body. @throws StatusError 400 for another kind, 500 (as upstream) for what does not fit the schema. */
export function appliedConfiguration(type: ResourceType, info: ResourceRequest, { value }: DecodedBody): Draft {
  if (value !== null && !isFields(value)) {
    const why = `json: cannot unmarshal ${goKind(value)} into Go value of type map[string]interface {}`
    throw badRequest(`error decoding YAML: error unmarshaling JSON: while decoding JSON: ${why}`)
  }
  const draft = draftOf(value ?? {})
  const { group, version } = splitApiVersion(textAt(draft, 'apiVersion') ?? '')
  const kind = textAt(draft, 'kind') ?? ''
  if (kind !== type.kind || textAt(draft, 'apiVersion') !== apiVersionOf(type))
    throw badRequest(`invalid object type: ${group}/${version}, Kind=${kind}`)
  if ((valueAt(draft, 'metadata', 'managedFields') ?? null) !== null) throw badRequest('metadata.managedFields must be nil')
  const fault = typedFault(kindSchema(type), draft, '')
  if (fault !== undefined) throw untyped(info, type, fault)
  return draft
}

/** A configuration that its schema does not take. */
function untyped(info: ResourceRequest, type: ResourceType, why: string): StatusError {
  return bareError(`failed to create typed patch object (/${info.name ?? ''}; ${kindText(type)}): ${why}`)
}

/** A configuration that fits its schema and has a value that its kind does not take: what is no time, no quantity. */
export function unconverted(info: ResourceRequest, type: ResourceType, why: string): StatusError {
  const what = `(/${info.name ?? ''}; ${kindText(type)})`
  const said = why.startsWith('illegal base64') ? `error decoding from json: ${why}` : why
  return bareError(
    `failed to convert new object ${what} to proper version: unable to convert unstructured object to ${kindText(type)}: ${said}`,
  )
}

/** A live object that nobody can be noted as an owner of. */
export function unmanaged(type: ResourceType, info: ResourceRequest, why: string): StatusError {
  const what = `(${info.namespace ?? ''}/${info.name ?? ''}; ${kindText(type)})`
  return bareError(`failed to create manager for existing fields: failed to convert new object ${what} to smd typed: ${why}`)
}

const kindText = ({ group, version, kind }: ResourceType) => `${group}/${version}, Kind=${kind}`

/** Why an object cannot be compared by its schema: lists of it that are merged by keys have an item without any. */
export function uncomparable(type: ResourceType, object: Draft | KubeObject): string | undefined {
  // No other kind has such a list whose key may be left out.
  return type.key === 'serviceaccounts' ? typedFault(kindSchema(type), object, '') : undefined
}

/** The first place where a value does not fit; undefined where all do. */
function typedFault(schema: Schema, value: unknown, path: string): string | undefined {
  if (value === null || value === undefined) return undefined
  switch (schema.kind) {
    case 'any':
      return undefined
    case 'scalar':
      return scalarFault(schema.scalar, value, path)
    case 'map':
      if (!isFields(value)) return `${path}: expected map, got &{${goPrinted(value)}}`
      return first(Object.keys(value), key => typedFault(schema.value, value[key], `${path}.${key}`))
    case 'list':
      return listFault(schema, value, path)
    case 'struct':
      if (!isFields(value)) return `${path}: expected map, got &{${goPrinted(value)}}`
      return first(Object.keys(value), key => {
        const field = schema.fields.get(key)
        if (field === undefined) return schema.preservesUnknown ? undefined : `${path}.${key}: field not declared in schema`
        return typedFault(field.schema, value[key], `${path}.${key}`)
      })
  }
}

function first<T>(items: Iterable<T>, find: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}

function listFault(schema: Extract<Schema, { kind: 'list' }>, value: unknown, path: string): string | undefined {
  if (!Array.isArray(value)) return `${path}: expected list, got &{${goPrinted(value)}}`
  const { list } = schema.semantics
  const seen = new Set<string>()
  for (const [index, item] of value.entries()) {
    if (list.kind === 'atomic') {
      const fault = typedFault(schema.item, item, `${path}[${index}]`)
      if (fault !== undefined) return fault
      continue
    }
    const bad = list.kind === 'set' ? memberFault(item) : keyFault(schema.item, list.keys, item)
    if (bad !== undefined) return `${path}: element ${index}: ${bad}`
    const key = list.kind === 'set' ? `="${String(item)}"` : keyText(schema.item, list.keys, item)
    if (seen.has(key)) return `${path}: duplicate entries for key [${key}]`
    seen.add(key)
    const fault = typedFault(schema.item, item, `${path}[${key}]`)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** Why nothing names an item of a set. */
function memberFault(item: unknown): string | undefined {
  if (item === null) return "associative list without keys has an element that's an explicit null"
  if (isFields(item)) return "associative list without keys has an element that's a map type"
  return Array.isArray(item) ? 'not supported: associative list with lists as elements' : undefined
}

/** Why nothing names an item of a list with keys. */
function keyFault(schema: Schema, names: readonly string[], item: unknown): string | undefined {
  if (item === null) return 'associative list with keys may not have a null element'
  if (!isFields(item)) return 'associative list with keys may not have non-map elements'
  if (names.some(name => keyOf(schema, item, name) !== undefined)) return undefined
  return `associative list with keys has an element that omits all key fields [${names.map(name => JSON.stringify(name)).join(' ')}] (and doesn't have default values for any key fields)`
}

function keyText(schema: Schema, names: readonly string[], item: unknown): string {
  return names
    .flatMap(name => {
      const value = isFields(item) ? keyOf(schema, item, name) : undefined
      if (value === undefined) return []
      // A key that is a map itself is shown as its fields.
      const text = isFields(value)
        ? Object.entries(value)
            .map(([key, part]) => `${key}=${goPrinted(part)}`)
            .join(',')
        : String(value)
      return [`${name}=${typeof value === 'string' ? JSON.stringify(value) : text}`]
    })
    .join(',')
}

function scalarFault(scalar: Scalar, value: unknown, path: string): string | undefined {
  const isNumber = typeof value === 'number' || typeof value === 'bigint' || value instanceof OddNumber
  switch (scalar) {
    case 'int32':
    case 'int64':
    case 'double':
      return isNumber && !isEnormous(value) ? undefined : `${path}: expected numeric (int or float), got ${typedKind(value)}`
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `${path}: expected boolean, got &{${goPrinted(value)}}`
    case 'int-or-string':
    case 'quantity':
      return undefined
    default:
      return typeof value === 'string'
        ? undefined
        : `${path}: expected string, got &value.valueUnstructured{Value:${goValue(value)}}`
  }
}

/** A number that no float holds stays the text that it is. */
function isEnormous(value: unknown): boolean {
  return value instanceof OddNumber && !Number.isFinite(value.value)
}

/** The type of a value that a configuration has where a number is wanted. */
function typedKind(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}'
  if (isEnormous(value)) return 'string'
  return isFields(value) ? 'map[string]interface {}' : goKind(value)
}

/** A value as Go's `%#v` prints it. */
function goValue(value: unknown): string {
  if (Array.isArray(value)) return `[]interface {}{${value.map(goValue).join(', ')}}`
  if (isFields(value)) {
    const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${goValue(item)}`)
    return `map[string]interface {}{${entries.join(', ')}}`
  }
  return typeof value === 'string' ? JSON.stringify(value) : goPrinted(value)
}
