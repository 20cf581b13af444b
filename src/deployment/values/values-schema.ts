// What Helm reads of the values: their JSON schema, their defaults, and the commented file, all from the one zod schema.
import * as z from 'zod'
import type { Capability } from '#coordination/capability.ts'
import type { Values } from '../names.ts'
import { fieldValue, scalarText } from '../yaml-text.ts'
import { valuesSchema } from './values.ts'

export interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: unknown
  readonly [keyword: string]: unknown
}

/** `values.schema.json`: draft 7; a key that is not in it is refused everywhere but in maps. */
export function jsonSchemaOf(capabilities: readonly Capability[]): JsonSchema {
  const known = schemasOf.get(capabilities)
  if (known !== undefined) return known
  const made = z.toJSONSchema(valuesSchema(capabilities), { target: 'draft-7', io: 'input' })
  const schema = { ...closed(made as JsonSchema), title: 'Values of the chart ballast' }
  schemasOf.set(capabilities, schema)
  return schema
}

const schemasOf = new WeakMap<readonly Capability[], JsonSchema>()

/** Objects with fields of their own take no others, also where the schema of a section only says which it reads. */
function closed(schema: JsonSchema): JsonSchema {
  const inner = Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => [keyword, keyword === 'default' ? value : closedInside(value)]),
  )
  const isOpen = schema.properties !== undefined && schema.additionalProperties === undefined
  return isOpen ? { ...inner, additionalProperties: false } : inner
}

function closedInside(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closedInside)
  return typeof value === 'object' && value !== null ? closed(value as JsonSchema) : value
}

/** A map whose keys have values of their own; one that is there only when somebody gives it is a value itself. */
const isMap = (schema: JsonSchema) => schema.properties !== undefined && schema.default !== undefined

/** The value of each key that has one. */
export function defaultsOf(schema: JsonSchema): Values {
  const entries = Object.entries(schema.properties ?? {}).flatMap(([key, inner]): readonly (readonly [string, unknown])[] => {
    if (isMap(inner)) return [[key, defaultsOf(inner)]]
    return inner.default === undefined ? [] : [[key, inner.default]]
  })
  return Object.fromEntries(entries)
}

/** `values.yaml`: each key with its meaning, in the form that helm-docs reads. Keys without a default stand as comments. */
export function valuesText(schema: JsonSchema): string {
  const head = '# Values of the chart; `ballast manifests --set` takes the same keys. Generated from the schema: do not edit.\n'
  return head + keyLines(schema, 0)
}

function keyLines(schema: JsonSchema, indent: number): string {
  return Object.entries(schema.properties ?? {})
    .map(([key, inner]) => {
      const pad = ' '.repeat(indent)
      const comment = `${pad}# -- ${meaningOf(key, inner)}\n`
      if (isMap(inner)) {
        const isEmpty = Object.keys(defaultsOf(inner)).length === 0
        return `${comment}${pad}${scalarText(key)}:${isEmpty ? ' {}' : ''}\n${keyLines(inner, indent + 2)}`
      }
      if (inner.default === undefined) return `${comment}${pad}# ${scalarText(key)}:\n`
      return `${comment}${pad}${scalarText(key)}:${fieldValue(inner.default, indent)}`
    })
    .join('')
}

/** The description; of a key that explains itself, its choices or its name in words. */
function meaningOf(key: string, schema: JsonSchema): string {
  const choices = schema['enum']
  const suffix = Array.isArray(choices) ? ` (${choices.map(choice => (choice === '' ? '""' : String(choice))).join(', ')})` : ''
  return `${schema.description ?? key.replace(/([a-z])([A-Z])/g, (_match, a: string, b: string) => `${a} ${b.toLowerCase()}`)}${suffix}`
}

/** One row of a table of values: dotted key, default as JSON (absent: none), meaning. */
interface ValueRow {
  readonly key: string
  readonly standard: string | undefined
  readonly meaning: string
}

/** Every key with a value of its own. */
export function valueRows(schema: JsonSchema, prefix = ''): readonly ValueRow[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    const key = `${prefix}${name}`
    if (isMap(inner)) return valueRows(inner, `${key}.`)
    return [
      { key, standard: inner.default === undefined ? undefined : JSON.stringify(inner.default), meaning: meaningOf(name, inner) },
    ]
  })
}
