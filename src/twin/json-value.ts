// JSON trees as data: reading them by path without trusting their shape, copying, freezing, comparing.
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, isFields } from '#kube/values/json-tree.ts'

export { type Draft, isFields, isSame, jsonText, OddNumber } from '#kube/values/json-tree.ts'

type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonFields
type JsonFields = { readonly [key: string]: JsonValue | undefined }

/** The value below `path`; undefined where the path leaves the tree. */
export function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let current = value
  for (const key of path) {
    if (!isFields(current) || !Object.hasOwn(current, key)) return undefined
    current = current[key]
  }
  return current
}

export function fieldsAt(value: unknown, ...path: readonly string[]): Draft | undefined {
  const found = valueAt(value, ...path)
  return isFields(found) ? found : undefined
}

/** The elements of a list; none when there is no list. */
export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = valueAt(value, ...path)
  return Array.isArray(found) ? found : []
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = valueAt(value, ...path)
  return typeof found === 'string' ? found : undefined
}

/** A whole number as it is, however big. */
export function integerAt(value: unknown, ...path: readonly string[]): number | bigint | undefined {
  const found = valueAt(value, ...path)
  return typeof found === 'bigint' || typeof found === 'number' ? found : undefined
}

/** The next whole number; behind the last int64 comes the first, as in Go. */
export function raised(value: number | bigint): number | bigint {
  if (BigInt(value) >= 2n ** 63n - 1n) return -(2n ** 63n)
  return Number.isSafeInteger(Number(value) + 1) ? Number(value) + 1 : BigInt(value) + 1n
}

/** A number to compute with: of an integer beyond 2^53 the nearest one there is. */
export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = valueAt(value, ...path)
  if (typeof found === 'bigint') return Number(found)
  return typeof found === 'number' ? found : undefined
}

/** The objects of a list; elements that are none are left out. */
export function itemsAt(value: unknown, ...path: readonly string[]): readonly Draft[] {
  return listAt(value, ...path).filter(isFields)
}

/** The string values of a map such as labels. */
export function textsAt(value: unknown, ...path: readonly string[]): Record<string, string> {
  const texts: Record<string, string> = {}
  for (const [key, text] of Object.entries(fieldsAt(value, ...path) ?? {}))
    if (typeof text === 'string') setField(texts, key, text)
  return texts
}

/** Sets an own field, whatever its name. */
export function setField<T>(fields: { [key: string]: T }, key: string, value: T): void {
  if (key === '__proto__') Object.defineProperty(fields, key, { value, enumerable: true, configurable: true, writable: true })
  else fields[key] = value
}

/** Sets the value below `path`, making (or copying, where frozen) the objects on the way. */
export function setAt(fields: Draft, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path
  if (key === undefined) return
  if (rest.length === 0) {
    if (value === undefined) delete fields[key]
    else setField(fields, key, value)
    return
  }
  const present = fields[key]
  const next: Draft = isFields(present) ? (Object.isFrozen(present) ? { ...present } : present) : {}
  setField(fields, key, next)
  setAt(next, rest, value)
}

/** A deep copy that may be changed. */
export function copyOf<T>(value: T): T
export function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(item => copyOf(item))
  if (!isFields(value)) return value
  const copy: Draft = {}
  for (const key of Object.keys(value)) setField(copy, key, copyOf(value[key]))
  return copy
}

/** A deep copy of an object as a tree that may be changed; the fields `as` they are stay so, for whoever replaces them at once. */
export function draftOf(object: KubeObject | Draft, as: ReadonlySet<string> = new Set()): Draft {
  const copy: Draft = {}
  for (const key of Object.keys(object)) setField(copy, key, as.has(key) ? object[key] : copyOf(object[key]))
  return copy
}

/** Freezes a tree; parts that are frozen already are taken to be frozen through. Absent (`undefined`) fields are removed. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (Array.isArray(value)) for (const item of value) frozen(item)
  else if (isFields(value)) {
    for (const key of Object.keys(value)) {
      if (value[key] === undefined) delete value[key]
      else frozen(value[key])
    }
  }
  return Object.freeze(value)
}

/** True for what has no content: undefined, null, `{}`, `[]`, '', 0, false. */
export function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true
  if (Array.isArray(value)) return value.length === 0
  return isFields(value) && Object.keys(value).length === 0
}

/** The tree of a JSON text that we wrote ourselves: {@link jsonText} of it is the same text again. @throws SyntaxError */
export function jsonTree(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text)
  // The types of ES2024 do not know the third argument yet.
  const exactly = (_name: string, value: unknown, ...more: readonly { readonly source?: string }[]) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
    const source = more[0]?.source ?? ''
    return /^-?\d+$/.test(source) ? BigInt(source) : value
  }
  return JSON.parse(text, exactly)
}
