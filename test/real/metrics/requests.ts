// What is asked of metrics-server and of ours directly, and what of an answer is compared.
export interface MetricsRequest {
  readonly name: string
  readonly path: string
  readonly method?: 'GET' | 'POST'
  readonly accept?: string
  /** Headers of whoever pretends to be the front proxy. */
  readonly headers?: Readonly<Record<string, string>>
  /** Without the administrator's certificate. */
  readonly isAnonymous?: boolean
}

const api = '/apis/metrics.k8s.io/v1beta1'
const table = 'application/json;as=Table;v=v1;g=meta.k8s.io'
const discovery = 'application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io'

// biome-ignore format: a table
export const metricsRequests: readonly MetricsRequest[] = [
  { name: 'groups', path: '/apis' },
  { name: 'group', path: '/apis/metrics.k8s.io' },
  { name: 'resources', path: api },
  { name: 'aggregated discovery', path: '/apis', accept: discovery },
  { name: 'node list', path: `${api}/nodes` },
  { name: 'node', path: `${api}/nodes/n1` },
  { name: 'node unknown', path: `${api}/nodes/nobody` },
  { name: 'node without metrics', path: `${api}/nodes/silent` },
  { name: 'pod list', path: `${api}/pods` },
  { name: 'pods of a namespace', path: `${api}/namespaces/shop/pods` },
  { name: 'pods of an empty namespace', path: `${api}/namespaces/empty/pods` },
  { name: 'pod', path: `${api}/namespaces/shop/pods/steady` },
  { name: 'pod unknown', path: `${api}/namespaces/shop/pods/nobody` },
  { name: 'pod without metrics', path: `${api}/namespaces/shop/pods/unmeasured` },
  { name: 'pod that ended', path: `${api}/namespaces/shop/pods/done` },
  { name: 'by label', path: `${api}/pods?labelSelector=app%3Dsteady` },
  { name: 'by name', path: `${api}/pods?fieldSelector=metadata.name%3Dsteady` },
  { name: 'by namespace', path: `${api}/pods?fieldSelector=metadata.namespace%21%3Dshop` },
  { name: 'by another field', path: `${api}/pods?fieldSelector=spec.nodeName%3Dn1` },
  { name: 'nodes by another field', path: `${api}/nodes?fieldSelector=spec.unschedulable%3Dtrue` },
  { name: 'a bad label selector', path: `${api}/pods?labelSelector=a%20in%20(` },
  { name: 'a bad field selector', path: `${api}/pods?fieldSelector=a` },
  { name: 'a limit', path: `${api}/nodes?limit=1` },
  { name: 'watch', path: `${api}/nodes?watch=true` },
  { name: 'watch of pods', path: `${api}/namespaces/shop/pods?watch=true` },
  { name: 'create', path: `${api}/nodes`, method: 'POST' },
  { name: 'an unknown resource', path: `${api}/things` },
  { name: 'an unknown version', path: '/apis/metrics.k8s.io/v1/nodes' },
  { name: 'node table', path: `${api}/nodes`, accept: table },
  { name: 'pod table', path: `${api}/namespaces/shop/pods/steady`, accept: table },
  { name: 'empty table', path: `${api}/namespaces/empty/pods`, accept: table },
  { name: 'metadata', path: `${api}/nodes/n1`, accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' },
  { name: 'html', path: `${api}/nodes`, accept: 'text/html' },
  { name: 'yaml', path: `${api}/namespaces/empty/pods`, accept: 'application/yaml' },
  { name: 'readyz', path: '/readyz', isAnonymous: true },
  { name: 'readyz verbose', path: '/readyz?verbose', isAnonymous: true },
  { name: 'livez verbose', path: '/livez?verbose', isAnonymous: true },
  { name: 'healthz verbose', path: '/healthz?verbose', isAnonymous: true },
  { name: 'one check', path: '/readyz/metric-storage-ready' },
  { name: 'metrics, anonymously', path: '/metrics', isAnonymous: true },
  { name: 'nodes, anonymously', path: `${api}/nodes`, isAnonymous: true },
  { name: 'nodes, with a forged front proxy', path: `${api}/nodes`, isAnonymous: true, headers: { 'x-remote-user': 'admin', 'x-remote-group': 'system:masters' } },
  { name: 'nodes, with a bad token', path: `${api}/nodes`, isAnonymous: true, headers: { authorization: 'Bearer nonsense' } },
]

export interface MetricsAnswer {
  readonly name: string
  readonly status: number
  readonly contentType: string
  readonly body: unknown
}

/** What two servers may say differently of one moment: times, and what was measured when. */
const unsteady = new Set(['creationTimestamp', 'timestamp', 'window', 'usage', 'cells', 'hash', 'cpu', 'memory'])

/** An answer without what differs from moment to moment; containers by name, for their order is not defined. */
export function steadyAnswer(
  name: string,
  answer: { readonly status: number; readonly contentType: string; readonly text: string },
): MetricsAnswer {
  const { status, contentType, text } = answer
  const body: unknown = text.startsWith('{') ? JSON.parse(text) : text
  return { name, status, contentType, body: steady(body) }
}

function steady(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(steady)
    const isNamed = items.every(item => typeof item === 'object' && item !== null && 'usage' in item && 'name' in item)
    return isNamed ? items.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, unsteady.has(key) && field !== null ? shapeOf(field) : steady(field)]),
  )
}

function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length
  return typeof value === 'object' && value !== null ? Object.keys(value).toSorted() : typeof value
}
