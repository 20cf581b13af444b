// From JSON Schema as zod makes it to the structural schemas that CustomResourceDefinitions take. What those cannot say is refused
// with its path: these schemas are ours, so it is a slip of ours and found when the CRD is built.

import { isSameJson } from '../objects/json-patch.ts'
import { parsePattern } from '../values/regex.ts'
import type { CelRule } from './crd-fields.ts'

export interface StructuralSchema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  readonly description?: string
  readonly nullable?: boolean
  readonly default?: unknown
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: boolean
  readonly exclusiveMaximum?: boolean
  readonly multipleOf?: number
  readonly items?: StructuralSchema
  readonly minItems?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, StructuralSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: StructuralSchema
  readonly minProperties?: number
  readonly maxProperties?: number
  readonly anyOf?: readonly { readonly type: 'integer' | 'string' }[]
  readonly 'x-kubernetes-int-or-string'?: true
  readonly 'x-kubernetes-preserve-unknown-fields'?: true
  readonly 'x-kubernetes-list-type'?: string
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-map-type'?: string
  readonly 'x-kubernetes-validations'?: readonly CelRule[]
}

type JsonSchema = Readonly<Record<string, unknown>>

// Limits where a schema names none: without them the cost of CEL rules cannot be bounded.
const defaultMaxItems = 256
const defaultMaxLength = 1_024
const defaultMaxProperties = 256

/** String formats that API servers check; others are left out. */
const knownFormats: ReadonlySet<string> = new Set(['byte', 'date', 'date-time', 'email', 'ipv4', 'ipv6', 'uri', 'uuid'])

const refusedKeywords = [
  '$ref',
  'if',
  'then',
  'else',
  'not',
  'allOf',
  'patternProperties',
  'propertyNames',
  'prefixItems',
  'const',
] as const

/** The structural schema of `schema`, which zod made for OpenAPI 3.0. @throws Error with the path of what cannot be said. */
export function structural(schema: unknown, path: string): StructuralSchema {
  if (!isSchema(schema)) throw refusal(path, 'is no schema')
  for (const keyword of refusedKeywords) if (schema[keyword] !== undefined) throw refusal(path, `uses ${keyword}`)
  const result = { ...shapeOf(schema, path), ...commonParts(schema, path) }
  if (result.default !== undefined) checkDefault(result.default, result, path)
  return result
}

function shapeOf(schema: JsonSchema, path: string): StructuralSchema {
  if (isSchema(schema['intOrString'])) return intOrStringShape(schema['intOrString'])
  const branches = schema['oneOf'] ?? schema['anyOf']
  if (Array.isArray(branches)) return unionShape(branches, path)
  switch (schema['type']) {
    case undefined:
      return { 'x-kubernetes-preserve-unknown-fields': true }
    case 'object':
      return objectShape(schema, path)
    case 'array':
      return arrayShape(schema, path)
    case 'string':
      return stringShape(schema, path)
    case 'integer':
      return { type: 'integer', format: schema['format'] === 'int32' ? 'int32' : 'int64', ...numberBounds(schema) }
    case 'number':
      return { type: 'number', ...numberBounds(schema) }
    case 'boolean':
      return { type: 'boolean' }
    default:
      throw refusal(path, `has the type ${JSON.stringify(schema['type'])}`)
  }
}

function intOrStringShape(meta: JsonSchema): StructuralSchema {
  const pattern = typeof meta['pattern'] === 'string' ? { pattern: meta['pattern'] } : {}
  return { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }], ...pattern }
}

function commonParts(schema: JsonSchema, path: string): StructuralSchema {
  const rules = schema['cel'] === undefined ? [] : [schema['cel']].flat()
  if (!rules.every(isCelRule)) throw refusal(path, 'has a cel rule without text')
  return {
    ...(typeof schema['description'] === 'string' ? { description: schema['description'] } : {}),
    ...(schema['nullable'] === true ? { nullable: true } : {}),
    ...(schema['default'] === undefined ? {} : { default: schema['default'] }),
    ...(rules.length === 0 ? {} : { 'x-kubernetes-validations': rules }),
  }
}

function isCelRule(value: unknown): value is CelRule {
  return isSchema(value) && typeof value['rule'] === 'string'
}

