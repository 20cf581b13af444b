// Schemas of the built-in kinds, made from the generated table when they are first asked for.
//
// Codes of the table: `s` string, `y` bytes, `i` int32, `l` int64, `n` double, `b` boolean, `t` time, `m` time with microseconds,
// `x` int or string, `*` anything, `[` list of, `{` map of, `@Name` struct; `!` at the end: required.
import table from '../generated/schemas.json' with { type: 'json' }
import { droppedLists, droppedScalars, embedded, pointers, writtenLists, writtenScalars } from './go-fields.ts'
import { atomicMaps, granularFields, isAtomicStruct, listSemantics, patchedStructs } from './list-semantics.ts'
import { quantityFields } from './quantity-fields.ts'
import { atomicList, type FieldSchema, type Scalar, type Schema, type StructSchema, wholeSchema } from './schema.ts'

const definitions: Readonly<Record<string, Readonly<Record<string, string>>>> = table.definitions
const kinds: Readonly<Record<string, string>> = table.kinds

const structs = new Map<string, StructSchema>()

/** The name of a kind's definition: `V1Pod`. */
export function definitionName(group: string, version: string, kind: string): string | undefined {
  const key = `${group}/${version}/${kind}`
  return Object.hasOwn(kinds, key) ? kinds[key] : undefined
}

/** Whether the table has the kind. */
export function builtInKind(group: string, version: string, kind: string): boolean {
  return definitionName(group, version, kind) !== undefined
}

/** All definitions of the table, by name, as they are written in it. */
export function definitionCodes(name: string): Readonly<Record<string, string>> | undefined {
  return Object.hasOwn(definitions, name) ? definitions[name] : undefined
}

/** The schema of a built-in kind; undefined for kinds the table does not have. */
export function builtInSchema(group: string, version: string, kind: string): StructSchema | undefined {
  const name = definitionName(group, version, kind)
  return name === undefined ? undefined : structSchema(name)
}

/** `V1PodSpec` and `CoreV1Event` as `PodSpec` and `Event`. */
export function structName(definition: string): string {
  return definition.replace(/^([A-Z][a-z]*?)?V\d+((alpha|beta)\d+)?(?=[A-Z])/, '')
}

export function structSchema(definition: string): StructSchema {
  const known = structs.get(definition)
  if (known !== undefined) return known
  const codes = definitionCodes(definition)
  if (codes === undefined) throw new Error(`the schema table has no definition ${definition}`)
  const name = structName(definition)
  const fields = new Map<string, FieldSchema>()
  const written = new Map<string, Schema>()
  const needed: string[] = []
  const struct: StructSchema = {
    kind: 'struct',
    name: definition,
    fields,
    isAtomic: isAtomicStruct(definition, name),
    preservesUnknown: false,
    written,
    needed,
  }
  // Before its fields, since definitions may contain themselves.
  structs.set(definition, struct)
  for (const [field, code] of Object.entries(codes)) {
    const schema = fieldSchema(`${name}.${field}`, code)
    const writing = writingOf(definition, field, schema)
    fields.set(field, writing === 'dropped' ? { ...schema, isDropped: true } : schema)
    if (writing === 'written') written.set(field, schema.schema)
    if (schema.isRequired || (writing === 'written' && schema.schema.kind === 'struct')) needed.push(field)
  }
  return struct
}

function fieldSchema(path: string, code: string): FieldSchema {
  const isRequired = code.endsWith('!')
  const schema = schemaOfCode(path, isRequired ? code.slice(0, -1) : code)
  const patch = patchedStructs[path]
  return patch === undefined ? { schema, isRequired } : { schema, isRequired, patch }
}

/** What Go's encoder does with a field that holds nothing; a field that is kept is written as it was sent, or not at all. */
function writingOf(definition: string, field: string, { schema, isRequired }: FieldSchema): 'written' | 'dropped' | 'kept' {
  const path = `${definition}.${field}`
  const hasWord = (table: Readonly<Record<string, string>>) =>
    Object.hasOwn(table, definition) && table[definition]?.split(' ').includes(field) === true
  if (schema.kind === 'list') return droppedLists.has(path) || (!isRequired && !writtenLists.has(path)) ? 'dropped' : 'written'
  if (schema.kind === 'map') return isRequired && !droppedLists.has(path) ? 'kept' : 'dropped'
  if (hasWord(embedded)) return 'written'
  if (schema.kind === 'struct') return isObjectPart(definition, field) ? 'written' : 'kept'
  if (schema.kind !== 'scalar' || !hasZero(schema.scalar) || hasWord(pointers)) return 'kept'
  const isWritten = isRequired ? !droppedScalars.has(path) : writtenScalars.has(path)
  return isWritten ? 'written' : 'dropped'
}

const objectParts = new Set(['metadata', 'spec', 'status'])

/** Whether a field belongs to something that has metadata, but not to metadata itself. */
function isObjectPart(definition: string, field: string): boolean {
  return objectParts.has(field) && definitionCodes(definition)?.['metadata'] !== undefined
}

/** Times and numbers that may be text are structs in Go: they are never left out for what they hold. */
function hasZero(scalar: Scalar): boolean {
  return scalar !== 'time' && scalar !== 'micro-time' && scalar !== 'int-or-string' && scalar !== 'quantity'
}

const scalars: Readonly<Record<string, Scalar>> = {
  s: 'string',
  y: 'bytes',
  i: 'int32',
  l: 'int64',
  n: 'double',
  b: 'boolean',
  t: 'time',
  m: 'micro-time',
  x: 'int-or-string',
}

/** JSON trees without a shape, whatever the published classes say of them. */
const shapeless = new Set(['V1FieldsV1', 'RawExtension'])

function schemaOfCode(path: string, code: string): Schema {
  const rest = code.slice(1)
  switch (code[0]) {
    case '[':
      return { kind: 'list', item: schemaOfCode(path, rest), semantics: listSemantics[path] ?? atomicList }
    case '{':
      return { kind: 'map', value: schemaOfCode(path, rest), isAtomic: atomicMaps.has(path) }
    case '@':
      if (shapeless.has(rest) || definitionCodes(rest) === undefined) return wholeSchema
      return granularFields.has(path) ? { ...structSchema(rest), isAtomic: false } : structSchema(rest)
    case '*':
      return wholeSchema
    default: {
      const scalar = quantityFields.has(path) && code === 's' ? 'quantity' : scalars[code]
      return scalar === undefined ? wholeSchema : { kind: 'scalar', scalar }
    }
  }
}
