// The outermost level of a protobuf message, looked over before it is read: what is cut, negative or of no type has upstream's words.
import type { Schema } from '../../schema/schema.ts'

/** Bytes that are no message of the kind. */
export class WireFault extends Error {
  override readonly name = 'WireFault'
}

/** How a value of the schema is written: 0 a varint, 1 eight bytes, 2 bytes with their length. */
export function wireTypeOf(schema: Schema): number {
  if (schema.kind !== 'scalar') return 2
  switch (schema.scalar) {
    case 'int32':
    case 'int64':
    case 'boolean':
      return 0
    case 'double':
      return 1
    default:
      return 2
  }
}

/** Why the bytes are no message; undefined where its fields follow each other to the end. */
export function wireFault(bytes: Uint8Array, message: string): string | undefined {
  const cursor = { bytes, at: 0 }
  try {
    let depth = 0
    while (cursor.at < bytes.byteLength) {
      const tag = varint(cursor)
      const wire = Number(tag & 7n)
      const number = Number(BigInt.asIntN(32, tag >> 3n))
      if (depth === 0 && wire === 4) return `proto: ${message}: wiretype end group for non-group`
      if (depth === 0 && number <= 0) return `proto: ${message}: illegal tag ${number} (wire type ${wire})`
      depth += skip(cursor, wire)
    }
    return depth === 0 ? undefined : 'unexpected EOF'
  } catch (error) {
    if (error instanceof WireFault) return error.message
    throw error
  }
}

interface Cursor {
  readonly bytes: Uint8Array
  at: number
}

/** Moves over a field; yields by how much groups are nested deeper. */
function skip(cursor: Cursor, wire: number): number {
  switch (wire) {
    case 0:
      varint(cursor)
      return 0
    case 1:
      advance(cursor, 8)
      return 0
    case 2: {
      const length = BigInt.asIntN(64, varint(cursor))
      if (length < 0n) throw new WireFault('proto: negative length found during unmarshaling')
      advance(cursor, Number(length))
      return 0
    }
    case 3:
      return 1
    case 4:
      return -1
    case 5:
      advance(cursor, 4)
      return 0
    default:
      // What the field is decides whether that is a wrong type or an illegal one.
      return 0
  }
}

function advance(cursor: Cursor, bytes: number): void {
  if (cursor.at + bytes > cursor.bytes.byteLength) throw new WireFault('unexpected EOF')
  cursor.at += bytes
}

function varint(cursor: Cursor): bigint {
  let value = 0n
  for (let shift = 0n; ; shift += 7n) {
    if (shift >= 64n) throw new WireFault('proto: integer overflow')
    const byte = cursor.bytes[cursor.at]
    if (byte === undefined) throw new WireFault('unexpected EOF')
    cursor.at++
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return BigInt.asUintN(64, value)
  }
}
