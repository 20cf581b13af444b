// The roles that the chart of node-feature-discovery 0.19 gives its master, its collector and what prunes: as facts, for tests of the drop-ins.
import { openApi } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { Twin } from '#twin/twin.ts'

const rule = (group: string, resources: readonly string[], verbs: readonly string[], names?: readonly string[]) => ({
  apiGroups: [group],
  resources,
  verbs,
  ...(names === undefined ? {} : { resourceNames: names }),
})

const nfd = 'nfd.k8s-sigs.io'
const nodes = rule('', ['nodes', 'nodes/status'], ['get', 'patch', 'update', 'list'])

const rules = {
  master: [
    rule('', ['namespaces'], ['watch', 'list']),
    nodes,
    rule(nfd, ['nodefeatures', 'nodefeaturerules', 'nodefeaturegroups'], ['get', 'list', 'watch']),
    rule(nfd, ['nodefeaturegroups/status'], ['patch', 'update']),
    rule('coordination.k8s.io', ['leases'], ['create']),
    rule('coordination.k8s.io', ['leases'], ['get', 'update'], ['nfd-master.nfd.kubernetes.io']),
  ],
  gc: [
    rule('', ['nodes'], ['list', 'watch']),
    rule('topology.node.k8s.io', ['noderesourcetopologies'], ['delete', 'list']),
    rule(nfd, ['nodefeatures'], ['delete', 'list']),
  ],
  prune: [nodes],
} as const

/** A ServiceAccount of `role` in `namespace`, which is there. @returns its token */
export async function installNfdRole(
  twin: Twin,
  {
    namespace,
    role,
    clock,
    signal,
  }: {
    readonly namespace: string
    readonly role: keyof typeof rules
    readonly clock: Clock
    readonly signal: AbortSignal
  },
): Promise<string> {
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'installer' })
  const name = `nfd-${role}`
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  const metadata = { name }
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata }
  await admin.resource<KubeObject>(builtIn.serviceaccounts).create(account, { namespace, signal })
  const clusterRole = { apiVersion, kind: 'ClusterRole', metadata, rules: rules[role] }
  await admin.resource<KubeObject>(builtIn.clusterroles).create(clusterRole, { signal })
  const binding = {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata,
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
  }
  await admin.resource<KubeObject>(builtIn.clusterrolebindings).create(binding, { signal })
  return await twin.issueToken({ namespace, serviceAccount: name, seconds: 24 * 3600 })
}
