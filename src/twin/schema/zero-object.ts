// Upstream's objects before anything is set: structs that are no pointers are there, and so are fields that are always written.
// What a creator sets is what differs from that.
import type { ResourceType } from '../api/resource-type.ts'
import type { Draft } from '../json-value.ts'
import { zeroOfStruct } from './go-form.ts'
import { kindSchema } from './kind-schema.ts'

/** The empty object of a kind; custom kinds have none of their fields. */
export function zeroObject(type: ResourceType): Draft {
  if (type.custom !== undefined) return { metadata: {} }
  return { metadata: {}, spec: {}, status: {}, ...zeroOfStruct(kindSchema(type)) }
}
