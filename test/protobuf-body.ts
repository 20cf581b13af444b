// Objects as Go's typed clients send them: what is no pointer is written with its zero, what is one only where it was set. The numbers are
// those of the twin's table, the types those of its schemas; that both are right is for a real server to say (`test/real/differential`).
import protobuf from 'protobufjs/minimal.js'
import { encodeFrame } from '#kube/client/protobuf.ts'
import { inlined, numbersOf, sectionOf } from '#twin/api/decoding/protobuf.ts'
import { splitApiVersion } from '#twin/api/resource-type.ts'
import { isFields } from '#twin/json-value.ts'
import type { Scalar, Schema, StructSchema } from '#twin/schema/schema.ts'
import { builtInSchema, structName } from '#twin/schema/schema-table.ts'

/** A value that no field of Go's type can hold: a typed client could not have sent it. */
class NotTyped extends Error {
  override readonly name = 'NotTyped'
}

type Fields = Readonly<Record<string, unknown>>

/** Kinds with fields whose messages are none of their JSON: schemas of schemas. */
const untypedKinds: ReadonlySet<string> = new Set(['CustomResourceDefinition'])

/** The frame of a built-in object; undefined where a typed client could not send it. */
export function protobufBody(object: Fields): Uint8Array | undefined {
  const { apiVersion, kind } = object
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || untypedKinds.has(kind)) return undefined
  const { group, version } = splitApiVersion(apiVersion)
  const schema = builtInSchema(group, version, kind)
  if (schema === undefined) return undefined
  try {
    const raw = messageBytes(object, { message: kind, section: sectionOf(group, version), schema })
    return encodeFrame({ apiVersion, kind, raw })
  } catch (cause) {
    if (cause instanceof NotTyped) return undefined
    throw cause
  }
}

interface MessageType {
  readonly message: string
  readonly section: string
  readonly schema: StructSchema
}

function messageBytes(object: unknown, type: MessageType): Uint8Array {
  if (!isFields(object)) throw new NotTyped(`${type.message} is no object`)
  const writer = protobuf.Writer.create()
  const numbers = [...numbersOf(type.section, type.message)].toSorted(([one], [other]) => one - other)
  for (const [number, { name, keepsZero }] of numbers) {
    const inline = inlined[name]
    const field = type.schema.fields.get(name)
    if (field !== undefined)
      writeField(writer, number, {
        value: object[name] ?? undefined,
        schema: field.schema,
        isPointer: keepsZero,
        section: type.section,
      })
    else if (inline !== undefined) writeBytes(writer, number, messageBytes(object, { ...type, message: inline }))
  }
  return writer.finish()
}

interface FieldOutput {
  readonly value: unknown
  readonly schema: Schema
  readonly isPointer: boolean
  readonly section: string
}

function writeField(writer: protobuf.Writer, number: number, output: FieldOutput): void {
  const { value, schema, section } = output
  switch (schema.kind) {
    case 'list':
      if (value === undefined) return
      if (!Array.isArray(value)) throw new NotTyped('no list')
      for (const item of value) writeValue(writer, number, { ...output, value: item, schema: schema.item })
      return
    case 'map':
      if (value === undefined) return
      if (!isFields(value)) throw new NotTyped('no map')
      for (const key of Object.keys(value).toSorted()) {
        const entry = protobuf.Writer.create().uint32(10).string(key)
        writeValue(entry, 2, { ...output, value: value[key], schema: schema.value })
        writeBytes(writer, number, entry.finish())
      }
      return
    case 'struct':
      if (value !== undefined) writeValue(writer, number, output)
      else if (!output.isPointer)
        writeBytes(writer, number, messageBytes({}, { message: structName(schema.name), section, schema }))
      return
    case 'any':
      if (value !== undefined || !output.isPointer) writeValue(writer, number, output)
      return
    case 'scalar': {
      const written = value ?? (output.isPointer ? undefined : zeroOf(schema.scalar))
      if (written !== undefined) writeValue(writer, number, { ...output, value: written })
    }
  }
}

