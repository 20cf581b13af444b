// Objects as Go's encoder writes them: structs that are no pointers are there, and so are required fields, whatever is in them.
import { type Draft, isFields, setField } from '../json-value.ts'
import type { Schema, StructSchema } from './schema.ts'

/** The object with all fields that are always written; itself where it has them. Parts that are frozen are copied, others filled in place. */
export function inGoForm<T extends Draft>(schema: StructSchema, object: T): T
export function inGoForm(schema: StructSchema, object: Draft): Draft {
  return filledStruct(schema, object)
}

/** Sets lists that are always written to null where they are empty, in place: what is stored in protobuf comes back so. */
export function loseEmptyLists(schema: Schema, value: unknown): void {
  if (schema.kind === 'list' && Array.isArray(value)) for (const item of value) loseEmptyLists(schema.item, item)
  if (schema.kind !== 'struct' || !isFields(value)) return
  for (const [name, field] of schema.fields) {
    const member = value[name]
    const isLost = Array.isArray(member) && member.length === 0 && schema.written?.has(name) === true
    if (isLost) setField(value, name, null)
    else if (typeof member === 'object' && member !== null) loseEmptyLists(field.schema, member)
  }
}

/** The object of a kind before anything is set, with the lists that are null in it. */
export function zeroOfStruct(schema: StructSchema): Draft {
  const zero: Draft = {}
  for (const [name, written] of schema.written ?? [])
    zero[name] = written.kind === 'struct' ? zeroOfStruct(written) : zeroOf(written)
  return zero
}

function filled(schema: Schema, value: unknown): unknown {
  switch (schema.kind) {
    case 'struct':
      return isFields(value) ? filledStruct(schema, value) : value
    case 'list':
      return Array.isArray(value) && hasStructs(schema.item) ? filledList(schema.item, value) : value
    case 'map':
      return isFields(value) && hasStructs(schema.value) ? filledMap(schema.value, value) : value
    default:
      return value
  }
}

/** Whether values of the schema can lack anything. */
function hasStructs(schema: Schema): boolean {
  switch (schema.kind) {
    case 'struct':
      return true
    case 'list':
      return hasStructs(schema.item)
    case 'map':
      return hasStructs(schema.value)
    default:
      return false
  }
}

function filledStruct(schema: StructSchema, given: Draft): Draft {
  let fields = given
  const set = (name: string, value: unknown) => {
    if (fields === given && Object.isFrozen(given)) fields = { ...given }
    setField(fields, name, value)
  }
  for (const name of Object.keys(given)) {
    const field = schema.fields.get(name)?.schema
    if (field === undefined || field.kind === 'scalar' || field.kind === 'any') continue
    const value = filled(field, given[name])
    if (value !== given[name]) set(name, value)
  }
  if (schema.written === undefined) return fields
  for (const [name, field] of schema.written) {
    const value = fields[name]
    if (value !== undefined && value !== null) continue
    if (field.kind === 'struct') set(name, filledStruct(field, {}))
    // A time that is not there is null.
    else if (value === undefined || !isTime(field)) set(name, zeroOf(field))
  }
  return fields
}

function filledList(item: Schema, given: unknown[]): unknown[] {
  let items = given
  for (let index = 0; index < given.length; index++) {
    const value = filled(item, given[index])
    if (value === given[index]) continue
    if (items === given && Object.isFrozen(given)) items = [...given]
    items[index] = value
  }
  return items
}

function filledMap(schema: Schema, given: Draft): Draft {
  let fields = given
  for (const name of Object.keys(given)) {
    const value = filled(schema, given[name])
    if (value === given[name]) continue
    if (fields === given && Object.isFrozen(given)) fields = { ...given }
    setField(fields, name, value)
  }
  return fields
}

function isTime(schema: Schema): boolean {
  return schema.kind === 'scalar' && (schema.scalar === 'time' || schema.scalar === 'micro-time')
}

/** What Go writes for a field that was not set. */
function zeroOf(schema: Schema): unknown {
  if (schema.kind !== 'scalar') return null
  switch (schema.scalar) {
    case 'string':
    case 'bytes':
      return ''
    case 'int32':
    case 'int64':
    case 'double':
    case 'int-or-string':
      return 0
    case 'boolean':
      return false
    case 'quantity':
      return '0'
    default:
      return null
  }
}
