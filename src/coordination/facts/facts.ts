// What the cluster says about an intent's targets: gathered once, then judged by the policy. Pure over the cluster's state.
import type { ClusterState, PodState, WorkloadReference } from '#cluster/cluster-state.ts'
import { effectiveOwner, kindKey, mover, type OwnerLabel, workloadOwner } from '#cluster/ownership.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { durationOr0 } from '#kube/time/duration.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import { freezeOf } from '../freeze.ts'
import { redGatesFor } from '../gates/red-gates.ts'
import { type ClusterSignals, noSignals } from '../gates/signals.ts'
import { type Intent, type Target, targetKey } from '../intent.ts'
import { nothingObserved, type Observations } from '../observed/observation.ts'
import { underWay } from '../observed/under-way.ts'
import { wakingOf } from '../observed/waking.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import type { Freeze, TargetFacts, TargetPresence } from '../policy/question.ts'
import { firstFew } from '../policy/touched-nodes.ts'
import { budgetAnswer } from './budget-facts.ts'
import { clusterNeeds, isNeeded } from './cluster-view.ts'
import { fitProofOf } from './fit-facts.ts'

interface FactsContext {
  readonly state: ClusterState
  /** Permits that are out. */
  readonly ledger: readonly PermitRecord[]
  readonly ownerLabel: OwnerLabel
  /** Ballast's own namespace: frozen, it freezes everything. */
  readonly ownNamespace: string
  /** What others did; by default nothing. */
  readonly observed?: Observations
  /** What the gates ask beside the state; by default nothing is known. */
  readonly signals?: ClusterSignals
  /** Whether who brings no proof that its pods fit elsewhere is to have one made: that costs a model of the whole cluster. */
  readonly provesFit?: boolean
  /** Whether the state knows a kind: what is of another counts as present, its effect pins what is meant. Default: those of `clusterNeeds`. */
  readonly watches?: (of: Pick<Target, 'apiVersion' | 'kind'>) => boolean
  /** Whether the gates are asked: who looks ahead does not know how they will stand. Default: they are. */
  readonly asksGates?: boolean
  readonly nowMs: number
}

/** Everything the rules ask of the cluster about `intent`, at one moment. Costs what the intent speaks of, not what the cluster holds. */
export function factsFor(intent: Intent, context: FactsContext): TargetFacts {
  const { state, ledger, observed = nothingObserved, signals = noSignals, asksGates = true, nowMs } = context
  const pods = intent.disrupts.flatMap(target => podOf(state, target) ?? [])
  const workload = intent.workload === undefined ? undefined : workloadObject(state, intent.workload)
  const nodes = losingNodes(intent, pods)
  const isTaken = intent.verb === 'evict' || intent.verb === 'drain'
  const asksBudgets = isTaken || intent.requireBudget === true
  const lacksProof = context.provesFit === true && isTaken && intent.proof === undefined && pods.length > 0
  return {
    presence: intent.targets.map(target => ({ target, presence: presenceOf(target, context) })),
    replicas: replicasOf(workload),
    ...ownerFacts(intent, pods, context),
    ownerLabel: context.ownerLabel,
    freeze: freezeAround(intent, pods, context),
    protection: protectionOf(pods, nowMs),
    nodes,
    zones: zonesFor(intent, nodes, context),
    nodeCount: state.nodes.size,
    gates: asksGates ? redGatesFor(intent, { state, permits: ledger, observed, signals, nowMs }) : [],
    waking:
      intent.workload && wakingOf(workloadKey(intent.workload), { observed, pods: state.podsOf(intent.workload.uid), nowMs }),
    underWay:
      intent.workload &&
      underWay({
        observed: observed.ofWorkload(workloadKey(intent.workload)),
        workload,
        pods: state.podsOf(intent.workload.uid),
        node: name => state.nodes.get(name)?.object,
        nowMs,
      }),
    budgets: asksBudgets ? pods.map(pod => ({ pod: targetOf(pod), answer: budgetAnswer(state, pod, ledger) })) : [],
    ...(lacksProof ? { proof: fitProofOf(state, pods, { permits: ledger, emptied: firstFew(intent) }) } : {}),
  }
}

/** Where its pods stand, and the nodes it empties. */
function losingNodes(intent: Intent, pods: readonly PodState[]): readonly string[] {
  const emptied = intent.verb === 'drain' || intent.verb === 'terminate' ? firstFew(intent) : []
  return [...new Set([...pods.flatMap(pod => pod.nodeName ?? []), ...emptied])]
}

const zoneLabel = 'topology.kubernetes.io/zone'

