// Objects as Go's typed API writes them in protobuf: what is no pointer is written with its zero, what is one only where it is set. The
// numbers are those of the generated table, the types those of the schemas; a real server's bytes say whether both are right.
import { BackwardWriter } from '#kube/backward-writer.ts'
import { encodeFrame, frameAround } from '#kube/client/protobuf.ts'
import { type Draft, isFields, itemsAt, jsonText } from '../../json-value.ts'
import type { Scalar, Schema, StructSchema } from '../../schema/schema.ts'
import { builtInSchema, structName, structSchema } from '../../schema/schema-table.ts'
import { hasNumbers, inlined, numbersOf, sectionOf } from '../decoding/protobuf.ts'
import { splitApiVersion } from '../resource-type.ts'

/** A value that no field of Go's type can hold. */
export class NotTyped extends Error {
  override readonly name = 'NotTyped'
}

/** Writes a field with its number, or nothing. */
type FieldWriter = (writer: BackwardWriter, value: unknown) => void

interface MessageField {
  /** Undefined for a struct whose fields lie in the object itself. */
  readonly name: string | undefined
  readonly write: FieldWriter
}

/** The fields of a message, the last one first. */
type MessageFields = readonly MessageField[]

interface MessageType {
  readonly message: string
  readonly section: string
  readonly schema: StructSchema
}

/** Answers whose kind is no resource: their definitions. */
const otherKinds: Readonly<Record<string, string>> = {
  'v1 Status': 'V1Status',
  'autoscaling/v1 Scale': 'V1Scale',
  'authentication.k8s.io/v1 TokenRequest': 'AuthenticationV1TokenRequest',
}

const known = new Map<string, MessageFields>()
const writer = new BackwardWriter()

/** Whether objects of the kind have a message. */
export function hasMessage(apiVersion: string, kind: string): boolean {
  return typeOf(apiVersion, kind) !== undefined
}

/**
 * An object or a list in its frame: its kind and version stand there, and not in the message.
 * @throws NotTyped where the kind has no message, or a value is not of its field's type
 */
export function framedObject(object: Draft): Uint8Array {
  const { apiVersion, kind } = kindOf(object)
  if (kind.endsWith('List')) return Buffer.concat(framedList(object, [listItems(object, itemsAt(object, 'items'))]))
  const type = typeOf(apiVersion, kind)
  if (type === undefined) throw new NotTyped(`${apiVersion} ${kind} has no message`)
  writer.reset()
  writeFields(writer, fieldsOf(type), object)
  return encodeFrame({ apiVersion, kind, raw: Buffer.from(writer.finish()) })
}

/** Items of a list as fields of it; `list` says its own kind. @throws NotTyped as {@link framedObject} */
export function listItems(list: Draft, items: readonly Draft[]): Buffer {
  const { apiVersion, kind } = kindOf(list)
  const type = typeOf(apiVersion, kind.replace(/List$/, ''))
  if (type === undefined) throw new NotTyped(`${apiVersion} ${kind} has no message`)
  const [fields, number] = [fieldsOf(type), isReversed(apiVersion) ? 1 : 2]
  writer.reset()
  for (let index = items.length - 1; index >= 0; index--) {
    const mark = writer.mark()
    writeFields(writer, fields, items[index])
    writer.delimit(number, mark)
  }
  return Buffer.from(writer.finish())
}

/** A list in its frame, in pieces; `items` are of {@link listItems}. */
export function framedList(list: Draft, items: readonly Uint8Array[]): readonly Uint8Array[] {
  const { apiVersion, kind } = kindOf(list)
  writer.reset()
  const mark = writer.mark()
  writeFields(writer, fieldsOf(listMeta), list['metadata'])
  writer.delimit(isReversed(apiVersion) ? 2 : 1, mark)
  const metadata = Buffer.from(writer.finish())
  const parts = isReversed(apiVersion) ? [...items, metadata] : [metadata, ...items]
  const { start, end } = frameAround(
    { apiVersion, kind },
    parts.reduce((sum, part) => sum + part.length, 0),
  )
  return [start, ...parts, end]
}

const listMeta: MessageType = { message: 'ListMeta', section: 'meta/v1', schema: structSchema('V1ListMeta') }

/** Lists of metadata had their items first, before `v1`. */
function isReversed(apiVersion: string): boolean {
  return apiVersion === 'meta.k8s.io/v1beta1'
}

function kindOf({ apiVersion, kind }: Draft): { readonly apiVersion: string; readonly kind: string } {
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') throw new NotTyped('an object without a kind')
  return { apiVersion, kind }
}

