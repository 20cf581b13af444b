// The shapes of the objects that the model reads: what each field of them must be, so that reading never trips over one. Fields that are
// not named here are not looked at. Absent and null are fine but where a field is marked as needed.

export type Shape =
  | { readonly kind: 'text' | 'number' | 'flag' | 'texts' | 'quantity' | 'quantities' | 'share' | 'selector' }
  | { readonly kind: 'list'; readonly items: Shape }
  /** Values by any name. */
  | { readonly kind: 'map'; readonly items: Shape }
  | {
      readonly kind: 'fields'
      readonly fields: Readonly<Record<string, Shape>>
      /** Names of the fields, in order. */
      readonly names: readonly string[]
      readonly needed: readonly string[]
    }

const text: Shape = { kind: 'text' }
const number: Shape = { kind: 'number' }
const flag: Shape = { kind: 'flag' }
/** A map from names to texts: labels. */
const texts: Shape = { kind: 'texts' }
const quantity: Shape = { kind: 'quantity' }
/** Quantities by resource name. */
const quantities: Shape = { kind: 'quantities' }
/** A number, or a percentage. */
const share: Shape = { kind: 'share' }
const selector: Shape = { kind: 'selector' }
const map = (items: Shape): Shape => ({ kind: 'map', items })
const list = (items: Shape): Shape => ({ kind: 'list', items })
const fields = (shapes: Readonly<Record<string, Shape>>, ...needed: readonly string[]): Shape => ({
  kind: 'fields',
  fields: shapes,
  names: Object.keys(shapes),
  needed,
})

const requirement = fields({ key: text, operator: text, values: list(text) }, 'key', 'operator')
/** What a label selector is made of; what its parts may say is checked where selectors are parsed. */
export const labelSelectorShape = fields({ matchLabels: texts, matchExpressions: list(requirement) })
const nodeTerm = fields({ matchExpressions: list(requirement), matchFields: list(requirement) })
const nodeSelector = fields({ nodeSelectorTerms: list(nodeTerm) })

const podTerm = fields(
  {
    labelSelector: selector,
    namespaceSelector: selector,
    namespaces: list(text),
    topologyKey: text,
    matchLabelKeys: list(text),
    mismatchLabelKeys: list(text),
  },
  'topologyKey',
)

const podTerms = fields({
  requiredDuringSchedulingIgnoredDuringExecution: list(podTerm),
  preferredDuringSchedulingIgnoredDuringExecution: list(
    fields({ weight: number, podAffinityTerm: podTerm }, 'weight', 'podAffinityTerm'),
  ),
})

const affinity = fields({
  nodeAffinity: fields({
    requiredDuringSchedulingIgnoredDuringExecution: nodeSelector,
    preferredDuringSchedulingIgnoredDuringExecution: list(
      fields({ weight: number, preference: nodeTerm }, 'weight', 'preference'),
    ),
  }),
  podAffinity: podTerms,
  podAntiAffinity: podTerms,
})

const container = fields(
  {
    name: text,
    image: text,
    restartPolicy: text,
    resources: fields({ requests: quantities, limits: quantities }),
    ports: list(fields({ hostPort: number, hostIP: text, protocol: text })),
  },
  'name',
)

const volume = fields(
  {
    name: text,
    persistentVolumeClaim: fields({ claimName: text }, 'claimName'),
    ephemeral: fields({}),
    image: fields({ reference: text }),
  },
  'name',
)

const spreadConstraint = fields(
  {
    maxSkew: number,
    topologyKey: text,
    whenUnsatisfiable: text,
    labelSelector: selector,
    minDomains: number,
    nodeAffinityPolicy: text,
    nodeTaintsPolicy: text,
    matchLabelKeys: list(text),
  },
  'maxSkew',
  'topologyKey',
  'whenUnsatisfiable',
)

const conditions = list(fields({ type: text, status: text, reason: text }))
const containerStatuses = list(
  fields({ name: text, resources: fields({ requests: quantities }), allocatedResources: quantities }),
)

const metadata = fields({
  namespace: text,
  uid: text,
  generation: number,
  deletionTimestamp: text,
  ownerReferences: list(
    fields({ apiVersion: text, kind: text, name: text, uid: text, controller: flag }, 'apiVersion', 'kind', 'name'),
  ),
})

