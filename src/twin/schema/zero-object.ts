// Upstream's objects before anything is set: structs that are no pointers are there, and so are fields that are always written.
// What a creator sets is what differs from that.
import type { ResourceType } from '../api/resource-type.ts'
import type { Draft } from '../json-value.ts'

const podTemplate: Draft = { metadata: {}, spec: { containers: null } }
const workload: Draft = { selector: null, template: podTemplate }

const specs: Readonly<Record<string, Draft>> = {
  pods: { containers: null },
  persistentvolumeclaims: { resources: {} },
  replicationcontrollers: {},
  'deployments.apps': { ...workload, strategy: {} },
  'replicasets.apps': workload,
  'statefulsets.apps': { ...workload, updateStrategy: {}, serviceName: '' },
  'daemonsets.apps': { ...workload, updateStrategy: {} },
  'jobs.batch': { template: podTemplate },
  'cronjobs.batch': { jobTemplate: { metadata: {}, spec: { template: podTemplate } }, schedule: '' },
  'networkpolicies.networking.k8s.io': { podSelector: {} },
  'horizontalpodautoscalers.autoscaling': { scaleTargetRef: { kind: '', name: '' }, maxReplicas: 0 },
}

const others: Readonly<Record<string, Draft>> = {
  'roles.rbac.authorization.k8s.io': { rules: null },
  'clusterroles.rbac.authorization.k8s.io': { rules: null },
  'rolebindings.rbac.authorization.k8s.io': { roleRef: { apiGroup: '', kind: '', name: '' } },
  'clusterrolebindings.rbac.authorization.k8s.io': { roleRef: { apiGroup: '', kind: '', name: '' } },
}

/** The empty object of a kind; custom kinds have none of their fields. */
export function zeroObject(type: ResourceType): Draft {
  if (type.custom !== undefined) return { metadata: {} }
  return { metadata: {}, spec: specs[type.key] ?? {}, status: {}, ...others[type.key] }
}
