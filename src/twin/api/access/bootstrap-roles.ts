// The roles and bindings an API server makes by itself, as far as clients and components of the twin use them.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Draft } from '../../json-value.ts'

const readVerbs = ['get', 'list', 'watch']
const writeVerbs = ['create', 'delete', 'deletecollection', 'patch', 'update']
const allVerbs = [...readVerbs, ...writeVerbs]

function rule(verbs: readonly string[], group: string, resources: readonly string[]): Draft {
  return { verbs, apiGroups: [group], resources }
}

const discoveryPaths = [
  '/api',
  '/api/*',
  '/apis',
  '/apis/*',
  '/healthz',
  '/livez',
  '/openapi',
  '/openapi/*',
  '/readyz',
  '/version',
  '/version/',
]

/** Namespaced kinds of a group and what users of `edit` and `view` see of them. */
const namespaced: readonly { readonly group: string; readonly resources: readonly string[] }[] = [
  {
    group: '',
    resources: [
      'configmaps',
      'endpoints',
      'persistentvolumeclaims',
      'persistentvolumeclaims/status',
      'pods',
      'pods/status',
      'replicationcontrollers',
      'replicationcontrollers/scale',
      'replicationcontrollers/status',
      'serviceaccounts',
      'services',
      'services/status',
    ],
  },
  {
    group: 'apps',
    resources: [
      'controllerrevisions',
      'daemonsets',
      'daemonsets/status',
      'deployments',
      'deployments/scale',
      'deployments/status',
      'replicasets',
      'replicasets/scale',
      'replicasets/status',
      'statefulsets',
      'statefulsets/scale',
      'statefulsets/status',
    ],
  },
  { group: 'autoscaling', resources: ['horizontalpodautoscalers', 'horizontalpodautoscalers/status'] },
  { group: 'batch', resources: ['cronjobs', 'cronjobs/status', 'jobs', 'jobs/status'] },
  { group: 'discovery.k8s.io', resources: ['endpointslices'] },
  { group: 'networking.k8s.io', resources: ['ingresses', 'ingresses/status', 'networkpolicies'] },
  { group: 'policy', resources: ['poddisruptionbudgets', 'poddisruptionbudgets/status'] },
]

const viewRules: readonly Draft[] = [
  ...namespaced.map(({ group, resources }) => rule(readVerbs, group, resources)),
  rule(readVerbs, '', [
    'bindings',
    'events',
    'limitranges',
    'namespaces',
    'namespaces/status',
    'pods/log',
    'resourcequotas',
    'resourcequotas/status',
  ]),
]
const editRules: readonly Draft[] = [
  ...namespaced.map(({ group, resources }) =>
    rule(
      writeVerbs,
      group,
      resources.filter(resource => !resource.endsWith('/status')),
    ),
  ),
  rule(allVerbs, '', ['secrets', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'services/proxy']),
  rule(['create'], '', ['pods/eviction', 'serviceaccounts/token']),
  rule(['impersonate'], '', ['serviceaccounts']),
]
const adminRules: readonly Draft[] = [
  rule(allVerbs, 'rbac.authorization.k8s.io', ['roles', 'rolebindings']),
  rule(['create'], 'authorization.k8s.io', ['localsubjectaccessreviews']),
]

const everything: readonly Draft[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]

