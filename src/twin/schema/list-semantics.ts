// How lists and structs of the built-in kinds merge: by keys, as sets, or as a whole. Not in the published classes, so kept here.

export interface ListSemantics {
  /** Server-side apply: keys of a map-like list, `set`, or `atomic`. */
  readonly list:
    | { readonly kind: 'map'; readonly keys: readonly string[] }
    | { readonly kind: 'set' }
    | { readonly kind: 'atomic' }
  /** Strategic merge: the one key, where lists merge at all. */
  readonly mergeKey?: string
  readonly isMergedSet?: boolean
  readonly retainsKeys?: boolean
}

const byName = (mergeKey = 'name'): ListSemantics => ({ list: { kind: 'map', keys: [mergeKey] }, mergeKey })
const byKeys = (keys: readonly string[], mergeKey: string): ListSemantics => ({ list: { kind: 'map', keys }, mergeKey })
const named = byName()
const conditions = byName('type')
const onlyApply = (key: string): ListSemantics => ({ list: { kind: 'map', keys: [key] } })
const set: ListSemantics = { list: { kind: 'set' } }
const retained: ListSemantics = { ...named, retainsKeys: true }

/** `Struct.field`, without the version in the struct's name. Lists that are not here are atomic. */
export const listSemantics: Readonly<Record<string, ListSemantics>> = {
  'PodSpec.containers': named,
  'PodSpec.initContainers': named,
  'PodSpec.ephemeralContainers': named,
  'PodSpec.imagePullSecrets': named,
  'PodSpec.schedulingGates': named,
  'PodSpec.volumes': retained,
  'PodSpec.resourceClaims': retained,
  'PodStatus.resourceClaimStatuses': retained,
  'Container.env': named,
  'EphemeralContainer.env': named,
  'ContainerStatus.allocatedResourcesStatus': named,
  'ServiceAccount.secrets': named,
  'CSINodeSpec.drivers': named,
  'MutatingWebhookConfiguration.webhooks': named,
  'ValidatingWebhookConfiguration.webhooks': named,
  'MutatingWebhook.matchConditions': named,
  'ValidatingWebhook.matchConditions': named,
  'ValidatingAdmissionPolicySpec.variables': named,
  'ValidatingAdmissionPolicySpec.matchConditions': named,
  'MutatingAdmissionPolicySpec.matchConditions': named,
  'ResourceRequirements.claims': onlyApply('name'),
  'Container.ports': byKeys(['containerPort', 'protocol'], 'containerPort'),
  'EphemeralContainer.ports': byKeys(['containerPort', 'protocol'], 'containerPort'),
  'ServiceSpec.ports': byKeys(['port', 'protocol'], 'port'),
  'PodSpec.topologySpreadConstraints': byKeys(['topologyKey', 'whenUnsatisfiable'], 'topologyKey'),
  'Container.volumeMounts': byName('mountPath'),
  'EphemeralContainer.volumeMounts': byName('mountPath'),
  'ContainerStatus.volumeMounts': byName('mountPath'),
  'Container.volumeDevices': byName('devicePath'),
  'EphemeralContainer.volumeDevices': byName('devicePath'),
  'PodSpec.hostAliases': byName('ip'),
  'PodStatus.podIPs': byName('ip'),
  'PodStatus.hostIPs': { list: { kind: 'atomic' }, mergeKey: 'ip' },
  'ObjectMeta.ownerReferences': byName('uid'),
  'ResourceClaimStatus.reservedFor': byName('uid'),
  'JSONSchemaProps.x-kubernetes-validations': byName('rule'),
  'NodeStatus.addresses': conditions,
  'DaemonSetStatus.conditions': conditions,
  'DeploymentStatus.conditions': conditions,
  'ReplicaSetStatus.conditions': conditions,
  'StatefulSetStatus.conditions': conditions,
  'ReplicationControllerStatus.conditions': conditions,
  'HorizontalPodAutoscalerStatus.conditions': conditions,
  'NamespaceStatus.conditions': conditions,
  'NodeStatus.conditions': conditions,
  'PodStatus.conditions': conditions,
  'PersistentVolumeClaimStatus.conditions': conditions,
  'ServiceStatus.conditions': conditions,
  'PodDisruptionBudgetStatus.conditions': conditions,
  'APIServiceStatus.conditions': conditions,
  'FlowSchemaStatus.conditions': conditions,
  'PriorityLevelConfigurationStatus.conditions': conditions,
  'ServiceCIDRStatus.conditions': conditions,
  'JobStatus.conditions': { list: { kind: 'atomic' }, mergeKey: 'type' },
  'ComponentStatus.conditions': conditions,
  'AllocatedDeviceStatus.conditions': onlyApply('type'),
  'ResourceClaimStatus.devices': { list: { kind: 'map', keys: ['driver', 'device', 'pool', 'shareID'] } },
  'ResourceStatus.resources': onlyApply('resourceID'),
  'NodeAllocatableResourceClaimStatus.containers': set,
  'ContainerRestartRuleOnExitCodes.values': set,
  'ResourcePolicyRule.resources': set,
  'ResourcePolicyRule.verbs': set,
  'ResourcePolicyRule.apiGroups': set,
  'ResourcePolicyRule.namespaces': set,
  'NonResourcePolicyRule.verbs': set,
  'NonResourcePolicyRule.nonResourceURLs': set,
  'CustomResourceDefinitionStatus.conditions': onlyApply('type'),
  'CertificateSigningRequestStatus.conditions': onlyApply('type'),
  'ValidatingAdmissionPolicyStatus.conditions': onlyApply('type'),
  'ObjectMeta.finalizers': { ...set, isMergedSet: true },
  'NodeSpec.podCIDRs': { ...set, isMergedSet: true },
  'Endpoint.addresses': set,
  'CSIDriverSpec.volumeLifecycleModes': set,
  'ValidatingAdmissionPolicyBindingSpec.validationActions': set,
  'PodFailurePolicyOnExitCodesRequirement.values': set,
  'UncountedTerminatedPods.succeeded': set,
  'UncountedTerminatedPods.failed': set,
}

