// A homelab as tables: its nodes and what runs on them. `homelab-objects.ts` turns the rows into Kubernetes objects.

export interface NodeRow {
  readonly name: string
  readonly cpuMillicores: number
  readonly memoryMi: number
  readonly capacityCpu: string
  readonly capacityMemoryMi: number
  readonly address: string
  readonly labels: Readonly<Record<string, string>>
  readonly extended: Readonly<Record<string, string>>
  /** As metrics.k8s.io reports the whole node. */
  readonly usedMillicores: number
  readonly usedMi: number
  /** Use of a pod as a share of its request, where the table names no figure of its own. */
  readonly cpuShare: number
  readonly memoryShare: number
}

export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'Static'
/** Who may move it: the value of `scaling.talos.io/managed-by`; `core` is never moved and carries no label. */
export type Owner = 'descheduler' | 'keda' | 'none' | 'core'

export interface WorkloadRow {
  readonly namespace: string
  readonly name: string
  readonly kind: WorkloadKind
  readonly replicas: number
  readonly cpuMillicores: number
  readonly memoryMi: number
  readonly nodes: readonly string[]
  readonly owner: Owner
  readonly image: string
  readonly port?: number
  /** `network`: a claim that follows the pod; `local`: a volume that lies on the pod's node. */
  readonly volume?: 'network' | 'local'
  /** A Secret that it reads as environment variables; it asks to be reloaded when that changes. */
  readonly secret?: { readonly name: string; readonly values: Readonly<Record<string, string>> }
  readonly usedMillicores?: number
  readonly usedMi?: number
  readonly nodeSelector?: Readonly<Record<string, string>>
  /** DaemonSets that stay off a tainted control plane have none. */
  readonly toleratesControlPlane?: boolean
  /** Devices it asks for. */
  readonly limits?: Readonly<Record<string, string>>
  /** On the workload. */
  readonly annotations?: Readonly<Record<string, string>>
  /** What its container is started with. */
  readonly args?: readonly string[]
  readonly hostPort?: number
  /** Port on which `/readyz` is asked every 3 s, from its start on. */
  readonly readyPort?: number
}

/** A homelab as a whole. */
export interface Homelab {
  /** Path below `scripts/examples` that the tables are in: the header of each file names it. */
  readonly tables: string
  /** When `kubectl get` was run, when things were made, and when the pods started. */
  readonly takenAt: string
  readonly createdAt: string
  readonly startedAt: string
  readonly nodes: readonly NodeRow[]
  readonly workloads: readonly WorkloadRow[]
  readonly namespaceLabels: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly storageClasses: readonly StorageClassRow[]
  /** Claims that several pods share. */
  readonly sharedClaims: readonly ClaimRow[]
  /** Sizes of images on the nodes that run them, where the node's status is to list them. */
  readonly imageBytes: Readonly<Record<string, number>>
  readonly system: {
    readonly containerRuntimeVersion: string
    readonly kernelVersion: string
    readonly kubeletVersion: string
    readonly osImage: string
  }
  /** Whether workloads carry the label that says who may move them, and those of the descheduler a disruption budget. */
  readonly saysOwners: boolean
}

export interface StorageClassRow {
  readonly name: string
  readonly provisioner: string
  readonly bindingMode: 'Immediate' | 'WaitForFirstConsumer'
  readonly more?: Readonly<Record<string, unknown>>
}

export interface ClaimRow {
  readonly namespace: string
  readonly name: string
  readonly size: string
}

/** One workload; `request` is millicores and mebibytes. */
export const row = (
  namespace: string,
  name: string,
  kind: WorkloadKind,
  replicas: number,
  request: readonly [number, number],
  node: string,
  owner: Owner,
  image: string,
  more: Partial<WorkloadRow> = {},
): WorkloadRow => ({
  namespace,
  name,
  kind,
  replicas,
  cpuMillicores: request[0],
  memoryMi: request[1],
  nodes: [node],
  owner,
  image,
  ...more,
})
/** A DaemonSet on `everywhere`. */
export const daemonOn =
  (everywhere: readonly string[]) =>
  (
    namespace: string,
    name: string,
    request: readonly [number, number],
    image: string,
    more: Partial<WorkloadRow> = {},
  ): WorkloadRow => ({
    namespace,
    name,
    kind: 'DaemonSet',
    replicas: 0,
    cpuMillicores: request[0],
    memoryMi: request[1],
    nodes: everywhere,
    owner: 'core',
    image,
    toleratesControlPlane: true,
    ...more,
  })
