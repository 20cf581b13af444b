// The values Kubernetes fills in where a built-in object says nothing, on create and on every update.
import type { KubeObject } from '#kube/objects/objects.ts'
import { copyOf, type Draft, fieldsAt, itemsAt, listAt, setAt, textAt, valueAt } from '../json-value.ts'
import { policyDefaults } from './admission/admission-policies.ts'
import { type ApiServer, timestamp } from './api-server.ts'
import { setCustomDefaults } from './custom/custom-schema.ts'
import { defaultField, defaultObject, specOf } from './defaulting.ts'
import { diskDefaults, podAloneDefaults, podSpecDefaults } from './pod-defaults.ts'
import type { ResourceType } from './resource-type.ts'

/** Fills in the defaults of the object's kind. */
export function setDefaults(type: ResourceType, draft: Draft, server: Pick<ApiServer, 'minor' | 'clock'>): void {
  if (type.custom !== undefined) {
    setCustomDefaults(type.custom.schema, draft)
    return
  }
  defaultsByKey[type.key]?.(draft, server)
}

const firstPhases: Readonly<Record<string, string>> = {
  namespaces: 'Active',
  persistentvolumeclaims: 'Pending',
  persistentvolumes: 'Pending',
}

/** Fills in what a written status does not say. An update may have the stored status, which cannot be written to. */
export function setStatusDefaults(type: ResourceType, draft: Draft, existing: Draft | KubeObject): void {
  const status = fieldsAt(draft, 'status') ?? {}
  const phase = firstPhases[type.key]
  if (phase !== undefined && (textAt(status, 'phase') ?? '') === '') draft['status'] = { ...status, phase }
  if (type.key === 'nodes' && status['allocatable'] === undefined && status['capacity'] !== undefined)
    draft['status'] = { ...status, allocatable: status['capacity'] }
  if (type.key === 'namespaces') nameLabel(draft)
  if (type.key === 'resourceclaims.resource.k8s.io')
    for (const result of itemsAt(status, 'allocation', 'devices', 'results'))
      for (const toleration of itemsAt(result, 'tolerations')) defaultField(toleration, 'operator', 'Equal')
  if (type.key !== 'pods') return
  const quality = textAt(existing, 'status', 'qosClass')
  if (status['qosClass'] === undefined && quality !== undefined) draft['status'] = { ...status, qosClass: quality }
  setPodAddresses(draft)
}

/** A pod's one address is the first of its addresses: in a status that is written as well. */
function setPodAddresses(draft: Draft): void {
  const status = fieldsAt(draft, 'status')
  const address = textAt(status, 'podIP') ?? ''
  // An update may have the stored status, which cannot be written to.
  if (status?.['podIPs'] === undefined && address !== '') draft['status'] = { ...status, podIPs: [{ ip: address }] }
}

/** A namespace has its name as a label. */
function nameLabel(draft: Draft): void {
  const name = textAt(draft, 'metadata', 'name') ?? ''
  if (name !== '') setAt(draft, ['metadata', 'labels', 'kubernetes.io/metadata.name'], name)
}

type SetDefaults = (draft: Draft, server: Pick<ApiServer, 'minor' | 'clock'>) => void

