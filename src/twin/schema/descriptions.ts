// What the fields of the built-in kinds are for, in the words of their schemas.
import { readFileSync } from 'node:fs'
import { type Draft, fieldsAt, textAt } from '../json-value.ts'

let descriptions: Draft | undefined

/** Loaded when somebody asks first: half a megabyte that most twins never need. */
export function descriptionOf(definition: string, field: string): string {
  if (descriptions === undefined) {
    const parsed: unknown = JSON.parse(readFileSync(new URL('../generated/descriptions.json', import.meta.url), 'utf8'))
    descriptions = fieldsAt(parsed, 'definitions') ?? {}
  }
  return textAt(descriptions, definition, field) ?? ''
}
