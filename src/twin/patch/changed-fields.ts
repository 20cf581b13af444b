// Which fields a write changed, found in one walk over the object before and after it.
import { type Draft, isFields, isSame } from '../json-value.ts'
import { memberSchema, type Schema } from '../schema/schema.ts'
import { elementOf, type FieldSet, hasKeys, leaf, ownedMetadata, setOfMember, setOfValue } from './field-set.ts'

interface ChangedFields {
  /** What an update owns of the new object: leaves it changed and containers it made. */
  readonly changed: FieldSet
  /** What is no longer there. */
  readonly removed: FieldSet
}

/** Compares an object with what an update made of it. */
export function changedFields(schema: Schema, before: Draft, after: Draft): ChangedFields {
  const changed = new Map<string, FieldSet>()
  const removed = new Map<string, FieldSet>()
  for (const name of namesOf(before, after)) {
    if (name === 'apiVersion' || name === 'kind') continue
    const isMetadata = name === 'metadata'
    const [was, is] = isMetadata ? [ownedMetadata(before[name]), ownedMetadata(after[name])] : [before[name], after[name]]
    const difference = memberDifference(schema, name, was, is)
    if (difference === undefined) continue
    // Nobody owns metadata itself.
    add(changed, `f:${name}`, isMetadata ? membersOf(difference.changed) : difference.changed)
    add(removed, `f:${name}`, isMetadata ? membersOf(difference.removed) : difference.removed)
  }
  return { changed: { isMember: false, children: changed }, removed: { isMember: false, children: removed } }
}

/** Undefined where nothing differs. */
type Difference = { readonly changed: FieldSet | undefined; readonly removed: FieldSet | undefined } | undefined

function* namesOf(before: Draft, after: Draft): Generator<string> {
  yield* Object.keys(after)
  for (const name of Object.keys(before)) if (after[name] === undefined) yield name
}

function membersOf(set: FieldSet | undefined): FieldSet | undefined {
  return set === undefined || set.children.size === 0 ? undefined : { isMember: false, children: set.children }
}

function add(children: Map<string, FieldSet>, element: string, set: FieldSet | undefined): void {
  if (set !== undefined) children.set(element, set)
}

function memberDifference(schema: Schema, name: string, before: unknown, after: unknown): Difference {
  if (before === after) return undefined
  if (before === undefined) return { changed: setOfMember(schema, name, after), removed: undefined }
  if (after === undefined) return { changed: undefined, removed: setOfMember(schema, name, before) }
  return valueDifference(memberSchema(schema, name), before, after)
}

/** Both are there, though one may be null. */
function valueDifference(schema: Schema, before: unknown, after: unknown): Difference {
  if (before === after) return undefined
  if (isHollow(before) && isHollow(after)) return isSame(before, after) ? undefined : { changed: leaf, removed: undefined }
  const [was, is] = [
    before === null ? formOf(schema, after) : formOf(schema, before),
    after === null ? formOf(schema, before) : formOf(schema, after),
  ]
  if (is === 'fields' && was === 'fields')
    return fieldsDifference(schema, isFields(before) ? before : {}, isFields(after) ? after : {})
  if (is === 'list' && was === 'list' && schema.kind === 'list')
    return listDifference(schema, Array.isArray(before) ? before : [], Array.isArray(after) ? after : [])
  if (is === 'leaf' && was === 'leaf') return isSame(before, after) ? undefined : { changed: leaf, removed: undefined }
  // The value has another form: what was in it is gone, what is in it is new; it was there itself before.
  const made = is === 'leaf' ? leaf : membersOf(setOfValue(schema, after))
  return { changed: made, removed: membersOf(setOfValue(schema, before)) }
}

/** Nothing, or a list or an object with nothing in it. */
function isHollow(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  return value === null || (isFields(value) && Object.keys(value).every(name => value[name] === undefined))
}