/** Zones of the nodes in question and of those being drained; a drain is compared with drains that wait, so it needs all. */
function zonesFor(intent: Intent, nodes: readonly string[], { state, ledger }: FactsContext): Readonly<Record<string, string>> {
  const named =
    intent.verb === 'drain'
      ? state.nodes.keys()
      : [...nodes, ...firstFew(intent), ...ledger.filter(({ verb }) => verb === 'drain').flatMap(firstFew)]
  return Object.fromEntries(Array.from(named, name => [name, state.nodes.get(name)?.object.metadata.labels?.[zoneLabel] ?? '']))
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
function podsOfWorkload(state: ClusterState, workload: WorkloadReference): readonly PodState[] {
  // Owner references without a UID share the empty one.
  return state
    .podsOf(workload.uid)
    .filter(
      ({ workload: owner }) =>
        owner !== undefined &&
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

function presenceOf(target: Target, { state, watches = of => isNeeded(clusterNeeds, of) }: FactsContext): TargetPresence {
  if (!watches(target)) return 'present'
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

/** The owner that allows least among those of the pods that go; where none does, that of any pod of the workload, or that of the workload by its labels. */
function ownerFacts(
  intent: Intent,
  pods: readonly PodState[],
  context: FactsContext,
): Pick<TargetFacts, 'owner' | 'contradictions'> {
  const { workload } = intent
  const asked = pods.length > 0 || workload === undefined ? pods : podsOfWorkload(context.state, workload).slice(0, 1)
  const found =
    asked.length > 0 || workload === undefined
      ? asked.map(pod => ownerOfPod(pod, intent, context))
      : [ownerOfWorkload(workload, intent, context)]
  const [strictest] = found.toSorted((a, b) => strictness.indexOf(a.owner.value) - strictness.indexOf(b.owner.value))
  const contradictions = new Map(
    found.flatMap(({ owner, subject }) => {
      const { contradicting: said, key = context.ownerLabel.key } = owner
      return said === undefined ? [] : [[owner.workload, { subject, said, key, isScaled: owner.source === 'scaler' }] as const]
    }),
  )
  return {
    owner: strictest?.owner ?? { value: undefined, source: 'nowhere' },
    contradictions: [...contradictions.values()],
  }
}

/** Who allows least comes first. */
const strictness: readonly TargetFacts['owner']['value'][] = ['keda', 'none', undefined, mover]

interface FoundOwner {
  readonly owner: TargetFacts['owner']
  readonly subject: Target
}

function ownerOfPod(pod: PodState, intent: Intent, { state, ownerLabel }: FactsContext): FoundOwner {
  const { owner: value, ...rest } = effectiveOwner(state, pod, ownerLabel, scalersFor(intent))
  const { workload } = pod
  const name = workload === undefined ? `Pod ${pod.key}` : workloadKey(workload)
  return { owner: { value, ...rest, workload: name }, subject: workload ?? targetOf(pod) }
}

function ownerOfWorkload(workload: WorkloadReference, intent: Intent, { state, ownerLabel }: FactsContext): FoundOwner {
  const { owner: value, ...rest } = workloadOwner(state, workload, ownerLabel, scalersFor(intent))
  return { owner: { value, ...rest, workload: workloadKey(workload) }, subject: workload }
}

function scalersFor({ ignoreScalers }: Intent): 'count' | 'ignore' {
  return ignoreScalers === true ? 'ignore' : 'count'
}

/** The first freeze on anything that the intent has to do with. */
function freezeAround(intent: Intent, pods: readonly PodState[], context: FactsContext): Freeze | undefined {
  const { state, nowMs, ownNamespace } = context
  const workloads = new Map(
    [intent.workload, ...pods.map(pod => pod.workload)].flatMap(one => (one === undefined ? [] : [[workloadKey(one), one]])),
  )
  const namespaces = new Set([
    ownNamespace,
    ...[...intent.targets, ...intent.disrupts].flatMap(target => target.namespace ?? []),
    ...Array.from(workloads.values(), workload => workload.namespace),
  ])
  const nodes = new Set([...firstFew(intent), ...pods.flatMap(pod => pod.nodeName ?? [])])
  const around = [
    ...Array.from(namespaces, name => state.object('Namespace', undefined, name)),
    ...Array.from(workloads.values(), workload => workloadObject(state, workload)),
    ...Array.from(nodes, name => state.nodes.get(name)?.object),
  ]
  for (const object of around) {
    const freeze = freezeOf(object, nowMs)
    if (freeze !== undefined) return freeze
  }
  return undefined
}

const doNotDisrupt = 'karpenter.sh/do-not-disrupt'
/** Characters of a user's value that are repeated. */
const longestQuote = 64
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
      return { target: targetOf(pod), annotation: `${doNotDisrupt}: ${value.slice(0, longestQuote)}` }
  }
  return undefined
}
