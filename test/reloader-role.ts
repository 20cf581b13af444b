// The role that the chart of stakater/Reloader 2.2.16 gives its ServiceAccount, watching everything: as facts, for tests of the drop-in.
import { openApi } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import type { Twin } from '#twin/twin.ts'

const reads = ['list', 'get', 'watch']
export const reloaderAccount = 'reloader-reloader'

function rulesOf(isHighlyAvailable: boolean): object[] {
  const rule = (apiGroups: string, resources: string[], verbs: string[]) => ({ apiGroups: [apiGroups], resources, verbs })
  return [
    rule('', ['secrets', 'configmaps'], reads),
    rule('apps', ['deployments', 'daemonsets', 'statefulsets'], ['list', 'get', 'update', 'patch']),
    rule('batch', ['cronjobs'], ['list', 'get']),
    rule('batch', ['jobs'], ['create', 'delete', 'list', 'get']),
    ...(isHighlyAvailable ? [rule('coordination.k8s.io', ['leases'], ['create', 'get', 'update'])] : []),
    rule('', ['events'], ['create', 'patch']),
  ]
}

/** Namespace, ServiceAccount, roles and bindings, in the order in which they are made. */
export function reloaderObjects({ namespace, isHighlyAvailable }: ReloaderInstallation): readonly KubeObject[] {
  const subjects = [{ kind: 'ServiceAccount', name: reloaderAccount, namespace }]
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  const apiGroup = 'rbac.authorization.k8s.io'
  const metadataRules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list', 'get', 'watch', 'create', 'update'] }]
  const clusterRole = `${reloaderAccount}-role`
  const role = `${reloaderAccount}-metadata-role`
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: reloaderAccount, namespace } },
    { apiVersion, kind: 'ClusterRole', metadata: { name: clusterRole }, rules: rulesOf(isHighlyAvailable) },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name: `${clusterRole}-binding` },
      subjects,
      roleRef: { apiGroup, kind: 'ClusterRole', name: clusterRole },
    },
    { apiVersion, kind: 'Role', metadata: { name: role, namespace }, rules: metadataRules },
    {
      apiVersion,
      kind: 'RoleBinding',
      metadata: { name: `${role}-binding`, namespace },
      subjects,
      roleRef: { apiGroup, kind: 'Role', name: role },
    },
  ]
}

export interface ReloaderInstallation {
  readonly namespace: string
  readonly isHighlyAvailable: boolean
}

const resourceOfKind: Readonly<Record<string, GroupVersionResource>> = {
  Namespace: builtIn.namespaces,
  ServiceAccount: builtIn.serviceaccounts,
  ClusterRole: builtIn.clusterroles,
  ClusterRoleBinding: builtIn.clusterrolebindings,
  Role: builtIn.roles,
  RoleBinding: builtIn.rolebindings,
}

/** Installs the role in `namespace`, which is made; yields the token of its ServiceAccount. */
export async function installReloaderRole(
  twin: Twin,
  options: ReloaderInstallation & { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<string> {
  const { namespace, clock, signal } = options
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'installer' })
  for (const object of reloaderObjects(options)) {
    const resource = resourceOfKind[object.kind]
    if (resource === undefined) throw new Error(`no resource for ${object.kind}`)
    const within = object.metadata.namespace
    await admin.resource<KubeObject>(resource).create(object, { signal, ...(within === undefined ? {} : { namespace: within }) })
  }
  return await twin.issueToken({ namespace, serviceAccount: reloaderAccount, seconds: 7 * 24 * 3600 })
}
