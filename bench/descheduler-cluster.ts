// A cluster for deschedulers, of any size: pods as real ones are (real-pods.ts), on nodes of which some are crowded and some nearly empty,
// with enough in the wrong place for every strategy of the chart's default policy. The same objects each time.
import type { KubeObject, Node, Pod, PodSpec, Volume } from '#kube/objects/objects.ts'
import { realPod } from './real-pods.ts'

export interface ClusterSize {
  readonly nodes: number
  readonly pods: number
}

/** The two sizes for which there are budgets. */
export const clusterSizes: readonly ClusterSize[] = [
  { nodes: 1_000, pods: 30_000 },
  { nodes: 5_000, pods: 150_000 },
]

const apps = 3_000
const namespaces = 300
/** Nodes with a taint that none of their pods tolerates: 3,000 candidates at either size. */
const taintedNodes = 100
const since = '2026-03-02T04:00:00Z'

/** Pods in proportion: every tenth node is crowded, two of ten have nearly nothing. */
const weights = [60, 12, 12, 31, 31, 31, 31, 31, 31, 30] as const
const totalWeight = weights.reduce<number>((sum, weight) => sum + weight, 0)

const mixed = (value: number) => (Math.imul(value ^ 0x9e3779b9, 0x85ebca6b) ^ (value >>> 3)) >>> 0

export function clusterNode({ nodes }: ClusterSize, at: number): Node {
  const amounts = { cpu: '32', memory: '64Gi', pods: '110', 'ephemeral-storage': '200Gi' }
  const isTainted = at % (nodes / taintedNodes) === 5
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: nodeName(at),
      uid: `uid-${nodeName(at)}`,
      resourceVersion: String(at + 1),
      creationTimestamp: since,
      labels: {
        'kubernetes.io/hostname': nodeName(at),
        'kubernetes.io/os': 'linux',
        'topology.kubernetes.io/zone': `zone-${at % 3}`,
        pool: isTainted ? 'database' : 'general',
      },
    },
    spec: isTainted ? { taints: [{ key: 'dedicated', value: 'database', effect: 'NoSchedule' }] } : {},
    status: {
      allocatable: amounts,
      capacity: amounts,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }],
    },
  }
}

/** Pod number `index`, bound and running. */
export function clusterPod(size: ClusterSize, index: number): Pod {
  // What real-pods.ts makes is a pod.
  const pod = realPod(index, size.nodes + index + 1) as Pod
  const app = index % apps
  const [owner] = pod.metadata.ownerReferences ?? []
  const isOfDaemonSet = app % 10 === 0
  const { containerStatuses = [] } = pod.status ?? {}
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(owner !== undefined && isOfDaemonSet && { ownerReferences: [{ ...owner, kind: 'DaemonSet' }] }),
    },
    spec: {
      ...pod.spec,
      ...wishes(app),
      nodeName: nodeName(placeOf(size, index)),
      priority: (app % 7) * 1_000,
      volumes: [...(pod.spec.volumes ?? []), ...volumes(app)],
    },
    status: {
      ...pod.status,
      containerStatuses: containerStatuses.map(status => ({ ...status, restartCount: index % 500 === 0 ? 150 : 0 })),
    },
  }
}

/** Everything that is not a node or a pod and that a descheduler reads. */
export function clusterNamespaces(): readonly KubeObject[] {
  return Array.from({ length: namespaces }, (_, at) => {
    const name = `team-${at}`
    return {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, uid: `uid-${name}`, resourceVersion: '1', creationTimestamp: since, labels: { team: name } },
    }
  })
}

function nodeName(at: number): string {
  return `node-${at}`
}

/** By chance, as the weights say; some apps have their pods in heaps. */
function placeOf({ nodes }: ClusterSize, index: number): number {
  const [app, replica] = [index % apps, Math.floor(index / apps)]
  const chance = app % 30 === 2 ? mixed(app * 131 + Math.floor(replica / 4)) : mixed(index)
  let left = chance % totalWeight
  let kind = 0
  for (const weight of weights) {
    if (left < weight) break
    left -= weight
    kind++
  }
  return Math.floor((chance / 2 ** 32) * (nodes / weights.length)) * weights.length + kind
}

/** What the pods of an app ask of a node beyond room. */
function wishes(app: number): Partial<PodSpec> {
  const labelSelector = { matchLabels: { app: `service-${app}` } }
  if (app % 50 === 7) {
    const zones = { key: 'topology.kubernetes.io/zone', operator: 'In', values: ['zone-0', 'zone-1'] }
    const required = { nodeSelectorTerms: [{ matchExpressions: [zones] }] }
    return { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } } }
  }
  if (app % 40 === 9) {
    const term = { labelSelector, topologyKey: 'kubernetes.io/hostname' }
    return { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } }
  }
  if (app % 10 === 3) {
    const zones = { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule' as const }
    return { topologySpreadConstraints: [{ ...zones, labelSelector }] }
  }
  if (app % 25 === 11) return { nodeSelector: { pool: 'general' } }
  // Its pool is gone: it fits nowhere.
  return app % 100 === 14 ? { nodeSelector: { pool: 'gone' } } : {}
}

function volumes(app: number): readonly Volume[] {
  if (app % 12 === 5) return [{ name: 'scratch', emptyDir: {} }]
  return app % 20 === 1 ? [{ name: 'data', persistentVolumeClaim: { claimName: `data-${app}` } }] : []
}