const podFields: Readonly<Record<string, Shape>> = {
  nodeName: text,
  priority: number,
  preemptionPolicy: text,
  nodeSelector: texts,
  affinity,
  tolerations: list(fields({ key: text, operator: text, value: text, effect: text })),
  topologySpreadConstraints: list(spreadConstraint),
  schedulingGates: list(fields({ name: text })),
  resourceClaims: list(fields({ name: text, resourceClaimName: text, resourceClaimTemplateName: text }, 'name')),
  overhead: quantities,
  resources: fields({ requests: quantities, limits: quantities }),
  containers: list(container),
  initContainers: list(container),
  volumes: list(volume),
}
const pod = fields(podFields, 'containers')

/** What a workload makes its pods from; a scenario may apply one that names a part alone. */
const template = fields({ metadata: fields({ labels: texts, annotations: texts }), spec: fields(podFields) })

const anything: Shape = { kind: 'fields', fields: {}, names: [], needed: [] }
const counters = map(fields({ value: quantity }, 'value'))
const requestPolicy = fields({
  default: quantity,
  validValues: list(quantity),
  validRange: fields({ min: quantity, max: quantity, step: quantity }),
})
const selectors = list(fields({ cel: fields({ expression: text }, 'expression') }))
const deviceFields: Readonly<Record<string, Shape>> = {
  attributes: map(fields({ string: text, int: number, bool: flag, version: text })),
  capacity: map(fields({ value: quantity, requestPolicy }, 'value')),
  taints: list(fields({ key: text, value: text, effect: text }, 'key', 'effect')),
  nodeName: text,
  nodeSelector,
  allNodes: flag,
  consumesCounters: list(fields({ counterSet: text, counters }, 'counterSet')),
  allowMultipleAllocations: flag,
  bindsToNode: flag,
  bindingConditions: list(text),
}
/** In v1beta1 all but the name lay in `basic`. */
const device = fields({ name: text, ...deviceFields, basic: fields(deviceFields) }, 'name')
const wishFields: Readonly<Record<string, Shape>> = {
  deviceClassName: text,
  selectors,
  allocationMode: text,
  count: number,
  adminAccess: flag,
  tolerations: list(fields({ key: text, operator: text, value: text, effect: text })),
  capacity: fields({ requests: quantities }),
}
const claimSpec = fields({
  devices: fields({
    requests: list(
      fields(
        {
          name: text,
          ...wishFields,
          exactly: fields(wishFields, 'deviceClassName'),
          firstAvailable: list(fields({ name: text, ...wishFields }, 'name', 'deviceClassName')),
        },
        'name',
      ),
    ),
    constraints: list(fields({ requests: list(text), matchAttribute: text, distinctAttribute: text })),
    config: list(fields({ requests: list(text) })),
  }),
})
const allocation = fields({
  devices: fields({
    results: list(
      fields(
        {
          request: text,
          driver: text,
          pool: text,
          device: text,
          adminAccess: flag,
          shareID: text,
          consumedCapacity: quantities,
        },
        'request',
        'driver',
        'pool',
        'device',
      ),
    ),
  }),
  nodeSelector,
})

