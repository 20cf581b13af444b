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
    Selector:
      "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected by this deployment. It must match the pod template's labels.",
    ...workload,
    Ready: 'Number of the pod with ready state',
    'Up-to-date': 'V1DeploymentStatus.updatedReplicas',
    Available: 'V1DeploymentStatus.availableReplicas',
  },
  'replicasets.apps': {
    Selector:
      "Selector is a label query over pods that should match the replica count. Label keys and values that must match in order to be controlled by this replica set. It must match the pod template's labels. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ...workload,
    Desired: 'V1ReplicaSetSpec.replicas',
    Current: 'V1ReplicaSetStatus.replicas',
    Ready: 'V1ReplicaSetStatus.readyReplicas',
  },
  'statefulsets.apps': { ...workload, Ready: 'Number of the pod with ready state' },
  'daemonsets.apps': {
    Selector:
      "A label query over pods that are managed by the daemon set. Must match in order to be controlled. It must match the pod template's labels. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ...workload,
    Desired: 'V1DaemonSetStatus.desiredNumberScheduled',
    Current: 'V1DaemonSetStatus.currentNumberScheduled',
    Ready: 'V1DaemonSetStatus.numberReady',
    'Up-to-date': 'V1DaemonSetStatus.updatedNumberScheduled',
    Available: 'V1DaemonSetStatus.numberAvailable',
    'Node Selector': 'V1PodSpec.nodeSelector',
  },
  'jobs.batch': {
    Selector:
      'A label query over pods that should match the pod count. Normally, the system sets this field for you. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors',
    ...workload,
    Status: 'Status of the job.',
    Completions: 'V1JobStatus.succeeded',
    Duration: 'Time required to complete the job.',
  },
  'cronjobs.batch': {
    Selector:
      'A label query over pods that should match the pod count. Normally, the system sets this field for you. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors',
    ...workload,
    Schedule: 'V1CronJobSpec.schedule',
    Timezone: 'V1CronJobSpec.timeZone',
    Suspend: 'V1CronJobSpec.suspend',
    Active: 'V1CronJobStatus.active',
    'Last Schedule': 'V1CronJobStatus.lastScheduleTime',
  },
  'horizontalpodautoscalers.autoscaling': {
    Reference:
      'scaleTargetRef points to the target resource to scale, and is used to the pods for which metrics should be collected, as well as to actually change the replica count.',
    Targets: 'V2HorizontalPodAutoscalerSpec.metrics',
    MinPods: 'V2HorizontalPodAutoscalerSpec.minReplicas',
    MaxPods: 'V2HorizontalPodAutoscalerSpec.maxReplicas',
    Replicas: 'V2HorizontalPodAutoscalerStatus.currentReplicas',
  },
  'scales.autoscaling': { Desired: 'V1ScaleSpec.replicas', Available: 'V1ScaleStatus.replicas' },
  'leases.coordination.k8s.io': { Holder: 'V1LeaseSpec.holderIdentity' },
  events: {
    Source: 'The component reporting this event. Should be a short machine understandable string.',
    'Last Seen': 'CoreV1Event.lastTimestamp',
    Type: 'CoreV1Event.type',
    Reason: 'CoreV1Event.reason',
    Object: 'The object that this event is about.',
    Subobject: 'V1ObjectReference.fieldPath',
    Message: 'CoreV1Event.message',
    'First Seen': 'CoreV1Event.firstTimestamp',
    Count: 'CoreV1Event.count',
  },
  namespaces: {
    Status: 'The status of the namespace',
  },
  persistentvolumeclaims: {
    Status: 'V1PersistentVolumeClaimStatus.phase',
    Volume: 'V1PersistentVolumeClaimSpec.volumeName',
    Capacity: 'V1PersistentVolumeClaimStatus.capacity',
    'Access Modes': 'V1PersistentVolumeClaimStatus.accessModes',
    StorageClass: 'StorageClass of the pvc',
    VolumeAttributesClass: 'VolumeAttributesClass of the pvc',
    VolumeMode: 'V1PersistentVolumeClaimSpec.volumeMode',
  },
  persistentvolumes: {
    Capacity: 'V1PersistentVolumeSpec.capacity',
    'Access Modes': 'V1PersistentVolumeSpec.accessModes',
    'Reclaim Policy': 'V1PersistentVolumeSpec.persistentVolumeReclaimPolicy',
    Status: 'V1PersistentVolumeStatus.phase',
    Claim:
      'claimRef is part of a bi-directional binding between PersistentVolume and PersistentVolumeClaim. Expected to be non-nil when bound. claim.VolumeName is the authoritative bind between PV and PVC. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#binding',
    StorageClass: 'StorageClass of the pv',
    VolumeAttributesClass: 'VolumeAttributesClass of the pv',
    Reason: 'V1PersistentVolumeStatus.reason',
    VolumeMode: 'V1PersistentVolumeSpec.volumeMode',
  },
  podtemplates: {
    ...workload,
    'Pod Labels': 'The labels for the pod template.',
  },
  resourcequotas: {
    Request: 'Request represents a minimum amount of cpu/memory that a container may consume.',
    Limit: 'Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.',
  },
  secrets: {
    Type: 'V1Secret.type',
    Data: 'V1Secret.data',
  },
  'apiservices.apiregistration.k8s.io': {
    Service: 'The reference to the service that hosts this API endpoint.',
    Available: 'Whether this service is available.',
  },
  'controllerrevisions.apps': {
    Controller: 'Controller of the object',
    Revision: 'V1ControllerRevision.revision',
  },
  'certificatesigningrequests.certificates.k8s.io': {
    SignerName: `Requested signer for the request. It is a qualified name in the form: \`scope-hostname.io/name\`. If empty, it will be defaulted:\n 1. If it's a kubelet client certificate, it is assigned\n    "kubernetes.io/kube-apiserver-client-kubelet".\n 2. If it's a kubelet serving certificate, it is assigned\n    "kubernetes.io/kubelet-serving".\n 3. Otherwise, it is assigned "kubernetes.io/legacy-unknown".\nDistribution of trust for signers happens out of band. You can select on this field using \`spec.signerName\`.`,
    Requestor: 'Base64-encoded PKCS#10 CSR data',
    RequestedDuration: 'V1CertificateSigningRequestSpec.expirationSeconds',
    Condition: 'Conditions applied to the request, such as approval or denial.',
  },
  'ingressclasses.networking.k8s.io': {
    Controller: 'Controller that is responsible for handling this class',
    Parameters: 'A reference to a resource with additional parameters',
  },
  'ingresses.networking.k8s.io': {
    Class: 'The name of the IngressClass resource that should be used for additional configuration',
    Hosts: 'Hosts that incoming requests are matched against before the ingress rule',
    Address: 'Address is a list containing ingress points for the load-balancer',
    Ports: 'Ports of TLS configurations that open',
  },
  'ipaddresses.networking.k8s.io': {
    ParentRef: 'ParentRef references the resource that an IPAddress is attached to. An IPAddress must reference a parent object.',
  },
  'networkpolicies.networking.k8s.io': {
    'Pod-Selector':
      "podSelector selects the pods to which this NetworkPolicy object applies. The array of rules is applied to any pods selected by this field. An empty selector matches all pods in the policy's namespace. Multiple network policies can select the same set of pods. In this case, the ingress rules for each are combined additively. This field is optional. If it is not specified, it defaults to an empty selector.",
  },
  'servicecidrs.networking.k8s.io': {
    CIDRs: 'V1ServiceCIDRSpec.cidrs',
  },
  'poddisruptionbudgets.policy': {
    'Min Available': 'The minimum number of pods that must be available.',
    'Max Unavailable': 'The maximum number of pods that may be unavailable.',
    'Allowed Disruptions': 'Calculated number of pods that may be disrupted at this time.',
  },
  'clusterrolebindings.rbac.authorization.k8s.io': {
    Role: 'RoleRef can only reference a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.',
    Users: 'Users in the clusterRoleBinding',
    Groups: 'Groups in the clusterRoleBinding',
    ServiceAccounts: 'ServiceAccounts in the clusterRoleBinding',
  },
  'rolebindings.rbac.authorization.k8s.io': {
    Role: 'RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.',
    Users: 'Users in the roleBinding',
    Groups: 'Groups in the roleBinding',
    ServiceAccounts: 'ServiceAccounts in the roleBinding',
  },
  'csidrivers.storage.k8s.io': {
    AttachRequired: 'V1CSIDriverSpec.attachRequired',
    PodInfoOnMount: 'V1CSIDriverSpec.podInfoOnMount',
    StorageCapacity: 'V1CSIDriverSpec.storageCapacity',
    TokenRequests: 'V1CSIDriverSpec.tokenRequests',
    RequiresRepublish: 'V1CSIDriverSpec.requiresRepublish',
    Modes: 'V1CSIDriverSpec.volumeLifecycleModes',
  },
  'csinodes.storage.k8s.io': {
    Drivers: 'Drivers indicates the number of CSI drivers registered on the node',
  },
  'storageclasses.storage.k8s.io': {
    Provisioner: 'V1StorageClass.provisioner',
    ReclaimPolicy: 'V1StorageClass.reclaimPolicy',
    VolumeBindingMode: 'V1StorageClass.volumeBindingMode',
    AllowVolumeExpansion: 'V1StorageClass.allowVolumeExpansion',
  },
  'volumeattachments.storage.k8s.io': {
    Attacher: 'V1VolumeAttachmentSpec.attacher',
    PV: 'V1VolumeAttachmentSource.persistentVolumeName',
    Node: 'V1VolumeAttachmentSpec.nodeName',
    Attached: 'V1VolumeAttachmentStatus.attached',
  },
  'volumeattributesclasses.storage.k8s.io': {
    DriverName: 'V1VolumeAttributesClass.driverName',
  },
  'mutatingadmissionpolicies.admissionregistration.k8s.io': {
    Mutations: 'Mutation indicates the number of mutations rules defined in this configuration',
    ParamKind: 'ParamKind specifies the kind of resources used to parameterize this policy',
  },
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': {
    PolicyName: 'PolicyName indicates the policy definition which the policy binding binded to',
    ParamRef: 'ParamRef indicates the param resource which sets the configuration param',
  },
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': {
    Webhooks: 'Webhooks indicates the number of webhooks registered in this configuration',
  },
  'validatingadmissionpolicies.admissionregistration.k8s.io': {
    Validations: 'Validations indicates the number of validation rules defined in this configuration',
    ParamKind: 'ParamKind specifies the kind of resources used to parameterize this policy',
  },
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': {
    PolicyName: 'PolicyName indicates the policy definition which the policy binding binded to',
    ParamRef: 'ParamRef indicates the param resource which sets the configuration param',
  },
  'validatingwebhookconfigurations.admissionregistration.k8s.io': {
    Webhooks: 'Webhooks indicates the number of webhooks registered in this configuration',
  },
  'priorityclasses.scheduling.k8s.io': {
    Value: 'V1PriorityClass.value',
    'Global-Default': 'V1PriorityClass.globalDefault',
    PreemptionPolicy: 'V1PriorityClass.preemptionPolicy',
  },
  'endpointslices.discovery.k8s.io': {
    AddressType: 'V1EndpointSlice.addressType',
    Ports: 'V1EndpointSlice.ports',
    Endpoints: 'V1EndpointSlice.endpoints',
  },
  'resourceclaims.resource.k8s.io': {
    State: 'A summary of the current state (allocated, pending, reserved, etc.).',
  },
  'resourceslices.resource.k8s.io': {
    Node: 'V1ResourceSliceSpec.nodeName',
    Driver: 'V1ResourceSliceSpec.driver',
    Pool: 'V1ResourcePool.name',
  },
  'flowschemas.flowcontrol.apiserver.k8s.io': {
    PriorityLevel: 'V1PriorityLevelConfigurationReference.name',
    MatchingPrecedence: 'V1FlowSchemaSpec.matchingPrecedence',
    DistinguisherMethod:
      '`distinguisherMethod` defines how to compute the flow distinguisher for requests that match this schema. `nil` specifies that the distinguisher is disabled and thus will always be the empty string.',
    MissingPL: 'references a broken or non-existent PriorityLevelConfiguration',
  },
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': {
    Type: 'V1PriorityLevelConfigurationSpec.type',
    NominalConcurrencyShares: 'V1LimitedPriorityLevelConfiguration.nominalConcurrencyShares',
    Queues: 'V1QueuingConfiguration.queues',
    HandSize: 'V1QueuingConfiguration.handSize',
    QueueLengthLimit: 'V1QueuingConfiguration.queueLengthLimit',
  },
}

/** Definitions with descriptions of several paragraphs. */
const inParagraphs: ReadonlySet<string> = new Set([
  'V1CSIDriverSpec',
  'V1LimitedPriorityLevelConfiguration',
  'V1ObjectMeta',
  'V1ResourcePool',
  'V1ResourceSliceSpec',
])

/** What a table says of a column; empty where nothing is known. */
export function columnDescription(resource: string, column: string): string {
  const own = Object.hasOwn(columns, resource) ? columns[resource]?.[column] : undefined
  const source = own ?? general[column] ?? ''
  const [, definition, field] = /^(\w+V\d\w+|V\d\w+)\.(\w+)$/.exec(source) ?? []
  if (definition === undefined || field === undefined) return source
  const text = descriptionOf(definition, field)
  // The table of descriptions runs paragraphs together.
  return inParagraphs.has(definition) ? text.replaceAll(/(?<=[.:)]) {2}(?=[A-Z])/g, '\n\n') : text
}
