// LimitRange: defaults for containers that name no requests or limits, and the bounds they are held to.

import { forbidden } from '#kube/objects/status.ts'
import { compareQuantities, formatQuantity, parseQuantity } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, itemsAt, textAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'

/** Completes and checks a pod or claim against the LimitRanges of its namespace. */
export function applyLimitRanges(
  server: ApiServer,
  type: { readonly key: string; readonly group: string; readonly plural: string },
  draft: Draft,
): void {
  const ranges = server.store.list('limitranges', textAt(draft, 'metadata', 'namespace') ?? '')
  const limits = ranges.flatMap(range => itemsAt(range, 'spec', 'limits'))
  if (limits.length === 0) return
  const broken: string[] = []
  for (const limit of limits) {
    if (limit['type'] === 'Container' && type.key === 'pods') {
      for (const container of [...itemsAt(draft, 'spec', 'containers'), ...itemsAt(draft, 'spec', 'initContainers')]) {
        defaultResources(container, limit)
        broken.push(...brokenBounds(fieldsAt(container, 'resources') ?? {}, limit, 'Container'))
      }
    }
    if (limit['type'] === 'PersistentVolumeClaim' && type.key === 'persistentvolumeclaims') {
      broken.push(...brokenBounds(fieldsAt(draft, 'spec', 'resources') ?? {}, limit, 'PersistentVolumeClaim'))
    }
  }
  if (broken.length === 0) return
  const why = broken.length === 1 ? (broken[0] ?? '') : `[${broken.join(', ')}]`
  throw forbidden({ group: type.group, resource: type.plural }, textAt(draft, 'metadata', 'name') ?? '', why)
}

function defaultResources(container: Draft, limit: Draft): void {
  const resources = fieldsAt(container, 'resources') ?? {}
  const limits = { ...fieldsAt(limit, 'default'), ...fieldsAt(resources, 'limits') }
  const requests = { ...fieldsAt(limit, 'defaultRequest'), ...fieldsAt(resources, 'requests') }
  container['resources'] = {
    ...resources,
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...(Object.keys(requests).length === 0 ? {} : { requests }),
  }
}

function brokenBounds(resources: Draft, limit: Draft, kind: string): readonly string[] {
  const broken: string[] = []
  const bounds = [
    { bound: 'min', what: 'minimum', sign: -1 },
    { bound: 'max', what: 'maximum', sign: 1 },
  ] as const
  for (const { bound, what, sign } of bounds) {
    for (const [name, most] of Object.entries(fieldsAt(limit, bound) ?? {})) {
      const list = bound === 'max' && fieldsAt(resources, 'limits')?.[name] !== undefined ? 'limits' : 'requests'
      const found = fieldsAt(resources, list)?.[name]
      if (found === undefined) {
        broken.push(
          `${what} ${name} usage per ${kind} is ${String(most)}.  No ${bound === 'max' ? 'limit' : 'request'} is specified`,
        )
        continue
      }
      const left = parseQuantity(String(found))
      const right = parseQuantity(String(most))
      if (!left.ok || !right.ok || Math.sign(compareQuantities(left.value, right.value)) !== sign) continue
      broken.push(
        `${what} ${name} usage per ${kind} is ${String(most)}, but ${list === 'limits' ? 'limit' : 'request'} is ${formatQuantity(left.value)}`,
      )
    }
  }
  return broken
}
