// What KEDA's chart (2.20) gives the accounts of its programs, as far as they may do something: to see that ours ask for nothing more.
import type { KubeObject } from '#kube/objects/objects.ts'

export const kedaNamespace = 'keda'

const rbac = 'rbac.authorization.k8s.io'
const read = ['get', 'list', 'watch']
const write = ['get', 'list', 'patch', 'update', 'watch']

type Rule = readonly [group: string, resources: readonly string[], verbs: readonly string[], names?: readonly string[]]

const rulesOf = (rules: readonly Rule[]) =>
  rules.map(([group, resources, verbs, names]) => ({
    apiGroups: [group],
    resources,
    verbs,
    ...(names === undefined ? {} : { resourceNames: names }),
  }))

// biome-ignore format: a table
const operator: readonly Rule[] = [
  ['', ['configmaps', 'configmaps/status', 'limitranges', 'pods', 'services', 'serviceaccounts'], read],
  ['', ['serviceaccounts/token'], ['create']],
  ['', ['events'], ['create', 'patch']], ['events.k8s.io', ['events'], ['create', 'patch']],
  ['discovery.k8s.io', ['endpointslices'], read],
  ['', ['secrets'], ['list', 'watch']],
  ['*', ['*/scale'], write], ['*', ['*'], ['get']],
  ['apps', ['deployments/scale', 'statefulsets/scale'], write], ['apps', ['deployments', 'replicasets', 'statefulsets'], read],
  ['autoscaling', ['horizontalpodautoscalers'], ['create', 'delete', ...write]],
  ['batch', ['jobs'], ['create', 'delete', ...write]],
  ['eventing.keda.sh', ['cloudeventsources', 'cloudeventsources/status', 'clustercloudeventsources', 'clustercloudeventsources/status'], write],
  ['keda.sh', ['scaledjobs', 'scaledjobs/finalizers', 'scaledjobs/status', 'scaledobjects', 'scaledobjects/finalizers', 'scaledobjects/status', 'triggerauthentications', 'triggerauthentications/status'], write],
  ['keda.sh', ['clustertriggerauthentications', 'clustertriggerauthentications/status'], write],
  ['admissionregistration.k8s.io', ['validatingwebhookconfigurations'], write],
  ['apiregistration.k8s.io', ['apiservices'], write],
]

// biome-ignore format: a table
const operatorAtHome: readonly Rule[] = [
  ['coordination.k8s.io', ['leases'], ['create', 'delete', ...write]],
  ['', ['secrets'], ['get'], ['kedaorg-certs']],
  ['', ['secrets'], ['create', 'update']],
]

// biome-ignore format: a table
const webhooks: readonly Rule[] = [
  ['autoscaling', ['horizontalpodautoscalers'], ['list', 'watch']],
  ['keda.sh', ['scaledobjects'], ['list', 'watch']],
  ['apps', ['deployments', 'statefulsets'], read],
  ['', ['limitranges'], ['list']],
  ['events.k8s.io', ['events'], ['create', 'patch']],
]

const account = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name, namespace: kedaNamespace },
})
const subjects = (name: string) => [{ kind: 'ServiceAccount', name, namespace: kedaNamespace }]

/** A role and who has it; everywhere unless `namespace` says where. */
function granted(name: string, to: string, rules: readonly Rule[], namespace?: string): readonly KubeObject[] {
  const [role, binding] = namespace === undefined ? ['ClusterRole', 'ClusterRoleBinding'] : ['Role', 'RoleBinding']
  const metadata = namespace === undefined ? { name } : { name, namespace }
  return [
    { apiVersion: `${rbac}/v1`, kind: role, metadata, rules: rulesOf(rules) },
    { apiVersion: `${rbac}/v1`, kind: binding, metadata, roleRef: { apiGroup: rbac, kind: role, name }, subjects: subjects(to) },
  ]
}

/** `isWide`: with the right to get whatever a ScaledObject may name, which the chart gives unless told otherwise. */
export function kedaRoles({ isWide }: { readonly isWide: boolean }): readonly KubeObject[] {
  // The chart's rule for kinds of targets is for all kinds; without it nothing may be got that is not listed here.
  const rules = isWide ? operator : operator.filter(([group]) => group !== '*')
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: kedaNamespace } },
    ...['keda-operator', 'keda-metrics-server', 'keda-webhook'].map(account),
    ...granted('keda-operator', 'keda-operator', rules),
    ...granted('keda-operator-certs', 'keda-operator', operatorAtHome, kedaNamespace),
    ...granted('keda-operator-webhook', 'keda-webhook', webhooks),
  ]
}