/** Structs that are owned and replaced as a whole. */
const atomicStructs: ReadonlySet<string> = new Set([
  'LabelSelector',
  'OwnerReference',
  'ObjectReference',
  'LocalObjectReference',
  'ConfigMapKeySelector',
  'SecretKeySelector',
  'FileKeySelector',
  'ObjectFieldSelector',
  'ResourceFieldSelector',
  'NodeSelector',
  'NodeSelectorTerm',
  'CrossVersionObjectReference',
  'RoleRef',
  'Subject',
  'ServiceBackendPort',
  'EndpointPort',
  'ScopeSelector',
  'MatchResources',
  'TypedLocalObjectReference',
  'SecretReference',
  'EndpointAddress',
  'Variable',
  'ParamKind',
  'ParamRef',
  'NamedRuleWithOperations',
  'TopologySelectorTerm',
])

/** Namesakes of atomic structs that are not atomic themselves. */
const granularDefinitions: ReadonlySet<string> = new Set(['V2CrossVersionObjectReference', 'FlowcontrolV1Subject'])

/** Whether a definition, such as `V1LabelSelector` of struct `LabelSelector`, is atomic. */
export function isAtomicStruct(definition: string, struct: string): boolean {
  return atomicStructs.has(struct) && !granularDefinitions.has(definition)
}

/** Fields whose members are owned one by one although their struct is atomic elsewhere. */
export const granularFields: ReadonlySet<string> = new Set(['PersistentVolumeSpec.claimRef'])

/** Maps that are owned and replaced as a whole. */
export const atomicMaps: ReadonlySet<string> = new Set([
  'PodSpec.nodeSelector',
  'Scheduling.nodeSelector',
  'Scheduling.nodeSelector',
  'ServiceSpec.selector',
  'ReplicationControllerSpec.selector',
])

/** Structs that strategic merge replaces, or of which it keeps only named keys. */
export const patchedStructs: Readonly<Record<string, 'replace' | 'retainKeys'>> = {
  'DeploymentSpec.strategy': 'retainKeys',
  'PodDisruptionBudgetSpec.selector': 'replace',
}
