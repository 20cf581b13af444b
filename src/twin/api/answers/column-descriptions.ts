// What the columns of tables are said to show: mostly what the schemas say of the field that is shown.
import { descriptionOf } from '../../schema/descriptions.ts'

const workload = {
  Containers: 'Names of each container in the template.',
  Images: 'Images referenced by each container in the template.',
}

/** Columns that many tables have. */
const general: Readonly<Record<string, string>> = {
  Name: 'V1ObjectMeta.name',
  Age: 'V1ObjectMeta.creationTimestamp',
  'Created At': 'V1ObjectMeta.creationTimestamp',
}

/** Resource → column → the field it shows, or words of its own. */
const columns: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  configmaps: { Data: 'V1ConfigMap.data' },
  endpoints: { Endpoints: 'V1Endpoints.subsets' },
  pods: {
    Ready: 'The aggregate readiness state of this pod for accepting traffic.',
    Status: 'The aggregate status of the containers in this pod.',
    Restarts:
      'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    IP: 'V1PodStatus.podIP',
    Node: 'V1PodSpec.nodeName',
    'Nominated Node': 'V1PodStatus.nominatedNodeName',
    'Readiness Gates': 'V1PodSpec.readinessGates',
  },
  nodes: {
    Status: 'The status of the node',
    Roles: 'The roles of the node',
    Version: 'V1NodeSystemInfo.kubeletVersion',
    'Internal-IP': 'V1NodeStatus.addresses',
    'External-IP': 'V1NodeStatus.addresses',
    'OS-Image': 'V1NodeSystemInfo.osImage',
    'Kernel-Version': 'V1NodeSystemInfo.kernelVersion',
    'Container-Runtime': 'V1NodeSystemInfo.containerRuntimeVersion',
  },
  services: {
    Type: 'V1ServiceSpec.type',
    'Cluster-IP': 'V1ServiceSpec.clusterIP',
    'External-IP': 'V1ServiceSpec.externalIPs',
    'Port(s)': 'V1ServiceSpec.ports',
    Selector: 'V1ServiceSpec.selector',
  },
  replicationcontrollers: {
    ...workload,
    Desired: 'V1ReplicationControllerSpec.replicas',
    Current: 'V1ReplicationControllerStatus.replicas',
    Ready: 'V1ReplicationControllerStatus.readyReplicas',
    Selector: 'V1ReplicationControllerSpec.selector',
  },
  'deployments.apps': {
    ...workload,
    Ready: 'Number of the pod with ready state',
    'Up-to-date': 'V1DeploymentStatus.updatedReplicas',
    Available: 'V1DeploymentStatus.availableReplicas',
  },
  'replicasets.apps': {
    ...workload,
    Desired: 'V1ReplicaSetSpec.replicas',
    Current: 'V1ReplicaSetStatus.replicas',
    Ready: 'V1ReplicaSetStatus.readyReplicas',
  },
  'statefulsets.apps': { ...workload, Ready: 'Number of the pod with ready state' },
  'daemonsets.apps': {
    ...workload,
    Desired: 'V1DaemonSetStatus.desiredNumberScheduled',
    Current: 'V1DaemonSetStatus.currentNumberScheduled',
    Ready: 'V1DaemonSetStatus.numberReady',
    'Up-to-date': 'V1DaemonSetStatus.updatedNumberScheduled',
    Available: 'V1DaemonSetStatus.numberAvailable',
    'Node Selector': 'V1PodSpec.nodeSelector',
  },
  'jobs.batch': {
    ...workload,
    Status: 'Status of the job.',
    Completions: 'V1JobStatus.succeeded',
    Duration: 'Time required to complete the job.',
  },
  'cronjobs.batch': {
    ...workload,
    Schedule: 'V1CronJobSpec.schedule',
    Timezone: 'V1CronJobSpec.timeZone',
    Suspend: 'V1CronJobSpec.suspend',
    Active: 'V1CronJobStatus.active',
    'Last Schedule': 'V1CronJobStatus.lastScheduleTime',
  },
  'horizontalpodautoscalers.autoscaling': {
    Targets: 'V2HorizontalPodAutoscalerSpec.metrics',
    MinPods: 'V2HorizontalPodAutoscalerSpec.minReplicas',
    MaxPods: 'V2HorizontalPodAutoscalerSpec.maxReplicas',
    Replicas: 'V2HorizontalPodAutoscalerStatus.currentReplicas',
  },
  'scales.autoscaling': { Desired: 'V1ScaleSpec.replicas', Available: 'V1ScaleStatus.replicas' },
  'leases.coordination.k8s.io': { Holder: 'V1LeaseSpec.holderIdentity' },
  events: {
    'Last Seen': 'CoreV1Event.lastTimestamp',
    Type: 'CoreV1Event.type',
    Reason: 'CoreV1Event.reason',
    Object: 'The object that this event is about.',
    Subobject: 'V1ObjectReference.fieldPath',
    Message: 'CoreV1Event.message',
    'First Seen': 'CoreV1Event.firstTimestamp',
    Count: 'CoreV1Event.count',
  },
}

/** What a table says of a column; empty where nothing is known. */
export function columnDescription(resource: string, column: string): string {
  const own = Object.hasOwn(columns, resource) ? columns[resource]?.[column] : undefined
  const source = own ?? general[column] ?? ''
  const [, definition, field] = /^(\w+V\d\w+|V\d\w+)\.(\w+)$/.exec(source) ?? []
  if (definition === undefined || field === undefined) return source
  const text = descriptionOf(definition, field)
  // The schemas of metadata have paragraphs, which the table of descriptions runs together.
  return definition === 'V1ObjectMeta' ? text.replaceAll('  ', '\n\n') : text
}
