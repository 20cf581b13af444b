// What decoding does to the values of an object that is loaded: each is held to its schema, quantities become text, and a list or map that
// an optional field holds empty is as if it were not there.
import { canonicalText, parseQuantity } from '#kube/values/quantity.ts'
import { type Draft, isFields, jsonText, setField } from '../../json-value.ts'
import type { FieldSchema, Scalar, Schema, StructSchema } from '../../schema/schema.ts'

/** The first value of an object that is not what its schema says. */
interface ShapeFault {
  readonly code: 'field-type' | 'field-missing' | 'quantity-syntax'
  /** `spec.containers[0].ports`. */
  readonly path: string
  readonly found: string
  /** What would be right. */
  readonly expected: string
}

const shownCharacters = 100

/** Brings an object into the form it is stored in, as far as there is nothing wrong with it. One walk, since dumps are long. */
export function settleValues(schema: StructSchema, draft: Draft): ShapeFault | undefined {
  return settleStruct(schema, draft, false)
}

/** Paths of what `settleValues` prunes of a custom object, as far as its shape is right. */
export function prunedPaths(schema: Schema, value: unknown): readonly string[] {
  const below = (step: string, inner: Schema, item: unknown) => prunedPaths(inner, item).map(path => `${step}${path}`)
  switch (schema.kind) {
    case 'struct':
      return Object.entries(isFields(value) ? value : {}).flatMap(([key, item]) => {
        const field = schema.fields.get(key)
        if (field !== undefined) return below(`.${key}`, field.schema, item)
        return schema.written === undefined && !schema.preservesUnknown ? [`.${key}`] : []
      })
    case 'list':
      return Array.isArray(value) ? value.flatMap((item, index) => below(`[${index}]`, schema.item, item)) : []
    case 'map':
      return Object.entries(isFields(value) ? value : {}).flatMap(([key, item]) => below(`[${key}]`, schema.value, item))
    default:
      return []
  }
}

function settleStruct(schema: StructSchema, value: Draft, isStatus: boolean): ShapeFault | undefined {
  // By what it has: a schema has many more fields than any object.
  for (const key of Object.keys(value)) {
    const field = schema.fields.get(key)
    const item = value[key]
    if (item === undefined) {
      // Who loads objects of a program may leave a field open; no JSON has it.
      delete value[key]
      continue
    }
    if (field === undefined) {
      // A server prunes what a definition does not describe; of built-in kinds it may be of a newer version.
      if (schema.written === undefined && !schema.preservesUnknown) delete value[key]
      continue
    }
    if (item === null || (field.isDropped === true && isEmptyCollection(field.schema, item))) {
      delete value[key]
      continue
    }
    const fault = settle(field.schema, item, { holder: value, key, isStatus: isStatus || key === 'status' })
    if (fault !== undefined) return below(`.${key}`, fault)
  }
  for (const key of schema.needed ?? []) {
    if (value[key] !== undefined) continue
    const field = schema.fields.get(key)
    const fault = field === undefined ? undefined : absent(field, value, { key, isStatus })
    if (fault !== undefined) return below(`.${key}`, fault)
  }
  return undefined
}

/** A field that must be there and is not. A status is read as Go reads it: what is not there is zero. A struct is there, with nothing in it. */
function absent(
  { schema, isRequired }: FieldSchema,
  holder: Draft,
  { key, isStatus }: { readonly key: string; readonly isStatus: boolean },
): ShapeFault | undefined {
  if (schema.kind === 'struct' && !isRequired) {
    const made: Draft = {}
    const fault = settleStruct(schema, made, isStatus || key === 'status')
    if (fault === undefined && key === 'spec') holder[key] = made
    return fault
  }
  if (isStatus && schema.kind === 'scalar') return undefined
  return { code: 'field-missing', path: '', found: 'nothing', expected: meant(schema) }
}

interface Place {
  readonly holder: Draft | unknown[]
  readonly key: string | number
  readonly isStatus: boolean
}

