// Server-side apply: we send the whole set of fields we own, always; what we leave out goes. A conflict with others' fields is
// an outcome, not an exception.

import type { NewCondition } from '../objects/conditions.ts'
import type { KubeObject } from '../objects/objects.ts'
import { isApplyConflict } from '../objects/status.ts'
import type { ApplyOptions, ResourceApi } from './api.ts'

interface FieldConflict {
  readonly manager: string
  readonly field: string
}

type ApplyOutcome<T extends KubeObject> =
  | { readonly kind: 'applied'; readonly object: T }
  /** Others own fields with other values, and `force` was not set: nothing was written. */
  | { readonly kind: 'conflict'; readonly conflicts: readonly FieldConflict[] }

/** Applies `object`. `force` only on objects that are ours. @throws StatusError for any other refusal. */
export async function applyFields<T extends KubeObject>(
  resource: ResourceApi<T>,
  object: Partial<T> & KubeObject,
  options: ApplyOptions,
): Promise<ApplyOutcome<T>> {
  try {
    return { kind: 'applied', object: await resource.apply(object, options) }
  } catch (error) {
    if (isApplyConflict(error)) return { kind: 'conflict', conflicts: error.conflicts() }
    throw error
  }
}

/** The condition that names who owns the fields we wanted. */
export function fieldConflictCondition(conflicts: readonly FieldConflict[], observedGeneration: number): NewCondition {
  const message = conflicts.map(({ manager, field }) => `${field} is owned by ${manager}`).join('; ')
  return { type: 'FieldConflict', status: 'True', reason: 'FieldConflict', message, observedGeneration }
}

/**
 * What `manager` has applied, as it would be sent again: the fields of its managedFields entry of operation Apply, with
 * apiVersion, kind, name and namespace. `undefined` when it has applied nothing.
 */
export function appliedFields(object: KubeObject, manager: string, subresource = ''): KubeObject | undefined {
  const entry = object.metadata.managedFields?.find(
    one => one.manager === manager && one.operation === 'Apply' && (one.subresource ?? '') === subresource,
  )
  if (entry === undefined) return undefined
  const { name, namespace } = object.metadata
  const fields = pick(object, entry.fieldsV1)
  const owned = isRecord(fields) ? fields : {}
  const metadata = isRecord(owned['metadata']) ? owned['metadata'] : {}
  return {
    ...owned,
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: { ...metadata, name, ...(namespace === undefined ? {} : { namespace }) },
  }
}

/** The part of `value` that a FieldsV1 set names: `f:` fields, `k:` items by key, `v:` items by value, `i:` items by index. */
function pick(value: unknown, fields: Readonly<Record<string, unknown>>): unknown {
  const paths = Object.entries(fields).filter(([path]) => path !== '.')
  if (paths.length === 0) return value
  if (Array.isArray(value)) return paths.flatMap(([path, inner]) => pickItem(value, path, asFields(inner)))
  if (!isRecord(value)) return value
  const picked: Record<string, unknown> = {}
  for (const [path, inner] of paths) {
    const name = path.slice(2)
    if (path.startsWith('f:') && name in value) picked[name] = pick(value[name], asFields(inner))
  }
  return picked
}

function pickItem(items: readonly unknown[], path: string, inner: Readonly<Record<string, unknown>>): unknown[] {
  const text = path.slice(2)
  switch (path.slice(0, 2)) {
    case 'k:': {
      const key = asFields(JSON.parse(text))
      const item = items.find(one => isRecord(one) && Object.entries(key).every(([name, value]) => one[name] === value))
      // The key's own fields make the item what it is, owned or not.
      const picked = item === undefined ? undefined : pick(item, inner)
      return item === undefined ? [] : [isRecord(picked) ? { ...key, ...picked } : picked]
    }
    case 'v:': {
      const wanted = JSON.stringify(JSON.parse(text))
      return items.filter(one => JSON.stringify(one) === wanted).slice(0, 1)
    }
    case 'i:':
      return [pick(items[Number(text)], inner)]
    default:
      return []
  }
}

function asFields(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {}
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