function objectShape(schema: JsonSchema, path: string): StructuralSchema {
  const rest = schema['additionalProperties']
  const mapType = typeof schema['mapType'] === 'string' ? { 'x-kubernetes-map-type': schema['mapType'] } : {}
  const required = textsOf(schema['required'])
  const requiredPart = required.length === 0 ? {} : { required }
  if (!isSchema(schema['properties'])) {
    // `record(string, unknown)` keeps what it gets; `object({})` prunes all.
    if (!isSchema(rest)) return { type: 'object', ...mapType }
    if (Object.keys(rest).length === 0) return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, ...mapType }
    const maxProperties = numberOf(schema['maxProperties']) ?? defaultMaxProperties
    return { type: 'object', additionalProperties: structural(rest, `${path}[*]`), maxProperties, ...requiredPart, ...mapType }
  }
  if (isSchema(rest) && Object.keys(rest).length > 0) throw refusal(path, 'has both properties and a type for all others')
  const properties = Object.fromEntries(
    Object.entries(schema['properties']).map(([name, property]) => [name, structural(property, `${path}.${name}`)]),
  )
  const unknown = isSchema(rest) ? ({ 'x-kubernetes-preserve-unknown-fields': true } as const) : {}
  return { type: 'object', properties, ...requiredPart, ...unknown, ...mapType }
}

function arrayShape(schema: JsonSchema, path: string): StructuralSchema {
  if (schema['uniqueItems'] === true) throw refusal(path, 'uses uniqueItems; say listType set')
  const items = structural(schema['items'] ?? {}, `${path}[]`)
  const minItems = numberOf(schema['minItems'])
  return {
    type: 'array',
    items,
    ...(minItems === undefined ? {} : { minItems }),
    maxItems: numberOf(schema['maxItems']) ?? defaultMaxItems,
    ...listParts(schema, items, path),
  }
}

function listParts(schema: JsonSchema, items: StructuralSchema, path: string): StructuralSchema {
  const listType = schema['listType']
  if (typeof listType !== 'string') return {}
  if (listType !== 'map') {
    if (
      listType === 'set' &&
      (items.type === 'array' || items.type === 'object') &&
      items['x-kubernetes-map-type'] !== 'atomic'
    ) {
      throw refusal(path, 'is a set of what is neither scalar nor atomic')
    }
    return { 'x-kubernetes-list-type': listType }
  }
  const keys = textsOf(schema['keys'])
  for (const key of keys) {
    const isThere = items.required?.includes(key) === true || items.properties?.[key]?.default !== undefined
    if (!isThere) throw refusal(path, `is a map by ${key}, which is neither required nor has a default`)
  }
  if (keys.length === 0) throw refusal(path, 'is a map without keys')
  return { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys }
}

function stringShape(schema: JsonSchema, path: string): StructuralSchema {
  if (Array.isArray(schema['enum'])) {
    if (schema['enum'].includes(null)) throw refusal(path, 'has null among its values')
    return { type: 'string', enum: schema['enum'] }
  }
  const format = typeof schema['format'] === 'string' && knownFormats.has(schema['format']) ? schema['format'] : undefined
  const minLength = numberOf(schema['minLength'])
  return {
    type: 'string',
    ...(format === undefined ? patternPart(schema['pattern'], path) : { format }),
    ...(minLength === undefined ? {} : { minLength }),
    maxLength: numberOf(schema['maxLength']) ?? defaultMaxLength,
  }
}

function patternPart(pattern: unknown, path: string): StructuralSchema {
  if (typeof pattern !== 'string') return {}
  const parsed = parsePattern(pattern)
  if (!parsed.ok) throw refusal(path, `has the pattern ${pattern}: ${parsed.problem.expected}`)
  return { pattern }
}

/** Bounds as they were written: those of all safe integers, and of the format int32, say nothing. */
function numberBounds(schema: JsonSchema): StructuralSchema {
  const isInteger = schema['type'] === 'integer'
  const least = schema['format'] === 'int32' ? -(2 ** 31) : Number.MIN_SAFE_INTEGER
  const most = schema['format'] === 'int32' ? 2 ** 31 - 1 : Number.MAX_SAFE_INTEGER
  const [minimum, maximum, multipleOf] = [
    numberOf(schema['minimum']),
    numberOf(schema['maximum']),
    numberOf(schema['multipleOf']),
  ]
  return {
    ...(minimum === undefined || (isInteger && minimum === least) ? {} : { minimum }),
    ...(schema['exclusiveMinimum'] === true ? { exclusiveMinimum: true } : {}),
    ...(maximum === undefined || (isInteger && maximum === most) ? {} : { maximum }),
    ...(schema['exclusiveMaximum'] === true ? { exclusiveMaximum: true } : {}),
    ...(multipleOf === undefined ? {} : { multipleOf }),
  }
}

