// The envelope of Kubernetes' protobuf bodies (`application/vnd.kubernetes.protobuf`): four magic bytes, then a message that
// names the object's type and carries its bytes. What the bytes mean is the matter of each type's own schema.

import type { Parsed } from '../problem.ts'

interface ProtobufFrame {
  readonly apiVersion: string
  readonly kind: string
  readonly raw: Uint8Array
  readonly contentEncoding: string
  readonly contentType: string
}

const magic = [0x6b, 0x38, 0x73, 0x00] as const

/** Thrown inside this file only: where the bytes leave the format. */
class FrameMessage extends Error {}

/** The envelope in `bytes`; `raw` is a view of them, not a copy. */
export function decodeFrame(bytes: Uint8Array, where = 'body'): Parsed<ProtobufFrame> {
  const refused = (expected: string): Parsed<ProtobufFrame> => ({
    ok: false,
    problem: { code: 'protobuf-frame', where, found: `${bytes.length} bytes`, expected },
  })
  if (magic.some((byte, index) => bytes[index] !== byte)) return refused('the bytes 6b 38 73 00 first')
  try {
    const fields = readFields(bytes.subarray(magic.length))
    const type = readFields(fields.get(1) ?? new Uint8Array())
    const text = (of: ReadonlyMap<number, Uint8Array>, number: number): string => new TextDecoder().decode(of.get(number))
    return {
      ok: true,
      value: {
        apiVersion: text(type, 1),
        kind: text(type, 2),
        raw: fields.get(2) ?? new Uint8Array(),
        contentEncoding: text(fields, 3),
        contentType: text(fields, 4),
      },
    }
  } catch (error) {
    if (error instanceof FrameMessage) return refused(error.message)
    throw error
  }
}

/** `raw` in its envelope. */
export function encodeFrame(frame: Pick<ProtobufFrame, 'apiVersion' | 'kind' | 'raw'>): Uint8Array {
  const encoder = new TextEncoder()
  const type = [...field(1, encoder.encode(frame.apiVersion)), ...field(2, encoder.encode(frame.kind))]
  // Readers upstream expect the last two fields even where they are empty.
  const head = [...magic, ...field(1, Uint8Array.from(type)), 0x12, ...varint(frame.raw.length)]
  return Buffer.concat([Uint8Array.from(head), frame.raw, Uint8Array.of(0x1a, 0, 0x22, 0)])
}

/** The length-delimited fields of a message, the last of each number; numbers and fixed-width fields are passed over. */
function readFields(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const fields = new Map<number, Uint8Array>()
  let at = 0
  const readVarint = (): number => {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined) throw new FrameMessage('a whole message')
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new FrameMessage('a length of at most 35 bits')
  }
  const skipVarint = (): void => {
    for (let length = 1; ; length++) {
      const byte = bytes[at++]
      if (byte === undefined || length > 10) throw new FrameMessage('a whole number of at most 10 bytes')
      if (byte < 0x80) return
    }
  }
  while (at < bytes.length) {
    const tag = readVarint()
    const kind = tag % 8
    if (kind === 0) skipVarint()
    else if (kind === 1) at += 8
    else if (kind === 5) at += 4
    else if (kind === 2) {
      const length = readVarint()
      if (at + length > bytes.length) throw new FrameMessage('a whole message')
      fields.set(Math.floor(tag / 8), bytes.subarray(at, at + length))
      at += length
    } else throw new FrameMessage('fields of a known wire type')
  }
  if (at > bytes.length) throw new FrameMessage('a whole message')
  return fields
}

function field(number: number, content: Uint8Array): readonly number[] {
  return [number * 8 + 2, ...varint(content.length), ...content]
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...varint(Math.floor(value / 0x80))]
}
