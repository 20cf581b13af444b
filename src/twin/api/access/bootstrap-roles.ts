// The roles and bindings an API server makes by itself, as far as clients and components of the twin use them.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Draft } from '../../json-value.ts'

const readVerbs = ['get', 'list', 'watch']
const writeVerbs = ['create', 'delete', 'deletecollection', 'patch', 'update']
const allVerbs = [...readVerbs, ...writeVerbs].toSorted()

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

/** What `kubernetes.io` clusters have under `system:aggregate-to-view`, `-edit` and `-admin`: a line a rule, with group and resources. */
const viewRules: readonly Draft[] = [
  rule(
    readVerbs,
    '',
    'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status'.split(
      ' ',
    ),
  ),
  rule(
    readVerbs,
    '',
    'bindings limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status'.split(
      ' ',
    ),
  ),
  rule(readVerbs, '', ['namespaces']),
  { verbs: readVerbs, apiGroups: ['', 'events.k8s.io'], resources: ['events'] },
  rule(readVerbs, 'discovery.k8s.io', ['endpointslices']),
  rule(
    readVerbs,
    'apps',
    'controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status'.split(
      ' ',
    ),
  ),
  rule(readVerbs, 'autoscaling', ['horizontalpodautoscalers', 'horizontalpodautoscalers/status']),
  rule(readVerbs, 'batch', ['cronjobs', 'cronjobs/status', 'jobs', 'jobs/status']),
  rule(
    readVerbs,
    'extensions',
    'daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale'.split(
      ' ',
    ),
  ),
  rule(readVerbs, 'policy', ['poddisruptionbudgets', 'poddisruptionbudgets/status']),
  rule(readVerbs, 'networking.k8s.io', ['ingresses', 'ingresses/status', 'networkpolicies']),
  rule(readVerbs, 'resource.k8s.io', ['resourceclaims', 'resourceclaims/status', 'resourceclaimtemplates']),
]
const editRules: readonly Draft[] = [
  rule(readVerbs, '', ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy']),
  rule(['impersonate'], '', ['serviceaccounts']),
  rule(writeVerbs, '', ['pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy']),
  rule(['create'], '', ['pods/eviction']),
  rule(
    writeVerbs,
    '',
    'configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy'.split(
      ' ',
    ),
  ),
  rule(['create'], '', ['serviceaccounts/token']),
  { verbs: writeVerbs, apiGroups: ['', 'events.k8s.io'], resources: ['events'] },
  rule(
    writeVerbs,
    'apps',
    'daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale'.split(
      ' ',
    ),
  ),
  rule(writeVerbs, 'autoscaling', ['horizontalpodautoscalers']),
  rule(writeVerbs, 'batch', ['cronjobs', 'jobs']),
  rule(
    writeVerbs,
    'extensions',
    'daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale'.split(
      ' ',
    ),
  ),
  rule(writeVerbs, 'policy', ['poddisruptionbudgets']),
  rule(writeVerbs, 'networking.k8s.io', ['ingresses', 'networkpolicies']),
  rule(allVerbs, 'coordination.k8s.io', ['leases']),
  rule(writeVerbs, 'resource.k8s.io', ['resourceclaims', 'resourceclaimtemplates']),
]
const adminRules: readonly Draft[] = [
  rule(['create'], 'authorization.k8s.io', ['localsubjectaccessreviews']),
  rule(allVerbs, 'rbac.authorization.k8s.io', ['rolebindings', 'roles']),
]

const everything: readonly Draft[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]

const clusterRoles: Readonly<Record<string, readonly Draft[]>> = {
  'cluster-admin': everything,
  'system:aggregate-to-view': viewRules,
  'system:aggregate-to-edit': editRules,
  'system:aggregate-to-admin': adminRules,
  // As the controller of aggregated roles leaves them: by the names of what is aggregated.
  view: viewRules,
  edit: [...editRules, ...viewRules],
  admin: [...editRules, ...viewRules, ...adminRules],
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
    metadata: { name, ...marks, labels: { ...marks.labels, ...aggregatedTo(name) } },
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

const aggregates = 'rbac.authorization.k8s.io/aggregate-to-'

/** Roles are aggregated to the one they are named after, `view` to `edit`, and `edit` to `admin`. */
function aggregatedTo(name: string): Readonly<Record<string, string>> {
  const target = name.startsWith('system:aggregate-to-')
    ? name.slice('system:aggregate-to-'.length)
    : { view: 'edit', edit: 'admin' }[name]
  return target === undefined ? {} : { [`${aggregates}${target}`]: 'true' }
}

/** `admin`, `edit` and `view` have the rules of roles that are labelled to be aggregated to them. */
function aggregation(name: string): Draft {
  if (name !== 'admin' && name !== 'edit' && name !== 'view') return {}
  return { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [`${aggregates}${name}`]: 'true' } }] } }
}