/** Leaves are atomic or scalar: they change as a whole. */
function formOf(schema: Schema, value: unknown): 'leaf' | 'fields' | 'list' {
  if (Array.isArray(value)) return schema.kind === 'list' && hasKeys(schema, value) ? 'list' : 'leaf'
  if (!isFields(value) || schema.kind === 'scalar') return 'leaf'
  return (schema.kind === 'struct' || schema.kind === 'map' || schema.kind === 'any') && schema.isAtomic === true
    ? 'leaf'
    : 'fields'
}

function fieldsDifference(schema: Schema, before: Draft, after: Draft): Difference {
  let changed: Map<string, FieldSet> | undefined
  let removed: Map<string, FieldSet> | undefined
  for (const name of Object.keys(after)) {
    const difference = memberDifference(schema, name, before[name], after[name])
    changed = withSet(changed, `f:${name}`, difference?.changed)
    removed = withSet(removed, `f:${name}`, difference?.removed)
  }
  for (const name of Object.keys(before)) {
    if (before[name] !== undefined && after[name] === undefined && !Object.hasOwn(after, name))
      removed = withSet(removed, `f:${name}`, setOfMember(schema, name, before[name]))
  }
  return differenceOf(changed, removed)
}

type Children = Map<string, FieldSet>

/** Most fields do not change, so that no map is made before one does. */
function withSet(children: Children | undefined, element: string, set: FieldSet | undefined): Children | undefined {
  return set === undefined ? children : (children ?? new Map<string, FieldSet>()).set(element, set)
}

function differenceOf(changed: Map<string, FieldSet> | undefined, removed: Map<string, FieldSet> | undefined): Difference {
  if (changed === undefined && removed === undefined) return undefined
  return {
    changed: changed === undefined ? undefined : { isMember: false, children: changed },
    removed: removed === undefined ? undefined : { isMember: false, children: removed },
  }
}

function listDifference(
  schema: Extract<Schema, { kind: 'list' }>,
  before: readonly unknown[],
  after: readonly unknown[],
): Difference {
  let changed: Map<string, FieldSet> | undefined
  let removed: Map<string, FieldSet> | undefined
  // Items mostly stand where they stood; names of elements are made only where something differs.
  const isAligned = before.length === after.length && after.every((item, index) => hasSameKey(schema, before[index], item))
  if (isAligned) {
    for (const [index, item] of after.entries()) {
      const difference = itemDifference(schema, before[index], item)
      if (difference === undefined) continue
      const element = elementOf(schema, item) ?? ''
      changed = withSet(changed, element, difference.changed)
      removed = withSet(removed, element, difference.removed)
    }
    return differenceOf(changed, removed)
  }
  const known = new Map(before.map(item => [elementOf(schema, item) ?? '', item]))
  const present = new Set<string>()
  for (const item of after) {
    const element = elementOf(schema, item) ?? ''
    present.add(element)
    const difference: Difference = known.has(element)
      ? itemDifference(schema, known.get(element), item)
      : { changed: setOfItem(schema, item), removed: undefined }
    changed = withSet(changed, element, difference?.changed)
    removed = withSet(removed, element, difference?.removed)
  }
  for (const [element, item] of known) if (!present.has(element)) removed = withSet(removed, element, setOfItem(schema, item))
  return differenceOf(changed, removed)
}

function setOfItem(schema: Extract<Schema, { kind: 'list' }>, item: unknown): FieldSet {
  return schema.semantics.list.kind === 'map' ? { isMember: true, children: setOfValue(schema.item, item).children } : leaf
}

/** Items of one key; items of sets are their keys. */
function itemDifference(schema: Extract<Schema, { kind: 'list' }>, before: unknown, after: unknown): Difference {
  if (schema.semantics.list.kind !== 'map' || before === after || !isFields(before) || !isFields(after)) return undefined
  if (formOf(schema.item, after) === 'fields') return fieldsDifference(schema.item, before, after)
  return isSame(before, after) ? undefined : { changed: leaf, removed: undefined }
}

function hasSameKey({ semantics }: Extract<Schema, { kind: 'list' }>, before: unknown, after: unknown): boolean {
  const { list } = semantics
  if (list.kind !== 'map') return isSame(before, after)
  return isFields(before) && isFields(after) && list.keys.every(key => before[key] === after[key])
}
