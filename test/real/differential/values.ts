// Objects of a kind with one field more: what each field can be that is interesting, and how it is put where it belongs.
import { wellKnown } from './bases.ts'
import type { FieldType } from './served.ts'

/** Names of fields; `0` is the first item of a list, `k` a key of a map. */
export type FieldPath = readonly string[]

export interface Change {
  readonly path: FieldPath
  /** Undefined takes the field away. */
  readonly value: unknown
}

type Fields = Readonly<Record<string, unknown>>

const deepest = 12
/** What the server sets, or what a request says by its path. */
const reserved =
  /^(apiVersion|kind|metadata\.(name|namespace|uid|resourceVersion|managedFields.*|selfLink|creationTimestamp|deletion.*))$/

/** Every field of a type that a client may set, parents before what is in them. */
export function fieldPaths(type: FieldType, at: FieldPath = []): readonly FieldPath[] {
  // Schemas of schemas go on for ever.
  if (at.length > deepest || at.filter(name => name === 'properties' || name === 'not' || name === 'items').length > 2) return []
  const inner = (name: string, next: () => FieldType): readonly FieldPath[] => {
    const path = [...at, name]
    return reserved.test(path.join('.')) ? [] : [path, ...fieldPaths(next(), path)]
  }
  switch (type.kind) {
    case 'object':
      return [...type.fields].flatMap(([name, next]) => inner(name, next))
    case 'list':
      return inner('0', type.item)
    case 'map':
      return inner('k', type.value)
    default:
      return []
  }
}

export function typeAt(type: FieldType, path: FieldPath): FieldType {
  const [name, ...rest] = path
  if (name === undefined) return type
  switch (type.kind) {
    case 'object': {
      const next = type.fields.get(name)
      return next === undefined ? { kind: 'any' } : typeAt(next(), rest)
    }
    case 'list':
      return typeAt(type.item(), rest)
    case 'map':
      return typeAt(type.value(), rest)
    default:
      return { kind: 'any' }
  }
}

/** Zero, empty, absent, the largest, something plausible, and now and then what is of another type. */
export function interesting(type: FieldType, path: FieldPath): readonly unknown[] {
  const good = plausible(type, path.at(-1) ?? '', 0)
  switch (type.kind) {
    case 'string':
      return [good, '', undefined, ...type.choices, ...type.choices, 'a'.repeat(64), 'A_b', ...(type.format === '' ? [] : [good])]
    case 'integer':
      return [good, 0, 1, -1, 2147483647, undefined, type.is64 ? '{{int64}}' : 2147483648, '{{over64}}', '{{exponent}}']
    case 'number':
      return [good, 0, -1, 1.5, '{{over64}}', '{{enormous}}']
    case 'boolean':
      return [true, false, true, false, undefined]
    case 'quantity':
      return [good, '0', '', '1500m', '9223372036854775807', '-1', 2, '{{over64}}', undefined]
    case 'int-or-string':
      return [good, 0, 1, '0%', '50%', '', 'http', -1, 65536, undefined]
    case 'list':
      return [good, [], undefined, [plausible(type.item(), path.at(-1) ?? '', 0), plausible(type.item(), 'other', 0)], null]
    case 'map':
      return [good, {}, undefined, { a: plausible(type.value(), 'a', 0), 'example.com/b': plausible(type.value(), 'b', 0) }, null]
    case 'object':
      return [good, good, {}, undefined, null]
    case 'any':
      return [good, {}, null, { a: { b: [1, 'x', null] } }]
  }
}

/** Something that a server may well take. */
function plausible(type: FieldType, name: string, depth: number): unknown {
  const known = wellKnown[name]
  if (known !== undefined && fits(type, known)) return known
  switch (type.kind) {
    case 'string':
      if (type.choices.length > 0) return type.choices[0]
      return type.format === 'date-time' ? '2026-01-01T00:00:00Z' : type.format === 'byte' ? 'Yg==' : 'a'
    case 'integer':
      return 1
    case 'number':
      return 1
    case 'boolean':
      return true
    case 'quantity':
      return '1'
    case 'int-or-string':
      return 1
    case 'list':
      return depth > deepest ? [] : [plausible(type.item(), name.replace(/s$/, ''), depth + 1)]
    case 'map':
      return { a: plausible(type.value(), 'a', depth + 1) }
    case 'object':
      if (depth > deepest) return {}
      return Object.fromEntries(
        type.required.flatMap(field => {
          const next = type.fields.get(field)
          return next === undefined ? [] : [[field, plausible(next(), field, depth + 1)]]
        }),
      )
    case 'any':
      return { a: 1 }
  }
}

function fits(type: FieldType, value: unknown): boolean {
  switch (type.kind) {
    case 'string':
      return typeof value === 'string' && type.choices.length === 0
    case 'integer':
    case 'number':
      return typeof value === 'number'
    case 'int-or-string':
      return typeof value === 'number' || typeof value === 'string'
    case 'boolean':
      return typeof value === 'boolean'
    case 'list':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && !Array.isArray(value)
    default:
      return false
  }
}

/** The object with the change made; what leads there is made with what it requires. */
export function changed(type: FieldType, object: Fields, { path, value }: Change): Fields {
  const result = setIn(type, object, path, value)
  return isFields(result) ? result : object
}

function setIn(type: FieldType, holder: unknown, path: FieldPath, value: unknown): unknown {
  const [name, ...rest] = path
  if (name === undefined) return value
  const inner = typeAt(type, [name])
  if (type.kind === 'list') {
    const items: readonly unknown[] = Array.isArray(holder) ? holder : []
    const first = setIn(inner, items[0] ?? (rest.length === 0 ? undefined : plausible(inner, '', 0)), rest, value)
    return first === undefined ? items.slice(1) : [first, ...items.slice(1)]
  }
  const fields = isFields(holder) ? holder : {}
  const before = fields[name] ?? (rest.length === 0 ? undefined : plausible(inner, name, 0))
  const after = setIn(inner, before, rest, value)
  const { [name]: _before, ...others } = fields
  return after === undefined ? others : { ...fields, [name]: after }
}

/** The change alone, in what leads there: the body of a merge patch. Null takes a field away. */
export function patchOf(path: FieldPath, value: unknown): unknown {
  const [name, ...rest] = path
  if (name === undefined) return value ?? null
  return name === '0' ? [patchOf(rest, value)] : { [name]: patchOf(rest, value) }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