const defaultsByKey: Readonly<Record<string, SetDefaults>> = {
  pods: draft => {
    const spec = specOf(draft)
    podSpecDefaults(spec)
    podAloneDefaults(spec)
    setPodAddresses(draft)
  },
  'resourceslices.resource.k8s.io': (draft, { clock }) => {
    for (const device of itemsAt(draft, 'spec', 'devices'))
      for (const taint of itemsAt(device, 'taints')) defaultField(taint, 'timeAdded', timestamp(clock.now()))
  },
  endpoints: draft => {
    for (const subset of itemsAt(draft, 'subsets'))
      for (const port of itemsAt(subset, 'ports')) defaultField(port, 'protocol', 'TCP')
  },
  'apiservices.apiregistration.k8s.io': draft => {
    const service = fieldsAt(draft, 'spec', 'service')
    if (service !== undefined) defaultField(service, 'port', 443)
  },
  'ingressclasses.networking.k8s.io': draft => {
    const parameters = fieldsAt(draft, 'spec', 'parameters')
    if (parameters !== undefined) defaultField(parameters, 'scope', 'Cluster')
  },
  'flowschemas.flowcontrol.apiserver.k8s.io': draft => defaultField(specOf(draft), 'matchingPrecedence', 1000),
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': priorityLevelDefaults,
  podtemplates: draft => templateDefaults(fieldsAt(draft, 'template')),
  services: serviceDefaults,
  secrets: draft => defaultField(draft, 'type', 'Opaque'),
  namespaces: nameLabel,
  nodes: draft => {
    const spec = specOf(draft)
    if (textAt(spec, 'podCIDR') !== undefined) defaultField(spec, 'podCIDRs', [spec['podCIDR']])
    for (const taint of itemsAt(spec, 'taints')) if (taint['value'] === '') delete taint['value']
    const status = fieldsAt(draft, 'status')
    // An update may have the stored status, which cannot be written to.
    if (status !== undefined && status['allocatable'] === undefined && status['capacity'] !== undefined)
      draft['status'] = { ...status, allocatable: status['capacity'] }
  },
  persistentvolumes: draft => {
    const spec = specOf(draft)
    defaultField(spec, 'volumeMode', 'Filesystem')
    defaultField(spec, 'persistentVolumeReclaimPolicy', 'Retain')
    diskDefaults(spec)
    const hostPath = fieldsAt(spec, 'hostPath')
    if (hostPath !== undefined) defaultField(hostPath, 'type', '')
  },
  persistentvolumeclaims: draft => defaultField(specOf(draft), 'volumeMode', 'Filesystem'),
  'volumeattachments.storage.k8s.io': draft => {
    const inline = fieldsAt(draft, 'spec', 'source', 'inlineVolumeSpec')
    if (inline === undefined) return
    diskDefaults(inline)
    const hostPath = fieldsAt(inline, 'hostPath')
    if (hostPath !== undefined) defaultField(hostPath, 'type', '')
  },
  limitranges: draft => {
    for (const limit of itemsAt(draft, 'spec', 'limits')) if (limit['type'] === 'Container') limitDefaults(limit)
  },
  replicationcontrollers: draft => {
    const spec = specOf(draft)
    const labels = fieldsAt(spec, 'template', 'metadata', 'labels')
    if (labels !== undefined && fieldsAt(draft, 'metadata', 'labels') === undefined)
      setAt(draft, ['metadata', 'labels'], { ...labels })
    defaultField(spec, 'replicas', 1)
    templateDefaults(fieldsAt(spec, 'template'))
  },
  'deployments.apps': deploymentDefaults,
  'replicasets.apps': draft => {
    const spec = specOf(draft)
    defaultField(spec, 'replicas', 1)
    templateDefaults(fieldsAt(spec, 'template'))
  },
  'statefulsets.apps': statefulSetDefaults,
  'daemonsets.apps': daemonSetDefaults,
  'jobs.batch': draft => jobDefaults(specOf(draft)),
  'cronjobs.batch': cronJobDefaults,
  'horizontalpodautoscalers.autoscaling': autoscalerDefaults,
  'rolebindings.rbac.authorization.k8s.io': bindingDefaults,
  'clusterrolebindings.rbac.authorization.k8s.io': bindingDefaults,
  'resourceclaims.resource.k8s.io': draft => deviceDefaults(fieldsAt(draft, 'spec', 'devices')),
  'resourceclaimtemplates.resource.k8s.io': draft => deviceDefaults(fieldsAt(draft, 'spec', 'spec', 'devices')),
  'storageclasses.storage.k8s.io': draft => {
    defaultField(draft, 'reclaimPolicy', 'Delete')
    defaultField(draft, 'volumeBindingMode', 'Immediate')
  },
  'csidrivers.storage.k8s.io': draft => {
    const spec = specOf(draft)
    for (const [name, value] of [
      ['attachRequired', true],
      ['podInfoOnMount', false],
      ['storageCapacity', false],
      ['requiresRepublish', false],
      ['fsGroupPolicy', 'ReadWriteOnceWithFSType'],
      ['volumeLifecycleModes', ['Persistent']],
      ['seLinuxMount', false],
    ] as const) {
      defaultField(spec, name, value)
    }
  },
  'networkpolicies.networking.k8s.io': draft => {
    const spec = specOf(draft)
    for (const rule of [...itemsAt(spec, 'ingress'), ...itemsAt(spec, 'egress')]) {
      for (const port of itemsAt(rule, 'ports')) defaultField(port, 'protocol', 'TCP')
    }
    if (spec['policyTypes'] === undefined)
      spec['policyTypes'] = spec['egress'] === undefined ? ['Ingress'] : ['Ingress', 'Egress']
  },
  'priorityclasses.scheduling.k8s.io': draft => {
    defaultField(draft, 'preemptionPolicy', 'PreemptLowerPriority')
  },
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': draft => webhookDefaults(draft, true),
  'validatingwebhookconfigurations.admissionregistration.k8s.io': draft => webhookDefaults(draft, false),
  'mutatingadmissionpolicies.admissionregistration.k8s.io': draft => policyDefaults(draft, 'matchConstraints'),
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': draft => policyDefaults(draft, 'matchResources'),
  'validatingadmissionpolicies.admissionregistration.k8s.io': draft => policyDefaults(draft, 'matchConstraints'),
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': draft => policyDefaults(draft, 'matchResources'),
  'customresourcedefinitions.apiextensions.k8s.io': definitionDefaults,
  'endpointslices.discovery.k8s.io': draft => {
    for (const port of itemsAt(draft, 'ports')) {
      defaultField(port, 'name', '')
      defaultField(port, 'protocol', 'TCP')
    }
  },
  'poddisruptionbudgets.policy': draft => void specOf(draft),
  'leases.coordination.k8s.io': draft => void specOf(draft),
}