const specs: Readonly<Record<string, Shape>> = {
  Pod: pod,
  DeviceClass: fields({ selectors, config: list(anything) }),
  ResourceClaim: claimSpec,
  ResourceClaimTemplate: fields({ spec: claimSpec, metadata: fields({ labels: texts, annotations: texts }) }, 'spec'),
  ResourceSlice: fields(
    {
      driver: text,
      pool: fields({ name: text, generation: number, resourceSliceCount: number }, 'name', 'resourceSliceCount'),
      nodeName: text,
      nodeSelector,
      allNodes: flag,
      perDeviceNodeSelection: flag,
      devices: list(device),
      sharedCounters: list(fields({ name: text, counters }, 'name')),
    },
    'driver',
    'pool',
  ),
  Node: fields({ unschedulable: flag, taints: list(fields({ key: text, value: text, effect: text }, 'key', 'effect')) }),
  Service: fields({ selector: texts }),
  ReplicaSet: fields({ replicas: number, selector, template }),
  StatefulSet: fields({ replicas: number, selector, template }),
  Deployment: fields({ replicas: number, selector, template }),
  DaemonSet: fields({ selector, template }),
  ReplicationController: fields({ replicas: number, selector: texts, template }),
  PodDisruptionBudget: fields({
    selector,
    minAvailable: share,
    maxUnavailable: share,
    unhealthyPodEvictionPolicy: text,
  }),
  PersistentVolumeClaim: fields({
    volumeName: text,
    storageClassName: text,
    accessModes: list(text),
    resources: fields({ requests: quantities }),
    selector,
  }),
  PersistentVolume: fields({
    capacity: quantities,
    accessModes: list(text),
    storageClassName: text,
    nodeAffinity: fields({ required: nodeSelector }),
    claimRef: fields({ namespace: text, name: text, uid: text }),
    csi: fields({ driver: text, volumeHandle: text }, 'driver', 'volumeHandle'),
  }),
  CSINode: fields({ drivers: list(fields({ name: text, allocatable: fields({ count: number }) }, 'name')) }),
  CSIDriver: fields({ storageCapacity: flag }),
  VolumeAttachment: fields({ attacher: text, nodeName: text, source: fields({ persistentVolumeName: text }) }),
}

const statuses: Readonly<Record<string, Shape>> = {
  Pod: fields({
    phase: text,
    conditions,
    containerStatuses,
    initContainerStatuses: containerStatuses,
    resources: fields({ requests: quantities }),
    allocatedResources: quantities,
    resourceClaimStatuses: list(fields({ name: text, resourceClaimName: text }, 'name')),
  }),
  ResourceClaim: fields({ allocation, reservedFor: list(fields({ resource: text, name: text, uid: text }, 'name', 'uid')) }),
  Node: fields({
    allocatable: quantities,
    capacity: quantities,
    conditions,
    images: list(fields({ names: list(text), sizeBytes: number })),
  }),
  PodDisruptionBudget: fields({
    observedGeneration: number,
    disruptionsAllowed: number,
    currentHealthy: number,
    desiredHealthy: number,
    expectedPods: number,
    disruptedPods: texts,
  }),
  PersistentVolumeClaim: fields({ phase: text }),
  PersistentVolume: fields({ phase: text }),
}

const classFields: Readonly<Record<string, Shape>> = {
  provisioner: text,
  volumeBindingMode: text,
  allowedTopologies: list(fields({ matchLabelExpressions: list(fields({ key: text, values: list(text) }, 'key', 'values')) })),
}

const capacityFields: Readonly<Record<string, Shape>> = {
  storageClassName: text,
  nodeTopology: selector,
  capacity: quantity,
  maximumVolumeSize: quantity,
}

const known = new Map<string, Shape>()

/** The shape of an object of a built-in kind; of other kinds its metadata alone is looked at. */
export function shapeOfKind(kind: string): Shape {
  const name = isShaped(kind) ? kind : ''
  const shape = known.get(name) ?? madeFor(name)
  known.set(name, shape)
  return shape
}

function isShaped(kind: string): boolean {
  return Object.hasOwn(specs, kind) || Object.hasOwn(statuses, kind) || kind === 'StorageClass' || kind === 'CSIStorageCapacity'
}

const kindsWithSpec: ReadonlySet<string> = new Set([
  'Pod',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'CSINode',
  'PodDisruptionBudget',
  'CSIDriver',
  'VolumeAttachment',
  'ResourceClaim',
  'ResourceClaimTemplate',
  'ResourceSlice',
  'DeviceClass',
])

function madeFor(kind: string): Shape {
  const own = kind === 'StorageClass' ? classFields : kind === 'CSIStorageCapacity' ? capacityFields : {}
  const spec = Object.hasOwn(specs, kind) ? specs[kind] : undefined
  const status = Object.hasOwn(statuses, kind) ? statuses[kind] : undefined
  const isSpecNeeded = kindsWithSpec.has(kind)
  const shapes = { metadata, ...own, ...(spec && { spec }), ...(status && { status }) }
  return fields(shapes, ...(isSpecNeeded ? ['spec'] : []))
}
