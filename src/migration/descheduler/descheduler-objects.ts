// What the descheduler is made of in a cluster: kept for the way back before it is deleted.

import { listAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isForbidden } from '#kube/objects/status.ts'
import { policySource } from '#upstreams/descheduler/descheduler-workload.ts'
import { listOf, type Reach } from '../situation.ts'
import { resourceOf } from '../writes.ts'

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
  ['monitoring.coreos.com/v1', 'ServiceMonitor'],
]

/** Kinds of which no other namespace has one of its. */
const isBeside = (kind: string) =>
  ['ServiceAccount', 'ConfigMap', 'Service', 'NetworkPolicy', 'PodDisruptionBudget'].includes(kind)

interface Upstream {
  readonly workload: KubeObject
  readonly namespace: string
  readonly name: string
}

/** Everything of its release by label; of plain manifests what they name, and what only its account needs. */
export async function deschedulerObjects(
  { api, signal }: Pick<Reach, 'api' | 'signal'>,
  upstream: Upstream,
): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = []
  for (const [apiVersion, kind] of kinds) {
    const resource = resourceOf({ apiVersion, kind, metadata: { name: '' } })
    const wish = isBeside(kind) ? { signal, namespace: upstream.namespace } : { signal }
    const all = await allowed(listOf(api, resource, kind, wish))
    found.push(...all.filter(object => isOf(object, upstream)))
  }
  return [...found, upstream.workload]
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

function isOf(object: KubeObject, upstream: Upstream): boolean {
  const { labels = {}, name, namespace } = object.metadata
  if (labels['app.kubernetes.io/part-of'] === 'ballast') return false
  const release = releaseOf(upstream.workload)
  if (release !== undefined) return releaseOf(object) === release && isPlacedBeside(object, upstream)
  if (releaseOf(object) !== undefined) return false
  const account = textAt(templateOf(upstream.workload), 'spec', 'serviceAccountName')
  const isNamed = name === 'descheduler' || name.startsWith('descheduler-')
  switch (object.kind) {
    case 'ServiceAccount':
      return isNamed && name === account && namespace === upstream.namespace
    case 'ConfigMap':
      return namespace === upstream.namespace && policySource({ ...upstream.workload })?.configMap === name && isNamed
    case 'ClusterRoleBinding':
    case 'RoleBinding':
      return isNamed && isFor(object, account, upstream.namespace)
    case 'ClusterRole':
      return isNamed
    default:
      // The plain Role has no namespace of its own: it lies where somebody applied it.
      return isNamed && (object.kind === 'Role' || namespace === upstream.namespace)
  }
}

/** `<release>` of upstream's chart, by the labels that it gives. */
function releaseOf({ metadata: { labels = {} } }: KubeObject): string | undefined {
  return /^descheduler-v?\d/.test(labels['helm.sh/chart'] ?? '') ? labels['app.kubernetes.io/instance'] : undefined
}

/** Two releases of one name may lie in two namespaces; a monitor may lie in a third. */
function isPlacedBeside({ kind, metadata }: KubeObject, { namespace, name }: Upstream): boolean {
  if (metadata.namespace === undefined) return metadata.name === name
  return metadata.namespace === namespace || kind === 'ServiceMonitor'
}

function isFor(binding: KubeObject, account: string | undefined, namespace: string): boolean {
  return listAt(binding, 'subjects').some(
    subject => textAt(subject, 'name') === account && textAt(subject, 'namespace') === namespace,
  )
}
