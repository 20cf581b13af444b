// Sets of fields of an object, as managedFields records them (FieldsV1), and their algebra.

import type { Draft } from '../json-value.ts'
import { frozen, isFields, jsonText, jsonTree, setField } from '../json-value.ts'
import { memberSchema, type Schema } from '../schema/schema.ts'

/** A field and what is below it. `f:spec`, `k:{"name":"c"}`, `v:"x"` are path elements as FieldsV1 writes them. */
export interface FieldSet {
  readonly isMember: boolean
  readonly children: ReadonlyMap<string, FieldSet>
}

export const emptySet: FieldSet = { isMember: false, children: new Map() }
type ListSchema = Extract<Schema, { kind: 'list' }>

/** A field as a whole. */
export const leaf: FieldSet = { isMember: true, children: new Map() }

export function isEmptySet(set: FieldSet): boolean {
  return !set.isMember && set.children.size === 0
}

/** Metadata that nobody owns. */
const unowned = new Set([
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
  'managedFields',
])

/**
 * How structs, maps and lists that are not atomic count: an applied configuration names what is in them (and themselves only where
 * they are empty); an update also owns those it makes.
 */
type Counting = 'applied' | 'updated'

/** The fields an applied configuration names, without those that nobody owns. */
export function fieldsOfObject(schema: Schema, object: Draft): FieldSet {
  return countedFields(schema, object, 'applied')
}

function countedFields(schema: Schema, object: Draft, counting: Counting): FieldSet {
  const children = new Map<string, FieldSet>()
  for (const [name, value] of Object.entries(object)) {
    if (name === 'apiVersion' || name === 'kind' || value === undefined) continue
    if (name !== 'metadata') {
      const set = memberSet(schema, name, value, counting)
      if (!isEmptySet(set)) children.set(`f:${name}`, set)
    } else if (isFields(value)) {
      const set = fieldsOf(memberSchema(schema, name), ownedMetadata(value), counting)
      if (set.children.size > 0) children.set('f:metadata', { isMember: false, children: set.children })
    }
  }
  return { isMember: false, children }
}

/** Metadata without what nobody owns. */
export function ownedMetadata(metadata: unknown): Draft {
  const owned: Draft = {}
  if (isFields(metadata)) for (const name of Object.keys(metadata)) if (!unowned.has(name)) setField(owned, name, metadata[name])
  return owned
}

/** All that an update owns of a field or map value that it made. */
export function setOfMember(schema: Schema, name: string, value: unknown): FieldSet {
  return memberSet(schema, name, value, 'updated')
}

/** All that an update owns of a value that it made. */
export function setOfValue(schema: Schema, value: unknown): FieldSet {
  return fieldsOf(schema, value, 'updated')
}

/** Whether every item of a list has what names it; no item of an atomic list has. */
export function hasKeys({ semantics, item: schema }: ListSchema, items: readonly unknown[]): boolean {
  const { list } = semantics
  if (list.kind !== 'map') return list.kind === 'set'
  return items.every(item => isFields(item) && list.keys.some(key => keyOf(schema, item, key) !== undefined))
}

/** The set of a field or map value. Keys that the schema does not declare are owned themselves, too. */
function memberSet(schema: Schema, name: string, value: unknown, counting: Counting): FieldSet {
  const set = fieldsOf(memberSchema(schema, name), value, counting)
  const isDeclared = schema.kind === 'struct' && schema.fields.has(name)
  return isDeclared ? set : { ...set, isMember: true }
}

/** The fields of a value: itself alone where it is atomic or empty, else its members. */
function fieldsOf(schema: Schema, value: unknown, counting: Counting): FieldSet {
  if (isFields(value)) {
    const isAtomic = (schema.kind === 'struct' || schema.kind === 'map' || schema.kind === 'any') && schema.isAtomic === true
    const members = Object.entries(value).filter(([, member]) => member !== undefined)
    if (isAtomic || schema.kind === 'scalar' || members.length === 0) return leaf
    const children = new Map<string, FieldSet>()
    for (const [name, member] of members) {
      const set = memberSet(schema, name, member, counting)
      if (!isEmptySet(set)) children.set(`f:${name}`, set)
    }
    return { isMember: counting === 'updated', children }
  }
  if (Array.isArray(value) && schema.kind === 'list') {
    const elements = value.map(item => ({ element: elementOf(schema, item), item }))
    // Who applies an empty list owns nothing of it.
    if (elements.length === 0 && counting === 'applied' && schema.semantics.list.kind !== 'atomic') return emptySet
    if (elements.length === 0 || elements.some(({ element }) => element === undefined)) return leaf
    const children = new Map<string, FieldSet>()
    for (const { element, item } of elements) {
      if (element === undefined) continue
      // Items of one name are owned by that alone: nobody can say which of them has which field.
      const isAlone = !children.has(element)
      children.set(
        element,
        element.startsWith('k:') && isAlone ? { isMember: true, children: fieldsOf(schema.item, item, counting).children } : leaf,
      )
    }
    return { isMember: counting === 'updated', children }
  }
  return leaf
}

/** The path element that names an item of a list; undefined for lists that are atomic, or an item without its keys. */
export function elementOf(schema: ListSchema, item: unknown): string | undefined {
  const { list } = schema.semantics
  switch (list.kind) {
    case 'atomic':
      return undefined
    case 'set':
      return `v:${jsonText(item)}`
    case 'map': {
      if (!isFields(item)) return undefined
      const keys: Draft = {}
      for (const key of list.keys.toSorted()) {
        const value = keyOf(schema.item, item, key)
        if (value !== undefined) setField(keys, key, value)
      }
      return Object.keys(keys).length === 0 ? undefined : `k:${jsonText(keys)}`
    }
  }
}

