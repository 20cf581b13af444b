// From candidates to the model: identical pods become classes, nodes get ceilings, pods get prices.

import type { ClusterState, PodState, WorkloadReference } from '#cluster/cluster-state.ts'
import type { Candidate } from '../candidates/candidate.ts'
import { churnOf } from '../candidates/churn.ts'
import { isSurge, pricePerMove } from '../candidates/move-action.ts'
import { mostWithin, requestedOn } from '../goals/bounds.ts'
import { fleetRows } from '../goals/fleet-goals.ts'
import { goalRows } from '../goals/goals.ts'
import { type PlanPolicy, workloadKey } from '../goals/policy.ts'
import { preferredNames } from '../goals/preferences.ts'
import { usageGoals } from '../goals/usage-rules.ts'
import { isolationRows } from '../isolation/rules.ts'
import type { PlanInput } from '../plan-input.ts'
import type { Amounts, MoveAction } from '../plan-record.ts'
import { destinationChoice } from './destination-choice.ts'
import { DestinationLists } from './destination-lists.ts'
import { domainRules } from './domain-rules.ts'
import type { ModelNode, MoveClass, MoveModel, WorkloadSpread } from './move-model.ts'
import { survivalRows } from './survival-rows.ts'

interface PlanClass {
  readonly action: MoveAction
  /** Alike for the plan; those that go first come first. */
  readonly candidates: readonly Candidate[]
}

export interface PlanModel {
  readonly model: MoveModel
  /** What each class of the model is made of, by the same index. */
  readonly classes: readonly PlanClass[]
  readonly nodeNames: readonly string[]
}

/** Labels that tell replicas apart and that no rule should. */
const individualLabels = new Set([
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
  'controller-revision-hash',
])

/** The model of `candidates`; `forbidden` pairs of pod key and node, as `namespace/name>node`, are left out of it. */
export function buildModel(input: PlanInput, candidates: readonly Candidate[], forbidden: ReadonlySet<string>): PlanModel {
  const { state, policy } = input
  const nodeNames = [...state.nodes.keys()]
  const nodeIndex = new Map(nodeNames.map((name, index) => [name, index]))
  const factors = new Map<string, number>()
  const churn = (workload: WorkloadReference) => {
    const factor = factors.get(workloadKey(workload)) ?? churnOf(input, workload).factor
    factors.set(workloadKey(workload), factor)
    return factor
  }
  const groups = new Map<string, Group>()
  const lists = new DestinationLists(nodeIndex, forbidden)
  for (const candidate of candidates) {
    const list = lists.of(candidate)
    if (list.indexes.every(index => nodeNames[index] === candidate.from)) continue
    const action = isSurge(state, policy, candidate) ? 'surge' : 'evict'
    const cost =
      policy.objective === 'moves'
        ? 1
        : Math.max(1, Math.round(pricePerMove(state, candidate, action) * churn(candidate.workload) * 1000))
    const key = groupKey(input, candidate, { action, cost, destinations: list.number })
    const group = groups.get(key) ?? { candidates: [], cost, action, list: list.indexes }
    group.candidates.push(candidate)
    groups.set(key, group)
  }
  const pick = destinationChoice(input, groups.size)
  const ordered = [...groups.values()].map(group => ({ ...group, candidates: group.candidates.toSorted(leavesFirst) }))
  const shapes = ordered.map(group => ({
    pods: group.candidates.map(candidate => candidate.pod),
    from: nodeIndex.get(group.candidates[0]?.from ?? '') ?? -1,
    destinations: pick(group.list, nodeIndex.get(group.candidates[0]?.from ?? '') ?? -1),
  }))
  const { rules, destinations } = domainRules(state, shapes)
  const names = new Map<string, number>()
  const classes = ordered.flatMap((group, index): MoveClass[] => {
    const [first] = group.candidates
    if (first === undefined) return []
    const base = `${workloadKey(first.workload)}@${first.from}`
    const number = (names.get(base) ?? 0) + 1
    names.set(base, number)
    return [
      {
        name: number === 1 ? base : `${base}#${number}`,
        workload: workloadKey(first.workload),
        namespace: first.pod.namespace,
        from: shapes[index]?.from ?? -1,
        size: group.candidates.length,
        requests: first.pod.requests,
        usage: meanUsage(input, group.candidates),
        cost: group.cost,
        destinations: destinations[index] ?? [],
        preferred: preferredNodes(policy, first.pod, nodeIndex),
      },
    ]
  })
  const nodes = modelNodes(state, policy)
  const model: MoveModel = {
    nodes,
    classes,
    goals: [
      ...goalRows(state, policy, input.measured),
      ...fleetRows(state, policy),
      ...survivalRows(input, shapes, nodes),
      ...isolationRows(state, policy, candidates),
    ],
    rules,
    replicated: replicatedWorkloads(state, classes, ordered, nodeIndex),
    limits: limitsOf(policy),
  }
  return { model, classes: ordered, nodeNames }
}

