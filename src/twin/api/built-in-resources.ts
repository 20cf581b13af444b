// The built-in resources of a Kubernetes API server, as rows. Order of groups is the order of discovery.
import type { ResourceType, Subresource } from './resource-type.ts'

const standardVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const

interface Row {
  readonly kind: string
  readonly plural: string
  readonly short?: string
  readonly cluster?: true
  /** `s` status, `c` scale, or further names; see `subresourceNamed`. */
  readonly sub?: string
  readonly categories?: string
  readonly verbs?: readonly string[]
  /** The key of the store, when it is not `plural.group`. */
  readonly key?: string
  readonly storageVersion?: string
}

interface GroupVersionRows {
  readonly group: string
  readonly version: string
  readonly rows: readonly Row[]
}

const createOnly = ['create'] as const
const readVerbs = ['get', 'list'] as const

// biome-ignore format: a table
const table: readonly GroupVersionRows[] = [
  { group: '', version: 'v1', rows: [
    { kind: 'Binding', plural: 'bindings', verbs: createOnly },
    { kind: 'ComponentStatus', plural: 'componentstatuses', short: 'cs', cluster: true, verbs: readVerbs },
    { kind: 'ConfigMap', plural: 'configmaps', short: 'cm' },
    { kind: 'Endpoints', plural: 'endpoints', short: 'ep' },
    { kind: 'Event', plural: 'events', short: 'ev', key: 'events' },
    { kind: 'LimitRange', plural: 'limitranges', short: 'limits' },
    { kind: 'Namespace', plural: 'namespaces', short: 'ns', cluster: true, sub: 'status finalize', verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'] },
    { kind: 'Node', plural: 'nodes', short: 'no', cluster: true, sub: 'status proxy' },
    { kind: 'PersistentVolumeClaim', plural: 'persistentvolumeclaims', short: 'pvc', sub: 'status' },
    { kind: 'PersistentVolume', plural: 'persistentvolumes', short: 'pv', cluster: true, sub: 'status' },
    { kind: 'Pod', plural: 'pods', short: 'po', categories: 'all', sub: 'attach binding ephemeralcontainers eviction exec log portforward proxy resize status' },
    { kind: 'PodTemplate', plural: 'podtemplates' },
    { kind: 'ReplicationController', plural: 'replicationcontrollers', short: 'rc', categories: 'all', sub: 'scale status' },
    { kind: 'ResourceQuota', plural: 'resourcequotas', short: 'quota', sub: 'status' },
    { kind: 'Secret', plural: 'secrets' },
    { kind: 'ServiceAccount', plural: 'serviceaccounts', short: 'sa', sub: 'token' },
    { kind: 'Service', plural: 'services', short: 'svc', categories: 'all', sub: 'proxy status' },
  ] },
  { group: 'apiregistration.k8s.io', version: 'v1', rows: [
    { kind: 'APIService', plural: 'apiservices', cluster: true, categories: 'api-extensions', sub: 'status' },
  ] },
  { group: 'apps', version: 'v1', rows: [
    { kind: 'ControllerRevision', plural: 'controllerrevisions' },
    { kind: 'DaemonSet', plural: 'daemonsets', short: 'ds', categories: 'all', sub: 'status' },
    { kind: 'Deployment', plural: 'deployments', short: 'deploy', categories: 'all', sub: 'scale status' },
    { kind: 'ReplicaSet', plural: 'replicasets', short: 'rs', categories: 'all', sub: 'scale status' },
    { kind: 'StatefulSet', plural: 'statefulsets', short: 'sts', categories: 'all', sub: 'scale status' },
  ] },
  { group: 'events.k8s.io', version: 'v1', rows: [
    { kind: 'Event', plural: 'events', short: 'ev', key: 'events' },
  ] },
  { group: 'authentication.k8s.io', version: 'v1', rows: [
    { kind: 'SelfSubjectReview', plural: 'selfsubjectreviews', cluster: true, verbs: createOnly },
    { kind: 'TokenReview', plural: 'tokenreviews', cluster: true, verbs: createOnly },
  ] },
  { group: 'authorization.k8s.io', version: 'v1', rows: [
    { kind: 'LocalSubjectAccessReview', plural: 'localsubjectaccessreviews', verbs: createOnly },
    { kind: 'SelfSubjectAccessReview', plural: 'selfsubjectaccessreviews', cluster: true, verbs: createOnly },
    { kind: 'SelfSubjectRulesReview', plural: 'selfsubjectrulesreviews', cluster: true, verbs: createOnly },
    { kind: 'SubjectAccessReview', plural: 'subjectaccessreviews', cluster: true, verbs: createOnly },
  ] },
  { group: 'autoscaling', version: 'v2', rows: [
    { kind: 'HorizontalPodAutoscaler', plural: 'horizontalpodautoscalers', short: 'hpa', categories: 'all', sub: 'status' },
  ] },
  { group: 'autoscaling', version: 'v1', rows: [
    { kind: 'HorizontalPodAutoscaler', plural: 'horizontalpodautoscalers', short: 'hpa', categories: 'all', sub: 'status', storageVersion: 'v2' },
  ] },
  { group: 'batch', version: 'v1', rows: [
    { kind: 'CronJob', plural: 'cronjobs', short: 'cj', categories: 'all', sub: 'status' },
    { kind: 'Job', plural: 'jobs', categories: 'all', sub: 'status' },
  ] },
  { group: 'certificates.k8s.io', version: 'v1', rows: [
    { kind: 'CertificateSigningRequest', plural: 'certificatesigningrequests', short: 'csr', cluster: true, sub: 'approval status' },
  ] },
  { group: 'networking.k8s.io', version: 'v1', rows: [
    { kind: 'IngressClass', plural: 'ingressclasses', cluster: true },
    { kind: 'Ingress', plural: 'ingresses', short: 'ing', sub: 'status' },
    { kind: 'IPAddress', plural: 'ipaddresses', short: 'ip', cluster: true },
    { kind: 'NetworkPolicy', plural: 'networkpolicies', short: 'netpol' },
    { kind: 'ServiceCIDR', plural: 'servicecidrs', cluster: true, sub: 'status' },
  ] },
  { group: 'policy', version: 'v1', rows: [
    { kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets', short: 'pdb', sub: 'status' },
  ] },
  { group: 'rbac.authorization.k8s.io', version: 'v1', rows: [
    { kind: 'ClusterRoleBinding', plural: 'clusterrolebindings', cluster: true },
    { kind: 'ClusterRole', plural: 'clusterroles', cluster: true },
    { kind: 'RoleBinding', plural: 'rolebindings' },
    { kind: 'Role', plural: 'roles' },
  ] },
  { group: 'storage.k8s.io', version: 'v1', rows: [
    { kind: 'CSIDriver', plural: 'csidrivers', cluster: true },
    { kind: 'CSINode', plural: 'csinodes', cluster: true },
    { kind: 'CSIStorageCapacity', plural: 'csistoragecapacities' },
    { kind: 'StorageClass', plural: 'storageclasses', short: 'sc', cluster: true },
    { kind: 'VolumeAttachment', plural: 'volumeattachments', cluster: true, sub: 'status' },
    { kind: 'VolumeAttributesClass', plural: 'volumeattributesclasses', short: 'vac', cluster: true },
  ] },
  { group: 'admissionregistration.k8s.io', version: 'v1', rows: [
    { kind: 'MutatingAdmissionPolicy', plural: 'mutatingadmissionpolicies', cluster: true, categories: 'api-extensions' },
    { kind: 'MutatingAdmissionPolicyBinding', plural: 'mutatingadmissionpolicybindings', cluster: true, categories: 'api-extensions' },
    { kind: 'MutatingWebhookConfiguration', plural: 'mutatingwebhookconfigurations', cluster: true, categories: 'api-extensions' },
    { kind: 'ValidatingAdmissionPolicy', plural: 'validatingadmissionpolicies', cluster: true, categories: 'api-extensions', sub: 'status' },
    { kind: 'ValidatingAdmissionPolicyBinding', plural: 'validatingadmissionpolicybindings', cluster: true, categories: 'api-extensions' },
    { kind: 'ValidatingWebhookConfiguration', plural: 'validatingwebhookconfigurations', cluster: true, categories: 'api-extensions' },
  ] },
  { group: 'apiextensions.k8s.io', version: 'v1', rows: [
    { kind: 'CustomResourceDefinition', plural: 'customresourcedefinitions', short: 'crd crds', cluster: true, categories: 'api-extensions', sub: 'status' },
  ] },
  { group: 'scheduling.k8s.io', version: 'v1', rows: [
    { kind: 'PriorityClass', plural: 'priorityclasses', short: 'pc', cluster: true },
  ] },
  { group: 'coordination.k8s.io', version: 'v1', rows: [
    { kind: 'Lease', plural: 'leases' },
  ] },
  { group: 'node.k8s.io', version: 'v1', rows: [
    { kind: 'RuntimeClass', plural: 'runtimeclasses', cluster: true },
  ] },
  { group: 'discovery.k8s.io', version: 'v1', rows: [
    { kind: 'EndpointSlice', plural: 'endpointslices' },
  ] },
  { group: 'resource.k8s.io', version: 'v1', rows: [
    { kind: 'DeviceClass', plural: 'deviceclasses', cluster: true },
    { kind: 'ResourceClaim', plural: 'resourceclaims', sub: 'status' },
    { kind: 'ResourceClaimTemplate', plural: 'resourceclaimtemplates' },
    { kind: 'ResourceSlice', plural: 'resourceslices', cluster: true },
  ] },
  { group: 'flowcontrol.apiserver.k8s.io', version: 'v1', rows: [
    { kind: 'FlowSchema', plural: 'flowschemas', cluster: true, sub: 'status' },
    { kind: 'PriorityLevelConfiguration', plural: 'prioritylevelconfigurations', cluster: true, sub: 'status' },
  ] },
  { group: 'metrics.k8s.io', version: 'v1beta1', rows: [
    { kind: 'NodeMetrics', plural: 'nodes', cluster: true, verbs: readVerbs },
    { kind: 'PodMetrics', plural: 'pods', verbs: readVerbs },
  ] },
]

const scaleVerbs = ['get', 'patch', 'update'] as const
const connectVerbs = ['create', 'get'] as const

function subresourceNamed(name: string, row: Row): Subresource {
  switch (name) {
    case 'scale':
      return { name, kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: scaleVerbs }
    case 'eviction':
      return { name, kind: 'Eviction', group: 'policy', version: 'v1', verbs: createOnly }
    case 'binding':
      return { name, kind: 'Binding', verbs: createOnly }
    case 'token':
      return { name, kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1', verbs: createOnly }
    case 'finalize':
      return { name, kind: row.kind, verbs: ['update'] }
    case 'log':
      return { name, kind: row.kind, verbs: ['get'] }
    case 'attach':
    case 'exec':
    case 'portforward':
      return {
        name,
        kind: `Pod${{ attach: 'Attach', exec: 'Exec', portforward: 'PortForward' }[name]}Options`,
        verbs: connectVerbs,
      }
    case 'proxy':
      return { name, kind: `${row.kind}ProxyOptions`, verbs: ['create', 'delete', 'get', 'patch', 'update'] }
    default:
      return { name, kind: row.kind, verbs: scaleVerbs }
  }
}

function resourceTypeOf(rows: GroupVersionRows, row: Row): ResourceType {
  const { group, version } = rows
  return {
    group,
    version,
    kind: row.kind,
    plural: row.plural,
    singular: row.kind.toLowerCase(),
    shortNames: row.short?.split(' ') ?? [],
    categories: row.categories?.split(' ') ?? [],
    isNamespaced: row.cluster !== true,
    verbs: row.verbs ?? standardVerbs,
    subresources: row.sub?.split(' ').map(name => subresourceNamed(name, row)) ?? [],
    key: row.key ?? (group === '' ? row.plural : `${row.plural}.${group}`),
    storageVersion: row.storageVersion ?? version,
  }
}

/** Every built-in resource, in the order of discovery. */
export const builtInResources: readonly ResourceType[] = table.flatMap(rows => rows.rows.map(row => resourceTypeOf(rows, row)))