function priorityLevelDefaults(draft: Draft): void {
  const spec = specOf(draft)
  for (const name of ['limited', 'exempt']) {
    const part = fieldsAt(spec, name)
    if (part === undefined) continue
    defaultField(part, 'nominalConcurrencyShares', name === 'limited' ? 30 : 0)
    defaultField(part, 'lendablePercent', 0)
    const queuing = fieldsAt(part, 'limitResponse', 'queuing')
    if (queuing === undefined) continue
    for (const [field, value] of Object.entries({ handSize: 8, queues: 64, queueLengthLimit: 50 }))
      if ((queuing[field] ?? 0) === 0) queuing[field] = value
  }
}

function deviceDefaults(devices: Draft | undefined): void {
  for (const request of itemsAt(devices, 'requests')) {
    const exactly = fieldsAt(request, 'exactly')
    for (const wish of [...(exactly === undefined ? [] : [exactly]), ...itemsAt(request, 'firstAvailable')]) {
      defaultField(wish, 'allocationMode', 'ExactCount')
      if (wish['allocationMode'] === 'ExactCount' && (wish['count'] ?? 0) === 0) wish['count'] = 1
      for (const toleration of itemsAt(wish, 'tolerations')) defaultField(toleration, 'operator', 'Equal')
    }
  }
}

function templateDefaults(template: Draft | undefined): void {
  if (template === undefined) return
  defaultObject(template, 'metadata')
  podSpecDefaults(specOf(template))
}

function deploymentDefaults(draft: Draft): void {
  const spec = specOf(draft)
  defaultField(spec, 'replicas', 1)
  const strategy = defaultObject(spec, 'strategy')
  defaultField(strategy, 'type', 'RollingUpdate')
  if (strategy['type'] === 'RollingUpdate') {
    const rolling = defaultObject(strategy, 'rollingUpdate')
    defaultField(rolling, 'maxUnavailable', '25%')
    defaultField(rolling, 'maxSurge', '25%')
  }
  defaultField(spec, 'revisionHistoryLimit', 10)
  defaultField(spec, 'progressDeadlineSeconds', 600)
  templateDefaults(fieldsAt(spec, 'template'))
}

