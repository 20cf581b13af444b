// Messages of protobuf as tables of fields: the number is the contract, the name is ours. Fields that no table names are passed over, so
// that a newer containerd can say more than we ask for.
import protobuf from 'protobufjs/minimal.js'

type Reader = protobuf.Reader
type Writer = protobuf.Writer

const varint = 0
const delimited = 2

/** One field of a message: how it is read after its tag, and how it is written. */
interface Field<T> {
  readonly number: number
  readonly wire: typeof varint | typeof delimited
  /** What it is where nothing was sent. */
  empty(): T
  /** `before` is what earlier occurrences gave: lists and maps are sent piece by piece. */
  read(reader: Reader, before: T): T
  /** Writes tag and value; nothing where the value is the empty one. */
  write(writer: Writer, value: T): void
}

type Fields = Readonly<Record<string, Field<unknown>>>
type Decoded<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never }

export interface Message<T> {
  decode(bytes: Uint8Array): T
  encode(value: Partial<T>): Buffer
}
/** What a message holds: `Of<typeof image>`. */
export type Of<M> = M extends Message<infer T> ? T : never

export const text = (number: number): Field<string> => ({
  number,
  wire: delimited,
  empty: () => '',
  read: reader => reader.string(),
  write: (writer, value) => {
    if (value !== '') writer.uint32(tag(number, delimited)).string(value)
  },
})

/** A view of the message's own bytes, not a copy. */
export const bytes = (number: number): Field<Uint8Array> => ({
  number,
  wire: delimited,
  empty: () => new Uint8Array(),
  read: reader => reader.bytes(),
  write: (writer, value) => {
    if (value.length > 0) writer.uint32(tag(number, delimited)).bytes(value)
  },
})

/** `int64`; sizes and offsets, so far below 2^53. */
export const integer = (number: number): Field<number> => ({
  number,
  wire: varint,
  empty: () => 0,
  read: reader => Number(String(reader.int64())),
  write: (writer, value) => {
    if (value !== 0) writer.uint32(tag(number, varint)).int64(value)
  },
})

export const flag = (number: number): Field<boolean> => ({
  number,
  wire: varint,
  empty: () => false,
  read: reader => reader.bool(),
  write: (writer, value) => {
    if (value) writer.uint32(tag(number, varint)).bool(value)
  },
})

export const texts = (number: number): Field<readonly string[]> => ({
  number,
  wire: delimited,
  empty: () => [],
  read: (reader, before) => [...before, reader.string()],
  write: (writer, values) => {
    for (const value of values) writer.uint32(tag(number, delimited)).string(value)
  },
})

export const nested = <T>(number: number, inner: Message<T>): Field<T | undefined> => ({
  number,
  wire: delimited,
  empty: () => undefined,
  read: reader => inner.decode(reader.bytes()),
  write: (writer, value) => {
    if (value !== undefined) writer.uint32(tag(number, delimited)).bytes(inner.encode(value))
  },
})

export const list = <T>(number: number, inner: Message<T>): Field<T[]> => ({
  number,
  wire: delimited,
  empty: () => [],
  read: (reader, before) => {
    before.push(inner.decode(reader.bytes()))
    return before
  },
  write: (writer, values) => {
    for (const value of values) writer.uint32(tag(number, delimited)).bytes(inner.encode(value))
  },
})

const entry = message({ key: text(1), value: text(2) })

/** `map<string, string>`. */
export const textMap = (number: number): Field<Map<string, string>> => ({
  number,
  wire: delimited,
  empty: () => new Map(),
  read: (reader, before) => {
    const { key, value } = entry.decode(reader.bytes())
    return before.set(key, value)
  },
  write: (writer, values) => {
    for (const [key, value] of values) writer.uint32(tag(number, delimited)).bytes(entry.encode({ key, value }))
  },
})

/** @throws RangeError from `decode` where the bytes end within a field. */
export function message<F extends Fields>(fields: F): Message<Decoded<F>> {
  const named = Object.entries(fields)
  const byTag = new Map(named.map(([name, field]) => [tag(field.number, field.wire), [name, field] as const]))
  return {
    decode(data) {
      const reader = protobuf.Reader.create(data)
      const found: Record<string, unknown> = Object.fromEntries(named.map(([name, field]) => [name, field.empty()]))
      while (reader.pos < reader.len) {
        const next = reader.uint32()
        const known = byTag.get(next)
        if (known === undefined) reader.skipType(next & 7)
        else found[known[0]] = known[1].read(reader, found[known[0]])
      }
      return found as Decoded<F> // every field of the table is in it, by its own `read` or `empty`
    },
    encode(value) {
      const given: Readonly<Record<string, unknown>> = value
      const writer = protobuf.Writer.create()
      for (const [name, field] of named) if (given[name] !== undefined) field.write(writer, given[name])
      return Buffer.from(writer.finish())
    },
  }
}

function tag(number: number, wire: number): number {
  return (number << 3) | wire
}
