// Columns of the built-in kinds, as `kubectl get` shows them.
import type { KubeObject } from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import { type Draft, fieldsAt, itemsAt, listAt, numberAt, textAt, textsAt, valueAt } from '../../json-value.ts'
import { ageColumn, ageOf, nameColumn, parseTimeMs } from './ages.ts'
import { furtherColumns } from './further-columns.ts'
import { podWords } from './pod-status.ts'
import { type Column, count, field, number, type Read, text, wide } from './table-column.ts'
import {
  autoscalerTargets,
  claimSize,
  classParameters,
  endpointsText,
  eventSource,
  externalAddress,
  jobStatus,
  kernelText,
  parameterKind,
  portsText,
  quotaText,
  roleText,
  subjectNames,
  webhookCount,
} from './table-words.ts'

/** Any kind without a row of its own. */
export const defaultColumns: readonly Column[] = [
  nameColumn,
  { name: 'Created At', type: 'date', cell: object => object.metadata.creationTimestamp ?? '<unknown>' },
]

const containersOf = (object: KubeObject): readonly Draft[] =>
  [
    ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
    ['spec', 'template', 'spec'],
  ]
    .map(path => itemsAt(object, ...path, 'containers'))
    .find(list => list.length > 0) ?? []
const containers = wide('Containers', object =>
  containersOf(object)
    .map(container => textAt(container, 'name') ?? '')
    .join(','),
)
const images = wide('Images', object =>
  containersOf(object)
    .map(container => textAt(container, 'image') ?? '')
    .join(','),
)
const selector = wide('Selector', object => selectorText(fieldsAt(object, 'spec', 'selector')))

function selectorText(value: Draft | undefined): string {
  if (value === undefined) return '<none>'
  const isPlain = valueAt(value, 'matchLabels') === undefined && valueAt(value, 'matchExpressions') === undefined
  if (isPlain) return mapText(textsAt({ value }, 'value'))
  const parsed = labelSelectorOf(value)
  return parsed.ok ? parsed.value.toString() || '<none>' : '<error>'
}

function mapText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  return pairs.length === 0 ? '<none>' : pairs.toSorted().join(',')
}

const nodeAddress =
  (kind: string): Read =>
  object => {
    const address = itemsAt(object, 'status', 'addresses').find(candidate => candidate['type'] === kind)
    return textAt(address, 'address') ?? '<none>'
  }

function nodeStatus(node: KubeObject): string {
  const ready = itemsAt(node, 'status', 'conditions').find(condition => condition['type'] === 'Ready')
  const word = ready === undefined ? 'Unknown' : ready['status'] === 'True' ? 'Ready' : 'NotReady'
  return valueAt(node, 'spec', 'unschedulable') === true ? `${word},SchedulingDisabled` : word
}

function nodeRoles(node: KubeObject): string {
  const roles = new Set<string>()
  for (const [key, value] of Object.entries(textsAt(node, 'metadata', 'labels'))) {
    if (key.startsWith('node-role.kubernetes.io/') && key.length > 'node-role.kubernetes.io/'.length)
      roles.add(key.slice('node-role.kubernetes.io/'.length))
    if (key === 'kubernetes.io/role' && value !== '') roles.add(value)
  }
  return roles.size === 0 ? '<none>' : [...roles].toSorted().join(',')
}

function readinessGates(pod: KubeObject): string {
  const gates = itemsAt(pod, 'spec', 'readinessGates').map(gate => gate['conditionType'])
  if (gates.length === 0) return '<none>'
  const conditions = itemsAt(pod, 'status', 'conditions')
  const met = gates.filter(gate => conditions.some(condition => condition['type'] === gate && condition['status'] === 'True'))
  return `${met.length}/${gates.length}`
}

const accessModes =
  (path: string): Read =>
  object => {
    const short: Readonly<Record<string, string>> = {
      ReadWriteOnce: 'RWO',
      ReadOnlyMany: 'ROX',
      ReadWriteMany: 'RWX',
      ReadWriteOncePod: 'RWOP',
    }
    return listAt(object, ...path.split('.'))
      .map(mode => short[String(mode)] ?? String(mode))
      .join(',')
  }

