// The role that upstream's chart 0.36.0 gives its ServiceAccount: as facts, for tests of the drop-in descheduler.
import { openApi } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import type { Twin } from '#twin/twin.ts'

const account = 'descheduler'
const namespace = 'kube-system'
const reads = ['get', 'watch', 'list']

/** The rules that chart 0.36.0 gives its account, with leader election: as facts. */
const upstreamRules = [
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'update'] },
  { apiGroups: [''], resources: ['nodes', 'namespaces', 'persistentvolumeclaims'], verbs: reads },
  { apiGroups: [''], resources: ['pods'], verbs: [...reads, 'delete'] },
  { apiGroups: [''], resources: ['pods/eviction'], verbs: ['create'] },
  { apiGroups: ['scheduling.k8s.io'], resources: ['priorityclasses'], verbs: reads },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: reads },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'update'] },
  {
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    resourceNames: ['descheduler'],
    verbs: ['get', 'patch', 'delete'],
  },
]

/** Installs account and role; yields the account's token. */
export async function upstreamToken(
  twin: Twin,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<string> {
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'installer' })
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  const create = (resource: GroupVersionResource, object: KubeObject) =>
    admin.resource<KubeObject>(resource).create(object, { signal, namespace: object.metadata.namespace })
  await create(builtIn.serviceaccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace } })
  await create(builtIn.clusterroles, {
    apiVersion,
    kind: 'ClusterRole',
    metadata: { name: account },
    rules: upstreamRules,
  } as KubeObject)
  await create(builtIn.clusterrolebindings, {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name: account },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: account },
  } as KubeObject)
  return await twin.issueToken({ namespace, serviceAccount: account, seconds: 7 * 24 * 3600 })
}
