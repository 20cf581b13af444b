// JSON Patch (RFC 6902): applying one to a document, and the patch between two. Documents are never changed; results share
// what did not change. Keys such as `__proto__` and `constructor` are data like any other.

import type { Parsed } from '../problem.ts'

export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly from: string; readonly path: string }

/** As the API server has it. */
export const operationsLimit = 10_000
/** What all `copy` operations of one patch may copy, in characters of JSON: a few lines of them can double a document each. */
const copiedLimit = 10_485_760

/** Thrown inside this file only: why an operation does not apply. */
class PatchMessage extends Error {}

/** The operations in `value` (parsed JSON). Checked whole before anything is applied. */
export function readJsonPatch(value: unknown, where = 'patch'): Parsed<readonly JsonPatchOperation[]> {
  const refused = (at: string, found: unknown, expected: string): Parsed<readonly JsonPatchOperation[]> => ({
    ok: false,
    problem: { code: 'json-patch-syntax', where: at, found: JSON.stringify(found) ?? 'nothing', expected },
  })
  if (!Array.isArray(value)) return refused(where, value, 'a list of operations')
  if (value.length > operationsLimit) return refused(where, value.length, `at most ${operationsLimit} operations`)
  const operations: JsonPatchOperation[] = []
  for (const [index, entry] of value.entries()) {
    const operation = readOperation(entry)
    if (typeof operation === 'string') return refused(`${where}[${index}]`, entry, operation)
    operations.push(operation)
  }
  return { ok: true, value: operations }
}

function readOperation(entry: unknown): JsonPatchOperation | string {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return 'an object with op and path'
  const field = (name: string): unknown => (Object.hasOwn(entry, name) ? Reflect.get(entry, name) : undefined)
  const [op, path, from] = [field('op'), field('path'), field('from')]
  if (!isPointer(path)) return 'a path that is empty or begins with /'
  switch (op) {
    case 'add':
    case 'replace':
    case 'test':
      return Object.hasOwn(entry, 'value') ? { op, path, value: field('value') } : 'a value'
    case 'remove':
      return { op, path }
    case 'move':
    case 'copy':
      return isPointer(from) ? { op, from, path } : 'a from that is empty or begins with /'
    default:
      return 'op to be one of add, remove, replace, move, copy, test'
  }
}

function isPointer(text: unknown): text is string {
  return typeof text === 'string' && (text === '' || text.startsWith('/')) && !/~(?![01])/.test(text)
}

/** `document` with all `operations` done in turn, or why one of them does not apply; then nothing is done. */
export function applyJsonPatch(document: unknown, operations: readonly JsonPatchOperation[], where = 'patch'): Parsed<unknown> {
  let result = document
  let copied = 0
  for (const [index, operation] of operations.entries()) {
    try {
      if (operation.op === 'copy') {
        copied += JSON.stringify(valueAt(result, pointerSteps(operation.from)))?.length ?? 0
        if (copied > copiedLimit) throw new PatchMessage(`copies of at most ${copiedLimit} characters in all`)
      }
      result = applied(result, operation)
    } catch (error) {
      if (!(error instanceof PatchMessage)) throw error
      const found = `${operation.op} ${operation.path}`
      return {
        ok: false,
        problem: { code: 'json-patch-does-not-apply', where: `${where}[${index}]`, found, expected: error.message },
      }
    }
  }
  return { ok: true, value: result }
}

function applied(document: unknown, operation: JsonPatchOperation): unknown {
  const steps = pointerSteps(operation.path)
  switch (operation.op) {
    case 'add':
      return changed(document, steps, { kind: 'add', value: operation.value })
    case 'replace':
      return changed(document, steps, { kind: 'replace', value: operation.value })
    case 'remove':
      return changed(document, steps, { kind: 'remove' })
    case 'test':
      // API servers take a test for null as holding where the key is absent, and clients rely on it to create what is missing.
      if (operation.value === null && isAbsentKey(document, steps)) return document
      if (!isSameJson(valueAt(document, steps), operation.value)) throw new PatchMessage('the value tested for')
      return document
    case 'copy':
      return changed(document, steps, { kind: 'add', value: valueAt(document, pointerSteps(operation.from)) })
    case 'move': {
      if (operation.path.startsWith(`${operation.from}/`)) throw new PatchMessage('a path outside of what is moved')
      const from = pointerSteps(operation.from)
      const value = valueAt(document, from)
      return changed(changed(document, from, { kind: 'remove' }), steps, { kind: 'add', value })
    }
  }
}

type Change = { readonly kind: 'add' | 'replace'; readonly value: unknown } | { readonly kind: 'remove' }

