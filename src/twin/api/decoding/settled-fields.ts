// One walk over a decoded body with its kind's schema: fields that the kind does not have are taken out and named, values get the
// form they are stored in, and the first one of a wrong type is what the body is refused for. Order and words are Go's.
import { type Draft, isFields, OddNumber } from '#kube/values/json-tree.ts'
import { isEmpty, setField } from '../../json-value.ts'
import { namedText } from '../../schema/named-texts.ts'
import type { Scalar, Schema, StructSchema } from '../../schema/schema.ts'
import { structName } from '../../schema/schema-table.ts'
import { goKind } from '../go-words.ts'
import { inlineStruct } from './protobuf.ts'
import { storedQuantity } from './stored-quantity.ts'
import { storedTime, timeFault } from './stored-time.ts'

export interface Settled {
  /** What a strict reader refuses, in order: `unknown field "spec.foo"`. */
  readonly problems: readonly string[]
  /** Why the body cannot be taken at all. */
  readonly fault: string | undefined
  /** The same in the words of a strategic merge, which restores structs from maps. */
  readonly restoreFault: string | undefined
}

/** Upstream stops counting there. */
export const mostProblems = 100

interface SettleOptions {
  /** Paths of keys that the object's text has twice. */
  readonly repeated?: readonly string[]
  /** Custom kinds: their own fields are held to their schema later, in words of their own. */
  readonly isCustom?: boolean
  /** As Go makes structs of maps: whole numbers of any size and form are brought into the range of their field. */
  readonly restores?: boolean
}

/** Brings `draft` into the form it is stored in. */
export function settleFields(
  schema: StructSchema,
  draft: Draft,
  { repeated = [], isCustom = false, restores = false }: SettleOptions = {},
): Settled {
  const walk = new Walk(new Set(repeated), isCustom, restores)
  walk.struct(schema, draft, undefined)
  return { problems: walk.problems, fault: walk.fault, restoreFault: walk.restoreFault }
}

/** Where a value is: names are joined only when somebody asks. */
interface Place {
  readonly parent: Place | undefined
  readonly step: string | number
  /** Not a key of a map or a place in a list. */
  readonly isField: boolean
  /** The struct that has the field. */
  readonly holder?: StructSchema
}

const absent = Symbol('absent')

class Walk {
  readonly problems: string[] = []
  fault: string | undefined
  restoreFault: string | undefined
  readonly #repeated: ReadonlySet<string>
  readonly #isCustom: boolean
  readonly #restores: boolean

  constructor(repeated: ReadonlySet<string>, isCustom: boolean, restores: boolean) {
    this.#repeated = repeated
    this.#isCustom = isCustom
    this.#restores = restores
  }

  struct(schema: StructSchema, fields: Draft, at: Place | undefined): void {
    const hasRepeated = this.#repeated.size > 0
    for (const name of Object.keys(fields)) {
      const value = fields[name]
      const field = schema.fields.get(name)
      if (field === undefined) {
        if (schema.preservesUnknown) this.#keep(fields, name, value)
        else {
          this.#problem('unknown', { parent: at, step: name, isField: true })
          delete fields[name]
        }
        continue
      }
      if (this.#isCustom && isOwnStruct(schema)) {
        this.#custom(field.schema, fields, name, at)
        continue
      }
      const settled = this.#value(field.schema, value, { parent: at, step: name, isField: true, holder: schema }, schema)
      if (hasRepeated) this.#noteRepeated({ parent: at, step: name, isField: true })
      if (settled === absent || (field.isDropped === true && isEmpty(settled))) delete fields[name]
      else if (settled !== value) fields[name] = settled
    }
  }