function writeValue(writer: protobuf.Writer, number: number, { value, schema, section, isPointer }: FieldOutput): void {
  switch (schema.kind) {
    case 'struct':
      writeBytes(writer, number, messageBytes(value, { message: structName(schema.name), section, schema }))
      return
    case 'any':
      // An embedded text of JSON.
      writeBytes(
        writer,
        number,
        value === undefined
          ? new Uint8Array()
          : protobuf.Writer.create()
              .uint32(10)
              .bytes(Buffer.from(JSON.stringify(value)))
              .finish(),
      )
      return
    case 'list':
    case 'map': {
      // What lies in a map or a list is a message of its own.
      const inner = protobuf.Writer.create()
      writeField(inner, 1, { value, schema, section, isPointer })
      writeBytes(writer, number, inner.finish())
      return
    }
    case 'scalar':
      writeScalar(writer, number, schema.scalar, value)
  }
}

/** What is written of a scalar that was not set; undefined where nothing is: bytes are a list. */
function zeroOf(scalar: Scalar): unknown {
  switch (scalar) {
    case 'string':
      return ''
    case 'boolean':
      return false
    case 'int32':
    case 'int64':
    case 'double':
    case 'int-or-string':
      return 0
    case 'quantity':
      return '0'
    case 'time':
    case 'micro-time':
      return null
    case 'bytes':
      return undefined
  }
}

function writeScalar(writer: protobuf.Writer, number: number, scalar: Scalar, value: unknown): void {
  switch (scalar) {
    case 'string':
      writer.uint32(number * 8 + 2).string(text(value))
      return
    case 'bytes': {
      const bytes = Buffer.from(text(value), 'base64')
      if (bytes.toString('base64') !== value) throw new NotTyped('no base64')
      writeBytes(writer, number, bytes)
      return
    }
    case 'boolean':
      if (typeof value !== 'boolean') throw new NotTyped('no boolean')
      writer.uint32(number * 8).bool(value)
      return
    case 'int32':
      writer.uint32(number * 8).int32(integer(value, 2 ** 31))
      return
    case 'int64':
      writer.uint32(number * 8).int64(integer(value, Number.MAX_SAFE_INTEGER))
      return
    case 'double':
      if (typeof value !== 'number') throw new NotTyped('no number')
      writer.uint32(number * 8 + 1).double(value)
      return
    case 'time':
    case 'micro-time':
      writeBytes(writer, number, timeBytes(value))
      return
    case 'quantity':
      writeBytes(writer, number, protobuf.Writer.create().uint32(10).string(text(value)).finish())
      return
    case 'int-or-string': {
      const isText = typeof value === 'string'
      const inner = protobuf.Writer.create()
        .uint32(8)
        .int32(isText ? 1 : 0)
      inner.uint32(16).int32(isText ? 0 : integer(value, 2 ** 31))
      inner.uint32(26).string(isText ? value : '')
      writeBytes(writer, number, inner.finish())
    }
  }
}

function timeBytes(value: unknown): Uint8Array {
  if (value === null) return new Uint8Array()
  const [, whole = '', fraction = ''] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z$/.exec(text(value)) ?? []
  if (whole === '') throw new NotTyped('no time')
  const writer = protobuf.Writer.create()
    .uint32(8)
    .int64(Date.parse(`${whole}Z`) / 1000)
  return writer
    .uint32(16)
    .int32(Number(fraction.padEnd(9, '0')))
    .finish()
}

function writeBytes(writer: protobuf.Writer, number: number, bytes: Uint8Array): void {
  writer.uint32(number * 8 + 2).bytes(bytes)
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new NotTyped('no text')
  return value
}

function integer(value: unknown, below: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < -below || value > below - 1)
    throw new NotTyped('no such integer')
  return value
}