/** `document` with the value at `steps` changed; each container on the way is copied, the rest shared. */
function changed(document: unknown, steps: readonly string[], change: Change): unknown {
  const [step, ...rest] = steps
  if (step === undefined) {
    if (change.kind === 'remove') throw new PatchMessage('a path within the document')
    return change.value
  }
  if (Array.isArray(document)) return changedArray(document, step, rest, change)
  if (!isObject(document)) throw new PatchMessage(`an object or list that has ${JSON.stringify(step)}`)
  const isThere = Object.hasOwn(document, step)
  if (rest.length > 0 || change.kind !== 'add') {
    if (!isThere) throw new PatchMessage(`a document that has the key ${JSON.stringify(step)}`)
  }
  if (rest.length > 0) return { ...document, [step]: changed(Reflect.get(document, step), rest, change) }
  if (change.kind !== 'remove') return { ...document, [step]: change.value }
  return Object.fromEntries(Object.entries(document).filter(([key]) => key !== step))
}

function changedArray(list: readonly unknown[], step: string, rest: readonly string[], change: Change): unknown {
  if (rest.length > 0) {
    const index = indexIn(list, step, list.length - 1)
    return list.with(index, changed(list[index], rest, change))
  }
  switch (change.kind) {
    case 'add':
      return list.toSpliced(step === '-' ? list.length : indexIn(list, step, list.length), 0, change.value)
    case 'replace':
      return list.with(indexIn(list, step, list.length - 1), change.value)
    case 'remove':
      return list.toSpliced(indexIn(list, step, list.length - 1), 1)
  }
}

function indexIn(list: readonly unknown[], step: string, last: number): number {
  const index = /^(?:0|[1-9][0-9]{0,9})$/.test(step) ? Number(step) : -1
  if (index < 0 || index > last) throw new PatchMessage(`an index within a list of ${list.length}, not ${JSON.stringify(step)}`)
  return index
}

function valueAt(document: unknown, steps: readonly string[]): unknown {
  let value = document
  for (const step of steps) {
    if (Array.isArray(value)) value = value[indexIn(value, step, value.length - 1)]
    else if (isObject(value) && Object.hasOwn(value, step)) value = Reflect.get(value, step)
    else throw new PatchMessage(`a document that has the key ${JSON.stringify(step)}`)
  }
  return value
}

/** Whether just the last step is missing, in an object. */
function isAbsentKey(document: unknown, steps: readonly string[]): boolean {
  const parent = steps.slice(0, -1).reduce<unknown>((value, step) => {
    return typeof value === 'object' && value !== null && Object.hasOwn(value, step) ? Reflect.get(value, step) : undefined
  }, document)
  return steps.length > 0 && isObject(parent) && !Object.hasOwn(parent, steps.at(-1) ?? '')
}

/** `/a~1b/0` as `a/b`, `0`. */
export function pointerSteps(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The pointer of `steps`. */
export function pointerOf(steps: readonly (string | number)[]): string {
  return steps.map(step => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** The operations that make `after` of `before`: `add`, `remove` and `replace` only, keys in `after`'s order; none where they are equal. */
export function jsonPatchBetween(before: unknown, after: unknown): readonly JsonPatchOperation[] {
  const operations: JsonPatchOperation[] = []
  collect(before, after, '', operations)
  return operations
}

function collect(before: unknown, after: unknown, path: string, operations: JsonPatchOperation[]): void {
  if (isSameJson(before, after)) return
  if (Array.isArray(before) && Array.isArray(after)) collectList(before, after, path, operations)
  else if (isObject(before) && isObject(after)) collectObject(before, after, path, operations)
  else operations.push({ op: 'replace', path, value: after })
}

function collectObject(before: object, after: object, path: string, operations: JsonPatchOperation[]): void {
  for (const key of Object.keys(before)) {
    if (!Object.hasOwn(after, key)) operations.push({ op: 'remove', path: path + pointerOf([key]) })
  }
  for (const [key, value] of Object.entries(after)) {
    const at = path + pointerOf([key])
    if (Object.hasOwn(before, key)) collect(Reflect.get(before, key), value, at, operations)
    else operations.push({ op: 'add', path: at, value })
  }
}

/** What is equal at both ends stays; the middle is changed pairwise, then cut or grown. */
function collectList(
  before: readonly unknown[],
  after: readonly unknown[],
  path: string,
  operations: JsonPatchOperation[],
): void {
  let head = 0
  while (head < before.length && head < after.length && isSameJson(before[head], after[head])) head++
  let tail = 0
  while (
    tail < before.length - head &&
    tail < after.length - head &&
    isSameJson(before[before.length - 1 - tail], after[after.length - 1 - tail])
  ) {
    tail++
  }
  const [beforeEnd, afterEnd] = [before.length - tail, after.length - tail]
  for (let at = head; at < beforeEnd && at < afterEnd; at++) collect(before[at], after[at], `${path}/${at}`, operations)
  for (let at = beforeEnd - 1; at >= Math.max(head, afterEnd); at--) operations.push({ op: 'remove', path: `${path}/${at}` })
  for (let at = Math.max(head, beforeEnd); at < afterEnd; at++)
    operations.push({ op: 'add', path: `${path}/${at}`, value: after[at] })
}

/** Whether the value is a JSON object; a value of a class of its own is one value, not its fields. */
export function isObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** JSON equality: the order of keys does not count. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, index) => isSameJson(value, b[index]))
  if (!isObject(a) || !isObject(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every(key => Object.hasOwn(b, key) && isSameJson(Reflect.get(a, key), Reflect.get(b, key)))
}