/** What is to be emptied is emptied at once: limits pace balance. */
function limitsOf({ limits, isolation }: PlanPolicy): MoveModel['limits'] {
  const { perPlan, perNode, perNamespace } = limits
  return isolation === undefined
    ? { perPlan, perNode, perNamespace }
    : { perPlan: Number.MAX_SAFE_INTEGER, perNode: undefined, perNamespace: undefined }
}

interface Group {
  readonly candidates: Candidate[]
  readonly cost: number
  readonly action: MoveAction
  /** Indexes of nodes it may go to; its own may be among them. */
  readonly list: readonly number[]
}

/** Everything that tells two pods apart for a plan. */
function groupKey(
  input: PlanInput,
  { pod, workload, from }: Candidate,
  rest: { readonly action: MoveAction; readonly cost: number; readonly destinations: number },
): string {
  const { affinity, topologySpreadConstraints, tolerations, nodeSelector } = pod.object.spec
  const labels = Object.entries(pod.object.metadata.labels ?? {}).filter(([key]) => !individualLabels.has(key))
  const constraints = [affinity, topologySpreadConstraints, tolerations, nodeSelector]
  return JSON.stringify([
    workloadKey(workload),
    from,
    pod.requests,
    labels.sort(),
    constraints,
    usageGoals(input.policy).length === 0 ? undefined : usageStep(input.measured?.pods.get(pod.key)),
    rest,
  ])
}

/** Pods that use nearly the same are one class, or each would be one of its own. */
const usageSteps: Readonly<Record<string, number>> = { cpu: 50, memory: 64 * 2 ** 20 }

function usageStep(usage: Amounts | undefined): Amounts | undefined {
  return (
    usage && Object.fromEntries(Object.entries(usage).map(([key, amount]) => [key, Math.round(amount / (usageSteps[key] ?? 1))]))
  )
}

/** What one pod of the class uses, as measured; nothing where that is not known of all. */
function meanUsage({ measured }: PlanInput, candidates: readonly Candidate[]): Amounts {
  const known = candidates.map(({ pod }) => measured?.pods.get(pod.key)).filter(usage => usage !== undefined)
  if (known.length < candidates.length) return {}
  const mean = (resource: string) => Math.round(known.reduce((sum, usage) => sum + (usage[resource] ?? 0), 0) / known.length)
  return { cpu: mean('cpu'), memory: mean('memory') }
}

/** Whether a pod leaves before an equal one: those leave first that their users value least, by lower deletion cost, not Ready, younger name. */
function leavesFirst(a: Candidate, b: Candidate): number {
  return Number(a.pod.isReady) - Number(b.pod.isReady) || (a.pod.key < b.pod.key ? -1 : 1)
}

function modelNodes(state: ClusterState, policy: PlanPolicy): readonly ModelNode[] {
  return [...state.nodes.values()].map(node => {
    const ceiling: Record<string, number> = { ...node.allocatable }
    for (const [resource, percent] of Object.entries(policy.headroom)) {
      ceiling[resource] = mostWithin(percent, node.allocatable[resource] ?? 0)
    }
    return {
      name: node.name,
      allocatable: { ...node.allocatable },
      used: requestedOn(state, node.name),
      ceiling: ceiling satisfies Amounts,
    }
  })
}

function preferredNodes(
  policy: PlanPolicy,
  pod: PodState,
  nodeIndex: ReadonlyMap<string, number>,
): ReadonlySet<number> | undefined {
  const names = preferredNames(policy, pod)
  return names && new Set(names.flatMap(name => nodeIndex.get(name) ?? []))
}

function replicatedWorkloads(
  state: ClusterState,
  classes: readonly MoveClass[],
  groups: readonly { readonly candidates: readonly Candidate[] }[],
  nodeIndex: ReadonlyMap<string, number>,
): readonly WorkloadSpread[] {
  const movable = new Set(groups.flatMap(group => group.candidates.map(candidate => candidate.pod.key)))
  const spreads = new Map<string, { readonly fixed: Map<number, number>; readonly classes: number[]; pods: number }>()
  classes.forEach((each, index) => {
    const spread = spreads.get(each.workload) ?? { fixed: new Map<number, number>(), classes: [], pods: 0 }
    spread.classes.push(index)
    spread.pods += each.size
    spreads.set(each.workload, spread)
  })
  for (const pod of state.pods.values()) {
    const spread = pod.workload === undefined ? undefined : spreads.get(workloadKey(pod.workload))
    const node = nodeIndex.get(pod.nodeName ?? '')
    if (spread === undefined || node === undefined || pod.isFinished || movable.has(pod.key)) continue
    spread.fixed.set(node, (spread.fixed.get(node) ?? 0) + 1)
    spread.pods++
  }
  return [...spreads]
    .filter(([, spread]) => spread.pods > 1)
    .map(([workload, { fixed, classes: members }]) => ({ workload, fixed, classes: members }))
}
