// Request bodies: JSON, YAML or protobuf into objects, with a word on fields that the kind does not have.

import { parseDocument } from 'yaml'
import { badRequest, StatusError, statusBody } from '#kube/status.ts'
import { type Draft, isFields } from '../json-value.ts'
import type { Schema } from '../schema/schema.ts'
import { structName } from '../schema/schema-table.ts'
import { decodeProtobuf, isProtobuf } from './protobuf.ts'

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore'

const accepted = 'application/json, application/yaml, application/vnd.kubernetes.protobuf'
const deepest = 10_000

/** The JSON value of a body. @throws StatusError 400 for what does not parse, 415 for other media types. */
export function decodeBody(
  contentType: string | undefined,
  body: Uint8Array,
): { readonly value: unknown; readonly duplicates: readonly string[] } {
  const mediaType = (contentType ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? ''
  switch (mediaType) {
    case '':
    case 'application/json':
    case 'application/json-patch+json':
    case 'application/merge-patch+json':
    case 'application/strategic-merge-patch+json':
      return isProtobuf(body) ? { value: decodeProtobuf(body), duplicates: [] } : parseJson(new TextDecoder().decode(body))
    case 'application/yaml':
    case 'application/apply-patch+yaml':
      return parseYaml(new TextDecoder().decode(body))
    case 'application/vnd.kubernetes.protobuf':
      return { value: decodeProtobuf(body), duplicates: [] }
    default:
      throw new StatusError(
        statusBody(
          415,
          `the body of the request was in an unknown format - accepted media types include: ${accepted}`,
          'UnsupportedMediaType',
        ),
      )
  }
}

function parseJson(text: string): { readonly value: unknown; readonly duplicates: readonly string[] } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof RangeError)
      throw badRequest(`the object provided is not well formed: ${cause.message}`)
    throw cause
  }
  if (depthOf(value) > deepest) throw badRequest(`the object provided is nested deeper than ${deepest} levels`)
  return { value, duplicates: duplicateFields(text) }
}

function depthOf(value: unknown): number {
  let deepestSeen = 0
  const stack: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 1 }]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (typeof next.value !== 'object' || next.value === null) continue
    deepestSeen = Math.max(deepestSeen, next.depth)
    for (const child of Object.values(next.value)) stack.push({ value: child, depth: next.depth + 1 })
  }
  return deepestSeen
}

