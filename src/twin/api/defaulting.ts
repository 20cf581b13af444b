// Steps that fill in fields where an object says nothing.
import { type Draft, isFields } from '../json-value.ts'

/** The object's spec, which is made where there is none. */
export function specOf(draft: Draft): Draft {
  const spec = draft['spec']
  if (isFields(spec)) return spec
  const made: Draft = {}
  draft['spec'] = made
  return made
}

/** Puts a value where there is none, or null. */
export function defaultField(fields: Draft, name: string, value: unknown): void {
  if (fields[name] === undefined || fields[name] === null) fields[name] = value
}

/** The object at a field, which is made where there is none. */
export function defaultObject(fields: Draft, name: string): Draft {
  const present = fields[name]
  if (isFields(present)) return present
  const made: Draft = {}
  fields[name] = made
  return made
}

/** Puts a text where there is none, or an empty one. */
export function defaultText(fields: Draft, name: string, value: string): void {
  if ((fields[name] ?? '') === '') fields[name] = value
}
