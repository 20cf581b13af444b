// Strategic merge patch: merge by what the schema says of lists, with the directives `$patch`, `$retainKeys`,
// `$deleteFromPrimitiveList/…` and `$setElementOrder/…`.
import { badRequest } from '#kube/objects/status.ts'
import { type Draft, isFields, isSame } from '#kube/values/json-tree.ts'
import { bareError } from '../api/bare-error.ts'
import { goPrinted } from '../api/go-words.ts'
import { copyOf, setField } from '../json-value.ts'
import type { ListSemantics } from '../schema/list-semantics.ts'
import { type FieldSchema, memberSchema, type Schema } from '../schema/schema.ts'

/** `original` with `patch` merged in; neither is changed. @throws StatusError 400 for directives that make no sense. */
export function strategicMerge(schema: Schema, original: Draft, patch: Draft): Draft {
  const merged = mergeFields(schema, original, patch)
  return merged ?? {}
}

const directive = {
  patch: '$patch',
  retainKeys: '$retainKeys',
  setOrder: '$setElementOrder/',
  deleteFrom: '$deleteFromPrimitiveList/',
} as const

/** Undefined when the patch deletes the whole. */
function mergeFields(schema: Schema, original: Draft, patch: Draft): Draft | undefined {
  const action = patch[directive.patch]
  if (action === 'delete') return undefined
  if (action === 'replace') return withoutDirectives(patch)
  if (action !== undefined && action !== 'merge')
    throw bareError(
      `unknown patch type: ${typeof action === 'string' ? action : `%!s(int64=${String(action)})`} in map: ${goPrinted(patch)}`,
    )
  const merged: Draft = { ...original }
  const retained = patch[directive.retainKeys]
  checkRetained(retained, patch)
  if (Array.isArray(retained)) for (const name of Object.keys(merged)) if (!retained.includes(name)) delete merged[name]
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith(directive.deleteFrom)) deleteItems(merged, name.slice(directive.deleteFrom.length), value)
  }
  for (const [name, value] of Object.entries(patch)) {
    if (
      name === directive.patch ||
      name === directive.retainKeys ||
      name.startsWith(directive.setOrder) ||
      name.startsWith(directive.deleteFrom)
    )
      continue
    if (value === null) {
      delete merged[name]
      continue
    }
    mergeField(schema, merged, name, { value, order: patch[`${directive.setOrder}${name}`] })
  }
  for (const name of Object.keys(patch)) {
    if (!name.startsWith(directive.setOrder)) continue
    const field = name.slice(directive.setOrder.length)
    if (patch[field] === undefined) mergeField(schema, merged, field, { value: [], order: patch[name] })
  }
  return merged
}

/** @throws StatusError 400 for a patch of fields that it does not want to retain. */
function checkRetained(retained: unknown, patch: Draft): void {
  if (retained === undefined) return
  const isWhole =
    Array.isArray(retained) &&
    Object.keys(patch).every(name => name.startsWith('$') || patch[name] === null || retained.includes(name))
  if (!isWhole) throw badRequest('invalid patch format of retainKeys')
}

interface FieldPatch {
  readonly value: unknown
  readonly order: unknown
}

function mergeField(schema: Schema, merged: Draft, name: string, patch: FieldPatch): void {
  const field: FieldSchema | undefined = schema.kind === 'struct' ? schema.fields.get(name) : undefined
  const member = memberSchema(schema, name)
  const present = Object.hasOwn(merged, name) ? merged[name] : undefined
  if (patch.order !== undefined) checkOrder(member, patch)
  if (Array.isArray(patch.value) && !Array.isArray(present)) {
    // Nothing is there to merge with: the list is taken as it is, whatever its items lack.
    const items = patch.value.filter(item => !(isFields(item) && Object.hasOwn(item, directive.patch)))
    setField(merged, name, items.map(withoutDirectivesIn))
    return
  }
  if (Array.isArray(patch.value)) {
    const semantics = member.kind === 'list' ? member.semantics : undefined
    setField(
      merged,
      name,
      mergeList(member.kind === 'list' ? member.item : member, semantics, present, { value: patch.value, order: patch.order }),
    )
    return
  }
  if (!isFields(patch.value)) {
    setField(merged, name, patch.value)
    return
  }
  if (field?.patch === 'replace' || !isFields(present)) {
    if (patch.value[directive.patch] === 'delete') delete merged[name]
    else setField(merged, name, withoutDirectives(patch.value))
    return
  }
  const result = mergeFields(member, present, patch.value)
  if (result === undefined) delete merged[name]
  else setField(merged, name, result)
}

/** @throws StatusError 500, as upstream, for an order that the items of the patch do not follow. */
function checkOrder(member: Schema, { value, order }: FieldPatch): void {
  if (!Array.isArray(order)) throw bareError(`expected a []interface {}, but received a ${typeof order}`)
  const key = member.kind === 'list' ? member.semantics.mergeKey : undefined
  if (key === undefined || !Array.isArray(value)) return
  for (const item of order) if (isFields(item) && item[key] === undefined) throw lacksKey(item, key)
  const given: readonly unknown[] = value
  const wanted = given.filter(item => isFields(item) && item[directive.patch] !== 'delete')
  // Names may be there twice, in both: each is looked for behind the one before.
  let at = 0
  const isFollowed = wanted.every(item => {
    const found = order.findIndex(
      (candidate, index) => index >= at && isFields(candidate) && isFields(item) && isSame(candidate[key], item[key]),
    )
    at = found + 1
    return found >= 0
  })
  if (isFollowed) return
  throw bareError(`The order in patch list:\n${goPrinted(wanted)}\n doesn't match $setElementOrder list:\n${goPrinted(order)}\n`)
}

