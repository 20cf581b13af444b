// Builders of Kubernetes objects for planning's tests: each row of a test shows only what matters to it.

import type { KubeObject } from '#kube/objects/objects.ts'

export interface NodeOptions {
  readonly cpu?: number
  readonly memoryMi?: number
  readonly pods?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
  readonly unschedulable?: boolean
}

/** A ready node; 4000m CPU, 8192 Mi, 110 pods unless said. */
export function node(name: string, options: NodeOptions = {}): KubeObject {
  const amounts = { cpu: `${options.cpu ?? 4000}m`, memory: `${options.memoryMi ?? 8192}Mi`, pods: String(options.pods ?? 110) }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `node-${name}`, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', ...options.labels } },
    spec: {
      ...(options.taints === undefined ? {} : { taints: options.taints }),
      ...(options.unschedulable === true ? { unschedulable: true } : {}),
    },
    status: { allocatable: amounts, capacity: amounts, conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

export function namespace(name: string, labels: Readonly<Record<string, string>> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, uid: `namespace-${name}`, labels: { 'kubernetes.io/metadata.name': name, ...labels } } }
}

export interface WorkloadOptions {
  readonly kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet'
  readonly cpu?: number
  readonly memoryMi?: number
  /** The node of each pod, which also says how many there are. */
  readonly on: readonly string[]
  readonly owner?: 'descheduler' | 'keda' | 'none'
  /** A budget with this field; by default none. */
  readonly budget?: { readonly maxUnavailable?: number | string; readonly minAvailable?: number | string }
  /** Goes into the pods' spec and the template's. */
  readonly spec?: Readonly<Record<string, unknown>>
  readonly strategy?: Readonly<Record<string, unknown>>
  readonly podMetadata?: Readonly<Record<string, unknown>>
  readonly podStatus?: Readonly<Record<string, unknown>>
}

/** A workload with its pods, ReplicaSet and budget; `spec` goes into the pods. One container; pods are Running and Ready. */
export function workload(key: string, options: WorkloadOptions): readonly KubeObject[] {
  const [space = 'default', name = key] = key.split('/')
  const kind = options.kind ?? 'Deployment'
  const labels = { 'app.kubernetes.io/name': name }
  const owned = options.owner === undefined ? {} : { 'scaling.talos.io/managed-by': options.owner }
  const container = {
    name: 'main',
    image: `registry.example/${space}/${name}:1`,
    resources: { requests: { cpu: `${options.cpu ?? 100}m`, memory: `${options.memoryMi ?? 128}Mi` } },
  }
  const podSpec = { containers: [container], ...options.spec }
  const template = { metadata: { labels }, spec: podSpec }
  const top = { apiVersion: 'apps/v1', kind, name, uid: `${kind.toLowerCase()}-${space}-${name}`, controller: true }
  const replicas = options.on.length
  const objects: KubeObject[] = [
    {
      apiVersion: 'apps/v1',
      kind,
      metadata: { name, namespace: space, uid: top.uid, labels: { ...labels, ...owned } },
      spec: {
        ...(kind === 'DaemonSet' ? {} : { replicas }),
        selector: { matchLabels: labels },
        template,
        ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
      },
    },
  ]
  const hash = 'abcde12345'
  const set = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${name}-${hash}`, uid: `replicaset-${space}-${name}`, controller: true }
  if (kind === 'Deployment') {
    objects.push({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: set.name, namespace: space, uid: set.uid, labels: { ...labels, 'pod-template-hash': hash }, ownerReferences: [top] },
      spec: { replicas, selector: { matchLabels: { ...labels, 'pod-template-hash': hash } }, template },
    })
  }
  options.on.forEach((nodeName, at) => {
    const podName = kind === 'StatefulSet' ? `${name}-${at}` : `${kind === 'Deployment' ? `${set.name}` : name}-${at.toString(36).padStart(5, 'x')}`
    objects.push({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: podName,
        namespace: space,
        uid: `pod-${space}-${podName}`,
        labels: kind === 'Deployment' ? { ...labels, 'pod-template-hash': hash } : labels,
        ownerReferences: [kind === 'Deployment' ? set : top],
        ...options.podMetadata,
      },
      spec: { ...podSpec, nodeName },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], ...options.podStatus },
    })
  })
  if (options.budget !== undefined) {
    objects.push({
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name, namespace: space, uid: `budget-${space}-${name}`, generation: 1 },
      spec: { ...options.budget, selector: { matchLabels: labels } },
    })
  }
  return objects
}

/** A claim bound to a volume; `pinnedTo` makes it a local volume of that node. */
export function boundVolume(
  space: string,
  claim: string,
  options: { readonly volume: string; readonly pinnedTo?: string; readonly accessModes?: readonly string[] },
): readonly KubeObject[] {
  const accessModes = options.accessModes ?? ['ReadWriteOnce']
  const affinity = { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [options.pinnedTo] }] }] }
  return [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: options.volume, uid: `volume-${options.volume}` },
      spec: {
        capacity: { storage: '10Gi' },
        accessModes,
        storageClassName: 'disk',
        claimRef: { namespace: space, name: claim, uid: `claim-${space}-${claim}` },
        ...(options.pinnedTo === undefined
          ? { csi: { driver: 'network.example', volumeHandle: options.volume } }
          : { local: { path: '/var/mnt/data' }, nodeAffinity: { required: affinity } }),
      },
      status: { phase: 'Bound' },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name: claim,
        namespace: space,
        uid: `claim-${space}-${claim}`,
        annotations: { 'pv.kubernetes.io/bind-completed': 'yes' },
      },
      spec: { volumeName: options.volume, storageClassName: 'disk', accessModes, resources: { requests: { storage: '10Gi' } } },
      status: { phase: 'Bound' },
    },
  ]
}

/** Mounts a claim: goes into `spec` of a workload. */
export function claimVolume(claim: string): Readonly<Record<string, unknown>> {
  return { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }] }
}