const clusterRoles: Readonly<Record<string, readonly Draft[]>> = {
  'cluster-admin': everything,
  view: viewRules,
  edit: [...viewRules, ...editRules],
  admin: [...viewRules, ...editRules, ...adminRules],
  'system:discovery': [{ verbs: ['get'], nonResourceURLs: discoveryPaths }],
  'system:public-info-viewer': [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/livez', '/readyz', '/version', '/version/'] }],
  'system:basic-user': [
    rule(['create'], 'authorization.k8s.io', ['selfsubjectaccessreviews', 'selfsubjectrulesreviews']),
    rule(['create'], 'authentication.k8s.io', ['selfsubjectreviews']),
  ],
  'system:auth-delegator': [
    rule(['create'], 'authentication.k8s.io', ['tokenreviews']),
    rule(['create'], 'authorization.k8s.io', ['subjectaccessreviews']),
  ],
  'system:node': [
    rule(readVerbs, '', ['configmaps', 'persistentvolumeclaims', 'persistentvolumes', 'pods', 'secrets', 'services', 'nodes']),
    rule(['create', 'patch', 'update'], '', ['nodes', 'nodes/status', 'pods/status', 'events']),
    rule(['create', 'delete'], '', ['pods', 'pods/eviction']),
    rule(allVerbs, 'coordination.k8s.io', ['leases']),
  ],
  'system:kube-scheduler': [
    rule(readVerbs, '', [
      'nodes',
      'namespaces',
      'persistentvolumes',
      'persistentvolumeclaims',
      'pods',
      'replicationcontrollers',
      'services',
    ]),
    rule(['create', 'delete', 'patch', 'update'], '', ['bindings', 'pods', 'pods/binding', 'pods/status', 'events']),
    rule(readVerbs, 'apps', ['replicasets', 'statefulsets']),
    rule(readVerbs, 'policy', ['poddisruptionbudgets']),
    rule(readVerbs, 'storage.k8s.io', ['csidrivers', 'csinodes', 'csistoragecapacities', 'storageclasses', 'volumeattachments']),
    rule(allVerbs, 'coordination.k8s.io', ['leases']),
    rule(['create', 'patch', 'update'], 'events.k8s.io', ['events']),
    rule(['create'], 'authentication.k8s.io', ['tokenreviews']),
    rule(['create'], 'authorization.k8s.io', ['subjectaccessreviews']),
  ],
  'system:kube-controller-manager': everything,
  'system:controller:horizontal-pod-autoscaler': [
    rule(readVerbs, 'autoscaling', ['horizontalpodautoscalers']),
    rule(['update'], 'autoscaling', ['horizontalpodautoscalers/status']),
    rule(['get', 'update'], '*', ['*/scale']),
    rule(['list', 'watch'], '', ['pods']),
    rule(['list', 'watch'], 'metrics.k8s.io', ['pods']),
    rule(readVerbs, 'custom.metrics.k8s.io', ['*']),
    rule(readVerbs, 'external.metrics.k8s.io', ['*']),
    rule(['create', 'update', 'patch'], '', ['events']),
    rule(['create', 'update', 'patch'], 'events.k8s.io', ['events']),
  ],
}

interface BootstrapBinding {
  readonly role: string
  /** A ServiceAccount is one of `kube-system`. */
  readonly kind: 'Group' | 'User' | 'ServiceAccount'
  readonly subject: string
}

const bindings: readonly BootstrapBinding[] = [
  { role: 'cluster-admin', kind: 'Group', subject: 'system:masters' },
  { role: 'system:discovery', kind: 'Group', subject: 'system:authenticated' },
  { role: 'system:basic-user', kind: 'Group', subject: 'system:authenticated' },
  { role: 'system:public-info-viewer', kind: 'Group', subject: 'system:authenticated' },
  { role: 'system:kube-scheduler', kind: 'User', subject: 'system:kube-scheduler' },
  { role: 'system:kube-controller-manager', kind: 'User', subject: 'system:kube-controller-manager' },
  { role: 'system:node', kind: 'Group', subject: 'system:nodes' },
  { role: 'system:controller:horizontal-pod-autoscaler', kind: 'ServiceAccount', subject: 'horizontal-pod-autoscaler' },
]

const marks = {
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
}

/** ClusterRoles and ClusterRoleBindings of a new cluster. */
export function bootstrapRoles(): readonly KubeObject[] {
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  const roles = Object.entries(clusterRoles).map(([name, rules]) => ({
    apiVersion,
    kind: 'ClusterRole',
    metadata: { name, ...marks },
    ...aggregation(name),
    rules,
  }))
  const bound = bindings.map(({ role, kind, subject }) => ({
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name: role, ...marks },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [
      kind === 'ServiceAccount'
        ? { kind, name: subject, namespace: 'kube-system' }
        : { apiGroup: 'rbac.authorization.k8s.io', kind, name: subject },
    ],
  }))
  return [...roles, ...bound]
}

/** `admin`, `edit` and `view` also have the rules of roles that are labelled to be aggregated to them. */
function aggregation(name: string): Draft {
  if (name !== 'admin' && name !== 'edit' && name !== 'view') return {}
  const matchLabels = { [`rbac.authorization.k8s.io/aggregate-to-${name}`]: 'true' }
  return { aggregationRule: { clusterRoleSelectors: [{ matchLabels }] } }
}
