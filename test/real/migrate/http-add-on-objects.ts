// What stands on the control plane of the HTTP add-on's swap: the add-on's manifests with what its chart has besides, and who uses it.
import type { ApiObject } from '../control-plane/api-client.ts'
import { ports } from './visitor-words.ts'

export const namespace = 'keda'
export const programs = ['interceptor', 'scaler', 'operator'] as const
export type Program = (typeof programs)[number]
export const deploymentOf = (program: Program) => `keda-add-ons-http-${program}`
/** As many as its chart has at least. */
const interceptors = 3

/** As many interceptors as its chart has; and the operator guards its metrics, as there. */
export function asItsChart(object: ApiObject): ApiObject {
  if (object.kind !== 'Deployment') return object
  if (object.metadata.name === deploymentOf('interceptor'))
    return { ...object, spec: { ...Object(object['spec']), replicas: interceptors } }
  if (object.metadata.name !== deploymentOf('operator')) return object
  const made = structuredClone(object) as { spec: { template: { spec: { containers: { args: string[] }[] } } } } & ApiObject
  made.spec.template.spec.containers[0]?.args.unshift(
    '--metrics-bind-address=:8443',
    '--metrics-secure=true',
    '--metrics-auth=true',
  )
  return made
}

/** What is beside the add-on: its users with two targets, readers of metrics, and where its pods run. */
export function around(address: string): readonly ApiObject[] {
  const targets = (['web', 'sleepy'] as const).flatMap((name): readonly ApiObject[] => [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'shop' },
      spec: { ports: [{ name: 'web', port: ports.target, targetPort: ports.target }] },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${name}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: 'web', port: ports.target, protocol: 'TCP' }],
      endpoints: [{ addresses: [address], conditions: { ready: name === 'web' } }],
    },
    {
      apiVersion: 'http.keda.sh/v1beta1',
      kind: 'InterceptorRoute',
      metadata: { name, namespace: 'shop' },
      spec: {
        target: { service: name, port: ports.target },
        rules: [{ hosts: [`${name}.test`] }],
        scalingMetric: { concurrency: { targetValue: 100 } },
      },
    },
  ])
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
    { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', labels: { 'kubernetes.io/os': 'linux' } } },
    ...['onlooker', 'reader'].map(name => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'shop' } })),
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'metrics-reader' },
      rules: [{ nonResourceURLs: ['/metrics'], verbs: ['get'] }],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'metrics-reader' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'metrics-reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace: 'shop' }],
    },
    ...targets,
  ]
}

/** Those first that others need. */
export function inOrder(objects: readonly ApiObject[]): readonly ApiObject[] {
  const first = ['Namespace', 'CustomResourceDefinition', 'ServiceAccount']
  const order = ({ kind }: ApiObject) => (first.includes(kind) ? first.indexOf(kind) : first.length)
  return objects.toSorted((left, right) => order(left) - order(right))
}
