// The envelope of Kubernetes' protobuf bodies (`application/vnd.kubernetes.protobuf`): four magic bytes, then a message that
// names the object's type and carries its bytes. What the bytes mean is the matter of each type's own schema.

import type { Parsed } from '../problem.ts'
import { bytes, integer, message, nested, sentText, text } from '../protobuf-message.ts'

interface ProtobufFrame {
  readonly apiVersion: string
  readonly kind: string
  readonly raw: Uint8Array
  readonly contentEncoding: string
  readonly contentType: string
}

const magic = Uint8Array.of(0x6b, 0x38, 0x73, 0x00)
const typeMeta = message({ apiVersion: text(1), kind: text(2) })
// Readers upstream expect the last two fields even where they are empty.
const unknown = message({ type: nested(1, typeMeta), raw: bytes(2), contentEncoding: sentText(3), contentType: sentText(4) })

/** A field of bytes with the number 2 begins with this, and their length. */
const rawTag = 0x12
const count = message({ count: integer(1) })

/** The envelope in `body`; `raw` is a view of it, not a copy. */
export function decodeFrame(body: Uint8Array, where = 'body'): Parsed<ProtobufFrame> {
  const refused = (expected: string): Parsed<ProtobufFrame> => ({
    ok: false,
    problem: { code: 'protobuf-frame', where, found: `${body.length} bytes`, expected },
  })
  if (magic.some((byte, index) => body[index] !== byte)) return refused('the bytes 6b 38 73 00 first')
  try {
    const { type, ...rest } = unknown.decode(body.subarray(magic.length))
    return { ok: true, value: { apiVersion: type?.apiVersion ?? '', kind: type?.kind ?? '', ...rest } }
  } catch (error) {
    if (error instanceof Error) return refused(`a whole message (${error.message})`)
    throw error
  }
}

/** What stands before and after the bytes of an object that has so many, which are nowhere together. */
export function frameAround(
  { apiVersion, kind }: Pick<ProtobufFrame, 'apiVersion' | 'kind'>,
  length: number,
): { readonly start: Uint8Array; readonly end: Uint8Array } {
  const head = unknown.encode({ type: { apiVersion, kind } })
  const tail = unknown.encode({ contentEncoding: '', contentType: '' })
  const [, ...varint] = count.encode({ count: length })
  return { start: Buffer.concat([magic, head, Uint8Array.of(rawTag, ...(length === 0 ? [0] : varint))]), end: tail }
}

/** `raw` in its envelope. */
export function encodeFrame({ apiVersion, kind, raw }: Pick<ProtobufFrame, 'apiVersion' | 'kind' | 'raw'>): Uint8Array {
  return Buffer.concat([magic, unknown.encode({ type: { apiVersion, kind }, raw, contentEncoding: '', contentType: '' })])
}