  /** Unknown fields of custom objects are pruned whatever else is wrong with them. */
  #custom(schema: Schema, fields: Draft, name: string, at: Place | undefined): void {
    const value = fields[name]
    const place: Place = { parent: at, step: name, isField: true }
    if (schema.kind === 'struct' && isFields(value)) this.struct(schema, value, place)
    else if (schema.kind === 'map' && isFields(value))
      for (const key of Object.keys(value)) this.#custom(schema.value, value, key, place)
    else if (schema.kind === 'list' && Array.isArray(value)) {
      for (const [index, item] of value.entries()) {
        const holder: Draft = { item }
        if (isFields(item) && schema.item.kind === 'struct')
          this.struct(schema.item, item, { parent: place, step: index, isField: false })
        else this.#custom(schema.item, holder, 'item', place)
        value[index] = holder['item']
      }
    } else this.#keep(fields, name, value)
  }

  /** The value as it is stored. */
  #value(schema: Schema, value: unknown, at: Place, holder: StructSchema): unknown {
    switch (schema.kind) {
      case 'scalar':
        return fits(schema.scalar, value) ? value : this.#scalar(schema.scalar, value, at, holder)
      case 'struct':
        if (value === null || value === undefined) return absent
        if (isFields(value)) this.struct(schema, value, at)
        else this.#mismatch(value, at, holder, goType(schema))
        return value
      case 'map':
        if (value === null || value === undefined) return absent
        if (isFields(value)) this.#map(schema, value, at, holder)
        else this.#mismatch(value, at, holder, goType(schema))
        return value
      case 'list':
        if (value === null || value === undefined) return absent
        if (Array.isArray(value)) this.#list(schema.item, value, at, holder)
        else this.#mismatch(value, at, holder, goType(schema))
        return value
      case 'any':
        return this.#anything(value)
    }
  }

  #map(schema: Extract<Schema, { kind: 'map' }>, fields: Draft, at: Place, holder: StructSchema): void {
    for (const key of Object.keys(fields)) {
      const value = fields[key]
      const settled = this.#value(
        schema.value,
        value === null ? zeroOf(schema.value) : value,
        { parent: at, step: key, isField: false },
        holder,
      )
      if (this.#repeated.size > 0) this.#noteRepeated({ parent: at, step: key, isField: false })
      if (settled !== value) setField(fields, key, settled === absent ? null : settled)
    }
  }

  #list(item: Schema, items: unknown[], at: Place, holder: StructSchema): void {
    for (let index = 0; index < items.length; index++) {
      const value = items[index]
      const settled = this.#value(
        item,
        value === null ? zeroOf(item) : value,
        { parent: at, step: index, isField: false },
        holder,
      )
      if (settled !== value) items[index] = settled === absent ? null : settled
    }
  }

  #scalar(scalar: Scalar, value: unknown, at: Place, holder: StructSchema): unknown {
    if (value === null || value === undefined) return absent
    switch (scalar) {
      case 'quantity':
        return this.#quantity(value, holder)
      case 'time':
      case 'micro-time': {
        if (typeof value !== 'string') {
          this.#mismatch(value, at, holder, 'string')
          return value
        }
        const fault = timeFault(value, scalar)
        this.#fail(fault)
        return fault === undefined ? storedTime(value, scalar) : value
      }
      case 'bytes':
        if (typeof value !== 'string') this.#mismatch(value, at, holder, '[]uint8')
        else return this.#bytes(value)
        return value
      case 'double':
        if (value instanceof OddNumber && Number.isFinite(value.value)) return value.value
        if (typeof value === 'bigint') return Number(value)
        break
      case 'int-or-string':
        if (value instanceof OddNumber || typeof value === 'bigint') break
        this.#fail(`json: cannot unmarshal ${goKind(value)} into Go value of type int32`)
        return value
      case 'int32':
      case 'int64': {
        const whole = this.#restores ? restoredInteger(value, scalar) : undefined
        if (whole !== undefined) return whole
        break
      }
      default:
    }
    this.#mismatch(value, at, holder, goTypes[scalar])
    return value
  }

  #quantity(value: unknown, holder: StructSchema): unknown {
    const text =
      value instanceof OddNumber
        ? value.source
        : typeof value === 'object' || typeof value === 'boolean'
          ? ''
          : String(value).trim()
    const stored = storedQuantity(text, roundedLists.has(structName(holder.name)))
    if (stored.ok) return stored.text
    this.#fail(stored.why)
    return value
  }

  #bytes(text: string): string {
    const plain = /[\r\n]/.test(text) ? text.replaceAll(/[\r\n]/g, '') : text
    const bad = base64Fault(plain)
    if (bad !== undefined) this.#fail(`illegal base64 data at input byte ${bad}`)
    return plain
  }

  /** Trees without a shape: numbers alone need a look. */
  #anything(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value
    if (value instanceof OddNumber) {
      if (!Number.isFinite(value.value)) this.#fail(`json: cannot unmarshal number ${value.source} into Go value of type float64`)
      return value.value
    }
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index++) value[index] = this.#anything(value[index])
      return value
    }
    if (isFields(value)) for (const key of Object.keys(value)) this.#keep(value, key, value[key])
    return value
  }

  #keep(fields: Draft, name: string, value: unknown): void {
    if (typeof value !== 'object' || value === null) return
    const settled = this.#anything(value)
    if (settled !== value) setField(fields, name, settled)
  }

  #noteRepeated(at: Place): void {
    if (this.#repeated.has(pathOf(at))) this.#problem('duplicate', at)
  }

  #problem(what: 'unknown' | 'duplicate', at: Place): void {
    if (this.problems.length < mostProblems) this.problems.push(`${what} field ${JSON.stringify(pathOf(at))}`)
  }

  #mismatch(value: unknown, at: Place, holder: StructSchema, expected: string): void {
    if (this.fault !== undefined) return
    this.restoreFault = restoreWords(value, expected)
    // Paths of Go's errors name fields alone, neither keys of maps nor places in lists.
    const names: string[] = []
    for (let place: Place | undefined = at; place !== undefined; place = place.parent) {
      const { step, isField, holder: within } = place
      if (!isField) continue
      const inner = within === undefined ? undefined : inlineStruct(structName(within.name), String(step))
      names.unshift(...(inner === undefined ? [] : [inner]), String(step))
    }
    const named = expected === 'string' ? namedText(holder.name, names.at(-1) ?? '') : undefined
    // What else is said of a user has a type of its own.
    const type = expected === '[]string' && names.at(-1) === 'extra' ? 'v1.ExtraValue' : (named ?? expected)
    const isNumber = /^u?int|^float/.test(expected)
    const found =
      isNumber && (typeof value === 'number' || typeof value === 'bigint')
        ? `number ${value}`
        : isNumber && value instanceof OddNumber
          ? `number ${value.source}`
          : goKind(value)
    this.#fail(
      `json: cannot unmarshal ${found} into Go struct field ${structName(holder.name)}.${names.join('.')} of type ${type}`,
    )
  }

  #fail(why: string | undefined): void {
    this.fault ??= why
  }
}

