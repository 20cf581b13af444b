// What an upstream is made of in a cluster: kept for the way back before it is deleted.

import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden } from '#kube/objects/status.ts'
import { findUpstreams } from '#upstreams/recognition.ts'
import { isNamedAfter } from '#upstreams/upstream.ts'
import type { Place } from './place.ts'
import { listOf } from './reading.ts'
import { resourceOf } from './writes.ts'

/** Whom others need first; the workload goes last, since by it all is found again. */
const kinds: readonly (readonly [apiVersion: string, kind: string])[] = [
  ['v1', 'ServiceAccount'],
  ['v1', 'ConfigMap'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
  ['v1', 'Service'],
  ['networking.k8s.io/v1', 'NetworkPolicy'],
  ['policy/v1', 'PodDisruptionBudget'],
  ['monitoring.coreos.com/v1', 'PodMonitor'],
  ['monitoring.coreos.com/v1', 'ServiceMonitor'],
  ['autoscaling.k8s.io/v1', 'VerticalPodAutoscaler'],
]

/** Everything of its release by label; of plain manifests what the upstream says of them. */
export async function upstreamObjects(place: Place, workload: KubeObject): Promise<readonly KubeObject[]> {
  const { api, signal } = place
  const { namespace } = workload.metadata
  const found: KubeObject[] = []
  const { furtherKinds = [], isCompanion } = place.upstream.replaced.swap
  for (const [apiVersion, kind] of [...kinds, ...furtherKinds]) {
    const resource = resourceOf({ apiVersion, kind, metadata: { name: '' } })
    // ConfigMaps are many, and its own lie beside it.
    const wish = kind === 'ConfigMap' && namespace !== undefined ? { signal, namespace } : { signal }
    const all = await allowed(listOf(api, resource, kind, wish))
    found.push(...all.filter(object => isOf(place, object, workload)))
  }
  if (isCompanion !== undefined && namespace !== undefined) {
    const wish = { signal, namespace }
    const beside = await listOf(api, builtIn.deployments, 'Deployment', wish)
    // What publishes is on nodes.
    const onNodes =
      place.upstream.replaced.swap.part.kind === 'publishing' ? await listOf(api, builtIn.daemonsets, 'DaemonSet', wish) : []
    const others = findUpstreams([...beside, ...onNodes], [place.upstream]).map(one => one.workload)
    found.push(...others.filter(isCompanion))
  }
  return [...found, workload]
}

/** Kinds that may not be read are left where they are. */
async function allowed(listing: Promise<readonly KubeObject[]>): Promise<readonly KubeObject[]> {
  try {
    return await listing
  } catch (error) {
    if (isForbidden(error)) return []
    throw error
  }
}

function isOf({ upstream }: Place, object: KubeObject, workload: KubeObject): boolean {
  const { id, chart = id, swap } = upstream.replaced
  if (object.metadata.labels?.['app.kubernetes.io/part-of'] === 'ballast') return false
  const [release, theirs] = [releaseOf(object, chart), releaseOf(workload, chart)]
  if (release !== undefined) return release === theirs && isPlacedWith(object, workload)
  return (swap.isPlain ?? isNamedAfter)(object, workload)
}

/** The release of upstream's chart, by the labels that it gives. */
function releaseOf({ metadata: { labels = {} } }: KubeObject, chart: string): string | undefined {
  const label = labels['helm.sh/chart'] ?? labels['chart'] ?? ''
  if (!label.startsWith(`${chart}-`) || !/^v?\d/.test(label.slice(chart.length + 1))) return undefined
  return labels['app.kubernetes.io/instance'] ?? labels['release']
}

/** Two releases of one name may lie in two namespaces; a monitor may lie in a third. */
function isPlacedWith(object: KubeObject, workload: KubeObject): boolean {
  const key = 'meta.helm.sh/release-namespace'
  const [place, theirs] = [object, workload].map(({ metadata }) => metadata.annotations?.[key])
  if (place !== undefined && theirs !== undefined) return place === theirs
  const { namespace, ...anywhere } = object.metadata
  return object.kind.endsWith('Monitor') || namespace === undefined
    ? isNamedAfter({ ...object, metadata: anywhere }, workload)
    : namespace === workload.metadata.namespace
}
