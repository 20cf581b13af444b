// The rights that a server behind an API server needs to ask it who calls and who may: made here, so that nobody writes them by hand.
import type { KubeObject } from '../objects/objects.ts'
import { authenticationConfigMap } from './client-trust.ts'

const rbac = 'rbac.authorization.k8s.io/v1'
const rbacGroup = 'rbac.authorization.k8s.io'

/** The same as single rights, where a role is made from many: whom to believe is read, who calls and what they may is asked. */
export const delegationRights = {
  cluster: [
    { groups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
    { groups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
  ],
  place: authenticationConfigMap.namespace,
  placed: [{ groups: [''], resources: ['configmaps'], names: [authenticationConfigMap.name], verbs: ['get', 'list', 'watch'] }],
} as const

/** Bindings of upstream's own roles to a ServiceAccount: TokenReview and SubjectAccessReview, and reading the one ConfigMap. */
export function delegationObjects(account: { readonly name: string; readonly namespace: string }): readonly KubeObject[] {
  const labels = { 'ballast.dev/managed': 'true' }
  const subjects = [{ kind: 'ServiceAccount', name: account.name, namespace: account.namespace }]
  return [
    {
      apiVersion: rbac,
      kind: 'ClusterRoleBinding',
      metadata: { name: `${account.name}-auth-delegator`, labels },
      roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name: 'system:auth-delegator' },
      subjects,
    },
    {
      apiVersion: rbac,
      kind: 'RoleBinding',
      metadata: { name: `${account.name}-auth-reader`, namespace: authenticationConfigMap.namespace, labels },
      roleRef: { apiGroup: rbacGroup, kind: 'Role', name: 'extension-apiserver-authentication-reader' },
      subjects,
    },
  ]
}
