// The rights that upstream's manifests give metrics-server's ServiceAccount: as facts, for tests of the drop-in.
import type { KubeObject } from '#kube/objects/objects.ts'

export const metricsAccount = { name: 'metrics-server', namespace: 'kube-system' } as const

const apiVersion = 'rbac.authorization.k8s.io/v1'
const apiGroup = 'rbac.authorization.k8s.io'
const subjects = [{ kind: 'ServiceAccount', ...metricsAccount }]
const labels = { 'k8s-app': 'metrics-server' }

export const upstreamMetricsRole: readonly KubeObject[] = [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { ...metricsAccount, labels } },
  {
    apiVersion,
    kind: 'ClusterRole',
    metadata: { name: 'system:metrics-server', labels },
    rules: [
      { apiGroups: [''], resources: ['nodes/metrics'], verbs: ['get'] },
      { apiGroups: [''], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] },
    ],
  },
  {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'system:metrics-server', labels },
    roleRef: { apiGroup, kind: 'ClusterRole', name: 'system:metrics-server' },
    subjects,
  },
  {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'metrics-server:system:auth-delegator', labels },
    roleRef: { apiGroup, kind: 'ClusterRole', name: 'system:auth-delegator' },
    subjects,
  },
  {
    apiVersion,
    kind: 'RoleBinding',
    metadata: { name: 'metrics-server-auth-reader', namespace: 'kube-system', labels },
    roleRef: { apiGroup, kind: 'Role', name: 'extension-apiserver-authentication-reader' },
    subjects,
  },
]