function lacksKey(item: unknown, key: string): Error {
  return bareError(`map: ${goPrinted(item)} does not contain declared merge key: ${key}`)
}

function otherElements(original: readonly unknown[], values: readonly unknown[]): Error {
  return bareError(`list element types are not identical: [${goPrinted(original)} ${goPrinted(values)}]`)
}

function deleteItems(merged: Draft, name: string, values: unknown): void {
  const present = merged[name]
  if (Array.isArray(present) && Array.isArray(values) && present.some(isFields)) throw otherElements(present, values)
  if (!Array.isArray(values) || !Array.isArray(present)) return
  setField(
    merged,
    name,
    present.filter(item => !values.some(value => isSame(value, item))),
  )
}

interface ListPatch {
  readonly value: readonly unknown[]
  readonly order: unknown
}

function mergeList(item: Schema, semantics: ListSemantics | undefined, present: unknown, patch: ListPatch): unknown[] {
  const original: readonly unknown[] = Array.isArray(present) ? present : []
  if (semantics?.isMergedSet === true) return mergeSet(original, patch)
  const key = semantics?.mergeKey
  if (key === undefined) return patch.value.map(withoutDirectivesIn)
  return mergeKeyed(item, original, key, patch)
}

function mergeSet(original: readonly unknown[], patch: ListPatch): unknown[] {
  const merged = [...original, ...patch.value.filter(value => !original.some(item => isSame(item, value)))]
  return Array.isArray(patch.order) ? ordered(merged, patch.order, original, item => item) : merged
}

function mergeKeyed(item: Schema, original: readonly unknown[], key: string, patch: ListPatch): unknown[] {
  const isReplaced = patch.value.some(
    value => isFields(value) && value[directive.patch] === 'replace' && value[key] === undefined,
  )
  let merged: unknown[] = isReplaced ? [] : [...original]
  for (const value of patch.value) {
    if (!isFields(value)) throw otherElements(original, patch.value)
    if (value[directive.patch] === 'replace' && value[key] === undefined) continue
    const identity = value[key]
    if (identity === undefined) throw lacksKey(value, key)
    const at = merged.findIndex(candidate => isFields(candidate) && isSame(candidate[key], identity))
    if (value[directive.patch] === 'delete') {
      merged = merged.filter(candidate => !(isFields(candidate) && isSame(candidate[key], identity)))
    } else if (at < 0) merged.push(withoutDirectives(value))
    else {
      const candidate = merged[at]
      const result = isFields(candidate) ? mergeFields(item, candidate, value) : undefined
      if (result === undefined) merged.splice(at, 1)
      else merged[at] = result
    }
  }
  const identityOf = (element: unknown) => (isFields(element) ? element[key] : undefined)
  const order = Array.isArray(patch.order) ? patch.order.map(identityOf) : patch.value.map(identityOf)
  return ordered(merged, order, original.map(identityOf), identityOf)
}

/**
 * Items that the patch names in its order, the others in the server's; both lists keep their own order and are merged by the
 * server's, in which new items come first.
 */
function ordered(
  items: readonly unknown[],
  patchOrder: readonly unknown[],
  serverOrder: readonly unknown[],
  identityOf: (item: unknown) => unknown,
): unknown[] {
  const rank = (order: readonly unknown[], item: unknown) => order.findIndex(identity => isSame(identity, identityOf(item)))
  const named = items
    .filter(item => rank(patchOrder, item) >= 0)
    .toSorted((left, right) => rank(patchOrder, left) - rank(patchOrder, right))
  const others = items.filter(item => rank(patchOrder, item) < 0)
  const result: unknown[] = []
  let next = 0
  for (const other of others) {
    while (next < named.length && rank(serverOrder, other) >= rank(serverOrder, named[next])) result.push(named[next++])
    result.push(other)
  }
  return [...result, ...named.slice(next)]
}

function withoutDirectivesIn(value: unknown): unknown {
  return isFields(value) ? withoutDirectives(value) : Array.isArray(value) ? value.map(withoutDirectivesIn) : value
}

/** The content of a patch, with its instructions left out. */
function withoutDirectives(patch: Draft): Draft {
  const content: Draft = {}
  for (const [name, value] of Object.entries(patch)) {
    if (
      name === directive.patch ||
      name === directive.retainKeys ||
      name.startsWith(directive.setOrder) ||
      name.startsWith(directive.deleteFrom)
    )
      continue
    if (value === null) continue
    if (Array.isArray(value))
      setField(
        content,
        name,
        value.filter(item => !(isFields(item) && item[directive.patch] === 'delete')).map(withoutDirectivesIn),
      )
    else setField(content, name, isFields(value) ? withoutDirectives(value) : copyOf(value))
  }
  return content
}
