// Structural schemas as types of CEL, with how large what they describe may be. Facts of apiserver's cel/common and cel/types.
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  stringType,
  structType,
  timestampType,
} from '#kube/cel/cel-types.ts'
import { type Draft, fieldsAt, isFields, listAt, numberAt, textAt } from '../../json-value.ts'

export interface DeclaredType {
  readonly type: CelType
  /** The most characters of a text, items of a list, entries of a map; 0 of others. */
  readonly most: number
  /** The fewest bytes of JSON. */
  readonly least: number
  readonly fields?: ReadonlyMap<string, DeclaredType>
  readonly item?: DeclaredType
  readonly key?: DeclaredType
}

/** Bytes of a request: nothing that it holds can be larger. */
export const largestRequest = 3 * 1024 * 1024

/**
 * The type of what a schema describes; undefined where rules know nothing of it. `name` is that of its struct. `isResource`: it has a
 * kind, a version and metadata whatever the schema says.
 */
export function declaredType(schema: Draft, name: string, isResource: boolean): DeclaredType | undefined {
  if (schema['x-kubernetes-int-or-string'] === true)
    return { type: dynType, most: textLimit(schema) ?? largestRequest - 2, least: 1 }
  switch (textAt(schema, 'type')) {
    case 'array': {
      const items = fieldsAt(schema, 'items')
      const item = items === undefined ? undefined : declaredMember(items, `${name}.@idx`)
      if (item === undefined) return undefined
      const most = limitAt(schema, 'maxItems') ?? Math.floor((largestRequest - 2) / (item.least + 1))
      return { type: listType(item.type), most, least: 2, item }
    }
    case 'object':
      return declaredObject(schema, name, isResource)
    case 'string':
      return declaredText(schema)
    case 'boolean':
      return { type: boolType, most: 0, least: 4 }
    case 'number':
      return { type: doubleType, most: 0, least: 1 }
    case 'integer':
      return { type: intType, most: 0, least: 1 }
    default:
      return undefined
  }
}

/** The type of a part of a schema. */
function declaredMember(schema: Draft, name: string): DeclaredType | undefined {
  return declaredType(schema, name, schema['x-kubernetes-embedded-resource'] === true)
}

function declaredObject(given: Draft, name: string, isResource: boolean): DeclaredType | undefined {
  const additional = given['additionalProperties']
  if (isFields(additional)) {
    const item = declaredMember(additional, `${name}.@elem`)
    if (item === undefined) return undefined
    const most = limitAt(given, 'maxProperties') ?? Math.floor((largestRequest - 2) / (item.least + 6))
    const key = { type: stringType, most: 0, least: 2 }
    return { type: mapType(stringType, item.type), most, least: 2, item, key }
  }
  const properties = isResource ? withMetadata(fieldsAt(given, 'properties') ?? {}) : (fieldsAt(given, 'properties') ?? {})
  const required = new Set(listAt(given, 'required'))
  const fields = new Map<string, DeclaredType>()
  let least = 2
  for (const [property, schema] of Object.entries(properties)) {
    if (!isFields(schema)) continue
    const escaped = escapedName(property)
    const field = declaredMember(schema, `${name}.${escaped ?? property}`)
    if (field === undefined) continue
    if (escaped !== undefined) fields.set(escaped, field)
    if (required.has(property) && (schema['default'] ?? null) === null) least += Buffer.byteLength(property) + field.least + 4
  }
  const types = new Map([...fields].map(([field, { type }]) => [field, type]))
  // A reserved word may also be said as it is, where it stands for a field.
  for (const word of reserved) {
    const field = types.get(`__${word}__`)
    if (field !== undefined && !types.has(word)) types.set(word, field)
  }
  return { type: structType(name, types), most: 0, least, fields }
}

const text: Draft = { type: 'string' }

function withMetadata(properties: Draft): Draft {
  const own = fieldsAt(properties, 'metadata', 'properties')
  const isComplete =
    ['kind', 'apiVersion'].every(name => textAt(properties, name, 'type') === 'string') &&
    textAt(properties, 'metadata', 'type') === 'object' &&
    ['name', 'generateName'].every(name => textAt(own, name, 'type') === 'string')
  if (isComplete) return properties
  const metadata = { type: 'object', properties: { name: text, generateName: text } }
  return { ...properties, kind: text, apiVersion: text, metadata }
}

function declaredText(schema: Draft): DeclaredType {
  switch (textAt(schema, 'format')) {
    case 'byte':
      return { type: bytesType, most: limitAt(schema, 'maxLength') ?? largestRequest - 2, least: 2 }
    case 'duration':
      return { type: durationType, most: 32, least: 3 }
    case 'date':
      return { type: timestampType, most: 12, least: 12 }
    case 'date-time':
      return { type: timestampType, most: 32, least: 21 }
  }
  const choices = listAt(schema, 'enum')
  const longest = Math.max(0, ...choices.map(choice => (typeof choice === 'string' ? Buffer.byteLength(choice) : 0)))
  return { type: stringType, most: textLimit(schema) ?? (choices.length > 0 ? longest : largestRequest - 2), least: 2 }
}

/** A character may take four bytes. */
function textLimit(schema: Draft): number | undefined {
  const most = limitAt(schema, 'maxLength')
  return most === undefined ? undefined : most * 4
}

function limitAt(schema: Draft, name: string): number | undefined {
  const most = numberAt(schema, name)
  return most === undefined ? undefined : Math.max(0, most)
}

const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
)

const escapes: Readonly<Record<string, string>> = {
  __: '__underscores__',
  '.': '__dot__',
  '-': '__dash__',
  '/': '__slash__',
}

/** How rules say the name of a field; undefined where they cannot. */
function escapedName(name: string): string | undefined {
  if (!/^[a-zA-Z_./-][\w./-]*$/.test(name)) return undefined
  return reserved.has(name) ? `__${name}__` : name.replaceAll(/__|[./-]/g, part => escapes[part] ?? part)
}

/** How large the part of a type is that a path of names leads to; undefined where nothing is known of it. */
export function sizeAt(root: DeclaredType, path: readonly string[]): number | undefined {
  let found: DeclaredType | undefined = root
  for (const name of path.slice(1)) {
    if (name === '@items' || name === '@values') found = found?.item
    else found = name === '@keys' ? found?.key : found?.fields?.get(name)
  }
  return found?.most
}
