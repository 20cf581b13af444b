// A cluster of three nodes that three moves put right: n1 is full, n2 and n3 have room. One move is a surge.
import type { KubeObject } from '#kube/objects/objects.ts'

const podHash = 'abcde12345'

/** Four cores, 16 GiB. */
export function node(name: string): KubeObject {
  const amounts = { cpu: '4', memory: '16Gi', pods: '110', 'ephemeral-storage': '100Gi' }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `node-${name}`, labels: { 'kubernetes.io/hostname': name } },
    spec: {},
    status: { allocatable: amounts, capacity: amounts, conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }] },
  }
}

export interface SmallWorkload {
  readonly name: string
  readonly cpu: string
  /** The node of each replica; none for a workload at zero. */
  readonly on: readonly string[]
  /** Its owner label. */
  readonly owner?: 'descheduler' | 'none' | 'keda'
  /** Default: it has a budget of maxUnavailable 1. */
  readonly hasBudget?: boolean
  readonly annotations?: Readonly<Record<string, string>>
  readonly podAnnotations?: Readonly<Record<string, string>>
  readonly nodeSelector?: Readonly<Record<string, string>>
  /** Secrets that its container reads into its environment. */
  readonly secrets?: readonly string[]
}

function rolledOut(type: string, reason: string) {
  const at = '2026-03-01T00:01:00Z'
  return { type, status: 'True', reason, message: '', lastUpdateTime: at, lastTransitionTime: at }
}

/** Deployment, ReplicaSet, Running pods and a budget, all of the namespace shop. */
export function smallWorkload(of: SmallWorkload): readonly KubeObject[] {
  const { name, cpu, on, owner, hasBudget = true, annotations = {}, podAnnotations, nodeSelector, secrets = [] } = of
  const labels = { app: name }
  const hashed = { ...labels, 'pod-template-hash': podHash }
  const container = {
    name: 'main',
    image: `registry.example/${name}:1`,
    resources: { requests: { cpu, memory: '256Mi' } },
    ...(secrets.length === 0 ? {} : { envFrom: secrets.map(secret => ({ secretRef: { name: secret } })) }),
  }
  const spec = { terminationGracePeriodSeconds: 5, containers: [container], ...(nodeSelector && { nodeSelector }) }
  const ofPods = podAnnotations === undefined ? {} : { annotations: podAnnotations }
  const template = { metadata: { labels, ...ofPods }, spec }
  const set = `${name}-${podHash}`
  const uid = `deployment-${name}`
  const metadata = (own: string, uidOf: string, ownLabels: Readonly<Record<string, string>>) => ({
    name: own,
    namespace: 'shop',
    uid: uidOf,
    labels: ownLabels,
    generation: 1,
    creationTimestamp: '2026-03-01T00:00:00Z',
  })
  const owned = (kind: string, owning: string, owningUid: string) => [
    { apiVersion: 'apps/v1', kind, name: owning, uid: owningUid, controller: true, blockOwnerDeletion: true },
  ]
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        ...metadata(name, uid, { ...labels, ...(owner === undefined ? {} : { 'scaling.talos.io/managed-by': owner }) }),
        annotations: { 'deployment.kubernetes.io/revision': '1', ...annotations },
      },
      spec: {
        replicas: on.length,
        selector: { matchLabels: labels },
        template,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        progressDeadlineSeconds: 600,
      },
      status: {
        observedGeneration: 1,
        replicas: on.length,
        updatedReplicas: on.length,
        readyReplicas: on.length,
        availableReplicas: on.length,
        conditions: [rolledOut('Available', 'MinimumReplicasAvailable'), rolledOut('Progressing', 'NewReplicaSetAvailable')],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        ...metadata(set, `set-${name}`, hashed),
        annotations: { 'deployment.kubernetes.io/revision': '1' },
        ownerReferences: owned('Deployment', name, uid),
      },
      spec: {
        replicas: on.length,
        selector: { matchLabels: hashed },
        template: { ...template, metadata: { ...template.metadata, labels: hashed } },
      },
    },
    ...on.map(
      (nodeName, at): KubeObject => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          ...metadata(`${set}-${'abcdefgh'[at] ?? 'x'}`, `pod-${name}-${at}`, hashed),
          ...ofPods,
          ownerReferences: owned('ReplicaSet', set, `set-${name}`),
        },
        spec: { ...spec, nodeName },
        status: {
          phase: 'Running',
          startTime: '2026-03-01T00:00:00Z',
          conditions: [
            { type: 'PodScheduled', status: 'True' },
            { type: 'Ready', status: 'True' },
          ],
        },
      }),
    ),
    ...(hasBudget
      ? [
          {
            apiVersion: 'policy/v1',
            kind: 'PodDisruptionBudget',
            metadata: metadata(name, `budget-${name}`, {}),
            spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
          },
        ]
      : []),
  ]
}

const goals = [{ name: 'n1-light', nodes: ['n1'], resource: 'cpu', stat: 'requests', max: 45 }]

/** The policy; `spec` takes the place of its fields. */
export function smallPolicy(spec: Readonly<Record<string, unknown>> = {}): KubeObject {
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'small' },
    spec: { trigger: 'manual', mode: 'Approve', goals, objective: 'moves', ...spec },
  }
}

const workloads: readonly SmallWorkload[] = [
  { name: 'web', cpu: '500m', on: ['n1', 'n1'], owner: 'descheduler' },
  { name: 'solo', cpu: '500m', on: ['n1'], owner: 'descheduler' },
  { name: 'fixed', cpu: '850m', on: ['n1', 'n1', 'n2', 'n3'], owner: 'none' },
  // Too big to be worth its own move, and nobody's.
  { name: 'other', cpu: '50m', on: ['n1'], owner: 'none' },
]

/**
 * n1 has 3,250 of 4,000 millicores requested; below 44 % (45 less the margin) it has to lose three pods of 500. `changed` says what is
 * otherwise, by workload.
 */
export function smallCluster(changed: Readonly<Record<string, Partial<SmallWorkload>>> = {}): readonly KubeObject[] {
  return [
    ...['n1', 'n2', 'n3'].map(node),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', uid: 'namespace-shop' } },
    ...workloads.flatMap(one => smallWorkload({ ...one, ...changed[one.name] })),
  ]
}