function typeOf(apiVersion: string, kind: string): MessageType | undefined {
  const { group, version } = splitApiVersion(apiVersion)
  if (group === 'meta.k8s.io') {
    const schema = builtInSchema('', 'v1', 'Namespace')
    return kind === 'PartialObjectMetadata' && schema !== undefined ? { message: kind, section: 'meta/v1', schema } : undefined
  }
  const other = otherKinds[`${apiVersion} ${kind}`]
  const schema = other === undefined ? builtInSchema(group, version, kind) : structSchema(other)
  const section = sectionOf(group, version)
  return schema === undefined || !hasNumbers(section) ? undefined : { message: kind, section, schema }
}

function fieldsOf(type: MessageType): MessageFields {
  const key = `${type.section} ${type.message} ${type.schema.name}`
  let fields = known.get(key)
  if (fields === undefined) {
    fields = fieldWriters(type)
    known.set(key, fields)
  }
  return fields
}

function fieldWriters(type: MessageType): MessageFields {
  const numbers = [...numbersOf(type.section, type.message)].toSorted(([one], [other]) => other - one)
  return numbers.flatMap(([number, { name, keepsZero }]): MessageFields => {
    const inline = inlined[name]
    const field = type.schema.fields.get(name)
    if (field !== undefined) {
      const special = type.message === 'JSONSchemaProps' ? schemaFields[name] : undefined
      return [
        {
          name,
          write: special?.(number, type) ?? fieldWriter(number, field.schema, { isPointer: keepsZero, section: type.section }),
        },
      ]
    }
    if (inline === undefined) return []
    return [{ name: undefined, write: structWriter(number, { ...type, message: inline }) }]
  })
}

function writeFields(out: BackwardWriter, fields: MessageFields, object: unknown): void {
  if (!isFields(object)) throw new NotTyped('no object')
  for (const { name, write } of fields) write(out, name === undefined ? object : object[name])
}

interface Place {
  readonly isPointer: boolean
  readonly section: string
}

function fieldWriter(number: number, schema: Schema, { isPointer, section }: Place): FieldWriter {
  switch (schema.kind) {
    case 'list': {
      const item = valueWriter(number, schema.item, section)
      return (out, value) => {
        if (value === undefined || value === null) return
        if (!Array.isArray(value)) throw new NotTyped('no list')
        for (let index = value.length - 1; index >= 0; index--) item(out, value[index])
      }
    }
    case 'map': {
      const item = valueWriter(2, schema.value, section)
      return (out, value) => {
        if (value === undefined || value === null) return
        if (!isFields(value)) throw new NotTyped('no map')
        for (const key of Object.keys(value).toSorted().reverse()) {
          const mark = out.mark()
          item(out, value[key])
          out.text(1, key)
          out.delimit(number, mark)
        }
      }
    }
    case 'struct':
    case 'any': {
      const write = valueWriter(number, schema, section)
      const empty = schema.kind === 'struct' ? {} : undefined
      return (out, value) => {
        if (value !== undefined && value !== null) write(out, value)
        else if (!isPointer) write(out, empty)
      }
    }
    case 'scalar': {
      const write = scalarWriters[schema.scalar]
      const zero = isPointer ? undefined : zeros[schema.scalar]
      return (out, value) => {
        const written = value ?? zero
        if (written !== undefined) write(out, number, written)
      }
    }
  }
}

/** Writes a value that is there. */
function valueWriter(number: number, schema: Schema, section: string): FieldWriter {
  switch (schema.kind) {
    case 'struct':
      return structWriter(number, { message: structName(schema.name), section, schema })
    case 'any':
      return (out, value) => writeRaw(out, number, value)
    case 'list':
    case 'map': {
      // What lies in a map or a list is a message of its own.
      const inner = fieldWriter(1, schema, { isPointer: false, section })
      return (out, value) => {
        const mark = out.mark()
        inner(out, value)
        out.delimit(number, mark)
      }
    }
    case 'scalar': {
      const write = scalarWriters[schema.scalar]
      return (out, value) => write(out, number, value)
    }
  }
}

function structWriter(number: number, type: MessageType): FieldWriter {
  let fields: MessageFields | undefined
  return (out, value) => {
    // Types contain themselves: they are looked up when they are first met.
    fields ??= fieldsOf(type)
    const mark = out.mark()
    writeFields(out, fields, value)
    out.delimit(number, mark)
  }
}

/** An embedded text of JSON: `{1 raw}`. */
function writeRaw(out: BackwardWriter, number: number, value: unknown): void {
  const mark = out.mark()
  if (value !== undefined) out.text(1, jsonText(value))
  out.delimit(number, mark)
}