function statefulSetDefaults(draft: Draft): void {
  const spec = specOf(draft)
  defaultField(spec, 'podManagementPolicy', 'OrderedReady')
  const strategy = defaultObject(spec, 'updateStrategy')
  // A type that is named is left without its settings.
  if ((strategy['type'] ?? '') === '') {
    strategy['type'] = 'RollingUpdate'
    defaultObject(strategy, 'rollingUpdate')
  }
  const rolling = strategy['type'] === 'RollingUpdate' ? fieldsAt(strategy, 'rollingUpdate') : undefined
  if (rolling !== undefined) defaultField(rolling, 'partition', 0)
  const retention = defaultObject(spec, 'persistentVolumeClaimRetentionPolicy')
  defaultField(retention, 'whenDeleted', 'Retain')
  defaultField(retention, 'whenScaled', 'Retain')
  defaultField(spec, 'replicas', 1)
  defaultField(spec, 'revisionHistoryLimit', 10)
  defaultField(spec, 'serviceName', '')
  templateDefaults(fieldsAt(spec, 'template'))
  for (const claim of itemsAt(spec, 'volumeClaimTemplates')) {
    defaultField(claim, 'apiVersion', 'v1')
    defaultField(claim, 'kind', 'PersistentVolumeClaim')
    defaultField(specOf(claim), 'volumeMode', 'Filesystem')
    defaultField(claim, 'status', { phase: 'Pending' })
  }
}

function daemonSetDefaults(draft: Draft): void {
  const spec = specOf(draft)
  const generation = 'deprecated.daemonset.template.generation'
  if (textAt(draft, 'metadata', 'annotations', generation) === undefined)
    setAt(draft, ['metadata', 'annotations', generation], '1')
  const strategy = defaultObject(spec, 'updateStrategy')
  defaultField(strategy, 'type', 'RollingUpdate')
  if (strategy['type'] === 'RollingUpdate') {
    const rolling = defaultObject(strategy, 'rollingUpdate')
    defaultField(rolling, 'maxUnavailable', 1)
    defaultField(rolling, 'maxSurge', 0)
  }
  defaultField(spec, 'revisionHistoryLimit', 10)
  templateDefaults(fieldsAt(spec, 'template'))
}

function jobDefaults(spec: Draft): void {
  if (spec['completions'] === undefined && spec['parallelism'] === undefined) {
    spec['completions'] = 1
    spec['parallelism'] = 1
  }
  defaultField(spec, 'parallelism', 1)
  defaultField(spec, 'backoffLimit', spec['backoffLimitPerIndex'] === undefined ? 6 : 2147483647)
  defaultField(spec, 'completionMode', 'NonIndexed')
  defaultField(spec, 'suspend', false)
  defaultField(spec, 'manualSelector', false)
  defaultField(spec, 'podReplacementPolicy', spec['podFailurePolicy'] === undefined ? 'TerminatingOrFailed' : 'Failed')
  templateDefaults(fieldsAt(spec, 'template'))
}

function cronJobDefaults(draft: Draft): void {
  const spec = specOf(draft)
  defaultField(spec, 'concurrencyPolicy', 'Allow')
  defaultField(spec, 'suspend', false)
  defaultField(spec, 'successfulJobsHistoryLimit', 3)
  defaultField(spec, 'failedJobsHistoryLimit', 1)
  const jobTemplate = fieldsAt(spec, 'jobTemplate')
  if (jobTemplate !== undefined) defaultObject(jobTemplate, 'metadata')
  templateDefaults(fieldsAt(jobTemplate, 'spec', 'template'))
}

/** What is allowed at most is the default limit, that or what is asked at least the default request. */
function limitDefaults(limit: Draft): void {
  const amounts = (name: string) => fieldsAt(limit, name) ?? {}
  const limits = { ...amounts('max'), ...amounts('default') }
  const requests = { ...amounts('min'), ...limits, ...amounts('defaultRequest') }
  if (Object.keys(limits).length > 0) limit['default'] = limits
  if (Object.keys(requests).length > 0) limit['defaultRequest'] = requests
}