/** Types may not stand inside `oneOf`: shapes of objects are merged, and a rule says that just one of them is there. */
function unionShape(branches: readonly unknown[], path: string): StructuralSchema {
  const shapes = branches.map(branch => structural(branch, path))
  const [first] = shapes
  if (first !== undefined && shapes.length === 1) return first
  if (shapes.every(shape => shape.type === 'string' && shape.enum !== undefined)) {
    return { type: 'string', enum: [...new Set(shapes.flatMap(shape => shape.enum ?? []))] }
  }
  if (!shapes.every(shape => shape.type === 'object' && shape.properties !== undefined)) {
    throw refusal(path, 'is a union of other things than shapes of objects; numbers or texts are intOrString()')
  }
  const discriminator = discriminatorOf(shapes)
  const required = (first?.required ?? []).filter(name => shapes.every(shape => shape.required?.includes(name) === true))
  const rules =
    discriminator === undefined
      ? [exactlyOneRule(shapes, path)]
      : shapes.flatMap(shape => branchRules(shape, discriminator, required))
  return {
    type: 'object',
    properties: mergedProperties(shapes, path),
    ...(required.length === 0 ? {} : { required }),
    ...(rules.length === 0 ? {} : { 'x-kubernetes-validations': rules }),
  }
}

function mergedProperties(shapes: readonly StructuralSchema[], path: string): Readonly<Record<string, StructuralSchema>> {
  const merged = new Map<string, StructuralSchema>()
  for (const [name, property] of shapes.flatMap(shape => Object.entries(shape.properties ?? {}))) {
    const other = merged.get(name)
    if (other === undefined || isSameJson(other, property)) merged.set(name, property)
    else if (other.enum !== undefined && property.enum !== undefined) {
      merged.set(name, { ...other, enum: [...new Set([...other.enum, ...property.enum])] })
    } else throw refusal(`${path}.${name}`, 'has different types in the branches of a union')
  }
  return Object.fromEntries(merged)
}

/** The field that has a single value of its own in each branch. */
function discriminatorOf(shapes: readonly StructuralSchema[]): string | undefined {
  return Object.keys(shapes[0]?.properties ?? {}).find(name => {
    const values = shapes.map(shape => (shape.required?.includes(name) === true ? shape.properties?.[name]?.enum : undefined))
    return values.every(value => value?.length === 1) && new Set(values.flat()).size === shapes.length
  })
}

function branchRules(shape: StructuralSchema, discriminator: string, common: readonly string[]): readonly CelRule[] {
  const value = String(shape.properties?.[discriminator]?.enum?.[0])
  return (shape.required ?? [])
    .filter(name => !common.includes(name))
    .map(name => ({
      rule: `self.${discriminator} != '${value}' || has(self.${name})`,
      message: `${name} is required where ${discriminator} is ${value}`,
    }))
}

function exactlyOneRule(shapes: readonly StructuralSchema[], path: string): CelRule {
  const keys = shapes.map(shape => {
    const others = new Set(shapes.filter(other => other !== shape).flatMap(other => Object.keys(other.properties ?? {})))
    const own = shape.required?.find(name => !others.has(name))
    if (own === undefined) throw refusal(path, 'is a union with a branch that no required field of its own tells apart')
    return own
  })
  return {
    rule: `[${keys.map(key => `has(self.${key})`).join(', ')}].filter(x, x).size() == 1`,
    message: `exactly one of ${keys.join(', ')} must be set`,
  }
}

/** A default that the API server would prune is another default than the one written. */
function checkDefault(value: unknown, schema: StructuralSchema, path: string): void {
  if (schema.enum !== undefined && !schema.enum.includes(value)) throw refusal(path, 'has a default that is not among its values')
  if (Array.isArray(value)) {
    for (const item of value) if (schema.items !== undefined) checkDefault(item, schema.items, `${path}[]`)
    return
  }
  if (!isSchema(value) || schema['x-kubernetes-preserve-unknown-fields'] === true) return
  for (const [name, inner] of Object.entries(value)) {
    const property = schema.properties?.[name] ?? schema.additionalProperties
    if (property === undefined) throw refusal(path, `has a default with the unknown field ${name}`)
    checkDefault(inner, property, `${path}.${name}`)
  }
  for (const name of schema.required ?? [])
    if (!Object.hasOwn(value, name)) throw refusal(path, `has a default without the required field ${name}`)
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(text => typeof text === 'string') : []
}

function refusal(path: string, what: string): Error {
  return new Error(`schema of a CRD: ${path} ${what}`)
}
