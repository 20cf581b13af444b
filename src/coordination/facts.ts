// What the cluster says about an intent's targets: gathered once, then judged by the policy. Pure over the cluster's state.
import type { ClusterState, PodState, WorkloadReference } from '#cluster/cluster-state.ts'
import { effectiveOwner, kindKey } from '#cluster/ownership.ts'
import { parseDurationMs } from '#kube/duration.ts'
import type { KubeObject } from '#kube/objects.ts'
import { budgetAnswer } from './budget-facts.ts'
import { freezeOf } from './freeze.ts'
import { type Intent, type Target, targetKey } from './intent.ts'
import type { PermitRecord } from './permit-record.ts'
import type { Freeze, TargetFacts, TargetPresence } from './policy.ts'

interface FactsContext {
  readonly state: ClusterState
  readonly ledger: readonly PermitRecord[]
  readonly ownerLabel: string
  /** Ballast's own namespace: frozen, it freezes everything. */
  readonly ownNamespace: string
  readonly nowMs: number
}

/** Everything the rules ask of the cluster about `intent`, at one moment. */
export function factsFor(intent: Intent, context: FactsContext): TargetFacts {
  const { state, ledger, nowMs } = context
  const pods = intent.disrupts.flatMap(target => podOf(state, target) ?? [])
  const workload = intent.workload === undefined ? undefined : workloadObject(state, intent.workload)
  const asksBudgets = intent.verb === 'evict' || intent.verb === 'drain' || intent.requireBudget === true
  return {
    presence: intent.targets.map(target => ({ target, presence: presenceOf(state, target) })),
    replicas: replicasOf(workload),
    owner: ownerOf(pods, workload, context),
    freeze: freezeAround(intent, workload, context),
    protection: protectionOf(pods, nowMs),
    budgets: asksBudgets ? pods.map(pod => ({ pod: targetOf(pod), answer: budgetAnswer(state, pod, ledger) })) : [],
  }
}

/** A pod as a target, named with its UID. */
function targetOf(pod: PodState): Target {
  return { apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid }
}

/** UIDs of a workload's pods, newest first (by creation, then name). */
export function newestPodsOf(state: ClusterState, workload: WorkloadReference): readonly string[] {
  return podsOfWorkload(state, workload)
    .toSorted((a, b) => createdMs(b.object) - createdMs(a.object) || (a.key < b.key ? -1 : 1))
    .map(pod => pod.uid)
}

/** All pods whose topmost controller is `workload`, in order of their keys. */
function podsOfWorkload(
  state: ClusterState,
  workload: Pick<WorkloadReference, 'kind' | 'namespace' | 'name' | 'uid'>,
): readonly PodState[] {
  return Array.from(state.pods.values()).filter(
    ({ workload: owner }) =>
      owner !== undefined &&
      owner.uid === workload.uid &&
      owner.kind === workload.kind &&
      owner.namespace === workload.namespace &&
      owner.name === workload.name,
  )
}

/** Milliseconds since 1970; 0 where the object does not say. */
function createdMs(object: KubeObject): number {
  const { creationTimestamp } = object.metadata
  return creationTimestamp === undefined ? 0 : Date.parse(creationTimestamp)
}

function podOf(state: ClusterState, target: Target): PodState | undefined {
  const pod = target.kind === 'Pod' ? state.pods.get(targetKey(target)) : undefined
  return pod?.uid === target.uid ? pod : undefined
}

function workloadObject(state: ClusterState, workload: WorkloadReference): KubeObject | undefined {
  return state.object(kindKey(workload.apiVersion, workload.kind), workload.namespace, workload.name)
}

function presenceOf(state: ClusterState, target: Target): TargetPresence {
  const object =
    target.kind === 'Pod'
      ? state.pods.get(targetKey(target))?.object
      : target.kind === 'Node'
        ? state.nodes.get(target.name)?.object
        : state.object(kindKey(target.apiVersion, target.kind), target.namespace, target.name)
  if (object === undefined) return 'gone'
  if (target.uid !== undefined && object.metadata.uid !== target.uid) return 'replaced'
  return object.metadata.deletionTimestamp === undefined ? 'present' : 'terminating'
}

function replicasOf(workload: KubeObject | undefined): number | undefined {
  const spec: { readonly replicas?: unknown } =
    typeof workload?.['spec'] === 'object' && workload['spec'] !== null ? workload['spec'] : {}
  return typeof spec.replicas === 'number' ? spec.replicas : undefined
}

/** The owner of the pods that go; where none does, of the workload by its own label. */
function ownerOf(pods: readonly PodState[], workload: KubeObject | undefined, context: FactsContext): TargetFacts['owner'] {
  const [pod] = pods
  if (pod !== undefined) {
    const { owner, source } = effectiveOwner(context.state, pod, context.ownerLabel)
    return { value: owner, source }
  }
  const label = workload?.metadata.labels?.[context.ownerLabel]
  return label === 'keda' || label === 'descheduler' || label === 'none'
    ? { value: label, source: 'workload' }
    : { value: undefined, source: 'nowhere' }
}

function freezeAround(intent: Intent, workload: KubeObject | undefined, context: FactsContext): Freeze | undefined {
  const { state, nowMs, ownNamespace } = context
  const namespaces = new Set([ownNamespace, ...intent.targets.flatMap(target => target.namespace ?? [])])
  const nodes = new Set(
    intent.targets.flatMap(target => {
      if (target.kind === 'Node') return [target.name]
      return target.kind === 'Pod' ? (state.pods.get(targetKey(target))?.nodeName ?? []) : []
    }),
  )
  const around = [
    ...Array.from(namespaces, name => state.object('Namespace', undefined, name)),
    workload,
    ...Array.from(nodes, name => state.nodes.get(name)?.object),
  ]
  for (const object of around) {
    const freeze = freezeOf(object, nowMs)
    if (freeze !== undefined) return freeze
  }
  return undefined
}

const doNotDisrupt = 'karpenter.sh/do-not-disrupt'
const safeToEvict = 'cluster-autoscaler.kubernetes.io/safe-to-evict'

/** Karpenter's word may be a duration since the pod's start; what is neither that nor `true` protects nobody. */
function protectionOf(pods: readonly PodState[], nowMs: number): TargetFacts['protection'] {
  for (const pod of pods) {
    const { annotations = {} } = pod.object.metadata
    if (annotations[safeToEvict] === 'false') return { target: targetOf(pod), annotation: `${safeToEvict}: "false"` }
    const value = annotations[doNotDisrupt]
    if (value === undefined) continue
    const forMs = value === 'true' ? Number.POSITIVE_INFINITY : durationOr0(value)
    const startedMs = Date.parse(pod.object.status?.startTime ?? pod.object.metadata.creationTimestamp ?? '')
    if (startedMs + forMs > nowMs || forMs === Number.POSITIVE_INFINITY)
      return { target: targetOf(pod), annotation: `${doNotDisrupt}: ${value}` }
  }
  return undefined
}

function durationOr0(text: string): number {
  const parsed = parseDurationMs(text)
  return parsed.ok ? parsed.value : 0
}