function claimName(volume: KubeObject): string {
  const claim = fieldsAt(volume, 'spec', 'claimRef')
  return claim === undefined ? '' : `${textAt(claim, 'namespace') ?? ''}/${textAt(claim, 'name') ?? ''}`
}

function storageClassName(object: KubeObject): string {
  const isDefault = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'].some(
    key => object.metadata.annotations?.[key] === 'true',
  )
  return isDefault ? `${object.metadata.name} (default)` : object.metadata.name
}

const keyCount =
  (...lists: readonly string[]): Read =>
  object =>
    lists.reduce((sum, list) => sum + Object.keys(fieldsAt(object, list) ?? {}).length, 0)
const desired = count('Desired', number('spec.replicas'))
const current = count('Current', number('status.replicas'))
const readyCount = count('Ready', number('status.readyReplicas'))
const eventAge = (object: KubeObject, nowMs: number, which: 'first' | 'last') => {
  const series = textAt(object, 'series', 'lastObservedTime')
  const candidates =
    which === 'last'
      ? [series, textAt(object, 'lastTimestamp'), textAt(object, 'eventTime')]
      : [textAt(object, 'firstTimestamp'), textAt(object, 'eventTime')]
  return ageOf(
    candidates.find(time => time !== undefined),
    nowMs,
  )
}
const reference = (object: KubeObject, ...path: readonly string[]) => {
  const target = fieldsAt(object, ...path)
  return target === undefined ? '' : `${textAt(target, 'kind')?.toLowerCase() ?? ''}/${textAt(target, 'name') ?? ''}`
}

function jobDuration(job: KubeObject, nowMs: number): string {
  const start = textAt(job, 'status', 'startTime')
  if (start === undefined) return ''
  const end = textAt(job, 'status', 'completionTime')
  const startMs = parseTimeMs(start) ?? nowMs
  return end === undefined ? ageOf(start, nowMs) : ageOf(start, parseTimeMs(end) ?? startMs)
}

const budgetLimit = (name: string): Read => field(`spec.${name}`, 'N/A')