/** Fields of schemas of schemas that may be of two types: each has a message with a field for either. */
const schemaFields: Readonly<Record<string, (number: number, type: MessageType) => FieldWriter>> = {
  items: either,
  additionalProperties: eitherOrBoolean,
  additionalItems: eitherOrBoolean,
  dependencies: (number, type) => {
    const one = either(2, type)
    return (out, value) => {
      if (!isFields(value)) return
      for (const key of Object.keys(value).toSorted().reverse()) {
        const mark = out.mark()
        one(out, value[key])
        out.text(1, key)
        out.delimit(number, mark)
      }
    }
  },
}

/** One schema, or a list of schemas or of texts. */
function either(number: number, type: MessageType): FieldWriter {
  const [one, ofMany] = [structWriter(1, type), structWriter(2, type)]
  return (out, value) => {
    if (value === undefined || value === null) return
    const mark = out.mark()
    if (Array.isArray(value))
      for (const item of value.toReversed()) typeof item === 'string' ? out.text(2, item) : ofMany(out, item)
    else one(out, value)
    out.delimit(number, mark)
  }
}

function eitherOrBoolean(number: number, type: MessageType): FieldWriter {
  const schema = structWriter(2, type)
  return (out, value) => {
    if (value === undefined || value === null) return
    const mark = out.mark()
    if (typeof value !== 'boolean') schema(out, value)
    out.integer(1, value === false ? 0 : 1)
    out.delimit(number, mark)
  }
}

/** What is written of a scalar that is not set and no pointer; nothing of bytes and quantities, which are absent only where they are none. */
const zeros: Readonly<Partial<Record<Scalar, unknown>>> = {
  string: '',
  boolean: false,
  int32: 0,
  int64: 0,
  double: 0,
  'int-or-string': 0,
  time: '',
  'micro-time': '',
}

const scalarWriters: Readonly<Record<Scalar, (out: BackwardWriter, number: number, value: unknown) => void>> = {
  string: (out, number, value) => out.text(number, text(value)),
  bytes: (out, number, value) => {
    const bytes = Buffer.from(text(value), 'base64')
    if (bytes.toString('base64') !== value) throw new NotTyped('no base64')
    const mark = out.mark()
    out.part(bytes)
    out.delimit(number, mark)
  },
  boolean: (out, number, value) => {
    if (typeof value !== 'boolean') throw new NotTyped('no boolean')
    out.integer(number, value ? 1 : 0)
  },
  int32: (out, number, value) => out.signed(number, integer(value, least32, most32)),
  int64: (out, number, value) => out.signed(number, integer(value, least64, most64)),
  double: (out, number, value) => {
    if (typeof value !== 'number') throw new NotTyped('no number')
    out.double(number, value)
  },
  time: writeTime,
  'micro-time': writeTime,
  quantity: (out, number, value) => {
    const mark = out.mark()
    out.text(1, text(value))
    out.delimit(number, mark)
  },
  'int-or-string': (out, number, value) => {
    const mark = out.mark()
    const isText = typeof value === 'string'
    out.text(3, isText ? value : '')
    out.signed(2, isText ? 0 : integer(value, least32, most32))
    out.integer(1, isText ? 1 : 0)
    out.delimit(number, mark)
  },
}

/** `{1 seconds, 2 nanos}`; nothing of a time that is not set. */
function writeTime(out: BackwardWriter, number: number, value: unknown): void {
  const mark = out.mark()
  if (value !== '') {
    const { seconds, nanos } = readTime(text(value))
    out.integer(2, nanos)
    out.signed(1, seconds)
  }
  out.delimit(number, mark)
}

interface Moment {
  readonly seconds: number
  readonly nanos: number
}

/** An object tells the same few times again and again. */
const readTimes = new Map<string, Moment>()
const keptTimes = 1_000

function readTime(value: string): Moment {
  let time = readTimes.get(value)
  if (time === undefined) {
    const [, whole = '', fraction = ''] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z$/.exec(value) ?? []
    if (whole === '') throw new NotTyped('no time')
    time = { seconds: Date.parse(`${whole}Z`) / 1000, nanos: Number(fraction.padEnd(9, '0')) }
    if (readTimes.size >= keptTimes) readTimes.clear()
    readTimes.set(value, time)
  }
  return time
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new NotTyped('no text')
  return value
}

/** A whole number between `least` and `most`; beyond 2^53 only a bigint is one. */
function integer(value: unknown, least: number | bigint, most: number | bigint): number | bigint {
  const isWhole = typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))
  if (!isWhole || value < least || value > most) throw new NotTyped('no such integer')
  return value
}

const least32 = -(2 ** 31)
const most32 = 2 ** 31 - 1
const least64 = -(2n ** 63n)
const most64 = 2n ** 63n - 1n