const emptyQuantity = '0'

/** Structs of custom schemas have no name; ObjectMeta has one. */
function isOwnStruct(schema: StructSchema): boolean {
  return schema.name === ''
}

/** What Go makes of null where a value must be. */
function zeroOf(schema: Schema): unknown {
  if (schema.kind === 'struct') return {}
  if (schema.kind !== 'scalar') return null
  switch (schema.scalar) {
    case 'quantity':
      return emptyQuantity
    case 'string':
    case 'int-or-string':
      return schema.scalar === 'string' ? '' : 0
    case 'int32':
    case 'int64':
    case 'double':
      return 0
    case 'boolean':
      return false
    default:
      return null
  }
}

/** What Go's conversion makes of a whole number: what is past an int64 is the least one, and int32 keeps the low bits. */
function restoredInteger(value: unknown, scalar: 'int32' | 'int64'): number | bigint | undefined {
  const number = value instanceof OddNumber ? value.value : value
  if (typeof number !== 'bigint' && !Number.isInteger(number)) return undefined
  const whole = BigInt(number as number | bigint)
  const held = BigInt.asIntN(64, whole) === whole ? whole : -(2n ** 63n)
  const stored = scalar === 'int32' ? BigInt.asIntN(32, held) : held
  return Number.isSafeInteger(Number(stored)) ? Number(stored) : stored
}

