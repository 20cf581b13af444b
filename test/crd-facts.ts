// What a CustomResourceDefinition says to machines: fields, types, rules, columns; no descriptions.
import { isRecord } from '#kube/objects/object-shape.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

function facts(value: unknown, isNames = false): unknown {
  if (Array.isArray(value)) return value.map(one => facts(one))
  if (!isRecord(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, found]) => isNames || key !== 'description' || isRecord(found))
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, found]) => [
        key,
        key === 'required' && Array.isArray(found) ? found.toSorted() : facts(found, key === 'properties'),
      ]),
  )
}

/** Sorted, so that two that say the same are equal. */
export function crdFacts({ metadata, spec }: KubeObject): { readonly name: string; readonly spec: unknown } {
  return { name: metadata.name, spec: facts(spec) }
}
