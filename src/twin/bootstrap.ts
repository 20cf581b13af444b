// What every new cluster has before anybody created anything: namespaces, priority classes, the API's own service, roles.
import type { KubeObject } from '#kube/objects/objects.ts'
import { bootstrapRoles } from './api/access/bootstrap-roles.ts'
import type { ApiServer } from './api/api-server.ts'
import { systemPriorities } from './api/validation/priority-class-validation.ts'
import { type Draft, fieldsAt } from './json-value.ts'
import { loadObjects } from './load.ts'
import { signedByServer } from './server-objects.ts'

/** Fills an empty store. */
export function bootstrap(server: ApiServer): void {
  loadObjects(server, [
    ...namespaces.map(one => signedByServer(server, one)),
    ...priorityClasses,
    apiService(server),
    ...flowObjects,
    ...bootstrapRoles(),
  ])
}

const namespaces = ['default', 'kube-node-lease', 'kube-public', 'kube-system'].map(
  (name): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
  }),
)

function priorityClass(name: string, value: number, description: string): KubeObject {
  return {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value,
    description,
    preemptionPolicy: 'PreemptLowerPriority',
  }
}

const descriptions: Readonly<Record<string, string>> = {
  'system-cluster-critical':
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  'system-node-critical': 'Used for system critical pods that must not be moved from their current node.',
}
const priorityClasses = Array.from(systemPriorities, ([name, value]) => priorityClass(name, value, descriptions[name] ?? ''))

/** The server's own Service: what it asked for is its own, and what the addresses came with is nobody's. */
function apiService(server: ApiServer): KubeObject {
  const signed = signedByServer(server, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      clusterIP: '10.96.0.1',
      ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }],
      type: 'ClusterIP',
    },
  })
  const spec = { ...fieldsAt(signed, 'spec'), clusterIPs: ['10.96.0.1'], ipFamilies: ['IPv4'] }
  return { ...signed, spec, status: { loadBalancer: {} } }
}

function priorityLevel(name: string, spec: Draft): KubeObject {
  return { apiVersion: 'flowcontrol.apiserver.k8s.io/v1', kind: 'PriorityLevelConfiguration', metadata: { name }, spec }
}

function flowSchema(name: string, precedence: number, group: string): KubeObject {
  const everything = {
    subjects: [{ kind: 'Group', group: { name: group } }],
    resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
    nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
  }
  const spec = { matchingPrecedence: precedence, priorityLevelConfiguration: { name }, rules: [everything] }
  return { apiVersion: 'flowcontrol.apiserver.k8s.io/v1', kind: 'FlowSchema', metadata: { name }, spec }
}

/** Stored because clients list them; nothing is throttled by them. */
const flowObjects = [
  priorityLevel('exempt', { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }),
  priorityLevel('catch-all', {
    type: 'Limited',
    limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: 'Reject' } },
  }),
  flowSchema('exempt', 1, 'system:masters'),
  flowSchema('catch-all', 10000, 'system:authenticated'),
]