function settle(schema: Schema, value: unknown, at: Place): ShapeFault | undefined {
  switch (schema.kind) {
    case 'scalar':
      if (schema.scalar === 'quantity') return settleQuantity(value, at)
      return fits(schema.scalar, value) ? undefined : wrong(value, schema)
    case 'map':
      if (!isFields(value)) return wrong(value, schema)
      for (const key of Object.keys(value)) {
        const item = value[key]
        // `key:` without a value is an empty text for Go.
        if (item === null && schema.value.kind === 'scalar' && schema.value.scalar === 'string') setField(value, key, '')
        else {
          const fault = settle(schema.value, item, { holder: value, key, isStatus: at.isStatus })
          if (fault !== undefined) return below(`[${key}]`, fault)
        }
      }
      return undefined
    case 'struct':
      return isFields(value) ? settleStruct(schema, value, at.isStatus) : wrong(value, schema)
    case 'list':
      if (!Array.isArray(value)) return wrong(value, schema)
      for (let index = 0; index < value.length; index++) {
        const fault = settle(schema.item, value[index], { holder: value, key: index, isStatus: at.isStatus })
        if (fault !== undefined) return below(`[${index}]`, fault)
      }
      return undefined
    case 'any':
      return undefined
    default:
      return schema satisfies never
  }
}

/** In its canonical form: `1000m` is stored as `1`. */
function settleQuantity(value: unknown, { holder, key }: Place): ShapeFault | undefined {
  const parsed = typeof value === 'string' || typeof value === 'number' ? parseQuantity(String(value)) : undefined
  if (parsed?.ok !== true) return { ...wrong(value, { kind: 'scalar', scalar: 'quantity' }), code: 'quantity-syntax' }
  const text = canonicalText(parsed.value)
  if (text !== value) Reflect.set(holder, key, text)
  return undefined
}

function fits(scalar: Scalar, value: unknown): boolean {
  switch (scalar) {
    case 'boolean':
      return typeof value === 'boolean'
    case 'int32':
      return typeof value === 'number' && (value | 0) === value
    case 'int64':
      // A file's numbers past 2^53 were rounded when they were read.
      return Number.isInteger(value) || typeof value === 'bigint'
    case 'double':
      return Number.isFinite(value)
    case 'int-or-string':
      return typeof value === 'string' || (typeof value === 'number' && (value | 0) === value)
    default:
      return typeof value === 'string'
  }
}

function below(step: string, fault: ShapeFault): ShapeFault {
  return { ...fault, path: `${step}${fault.path}` }
}

function wrong(value: unknown, schema: Schema): ShapeFault {
  return { code: 'field-type', path: '', found: shown(value), expected: meant(schema) }
}

function shown(value: unknown): string {
  return (jsonText(value) ?? String(value)).slice(0, shownCharacters)
}

const scalarWords: Readonly<Record<Scalar, string>> = {
  string: 'a text',
  bytes: 'bytes as base64 text',
  int32: 'a whole number of 32 bits',
  int64: 'a whole number',
  double: 'a number',
  boolean: 'true or false',
  time: 'a time such as 2026-01-31T12:00:00Z',
  'micro-time': 'a time such as 2026-01-31T12:00:00.000000Z',
  'int-or-string': 'a whole number or a text',
  quantity: 'a quantity such as 500m or 2Gi',
}

function meant(schema: Schema): string {
  switch (schema.kind) {
    case 'scalar':
      return scalarWords[schema.scalar]
    case 'list':
      return 'a list'
    case 'map':
      return 'a map'
    default:
      return 'an object'
  }
}

/** Structs are another matter: `emptyDir: {}` says something. */
function isEmptyCollection(schema: Schema, value: unknown): boolean {
  if (schema.kind === 'list') return Array.isArray(value) && value.length === 0
  return schema.kind === 'map' && isFields(value) && Object.keys(value).length === 0
}