function parseYaml(text: string): { readonly value: unknown; readonly duplicates: readonly string[] } {
  // Apply patches are JSON more often than not.
  if (/^\s*\{/.test(text)) {
    try {
      return parseJson(text)
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
    }
  }
  const document = parseDocument(text, { uniqueKeys: false, prettyErrors: false })
  const [problem] = document.errors
  if (problem !== undefined) throw badRequest(`error converting YAML to JSON: yaml: ${problem.message}`)
  return { value: document.toJS({ maxAliasCount: 100 }), duplicates: [] }
}

/** Paths of keys that occur twice in one object of a JSON text. Strings and nesting are followed; nothing else matters here. */
function duplicateFields(text: string): readonly string[] {
  const found: string[] = []
  const stack: { readonly keys: Set<string> | undefined; readonly path: string; index: number }[] = []
  let position = 0
  let key: string | undefined
  while (position < text.length) {
    const character = text[position]
    const top = stack.at(-1)
    if (character === '"') {
      const end = stringEnd(text, position)
      if (top?.keys !== undefined && key === undefined) {
        const name: unknown = JSON.parse(text.slice(position, end))
        key = String(name)
        if (top.keys.has(key)) found.push(top.path === '' ? key : `${top.path}.${key}`)
        top.keys.add(key)
      }
      position = end
      continue
    }
    if (character === '{' || character === '[') {
      const step = key ?? (top !== undefined && top.keys === undefined ? `[${top.index}]` : '')
      const path =
        top === undefined ? '' : step.startsWith('[') ? `${top.path}${step}` : top.path === '' ? step : `${top.path}.${step}`
      stack.push({ keys: character === '{' ? new Set() : undefined, path, index: 0 })
      key = undefined
    } else if (character === '}' || character === ']') {
      stack.pop()
      key = undefined
    } else if (character === ',') {
      key = undefined
      if (top !== undefined) top.index++
    }
    position++
  }
  return found
}

function stringEnd(text: string, start: number): number {
  let position = start + 1
  while (position < text.length && text[position] !== '"') position += text[position] === '\\' ? 2 : 1
  return position + 1
}

/** Takes out of `draft` the fields its schema does not have; yields their paths. */
export function pruneUnknown(schema: Schema, draft: Draft): readonly string[] {
  const unknown: string[] = []
  prune(schema, draft, '', unknown)
  return unknown
}

function prune(schema: Schema, value: unknown, path: string, unknown: string[]): void {
  switch (schema.kind) {
    case 'struct':
      if (!isFields(value)) return
      for (const name of Object.keys(value)) {
        const field = schema.fields.get(name)
        const at = path === '' ? name : `${path}.${name}`
        if (field !== undefined) prune(field.schema, value[name], at, unknown)
        else if (!schema.preservesUnknown) {
          unknown.push(at)
          delete value[name]
        }
      }
      return
    case 'map':
      if (isFields(value))
        for (const [name, item] of Object.entries(value))
          prune(schema.value, item, path === '' ? name : `${path}.${name}`, unknown)
      return
    case 'list':
      if (Array.isArray(value))
        for (const [index, item] of value.entries()) prune(schema.item, item, `${path}[${index}]`, unknown)
      return
    case 'any':
    case 'scalar':
      return
    default:
      schema satisfies never
  }
}

interface TypeMismatch {
  readonly path: string
  readonly found: string
  readonly expected: string
  /** The struct that has the field. */
  readonly struct?: string
}

/** The first place where a value is not of the type the schema has; undefined where all fit. */
export function typeMismatch(schema: Schema, value: unknown, path: string): TypeMismatch | undefined {
  if (value === undefined || value === null) return undefined
  const wrong = (expected: string) => ({
    path,
    found: Array.isArray(value)
      ? 'array'
      : typeof value === 'object'
        ? 'object'
        : typeof value === 'boolean'
          ? 'bool'
          : typeof value,
    expected,
  })
  switch (schema.kind) {
    case 'any':
      return undefined
    case 'scalar':
      return fitsScalar(schema.scalar, value) ? undefined : wrong(goTypes[schema.scalar])
    case 'list': {
      if (!Array.isArray(value)) return wrong('[]')
      return firstOf(value.entries(), ([index, item]) => typeMismatch(schema.item, item, `${path}[${index}]`))
    }
    case 'map':
      if (!isFields(value)) return wrong('map[string]')
      return firstOf(Object.entries(value), ([name, item]) => typeMismatch(schema.value, item, `${path}.${name}`))
    case 'struct': {
      if (!isFields(value)) return wrong(schema.name.replace(/^V1/, 'v1.'))
      const mismatch = firstOf(schema.fields, ([name, field]) =>
        typeMismatch(field.schema, value[name], path === '' ? name : `${path}.${name}`),
      )
      return mismatch === undefined || mismatch.struct !== undefined ? mismatch : { ...mismatch, struct: structName(schema.name) }
    }
  }
}

function firstOf<T, R>(items: Iterable<T>, find: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}

const goTypes = {
  string: 'string',
  bytes: '[]uint8',
  int32: 'int32',
  int64: 'int64',
  double: 'float64',
  boolean: 'bool',
  time: 'Time',
  'micro-time': 'MicroTime',
  'int-or-string': 'IntOrString',
  quantity: 'Quantity',
} as const

function fitsScalar(scalar: keyof typeof goTypes, value: unknown): boolean {
  switch (scalar) {
    case 'boolean':
      return typeof value === 'boolean'
    case 'int32':
    case 'int64':
      return typeof value === 'number' && Number.isInteger(value)
    case 'double':
      return typeof value === 'number'
    case 'int-or-string':
    case 'quantity':
      return typeof value === 'string' || typeof value === 'number'
    default:
      return typeof value === 'string'
  }
}
