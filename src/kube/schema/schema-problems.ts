// What a zod schema finds wrong with something from outside, as problems: each with its path, what was found, what would be right,
// and for an unknown key the name that was probably meant.

import { z } from 'zod'
import type { Problem } from '../problem.ts'
import { nearestName } from '../values/nearest-name.ts'

/** `value` as `schema` reads it, or every problem found. `where` comes before each path. */
export function checkAgainst<T extends z.ZodType>(
  schema: T,
  value: unknown,
  where: string,
): { readonly ok: true; readonly value: z.output<T> } | { readonly ok: false; readonly problems: readonly Problem[] } {
  const result = schema.safeParse(value)
  if (result.success) return { ok: true, value: result.data }
  return { ok: false, problems: result.error.issues.flatMap(issue => problemsOf(issue, { schema, value, where, base: [] })) }
}

const privateAddresses = new WeakSet<z.ZodType>()

/** Marks a schema of addresses: of a bad one only scheme and host are told, because the rest is often the secret. */
export function privateAddress<T extends z.ZodType>(schema: T): T {
  privateAddresses.add(schema)
  return schema
}

type Issue = z.core.$ZodIssue

interface Subject {
  readonly schema: z.ZodType
  readonly value: unknown
  readonly where: string
  /** The path of `value` in the whole, for issues inside of unions. */
  readonly base: readonly PropertyKey[]
}

function problemsOf(issue: Issue, subject: Subject): readonly Problem[] {
  const path = [...subject.base, ...issue.path]
  const where = [subject.where, pathText(path)].filter(text => text !== '').join(': ')
  const given = valueAt(subject.value, path)
  const found = foundText(given, schemaAt(subject.schema, path))
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(subject.schema, path)
    return issue.keys.map(key => ({ code: 'unknown-key', where, found: key, expected: expectedKey(key, known) }))
  }
  if (issue.code === 'invalid_union') {
    const [branch] = issue.errors.toSorted((a, b) => depthOf(b) - depthOf(a))
    if (branch !== undefined && depthOf(branch) > 0) return branch.flatMap(inner => problemsOf(inner, { ...subject, base: path }))
    const choices = issue.errors.flatMap(errors => errors.map(expectedOf))
    return [{ code: 'wrong-type', where, found, expected: [...new Set(choices)].join(' or ') || issue.message }]
  }
  const code = given === undefined ? 'missing-key' : issue.code === 'invalid_type' ? 'wrong-type' : 'wrong-value'
  return [{ code, where, found, expected: withSlip(issue, given) }]
}

/** How far into the value the errors of a union's branch got: the deepest is the one that was meant. */
function depthOf(errors: readonly Issue[]): number {
  return Math.max(0, ...errors.map(error => error.path.length))
}

function expectedKey(key: string, known: readonly string[]): string {
  const meant = nearestName(key, known)
  if (meant !== undefined) return `a known key; did you mean ${JSON.stringify(meant)}?`
  return known.length === 0 ? 'no such key' : `one of ${known.join(', ')}`
}

function withSlip(issue: Issue, given: unknown): string {
  const expected = expectedOf(issue)
  if (issue.code !== 'invalid_value' || typeof given !== 'string') return expected
  const meant = nearestName(given, issue.values.map(String))
  return meant === undefined ? expected : `${expected}; did you mean ${JSON.stringify(meant)}?`
}

function expectedOf(issue: Issue): string {
  // Our own schemas say `not a duration such as …`.
  if (issue.message.startsWith('not ')) return issue.message.slice('not '.length)
  switch (issue.code) {
    case 'invalid_type':
      return `${/^[aeio]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`
    case 'invalid_value':
      return issue.values.length === 1 ? textOf(issue.values[0]) : `one of ${issue.values.map(textOf).join(', ')}`
    case 'too_big':
      return `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unitOf(issue.origin)}`
    case 'too_small':
      return `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unitOf(issue.origin)}`
    case 'invalid_format':
      return issue.pattern === undefined ? `a text of the form ${issue.format}` : `a text that matches ${issue.pattern}`
    default:
      return issue.message
  }
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters'
  return origin === 'array' || origin === 'set' ? ' entries' : ''
}

/** `spec.goals[0].max`. */
function pathText(path: readonly PropertyKey[]): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${String(step)}`)).join('')
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, step) => {
    return typeof inner === 'object' && inner !== null && Object.hasOwn(inner, step) ? Reflect.get(inner, step) : undefined
  }, value)
}

function textOf(value: unknown): string {
  // A whole number beyond 2^53 is shown as the nearest one there is where it stands inside.
  if (typeof value === 'bigint') return String(value)
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? Number(inner) : inner)) ?? String(value)
}

function foundText(given: unknown, schema: unknown): string {
  if (given === undefined) return 'nothing'
  if (schema instanceof z.ZodType && privateAddresses.has(schema)) return shownAddress(given)
  return typeof given === 'string' ? given : textOf(given)
}

function shownAddress(given: unknown): string {
  const text = typeof given === 'string' ? given : textOf(given)
  const url = URL.parse(text)
  return url === null || url.host === '' ? `${text.length} characters that are not shown` : `${url.protocol}//${url.host}/…`
}

/** The keys that the object at `path` may have; none where that is no object, or one of a union. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const at = schemaAt(schema, path)
  return at instanceof z.ZodObject ? Object.keys(at.shape) : []
}

/** The schema of what is at `path`; `undefined` inside of unions, and where nothing is to be. */
function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): unknown {
  let at: unknown = unwrapped(schema)
  for (const step of path) {
    if (at instanceof z.ZodObject) at = unwrapped(at.shape[String(step)])
    else if (at instanceof z.ZodArray) at = unwrapped(at.element)
    else if (at instanceof z.ZodRecord) at = unwrapped(at.valueType)
    else return undefined
  }
  return at
}

/** The schema inside of defaults, optionals and pipes. */
function unwrapped(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return unwrapped(schema.unwrap())
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return unwrapped(schema.def.innerType)
  if (schema instanceof z.ZodPipe) return unwrapped(schema.in)
  return schema
}
