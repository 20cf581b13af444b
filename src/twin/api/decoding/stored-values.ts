// What decoding does to values before anybody looks at them: quantities become text, and a list or map that an optional field holds
// empty is as if it were not there.
import { canonicalText, parseQuantity } from '#kube/values/quantity.ts'
import { type Draft, isFields, setField } from '../../json-value.ts'
import type { Schema } from '../../schema/schema.ts'

/** Brings a decoded object into the form it is stored in. Yields false where it has a quantity that is none. */
export function settleValues(schema: Schema, value: Draft): boolean {
  const holder: Draft = { value }
  return settle(schema, holder, 'value')
}

function settle(schema: Schema, holder: Draft, name: string): boolean {
  const value = holder[name]
  switch (schema.kind) {
    case 'scalar':
      if (schema.scalar !== 'quantity' || value === null || value === undefined) return true
      return settleQuantity(holder, name, String(value))
    case 'map':
      return !isFields(value) || Object.keys(value).every(key => settle(schema.value, value, key))
    case 'struct':
      if (!isFields(value)) return true
      // By what it has: a schema has many more fields than any object.
      for (const key of Object.keys(value)) {
        const field = schema.fields.get(key)
        if (field === undefined || value[key] === undefined) continue
        if (field.isDropped === true && isEmptyCollection(field.schema, value[key])) delete value[key]
        else if (!settle(field.schema, value, key)) return false
      }
      return true
    case 'list':
      if (!Array.isArray(value)) return true
      return value.every((item, index) => {
        const place: Draft = { item }
        const isGood = settle(schema.item, place, 'item')
        value[index] = place['item']
        return isGood
      })
    case 'any':
      return true
    default:
      return schema satisfies never
  }
}

/** In its canonical form: `1000m` is stored as `1`. */
function settleQuantity(holder: Draft, name: string, text: string): boolean {
  const parsed = parseQuantity(text)
  if (parsed.ok) setField(holder, name, canonicalText(parsed.value))
  return parsed.ok
}

/** Structs are another matter: `emptyDir: {}` says something. */
function isEmptyCollection(schema: Schema, value: unknown): boolean {
  if (schema.kind === 'list') return Array.isArray(value) && value.length === 0
  return schema.kind === 'map' && isFields(value) && Object.keys(value).length === 0
}
