// JSON Merge Patch (RFC 7386): applying one, and the patch between two documents. Nothing given is changed.
// Keys such as `__proto__` and `constructor` are data like any other.

import { isObject, isSameJson } from './json-patch.ts'

/** `target` with `patch` merged in: objects key by key, `null` removes, all else replaces (lists whole). */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const merged = new Map<string, unknown>(isObject(target) ? Object.entries(target) : [])
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key)
    else merged.set(key, applyMergePatch(merged.get(key), value))
  }
  return Object.fromEntries(merged)
}

/**
 * The merge patch that makes `after` of `before`; `{}` where they are equal objects.
 * What a merge patch cannot say (a `null` inside `after`) is lost, as the RFC has it.
 */
export function mergePatchBetween(before: unknown, after: unknown): unknown {
  if (!isObject(before) || !isObject(after)) return after
  const patch = new Map<string, unknown>()
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) patch.set(key, null)
  for (const [key, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, key)) patch.set(key, value)
    else if (!isSameJson(Reflect.get(before, key), value)) patch.set(key, mergePatchBetween(Reflect.get(before, key), value))
  }
  return Object.fromEntries(patch)
}