export const builtInColumns: Readonly<Record<string, readonly Column[]>> = {
  ...furtherColumns,
  pods: [
    nameColumn,
    text('Ready', (pod, now) => podWords(pod, now).ready),
    text('Status', (pod, now) => podWords(pod, now).status),
    text('Restarts', (pod, now) => podWords(pod, now).restarts),
    ageColumn,
    wide('IP', field('status.podIP', '<none>')),
    wide('Node', field('spec.nodeName', '<none>')),
    wide('Nominated Node', field('status.nominatedNodeName', '<none>')),
    wide('Readiness Gates', readinessGates),
  ],
  nodes: [
    nameColumn,
    text('Status', nodeStatus),
    text('Roles', nodeRoles),
    ageColumn,
    text('Version', field('status.nodeInfo.kubeletVersion')),
    wide('Internal-IP', nodeAddress('InternalIP')),
    wide('External-IP', nodeAddress('ExternalIP')),
    wide('OS-Image', field('status.nodeInfo.osImage', '<unknown>')),
    wide('Kernel-Version', kernelText),
    wide('Container-Runtime', field('status.nodeInfo.containerRuntimeVersion', '<unknown>')),
  ],
  'deployments.apps': [
    nameColumn,
    text('Ready', object => `${numberAt(object, 'status', 'readyReplicas') ?? 0}/${numberAt(object, 'spec', 'replicas') ?? 0}`),
    text('Up-to-date', number('status.updatedReplicas')),
    text('Available', number('status.availableReplicas')),
    ageColumn,
    containers,
    images,
    selector,
  ],
  'replicasets.apps': [nameColumn, desired, current, readyCount, ageColumn, containers, images, selector],
  replicationcontrollers: [nameColumn, desired, current, readyCount, ageColumn, containers, images, selector],
  'statefulsets.apps': [
    nameColumn,
    text('Ready', object => `${numberAt(object, 'status', 'readyReplicas') ?? 0}/${numberAt(object, 'spec', 'replicas') ?? 0}`),
    ageColumn,
    containers,
    images,
  ],
  'daemonsets.apps': [
    nameColumn,
    count('Desired', number('status.desiredNumberScheduled')),
    count('Current', number('status.currentNumberScheduled')),
    count('Ready', number('status.numberReady')),
    count('Up-to-date', number('status.updatedNumberScheduled')),
    count('Available', number('status.numberAvailable')),
    text('Node Selector', object => mapText(textsAt(object, 'spec', 'template', 'spec', 'nodeSelector'))),
    ageColumn,
    containers,
    images,
    selector,
  ],
  'jobs.batch': [
    nameColumn,
    text('Status', jobStatus),
    text(
      'Completions',
      object => `${numberAt(object, 'status', 'succeeded') ?? 0}/${numberAt(object, 'spec', 'completions') ?? 1}`,
    ),
    text('Duration', jobDuration),
    ageColumn,
    containers,
    images,
    selector,
  ],
  'cronjobs.batch': [
    nameColumn,
    text('Schedule', field('spec.schedule')),
    text('Timezone', field('spec.timeZone', '<none>')),
    { name: 'Suspend', type: 'boolean', cell: object => (valueAt(object, 'spec', 'suspend') === true ? 'True' : 'False') },
    count('Active', object => listAt(object, 'status', 'active').length),
    text('Last Schedule', (object, now) => {
      const last = textAt(object, 'status', 'lastScheduleTime')
      return last === undefined ? '<none>' : ageOf(last, now)
    }),
    ageColumn,
    containers,
    images,
    selector,
  ],
  'poddisruptionbudgets.policy': [
    nameColumn,
    text('Min Available', budgetLimit('minAvailable')),
    text('Max Unavailable', budgetLimit('maxUnavailable')),
    count('Allowed Disruptions', number('status.disruptionsAllowed')),
    ageColumn,
  ],
  'horizontalpodautoscalers.autoscaling': [
    nameColumn,
    text(
      'Reference',
      object =>
        `${textAt(object, 'spec', 'scaleTargetRef', 'kind') ?? ''}/${textAt(object, 'spec', 'scaleTargetRef', 'name') ?? ''}`,
    ),
    text('Targets', autoscalerTargets),
    text('MinPods', field('spec.minReplicas', '<unset>')),
    text('MaxPods', number('spec.maxReplicas')),
    text('Replicas', number('status.currentReplicas')),
    ageColumn,
  ],
  services: [
    nameColumn,
    text('Type', field('spec.type')),
    text('Cluster-IP', field('spec.clusterIP', '<none>')),
    text('External-IP', externalAddress),
    text('Port(s)', portsText),
    ageColumn,
    wide('Selector', object => mapText(textsAt(object, 'spec', 'selector'))),
  ],
  'ingresses.networking.k8s.io': [
    nameColumn,
    text('Class', field('spec.ingressClassName', '<none>')),
    text(
      'Hosts',
      object =>
        itemsAt(object, 'spec', 'rules')
          .map(rule => textAt(rule, 'host') ?? '*')
          .join(',') || '*',
    ),
    text('Address', object =>
      itemsAt(object, 'status', 'loadBalancer', 'ingress')
        .map(entry => textAt(entry, 'ip') ?? textAt(entry, 'hostname') ?? '')
        .join(','),
    ),
    text('Ports', object => (listAt(object, 'spec', 'tls').length > 0 ? '80, 443' : '80')),
    ageColumn,
  ],
  'ingressclasses.networking.k8s.io': [
    nameColumn,
    text('Controller', field('spec.controller')),
    text('Parameters', classParameters),
    ageColumn,
  ],
  'networkpolicies.networking.k8s.io': [
    nameColumn,
    text('Pod-Selector', object => selectorText(fieldsAt(object, 'spec', 'podSelector'))),
    ageColumn,
  ],
  endpoints: [nameColumn, text('Endpoints', endpointsText), ageColumn],
  'endpointslices.discovery.k8s.io': [
    nameColumn,
    text('AddressType', field('addressType')),
    text(
      'Ports',
      object =>
        itemsAt(object, 'ports')
          .map(port => String(port['port'] ?? '*'))
          .join(',') || '<unset>',
    ),
    text(
      'Endpoints',
      object =>
        itemsAt(object, 'endpoints')
          .flatMap(endpoint => listAt(endpoint, 'addresses'))
          .map(String)
          .join(',') || '<unset>',
    ),
    ageColumn,
  ],
  events: [
    text('Last Seen', (object, now) => eventAge(object, now, 'last')),
    text('Type', field('type')),
    text('Reason', field('reason')),
    text('Object', object => reference(object, aboutOf(object))),
    wide('Subobject', object => textAt(object, aboutOf(object), 'fieldPath') ?? ''),
    wide('Source', eventSource),
    text('Message', object => (textAt(object, 'message') ?? textAt(object, 'note') ?? '').trim()),
    wide('First Seen', (object, now) => eventAge(object, now, 'first')),
    {
      name: 'Count',
      priority: 1,
      cell: object =>
        numberAt(object, 'series', 'count') ?? numberAt(object, 'count') ?? numberAt(object, 'deprecatedCount') ?? 1,
    },
    { ...nameColumn, priority: 1 },
  ],
  namespaces: [nameColumn, text('Status', field('status.phase')), ageColumn],
  secrets: [nameColumn, text('Type', field('type')), text('Data', keyCount('data')), ageColumn],
  configmaps: [nameColumn, text('Data', keyCount('data', 'binaryData')), ageColumn],
  serviceaccounts: [nameColumn, ageColumn],
  persistentvolumes: [
    nameColumn,
    text('Capacity', field('spec.capacity.storage')),
    text('Access Modes', accessModes('spec.accessModes')),
    text('Reclaim Policy', field('spec.persistentVolumeReclaimPolicy')),
    text('Status', object =>
      object.metadata.deletionTimestamp === undefined ? String(field('status.phase')(object, 0)) : 'Terminating',
    ),
    text('Claim', claimName),
    text('StorageClass', field('spec.storageClassName')),
    text('VolumeAttributesClass', field('spec.volumeAttributesClassName', '<unset>')),
    text('Reason', field('status.reason')),
    ageColumn,
    wide('VolumeMode', field('spec.volumeMode', '<unset>')),
  ],
  persistentvolumeclaims: [
    nameColumn,
    text('Status', object =>
      object.metadata.deletionTimestamp === undefined ? String(field('status.phase')(object, 0)) : 'Terminating',
    ),
    text('Volume', field('spec.volumeName')),
    text('Capacity', claimSize),
    text('Access Modes', accessModes('status.accessModes')),
    text('StorageClass', field('spec.storageClassName')),
    text('VolumeAttributesClass', field('spec.volumeAttributesClassName', '<unset>')),
    ageColumn,
    wide('VolumeMode', field('spec.volumeMode', '<unset>')),
  ],
  'storageclasses.storage.k8s.io': [
    { ...nameColumn, cell: storageClassName },
    text('Provisioner', field('provisioner')),
    text('ReclaimPolicy', field('reclaimPolicy', 'Delete')),
    text('VolumeBindingMode', field('volumeBindingMode', 'Immediate')),
    { name: 'AllowVolumeExpansion', cell: object => object['allowVolumeExpansion'] === true },
    ageColumn,
  ],
  'csinodes.storage.k8s.io': [nameColumn, count('Drivers', object => listAt(object, 'spec', 'drivers').length), ageColumn],
  'csidrivers.storage.k8s.io': [
    nameColumn,
    { name: 'AttachRequired', type: 'boolean', cell: object => valueAt(object, 'spec', 'attachRequired') !== false },
    { name: 'PodInfoOnMount', type: 'boolean', cell: object => valueAt(object, 'spec', 'podInfoOnMount') === true },
    { name: 'StorageCapacity', type: 'boolean', cell: object => valueAt(object, 'spec', 'storageCapacity') === true },
    text(
      'TokenRequests',
      object =>
        itemsAt(object, 'spec', 'tokenRequests')
          .map(request => textAt(request, 'audience') ?? '')
          .join(',') || '<unset>',
    ),
    { name: 'RequiresRepublish', type: 'boolean', cell: object => valueAt(object, 'spec', 'requiresRepublish') === true },
    text('Modes', object => listAt(object, 'spec', 'volumeLifecycleModes').map(String).join(',')),
    ageColumn,
  ],
  'volumeattachments.storage.k8s.io': [
    nameColumn,
    { ...text('Attacher', field('spec.attacher')), format: 'name' },
    text('PV', field('spec.source.persistentVolumeName')),
    text('Node', field('spec.nodeName')),
    { name: 'Attached', type: 'boolean', cell: object => valueAt(object, 'status', 'attached') === true },
    ageColumn,
  ],
  'rolebindings.rbac.authorization.k8s.io': [
    nameColumn,
    text('Role', roleText),
    ageColumn,
    wide('Users', object => subjectNames(object, 'User')),
    wide('Groups', object => subjectNames(object, 'Group')),
    wide('ServiceAccounts', object => subjectNames(object, 'ServiceAccount')),
  ],
  'clusterrolebindings.rbac.authorization.k8s.io': [
    nameColumn,
    text('Role', roleText),
    ageColumn,
    wide('Users', object => subjectNames(object, 'User')),
    wide('Groups', object => subjectNames(object, 'Group')),
    wide('ServiceAccounts', object => subjectNames(object, 'ServiceAccount')),
  ],
  'leases.coordination.k8s.io': [nameColumn, text('Holder', field('spec.holderIdentity')), ageColumn],
  'controllerrevisions.apps': [
    nameColumn,
    text('Controller', object => {
      const owner = itemsAt(object, 'metadata', 'ownerReferences').find(candidate => candidate['controller'] === true)
      if (owner === undefined) return '<none>'
      const group = (textAt(owner, 'apiVersion') ?? '').split('/').slice(0, -1).join('/')
      return `${textAt(owner, 'kind')?.toLowerCase() ?? ''}${group === '' ? '' : `.${group}`}/${textAt(owner, 'name') ?? ''}`
    }),
    text('Revision', number('revision')),
    ageColumn,
  ],
  resourcequotas: [
    nameColumn,
    text('Request', object => quotaText(object, false)),
    text('Limit', object => quotaText(object, true)),
    ageColumn,
  ],
  'priorityclasses.scheduling.k8s.io': [
    nameColumn,
    count('Value', number('value')),
    { name: 'Global-Default', type: 'boolean', cell: object => object['globalDefault'] === true },
    ageColumn,
    text('PreemptionPolicy', field('preemptionPolicy', 'PreemptLowerPriority')),
  ],
  'runtimeclasses.node.k8s.io': [nameColumn, text('Handler', field('handler')), ageColumn],
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': [nameColumn, count('Webhooks', webhookCount), ageColumn],
  'validatingwebhookconfigurations.admissionregistration.k8s.io': [nameColumn, count('Webhooks', webhookCount), ageColumn],
  'validatingadmissionpolicies.admissionregistration.k8s.io': [
    nameColumn,
    count('Validations', object => listAt(object, 'spec', 'validations').length),
    text('ParamKind', parameterKind),
    ageColumn,
  ],
  'apiservices.apiregistration.k8s.io': [
    nameColumn,
    text('Service', object =>
      fieldsAt(object, 'spec', 'service') === undefined
        ? 'Local'
        : `${textAt(object, 'spec', 'service', 'namespace') ?? ''}/${textAt(object, 'spec', 'service', 'name') ?? ''}`,
    ),
    text('Available', object => {
      const found = itemsAt(object, 'status', 'conditions').find(condition => condition['type'] === 'Available')
      if (found === undefined) return 'Unknown'
      return found['status'] === 'True' ? 'True' : `${textAt(found, 'status') ?? 'Unknown'} (${textAt(found, 'reason') ?? ''})`
    }),
    ageColumn,
  ],
}

/** Columns of `autoscaling/v1 Scale`. */
export const scaleColumns: readonly Column[] = [
  text('Name', object => object.metadata.name),
  count('Desired', number('spec.replicas')),
  count('Available', number('status.replicas')),
  ageColumn,
].map(column => ({ resource: 'scales.autoscaling', ...column }))
/** Where an event says what it is about: its two groups call it otherwise. */
function aboutOf(object: KubeObject): string {
  return object['regarding'] === undefined ? 'involvedObject' : 'regarding'
}
