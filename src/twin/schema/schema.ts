// What is known of the shape of objects, for built-in and custom kinds alike: which fields there are, how lists merge.
import type { ListSemantics } from './list-semantics.ts'

export type Scalar =
  | 'string'
  | 'bytes'
  | 'int32'
  | 'int64'
  | 'double'
  | 'boolean'
  | 'time'
  | 'micro-time'
  | 'int-or-string'
  | 'quantity'

export type Schema =
  /** A tree without a shape; `isAtomic`: with one owner. */
  | { readonly kind: 'any'; readonly isAtomic?: true }
  | { readonly kind: 'scalar'; readonly scalar: Scalar }
  | { readonly kind: 'map'; readonly value: Schema; readonly isAtomic: boolean }
  | { readonly kind: 'list'; readonly item: Schema; readonly semantics: ListSemantics }
  | StructSchema

export interface StructSchema {
  readonly kind: 'struct'
  readonly name: string
  readonly fields: ReadonlyMap<string, FieldSchema>
  readonly isAtomic: boolean
  /** Fields that are not described are kept. */
  readonly preservesUnknown: boolean
  /** Fields that Go writes whatever is in them; only of built-in kinds. */
  readonly written?: ReadonlyMap<string, Schema>
  /** Fields that must be there, or whose own fields must; none where it is absent. */
  readonly needed?: readonly string[]
}

export interface FieldSchema {
  readonly schema: Schema
  readonly isRequired: boolean
  /** Left out where it holds zero, false or nothing: what Go does with most optional fields. */
  readonly isDropped?: boolean
  /** How strategic merge treats a struct. */
  readonly patch?: 'replace' | 'retainKeys'
}

export const anySchema: Schema = { kind: 'any' }
/** What built-in kinds have without a shape is owned as a whole. */
export const wholeSchema: Schema = { kind: 'any', isAtomic: true }
export const atomicList: ListSemantics = { list: { kind: 'atomic' } }

/** The schema of a field or map value; `any` where nothing is known. */
export function memberSchema(schema: Schema, name: string): Schema {
  if (schema.kind === 'struct') return schema.fields.get(name)?.schema ?? anySchema
  return schema.kind === 'map' ? schema.value : anySchema
}
