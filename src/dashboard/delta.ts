// What changed between two values of a topic, and how that is put onto the first. Pure; server and page share it. What is sent is what
// changed: a field, a row of a table (`topicTables`), or, of columns (`topicColumns`), what a row would be.
import type { Delta } from './contract.ts'
import { type TopicKind, topicColumns, topicTables } from './contract-names.ts'

type Difference = Pick<Delta, 'set' | 'upsert' | 'remove' | 'order'>

type Fields = Readonly<Record<string, unknown>>
type Table = ReadonlyMap<string, Fields>

/**
 * What leads from `before` to `after`, two values of one topic that survive JSON; `undefined` where they are equal. Parts that are the
 * same objects are not looked into: a view that shares what did not change costs what did.
 */
export function differenceOf(kind: TopicKind, before: unknown, after: unknown): Difference | undefined {
  const [old, now] = [fieldsOf(before), fieldsOf(after)]
  const set: Record<string, unknown> = {}
  const changes: Changes = { upsert: {}, remove: {}, order: {} }
  for (const name of new Set([...Object.keys(old), ...Object.keys(now)])) {
    if (old[name] === now[name]) continue
    const rows = rowsChangedInPlace(old[name], now[name], entryOf(topicColumns[kind], name))
    if (rows !== undefined) {
      if (Object.keys(rows).length > 0) changes.upsert[name] = rows
      continue
    }
    const [oldTable, newTable] = [tableOf(kind, name, old[name]), tableOf(kind, name, now[name])]
    if (oldTable === undefined || newTable === undefined) {
      if (!isEqual(old[name], now[name])) set[name] = now[name] ?? null
    } else compareTables(name, oldTable, newTable, changes)
  }
  const difference = { set, ...changes }
  return Object.values(difference).every(part => Object.keys(part).length === 0) ? undefined : difference
}

/** `value` with `difference` on it, as a new value that shares what did not change. Tables and fields that `value` lacks are ignored. */
export function applied<T>(kind: TopicKind, value: T, difference: Difference): T {
  const { set, upsert, remove, order } = difference
  const changed: Record<string, unknown> = { ...fieldsOf(value), ...set }
  for (const name of new Set([...Object.keys(upsert), ...Object.keys(remove), ...Object.keys(order)])) {
    const table = tableOf(kind, name, changed[name])
    if (table === undefined) continue
    const rows = new Map(table)
    for (const key of remove[name] ?? []) rows.delete(key)
    for (const [key, row] of Object.entries(upsert[name] ?? {})) rows.set(key, fieldsOf(row))
    changed[name] = tableValue(kind, name, inOrder(rows, order[name]))
  }
  // The same fields as before: only what they hold was exchanged.
  return changed as T
}

interface Changes {
  readonly upsert: Record<string, Fields>
  readonly remove: Record<string, readonly string[]>
  readonly order: Record<string, readonly string[]>
}

function compareTables(name: string, before: Table, after: Table, { upsert, remove, order }: Changes): void {
  const changed = new Map<string, Fields>()
  for (const [key, row] of after) {
    const known = before.get(key)
    if (known === undefined || !isEqual(known, row)) changed.set(key, row)
  }
  const gone = Array.from(before.keys()).filter(key => !after.has(key))
  const keys = Array.from(after.keys())
  // Made from entries: a row may have any name, that of a prototype too.
  const rows = Object.fromEntries(changed)
  // Where rows come to stand that are only put in and taken out: an object has names that are numbers first, whatever was put in first.
  const expected = [
    ...Array.from(before.keys()).filter(key => after.has(key)),
    ...Object.keys(rows).filter(key => !before.has(key)),
  ]
  if (changed.size > 0) upsert[name] = rows
  if (gone.length > 0) remove[name] = gone
  if (expected.some((key, at) => keys[at] !== key)) order[name] = keys
}

function inOrder(rows: Table, order: readonly string[] | undefined): Table {
  if (order === undefined) return rows
  const ordered = new Map<string, Fields>()
  for (const key of [...order, ...rows.keys()]) {
    const row = rows.get(key)
    if (row !== undefined) ordered.set(key, row)
  }
  return ordered
}