/** What names an item by one of its keys: a key that is left out has a default where it is required, and `protocol` always. */
export function keyOf(schema: Schema, item: Draft, key: string): unknown {
  if (item[key] !== undefined || schema.kind !== 'struct') return item[key]
  if (key === 'protocol') return 'TCP'
  if (key === 'name' && schema.name === 'V1LocalObjectReference') return ''
  const required = schema.written?.get(key)
  if (required?.kind !== 'scalar') return undefined
  return required.scalar === 'string' ? '' : 0
}

/** Sets of stored FieldsV1, which are frozen and read again with every write. */
const readSets = new WeakMap<object, FieldSet>()
/** The stored FieldsV1 that a set was read from. */
const origins = new WeakMap<FieldSet, Draft>()
/** FieldsV1 of sets that were written, frozen: who writes the same fields again and again has the same set. */
const writtenSets = new WeakMap<FieldSet, Draft>()

/** FieldsV1 as a set. */
export function fromFieldsV1(fields: unknown): FieldSet {
  if (!isFields(fields) || !Object.isFrozen(fields)) return readFieldsV1(fields)
  let set = readSets.get(fields)
  if (set === undefined) {
    set = readFieldsV1(fields)
    readSets.set(fields, set)
    if (!isEmptySet(set)) origins.set(set, fields)
  }
  return set
}

function readFieldsV1(fields: unknown): FieldSet {
  const children = new Map<string, FieldSet>()
  let isMember = false
  if (!isFields(fields)) return emptySet
  for (const [element, below] of Object.entries(fields)) {
    if (element === '.') isMember = true
    else {
      const set = readFieldsV1(below)
      children.set(element, isEmptySet(set) ? leaf : set)
    }
  }
  return { isMember, children }
}

/** A set as FieldsV1, elements in order; frozen. */
export function toFieldsV1(set: FieldSet): Draft {
  let written = writtenSets.get(set)
  if (written === undefined) {
    const made = writeFieldsV1(set)
    const origin = origins.get(set)
    // What is stored already need not be stored anew.
    written = origin !== undefined && jsonText(origin) === jsonText(made) ? origin : frozen(made)
    writtenSets.set(set, written)
  }
  return written
}

function writeFieldsV1(set: FieldSet): Draft {
  const fields: Draft = {}
  if (set.isMember && set.children.size > 0) fields['.'] = {}
  for (const [element, below] of [...set.children].toSorted(([left], [right]) => (left < right ? -1 : 1)))
    setField(fields, element, writeFieldsV1(below))
  return fields
}

/** What is in either; `left` itself where there is nothing more in `right`. */
export function union(left: FieldSet, right: FieldSet): FieldSet {
  let children: Map<string, FieldSet> | undefined
  for (const [element, set] of right.children) {
    const present = left.children.get(element)
    const both = present === undefined ? set : union(present, set)
    if (both === present) continue
    children ??= new Map(left.children)
    children.set(element, both)
  }
  if (children === undefined && (left.isMember || !right.isMember)) return left
  return { isMember: left.isMember || right.isMember, children: children ?? left.children }
}

/** What is in `left` and not in `right`; `left` itself where they have nothing in common. */
export function difference(left: FieldSet, right: FieldSet): FieldSet {
  let children: Map<string, FieldSet> | undefined
  for (const [element, other] of right.children) {
    const set = left.children.get(element)
    if (set === undefined) continue
    const rest = difference(set, other)
    if (rest === set && !isEmptySet(rest)) continue
    children ??= new Map(left.children)
    if (isEmptySet(rest)) children.delete(element)
    else children.set(element, rest)
  }
  if (children === undefined && (!left.isMember || !right.isMember)) return left
  return { isMember: left.isMember && !right.isMember, children: children ?? left.children }
}

/** A set without some fields, and what is below them. */
export function withoutPaths(set: FieldSet, gone: readonly (readonly string[])[]): FieldSet {
  return gone.reduce(withoutPath, set)
}

function withoutPath(set: FieldSet, [name, ...rest]: readonly string[]): FieldSet {
  const element = `f:${name}`
  const below = set.children.get(element)
  if (below === undefined) return set
  const children = new Map(set.children)
  const left = rest.length === 0 ? emptySet : withoutPath(below, rest)
  if (isEmptySet(left)) children.delete(element)
  else children.set(element, left)
  return { isMember: set.isMember, children }
}

export function intersection(left: FieldSet, right: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>()
  for (const [element, set] of left.children) {
    const other = right.children.get(element)
    const both = other === undefined ? emptySet : intersection(set, other)
    if (!isEmptySet(both)) children.set(element, both)
  }
  return { isMember: left.isMember && right.isMember, children }
}

/** The paths of all members below a set, each as its elements: those of each level come before what is deeper, as upstream walks them. */
export function paths(set: FieldSet, prefix: readonly string[] = []): readonly (readonly string[])[] {
  const below = [...set.children].toSorted(([left], [right]) => (left < right ? -1 : 1))
  const members = below.filter(([, child]) => child.isMember).map(([element]) => [...prefix, element])
  return [...members, ...below.flatMap(([element, child]) => paths(child, [...prefix, element]))]
}

/** `.spec.containers[name="c"].image`: a path as conflicts print it. */
export function pathText(path: readonly string[]): string {
  return path
    .map(element => {
      const rest = element.slice(2)
      if (element.startsWith('f:')) return `.${rest}`
      if (element.startsWith('k:')) {
        const keys: unknown = jsonTree(rest)
        return `[${Object.entries(isFields(keys) ? keys : {})
          .map(([key, value]) => `${key}=${jsonText(value)}`)
          .join(',')}]`
      }
      return element.startsWith('v:') ? `[=${rest}]` : `[${rest}]`
    })
    .join('')
}
