// Messages of protobuf as tables of fields: the number is the contract, the name is ours, and the table is the type too. protobufjs reads and
// writes them. Fields that no table names are passed over, so that others can say more than we ask for.
import protobuf from 'protobufjs/light.js'

/** One field of a message, read as a `T`. */
interface Field<T> {
  /** As protobufjs takes it up. */
  reflected(name: string): protobuf.Field | protobuf.MapField
  /** `sent` is undefined where nothing was. */
  read(sent: unknown): T
  /** What is sent; undefined where that is nothing. */
  write(value: T): unknown
}

type Fields = Readonly<Record<string, Field<unknown>>>
type Decoded<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never }

export interface Message<T> {
  /** @throws Error where the bytes are no such message */
  decode(bytes: Uint8Array): T
  /** Without what is left out or empty. */
  encode(value: Partial<T>): Buffer
  /** With its length before it, as it goes on a stream. */
  encodeWithLength(value: Partial<T>): Buffer
  /** As a field of another message: its type, and what protobufjs has of it. */
  readonly type: protobuf.Type
  fromWire(decoded: object): T
  toWire(value: Partial<T>): Readonly<Record<string, unknown>>
}
/** What a message holds: `Of<typeof image>`. */
export type Of<M> = M extends Message<infer T> ? T : never

const single =
  <T>(type: string, read: (sent: unknown) => T, write: (value: T) => unknown) =>
  (number: number): Field<T> => ({ reflected: name => new protobuf.Field(name, number, type), read, write })
const repeated =
  <T>(type: string, read: (sent: unknown) => T) =>
  (number: number): Field<readonly T[]> => ({
    reflected: name => new protobuf.Field(name, number, type, 'repeated'),
    read: sent => (Array.isArray(sent) ? sent.map(read) : []),
    write: values => values,
  })

const readText = (sent: unknown): string => (typeof sent === 'string' ? sent : '')
const readBytes = (sent: unknown): Uint8Array => (sent instanceof Uint8Array ? sent : new Uint8Array())
/** protobufjs has numbers of 64 bits as `Long`; ours are sizes, offsets and counts, so far below 2^53. */
const readNumber = (sent: unknown): number => (typeof sent === 'number' ? sent : Number(String(sent ?? 0)))

export const text = single('string', readText, value => value || undefined)
/** Sent where it is empty, too. */
export const sentText = single('string', readText, value => value)
export const texts = repeated('string', readText)
/** A view of the message's own bytes, not a copy. */
export const bytes = single('bytes', readBytes, value => (value.length === 0 ? undefined : value))
export const manyBytes = repeated('bytes', readBytes)
/** `int64` */
export const integer = single('int64', readNumber, value => value || undefined)
/** `int64`, with all its digits. */
export const bigInteger = single(
  'int64',
  sent => BigInt(String(sent ?? 0)),
  value => (value === 0n ? undefined : String(value)),
)
/** `repeated int64`, packed or not. */
export const integers = repeated('int64', readNumber)
/** `double` */
export const double = single('double', readNumber, value => value || undefined)
/** `fixed64` */
export const wide = single('fixed64', sent => BigInt(String(sent ?? 0)), String)
export const flag = single(
  'bool',
  sent => sent === true,
  value => value || undefined,
)
/** `optional string`; undefined is not sent, an empty text is. */
export const optionalText = single(
  'string',
  sent => (typeof sent === 'string' ? sent : undefined),
  value => value,
)
/** `uint32`; undefined is not sent, 0 is. */
export const optionalCount = single(
  'uint32',
  sent => (sent === undefined ? undefined : readNumber(sent)),
  value => value,
)

export const nested = <T>(number: number, inner: Message<T>): Field<T | undefined> => ({
  reflected: name => new protobuf.Field(name, number, inner.type.fullName),
  read: sent => (isObject(sent) ? inner.fromWire(sent) : undefined),
  write: value => (value === undefined ? undefined : inner.toWire(value)),
})

export const list = <T>(number: number, inner: Message<T>): Field<readonly T[]> => ({
  reflected: name => new protobuf.Field(name, number, inner.type.fullName, 'repeated'),
  read: sent => (Array.isArray(sent) ? sent.filter(isObject).map(one => inner.fromWire(one)) : []),
  write: values => values.map(value => inner.toWire(value)),
})

