// Objects of which only some fields were kept, that tell when somebody reads a field which the whole object has and they have not.

import { fieldProjection, SharedParts } from '#kube/informers/projection.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

/** `object` with only `fields`; `report` is told the path of what is read though nobody declared to need it. */
export function withWatchedReads<T extends KubeObject>(object: T, fields: readonly string[], report: (path: string) => void): T {
  const kept = fieldProjection<T>(fields, new SharedParts()).project(object)
  return watched(kept, object, '', report)
}

function watched<T extends object>(kept: T, whole: object, path: string, report: (path: string) => void): T {
  // What is kept is frozen, and a proxy has to show what a frozen target has: it stands before an empty one of the same kind.
  const parts = new Map<string, unknown>()
  for (const [name, part] of Object.entries(kept)) {
    const inner: unknown = Array.isArray(kept) ? itemLike(part, whole, Number(name)) : Reflect.get(whole, name)
    const isObject = typeof part === 'object' && part !== null && typeof inner === 'object' && inner !== null
    parts.set(name, isObject ? watched(part, inner, Array.isArray(kept) ? path : `${path}.${name}`, report) : part)
  }
  if (Array.isArray(kept)) return [...parts.values()] as unknown[] as T
  const target = Object.fromEntries(parts)
  return new Proxy(target, {
    get(from, name, receiver) {
      if (typeof name === 'string' && !Object.hasOwn(from, name) && Object.hasOwn(whole, name)) report(`${path}.${name}`.slice(1))
      return Reflect.get(from, name, receiver)
    },
  }) as T
}

/** The item that an item was made of, where items before it were left out: the first that has its name. */
function itemLike(part: unknown, whole: object, at: number): unknown {
  if (!Array.isArray(whole)) return undefined
  if (typeof part !== 'object' || part === null || !('name' in part)) return whole[at]
  return whole.find(item => typeof item === 'object' && item !== null && 'name' in item && item.name === part.name)
}