function serviceDefaults(draft: Draft): void {
  const spec = specOf(draft)
  defaultField(spec, 'sessionAffinity', 'None')
  if (spec['sessionAffinity'] === 'None') delete spec['sessionAffinityConfig']
  if (
    spec['sessionAffinity'] === 'ClientIP' &&
    valueAt(spec, 'sessionAffinityConfig', 'clientIP', 'timeoutSeconds') === undefined
  )
    spec['sessionAffinityConfig'] = { clientIP: { timeoutSeconds: 10_800 } }
  defaultField(spec, 'type', 'ClusterIP')
  for (const port of itemsAt(spec, 'ports')) {
    defaultField(port, 'protocol', 'TCP')
    defaultField(port, 'targetPort', port['port'])
  }
  if (spec['type'] === 'ExternalName') return
  defaultField(spec, 'internalTrafficPolicy', 'Cluster')
  if (spec['type'] === 'LoadBalancer') defaultField(spec, 'allocateLoadBalancerNodePorts', true)
  const type = spec['type']
  const isOutside =
    type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && listAt(spec, 'externalIPs').length > 0)
  if (isOutside && (spec['externalTrafficPolicy'] ?? '') === '') spec['externalTrafficPolicy'] = 'Cluster'
}

function autoscalerDefaults(draft: Draft): void {
  const spec = specOf(draft)
  defaultField(spec, 'minReplicas', 1)
  if (itemsAt(spec, 'metrics').length === 0) {
    spec['metrics'] = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }]
  }
  const behavior = fieldsAt(spec, 'behavior')
  if (behavior === undefined) return
  scalingRuleDefaults(behavior, 'scaleUp', { stabilizationWindowSeconds: 0, policies: defaultUpPolicies })
  scalingRuleDefaults(behavior, 'scaleDown', { policies: defaultDownPolicies })
}

const defaultDownPolicies = [{ type: 'Percent', value: 100, periodSeconds: 15 }]
const defaultUpPolicies = [{ type: 'Pods', value: 4, periodSeconds: 15 }, ...defaultDownPolicies]

function scalingRuleDefaults(behavior: Draft, name: string, values: Draft): void {
  const rules = fieldsAt(behavior, name) ?? {}
  behavior[name] = rules
  for (const [field, value] of Object.entries({ selectPolicy: 'Max', ...values })) defaultField(rules, field, copyOf(value))
}

function bindingDefaults(draft: Draft): void {
  for (const subject of itemsAt(draft, 'subjects')) {
    const isMissing = (subject['apiGroup'] ?? '') === ''
    if (isMissing && (subject['kind'] === 'User' || subject['kind'] === 'Group'))
      subject['apiGroup'] = 'rbac.authorization.k8s.io'
  }
  const role = defaultObject(draft, 'roleRef')
  if ((role['apiGroup'] ?? '') === '') role['apiGroup'] = 'rbac.authorization.k8s.io'
}

function webhookDefaults(draft: Draft, isMutating: boolean): void {
  for (const webhook of itemsAt(draft, 'webhooks')) {
    defaultField(webhook, 'failurePolicy', 'Fail')
    defaultField(webhook, 'matchPolicy', 'Equivalent')
    defaultField(webhook, 'namespaceSelector', {})
    defaultField(webhook, 'objectSelector', {})
    defaultField(webhook, 'timeoutSeconds', 10)
    if (isMutating) defaultField(webhook, 'reinvocationPolicy', 'Never')
    for (const rule of itemsAt(webhook, 'rules')) defaultField(rule, 'scope', '*')
    const service = fieldsAt(webhook, 'clientConfig', 'service')
    if (service !== undefined) defaultField(service, 'port', 443)
  }
}

function definitionDefaults(draft: Draft): void {
  const spec = specOf(draft)
  const names = defaultObject(spec, 'names')
  const kind = textAt(names, 'kind') ?? ''
  if (textAt(names, 'singular') === undefined) names['singular'] = kind.toLowerCase()
  if (textAt(names, 'listKind') === undefined) names['listKind'] = `${kind}List`
  defaultField(spec, 'conversion', { strategy: 'None' })
}