/** `map<string, string>`. */
export const textMap = (number: number): Field<ReadonlyMap<string, string>> => ({
  reflected: name => new protobuf.MapField(name, number, 'string', 'string'),
  read: sent => new Map(isObject(sent) ? Object.entries(sent).map(([key, value]) => [key, readText(value)]) : []),
  write: values => Object.fromEntries(values),
})

/** `map<string, …>` of messages. */
export const messageMap = <T>(number: number, inner: Message<T>): Field<ReadonlyMap<string, T>> => ({
  reflected: name => new protobuf.MapField(name, number, 'string', inner.type.fullName),
  read: sent =>
    new Map(
      isObject(sent)
        ? Object.entries(sent).flatMap(([key, value]) => (isObject(value) ? [[key, inner.fromWire(value)]] : []))
        : [],
    ),
  write: values => Object.fromEntries(Array.from(values, ([key, value]) => [key, inner.toWire(value)])),
})

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** Types find each other by name, and the names are nobody's matter. */
const root = new protobuf.Root()

export function message<F extends Fields>(fields: F): Message<Decoded<F>> {
  const named = Object.entries(fields)
  const type = new protobuf.Type(`Message${root.nestedArray.length}`)
  root.add(type)
  for (const [name, field] of named) type.add(field.reflected(name))
  const fromWire = (decoded: object): Decoded<F> => {
    const found: Record<string, unknown> = {}
    for (const [name, field] of named)
      found[name] = field.read(Object.hasOwn(decoded, name) ? Reflect.get(decoded, name) : undefined)
    return found as Decoded<F> // every field of the table is in it, by its own `read`
  }
  const toWire = (value: Readonly<Record<string, unknown>>) => {
    const sent: Record<string, unknown> = {}
    for (const [name, field] of named) if (value[name] !== undefined) sent[name] = field.write(value[name])
    return sent
  }
  return {
    type,
    fromWire,
    toWire,
    decode: data => fromWire(type.decode(data)),
    encode: value => bufferOf(type.encode(toWire(value))),
    encodeWithLength: value => bufferOf(type.encodeDelimited(toWire(value))),
  }
}

/** Whether a message has at most so many fields, known or not, without reading them. @throws Error where the bytes are no message */
export function hasFewFields(bytes: Uint8Array, most: number): boolean {
  const reader = protobuf.Reader.create(bytes)
  for (let count = 0; reader.pos < reader.len; count++) {
    if (count === most) return false
    const tag = reader.uint32()
    // Groups lie in each other as deep as somebody likes, and nobody of ours writes one.
    if ((tag & 7) === groupStart) throw new Error('a group')
    reader.skipType(tag & 7)
  }
  return true
}

/**
 * The same of all that lies in it, as far as the table of `inner` knows it: many empty messages take a few bytes on the wire and megabytes once they are
 * read. A number of a packed list counts as a field. @throws Error where the bytes are no such message
 */
export function hasFewFieldsWithin(bytes: Uint8Array, inner: { readonly type: protobuf.Type }, most: number): boolean {
  const reader = protobuf.Reader.create(bytes)
  return fieldsLeft(reader, { type: inner.type, end: reader.len, left: most }) >= 0
}

interface Within {
  readonly type: protobuf.Type
  readonly end: number
  readonly left: number
}

/** How many more fields there may be, after what lies before `end`; below 0 it has stopped. */
function fieldsLeft(reader: protobuf.Reader, { type, end, left }: Within): number {
  let rest = left
  while (reader.pos < end && rest >= 0) {
    const tag = reader.uint32()
    const wire = tag & 7
    if (wire === groupStart) throw new Error('a group')
    rest -= 1
    const field = type.fieldsById[tag >>> 3]?.resolve()
    if (field === undefined || wire !== lengthDelimited) reader.skipType(wire)
    else {
      const length = reader.uint32()
      const ends = reader.pos + length
      if (ends > end) throw new Error('a field that is longer than its message')
      if (field.resolvedType instanceof protobuf.Type)
        rest = fieldsLeft(reader, { type: field.resolvedType, end: ends, left: rest })
      else {
        if (field.repeated && field.type in protobuf.types.packed) rest -= length
        reader.skip(length)
      }
    }
  }
  return rest
}

const lengthDelimited = 2
const groupStart = 3

function bufferOf(writer: protobuf.Writer): Buffer {
  const written = writer.finish()
  return Buffer.from(written.buffer, written.byteOffset, written.byteLength)
}
