// Fields that hold quantities. The published classes call them strings; numbers are read too, and protobuf has a message for them.

const fields: Readonly<Record<string, string>> = {
  ResourceRequirements: 'limits requests',
  VolumeResourceRequirements: 'limits requests',
  NodeStatus: 'capacity allocatable',
  PersistentVolumeSpec: 'capacity',
  PersistentVolumeClaimStatus: 'capacity allocatedResources',
  LimitRangeItem: 'max min default defaultRequest maxLimitRequestRatio',
  ResourceQuotaSpec: 'hard',
  ResourceQuotaStatus: 'hard used',
  PodSpec: 'overhead',
  Overhead: 'podFixed',
  ContainerStatus: 'allocatedResources',
  PodStatus: 'allocatedResources',
  EmptyDirVolumeSource: 'sizeLimit',
  ResourceFieldSelector: 'divisor',
  MetricTarget: 'value averageValue',
  MetricValueStatus: 'value averageValue',
  HPAScalingRules: 'tolerance',
  CSIStorageCapacity: 'capacity maximumVolumeSize',
  DeviceCapacity: 'value',
  Counter: 'value',
  CapacityRequirements: 'requests',
  CapacityRequestPolicy: 'default validValues',
  CapacityRequestPolicyRange: 'min max step',
  DeviceRequestAllocationResult: 'consumedCapacity',
}

/** `Struct.field` of every quantity, and of every list or map of quantities. */
export const quantityFields: ReadonlySet<string> = new Set(
  Object.entries(fields).flatMap(([struct, names]) => names.split(' ').map(name => `${struct}.${name}`)),
)
