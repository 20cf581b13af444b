// The whole cluster as objects: what `load` takes, sorted so that the same cluster makes the same bytes.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ClusterAccess } from './access.ts'
import { byteOrder } from './ordered-objects.ts'

/** Passing by: they tell of the past, and there are many. */
const leftOut: ReadonlySet<string> = new Set(['events', 'leases.coordination.k8s.io', 'events.events.k8s.io'])

/** All objects by group, kind, namespace and name; events and leases are left out. */
export function dumpObjects(access: ClusterAccess): readonly KubeObject[] {
  const keyed = access
    .resources()
    .filter(resource => !leftOut.has(resource) && !resource.endsWith('.metrics.k8s.io'))
    .flatMap(resource => access.list(resource).map(object => ({ object, key: keyOf(object) })))
  return keyed.toSorted((a, b) => byteOrder(a.key, b.key)).map(({ object }) => object)
}

/** Group, kind, namespace and name, with what sorts before any letter between them. */
function keyOf({ apiVersion, kind, metadata }: KubeObject): string {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
  return [group, kind, metadata.namespace ?? '', metadata.name].join('\u0000')
}
