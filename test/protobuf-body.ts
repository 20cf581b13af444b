// Objects as Go's typed clients send them in protobuf.
import { framedObject, NotTyped } from '#twin/api/answers/protobuf-object.ts'

/** Kinds with fields whose messages are none of their JSON: schemas of schemas. */
const untypedKinds: ReadonlySet<unknown> = new Set(['CustomResourceDefinition'])

/** The frame of a built-in object; undefined where a typed client could not send it. */
export function protobufBody(object: Readonly<Record<string, unknown>>): Uint8Array | undefined {
  if (untypedKinds.has(object['kind'])) return undefined
  try {
    return framedObject({ ...object })
  } catch (cause) {
    if (cause instanceof NotTyped) return undefined
    throw cause
  }
}
