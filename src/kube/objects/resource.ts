// Which resource is meant, and the path it has on an API server.

export interface GroupVersionResource {
  /** `''` for the core group. */
  readonly group: string
  readonly version: string
  /** The plural, in lower case: `pods`. */
  readonly resource: string
}

interface ResourcePath {
  readonly namespace?: string | undefined
  readonly name?: string | undefined
  readonly subresource?: string | undefined
}

/** The path of a collection or object, each segment percent-encoded: `/apis/apps/v1/namespaces/shop/deployments/cart/scale`. */
export function resourcePath(resource: GroupVersionResource, at: ResourcePath = {}): string {
  const segments = resource.group === '' ? ['api', resource.version] : ['apis', resource.group, resource.version]
  if (at.namespace !== undefined && at.namespace !== '') segments.push('namespaces', at.namespace)
  segments.push(resource.resource)
  if (at.name !== undefined) segments.push(at.name)
  if (at.subresource !== undefined) segments.push(...at.subresource.split('/'))
  return `/${segments.map(encodeURIComponent).join('/')}`
}

/** `v1`, `apps/v1`: what objects of it have as `apiVersion`. */
export function apiVersionOf(resource: GroupVersionResource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

/** Group and version of an `apiVersion`. */
export function parseApiVersion(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf('/')
  return slash < 0
    ? { group: '', version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}

/** Plural with group, as in RBAC and `kubectl get`: `pods`, `deployments.apps`. */
export function resourceKey(resource: Pick<GroupVersionResource, 'group' | 'resource'>): string {
  return resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`
}

/** Built-in kinds that lie in no namespace, and ours: who may read some namespaces only may not watch them. */
const clusterScoped: ReadonlySet<string> = new Set([
  ...['nodes', 'namespaces', 'persistentvolumes', 'storageclasses.storage.k8s.io', 'csinodes.storage.k8s.io'],
  ...['csidrivers.storage.k8s.io', 'volumeattachments.storage.k8s.io', 'priorityclasses.scheduling.k8s.io'],
  ...['deviceclasses.resource.k8s.io', 'resourceslices.resource.k8s.io'],
  ...['customresourcedefinitions.apiextensions.k8s.io', 'clusterroles.rbac.authorization.k8s.io'],
  ...['clusterrolebindings.rbac.authorization.k8s.io', 'mutatingwebhookconfigurations.admissionregistration.k8s.io'],
  ...[
    'validatingwebhookconfigurations.admissionregistration.k8s.io',
    'rebalancepolicies.ballast.dev',
    'rebalanceplans.ballast.dev',
  ],
])

/** Whether objects of `resource` lie in no namespace, as far as its name tells. */
export function isClusterScoped(resource: Pick<GroupVersionResource, 'group' | 'resource'>): boolean {
  return clusterScoped.has(resourceKey(resource))
}

function resources<const Names extends readonly string[]>(
  apiVersion: string,
  names: Names,
): Record<Names[number], GroupVersionResource> {
  const { group, version } = parseApiVersion(apiVersion)
  const entries = names.map(resource => [resource, { group, version, resource }] as const)
  return Object.fromEntries(entries) as Record<Names[number], GroupVersionResource>
}

/** The built-in resources Ballast reads or writes, by plural. */
export const builtIn = {
  ...resources('v1', [
    'pods',
    'nodes',
    'namespaces',
    'services',
    'configmaps',
    'secrets',
    'serviceaccounts',
    'persistentvolumes',
    'persistentvolumeclaims',
    'replicationcontrollers',
  ]),
  ...resources('apps/v1', ['deployments', 'replicasets', 'statefulsets', 'daemonsets', 'controllerrevisions']),
  ...resources('batch/v1', ['jobs', 'cronjobs']),
  ...resources('policy/v1', ['poddisruptionbudgets']),
  ...resources('storage.k8s.io/v1', ['storageclasses', 'csinodes', 'csidrivers', 'volumeattachments', 'csistoragecapacities']),
  ...resources('scheduling.k8s.io/v1', ['priorityclasses']),
  ...resources('resource.k8s.io/v1', ['deviceclasses', 'resourceclaims', 'resourceclaimtemplates', 'resourceslices']),
  ...resources('autoscaling/v2', ['horizontalpodautoscalers']),
  ...resources('coordination.k8s.io/v1', ['leases']),
  ...resources('events.k8s.io/v1', ['events']),
  ...resources('discovery.k8s.io/v1', ['endpointslices']),
  ...resources('apiextensions.k8s.io/v1', ['customresourcedefinitions']),
  ...resources('rbac.authorization.k8s.io/v1', ['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings']),
  ...resources('admissionregistration.k8s.io/v1', ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']),
} as const satisfies Record<string, GroupVersionResource>