/** A field's rows by their keys; `undefined` where it is no table, or holds none, or two rows of one name. */
function tableOf(kind: TopicKind, name: string, value: unknown): Table | undefined {
  const columnKey = entryOf(topicColumns[kind], name)
  if (columnKey !== undefined) return rowsOfColumns(value, columnKey)
  const keyField = entryOf(topicTables[kind], name)
  if (keyField === undefined || !Array.isArray(value)) return undefined
  const rows = new Map<string, Fields>()
  for (const row of value) {
    const fields = fieldsOf(row)
    rows.set(String(fields[keyField]), fields)
  }
  return rows.size === value.length ? rows : undefined
}

function tableValue(kind: TopicKind, name: string, rows: Table): unknown {
  if (entryOf(topicColumns[kind], name) === undefined) return [...rows.values()]
  const [first] = rows.values()
  // Without rows the names of the columns are not known, so a table without rows is sent whole.
  const fields = Object.keys(first ?? {})
  const all = [...rows.values()]
  return Object.fromEntries(fields.map(field => [field, all.map(row => row[field])]))
}

/** A row made from columns at one place; its fields are read when they are asked for. */
function rowsOfColumns(value: unknown, key: string): Table | undefined {
  const columns = Object.entries(fieldsOf(value)).flatMap(([field, cells]): [string, readonly unknown[]][] =>
    Array.isArray(cells) ? [[field, cells]] : [],
  )
  const names = columns.find(([field]) => field === key)?.[1]
  if (names === undefined || names.length === 0 || columns.some(([, cells]) => cells.length !== names.length)) return undefined
  const rows = new Map<string, Fields>()
  for (const [at, name] of names.entries()) {
    const row: Record<string, unknown> = {}
    for (const [field, cells] of columns) row[field] = cells[at]
    rows.set(String(name), row)
  }
  return rows.size === names.length ? rows : undefined
}

/**
 * The rows of columns that differ, where both sides have the same rows in order of their names: of 5,000 rows only those are made. Else
 * `undefined`.
 */
function rowsChangedInPlace(before: unknown, after: unknown, key: string | undefined): Record<string, Fields> | undefined {
  if (key === undefined) return undefined
  const [old, now] = [fieldsOf(before), fieldsOf(after)]
  const names = now[key]
  if (!Array.isArray(names) || names.length === 0 || !isSameOrder(old[key], names)) return undefined
  const fields = Object.keys(now)
  if (fields.length !== Object.keys(old).length) return undefined
  const changed = new Set<number>()
  for (const field of fields) {
    const [cells, left] = [now[field], old[field]]
    if (!Array.isArray(cells) || !Array.isArray(left)) return undefined
    if (cells.length !== names.length || left.length !== names.length) return undefined
    for (let at = 0; at < cells.length; at++) if (cells[at] !== left[at] && !isEqual(cells[at], left[at])) changed.add(at)
  }
  // Made from entries: a row may have any name, that of a prototype too.
  return Object.fromEntries(
    Array.from(changed, at => [
      String(names[at]),
      Object.fromEntries(fields.map(field => [field, (now[field] as readonly unknown[])[at]])),
    ]),
  )
}

/** Names that rise, so that none is there twice, and are the same on both sides. */
function isSameOrder(before: unknown, names: readonly unknown[]): boolean {
  if (!Array.isArray(before) || before.length !== names.length) return false
  let last: string | undefined
  for (let at = 0; at < names.length; at++) {
    const name = names[at]
    if (typeof name !== 'string' || name !== before[at] || (last !== undefined && name <= last)) return false
    last = name
  }
  return true
}

function entryOf(entries: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(entries, name) ? entries[name] : undefined
}

function fieldsOf(value: unknown): Fields {
  // What it is asked with was made by views or came as JSON: an object's fields can be read by name.
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

/** Deep equality of what JSON can say. */
function isEqual(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const [left, right] = [fieldsOf(one), fieldsOf(other)]
  const names = Object.keys(left)
  return (
    names.length === Object.keys(right).length &&
    names.every(name => Object.hasOwn(right, name) && isEqual(left[name], right[name]))
  )
}