/** The quick yes for values that are stored as they came. */
function fits(scalar: Scalar, value: unknown): boolean {
  switch (scalar) {
    case 'string':
      return typeof value === 'string'
    case 'boolean':
      return typeof value === 'boolean'
    case 'int32':
      return typeof value === 'number' && (value | 0) === value
    case 'int64':
      return Number.isSafeInteger(value) || typeof value === 'bigint'
    case 'double':
      return typeof value === 'number'
    case 'int-or-string':
      return typeof value === 'string' || (typeof value === 'number' && (value | 0) === value)
    default:
      return false
  }
}

/** Structs whose maps of quantities are rounded up to thousandths: the resource lists of core/v1. */
const roundedLists = new Set([
  'ResourceRequirements',
  'VolumeResourceRequirements',
  'NodeStatus',
  'PersistentVolumeSpec',
  'PersistentVolumeClaimStatus',
  'LimitRangeItem',
  'ResourceQuotaSpec',
  'ResourceQuotaStatus',
  'PodSpec',
  'ContainerStatus',
  'PodStatus',
  'Overhead',
])

const goTypes: Readonly<Record<Scalar, string>> = {
  string: 'string',
  bytes: '[]uint8',
  int32: 'int32',
  int64: 'int64',
  double: 'float64',
  boolean: 'bool',
  time: 'string',
  'micro-time': 'string',
  'int-or-string': 'int32',
  quantity: 'string',
}

function goType(schema: Schema): string {
  switch (schema.kind) {
    case 'scalar':
      return schema.scalar === 'quantity' ? 'resource.Quantity' : goTypes[schema.scalar]
    case 'list':
      return `[]${goType(schema.item)}`
    case 'map':
      return `map[string]${goType(schema.value)}`
    case 'struct':
      return `${schema.name.startsWith('V2') ? 'v2' : 'v1'}.${structName(schema.name)}`
    case 'any':
      return 'interface {}'
  }
}

function pathOf(at: Place): string {
  let path = ''
  for (let place: Place | undefined = at; place !== undefined; place = place.parent) {
    const step = typeof place.step === 'number' ? `[${place.step}]` : place.step
    path = path === '' || path.startsWith('[') ? `${step}${path}` : `${step}.${path}`
  }
  return path
}

/** The first byte that is wrong; undefined for base64 with its padding. */
function base64Fault(text: string): number | undefined {
  const odd = /[^A-Za-z0-9+/=]/.exec(text)
  if (odd !== null) return odd.index
  if (text.length % 4 === 0 && /^[^=]*={0,2}$/.test(text)) return undefined
  return Math.floor(text.length / 4) * 4
}

/** Go's converter from maps to structs. */
function restoreWords(value: unknown, expected: string): string {
  const found = Array.isArray(value)
    ? 'slice'
    : typeof value === 'object'
      ? 'map'
      : typeof value === 'number'
        ? Number.isInteger(value)
          ? 'int64'
          : 'float64'
        : typeof value === 'boolean'
          ? 'bool'
          : 'string'
  if (expected.startsWith('map[')) return `cannot restore map from ${found}`
  if (expected.startsWith('[]')) return `cannot restore slice from ${found}`
  if (expected.startsWith('v1.')) return `cannot restore struct from: ${found}`
  if (expected !== 'string' || found === 'slice' || found === 'map') return `unrecognized type: ${expected}`
  return `cannot convert ${found} to string`
}
