// What stands out in a cluster that nobody described: nodes that are too full, idle or uneven, a control plane that carries what others
// have room for, memory that runs out. Each finding comes with the goal that would mend it. Pure: the same cluster, the same proposals.
import type { ClusterState, NodeState } from '#cluster/cluster-state.ts'
import { type Measurements, nodeShares } from '../goals/goals.ts'
import { isLeaving } from '../goals/leaving.ts'
import { isUsual, type UsualResource, usualResources } from '../goals/resources.ts'

/** A goal as a RebalancePolicy has it. */
export interface ProposedGoal {
  readonly name: string
  readonly nodes?: readonly string[]
  readonly nodeSelector?: { readonly matchExpressions: readonly { readonly key: string; readonly operator: 'Exists' }[] }
  readonly resource: UsualResource
  readonly stat?: 'usage'
  readonly max?: number
  readonly min?: number
  readonly spread?: { readonly max: number }
}

export interface Proposal {
  readonly finding: 'overfull' | 'memory-at-risk' | 'control-plane' | 'idle' | 'uneven' | 'full-cluster'
  /** What is wrong, with figures. */
  readonly sentence: string
  /** Absent where no move would help. */
  readonly goal?: ProposedGoal
}

const controlPlaneLabels = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master']
/** Percent of allocatable. Above the first a node is overfull, as the headroom of a policy has it; it is to end below the second. */
const overfull = { from: 85, below: 80 } as const
/** Measured memory above the first is at risk: the kubelet evicts from about 95 on. */
const memoryAtRisk = { from: 85, below: 80 } as const
/** A control plane that takes pods stands out where it is fuller than this, and by so many points fuller than the other nodes. */
const controlPlane = { from: 50, points: 15, below: 60 } as const
/** A node is idle below the first where the others are above the second on average. */
const idle = { below: 10, others: 50, above: 25 } as const
/** Nodes are uneven where the fullest is so many points above the emptiest and above the second; they are to come within the third. */
const uneven = { points: 30, fullest: 50, within: 20 } as const

/** What stands out in `state`, the gravest first. */
export function proposeGoals(state: ClusterState, measured?: Measurements): readonly Proposal[] {
  const nodes = [...state.nodes.values()].filter(node => node.isReady && !isLeaving(node))
  const open = nodes.filter(node => node.isSchedulable && !isReserved(node))
  const shares = sharesOf(state)
  const planes = controlPlaneLoad(open, shares)
  const isEased = (resource: UsualResource) => planes.some(({ goal }) => goal?.resource === resource)
  const proposals = [
    ...memoryRisks(nodes, measured),
    // A control plane that is to end below 60 % will not be overfull.
    ...usualResources.flatMap(resource => {
      const looked = isEased(resource) ? open.filter(node => !isControlPlane(node)) : open
      return overfullNodes(resource, { nodes: looked, shares })
    }),
    ...planes,
    ...usualResources.slice(0, 2).flatMap(resource => unevenNodes(resource, { nodes: open, shares })),
    ...idleNodes(open, shares),
  ]
  return proposals
}

type Shares = ReadonlyMap<string, Readonly<Record<UsualResource, number>>>

function sharesOf(state: ClusterState): Shares {
  const shares = new Map<string, Record<UsualResource, number>>()
  for (const { node, resource, percent } of nodeShares(state)) {
    if (!isUsual(resource)) continue
    const known = shares.get(node) ?? { cpu: 0, memory: 0, pods: 0 }
    known[resource] = percent
    shares.set(node, known)
  }
  return shares
}

const share = (shares: Shares, node: string, resource: UsualResource) => shares.get(node)?.[resource] ?? 0

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Kept for pods that tolerate its taint: a control plane, a GPU node. */
function isReserved({ object }: NodeState): boolean {
  return (object.spec?.taints ?? []).some(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute')
}

function isControlPlane({ object }: NodeState): boolean {
  return controlPlaneLabels.some(label => object.metadata.labels?.[label] !== undefined)
}

interface Looked {
  readonly nodes: readonly NodeState[]
  readonly shares: Shares
}

function overfullNodes(resource: UsualResource, { nodes, shares }: Looked): readonly Proposal[] {
  const full = nodes.filter(({ name }) => share(shares, name, resource) > overfull.from)
  if (full.length === 0) return []
  const figures = figuresOf(full, ({ name }) => share(shares, name, resource))
  const all = mean(nodes.map(({ name }) => share(shares, name, resource)))
  // By count of nodes of one size; what really fits the planner shows.
  if (all >= overfull.below) {
    const sentence = `${figures} of ${resource} requested, and all nodes together ${percent(all)}: no move helps, the cluster needs less or more nodes`
    return [{ finding: 'full-cluster', sentence }]
  }
  const goal = { name: `${resource}-not-full`, nodes: namesOf(full), resource, max: overfull.below }
  return [{ finding: 'overfull', sentence: `${figures} of ${resource} requested, ${percent(all)} on average`, goal }]
}

function memoryRisks(nodes: readonly NodeState[], measured: Measurements | undefined): readonly Proposal[] {
  const used = ({ name, allocatable }: NodeState) => {
    const bytes = measured?.nodes.get(name)?.['memory'] ?? 0
    const all = allocatable['memory'] ?? 0
    return all > 0 ? (bytes * 100) / all : 0
  }
  const risky = nodes.filter(node => used(node) > memoryAtRisk.from)
  if (risky.length === 0) return []
  const sentence = `${figuresOf(risky, used)} of memory in use: the kubelet evicts pods where it runs out`
  const goal = { name: 'memory-safe', nodes: namesOf(risky), resource: 'memory', stat: 'usage', max: memoryAtRisk.below } as const
  return [{ finding: 'memory-at-risk', sentence, goal }]
}

function controlPlaneLoad(nodes: readonly NodeState[], shares: Shares): readonly Proposal[] {
  const planes = nodes.filter(isControlPlane)
  const others = nodes.filter(node => !isControlPlane(node))
  if (planes.length === 0 || others.length === 0) return []
  return (['cpu', 'memory'] as const).flatMap((resource): readonly Proposal[] => {
    const average = mean(others.map(({ name }) => share(shares, name, resource)))
    const loaded = planes.filter(
      ({ name }) =>
        share(shares, name, resource) > controlPlane.from && share(shares, name, resource) > average + controlPlane.points,
    )
    if (loaded.length === 0) return []
    const figures = figuresOf(loaded, ({ name }) => share(shares, name, resource))
    const sentence = `control plane ${figures} of ${resource} requested, the other nodes ${percent(average)} on average`
    const key = controlPlaneLabels.find(label => loaded.every(({ object }) => object.metadata.labels?.[label] !== undefined))
    const where =
      key === undefined
        ? { nodes: namesOf(loaded) }
        : { nodeSelector: { matchExpressions: [{ key, operator: 'Exists' as const }] } }
    return [
      {
        finding: 'control-plane',
        sentence,
        goal: { name: `control-plane-${resource}`, ...where, resource, max: controlPlane.below },
      },
    ]
  })
}

function unevenNodes(resource: UsualResource, { nodes, shares }: Looked): readonly Proposal[] {
  const workers = nodes.filter(node => !isControlPlane(node))
  const compared = workers.length > 0 ? workers : nodes
  const sorted = compared.toSorted((a, b) => share(shares, b.name, resource) - share(shares, a.name, resource))
  const [first, last] = [sorted[0], sorted.at(-1)]
  if (first === undefined || last === undefined || first === last) return []
  const [fullest, emptiest] = [share(shares, first.name, resource), share(shares, last.name, resource)]
  if (fullest - emptiest <= uneven.points || fullest <= uneven.fullest) return []
  const sentence = `${resource} is uneven: ${first.name} ${percent(fullest)} requested, ${last.name} ${percent(emptiest)}`
  const goal = { name: `${resource}-even`, nodes: namesOf(compared), resource, spread: { max: uneven.within } }
  return [{ finding: 'uneven', sentence, ...(compared.length > mostNodes ? {} : { goal }) }]
}

function idleNodes(nodes: readonly NodeState[], shares: Shares): readonly Proposal[] {
  const load = ({ name }: NodeState) => Math.max(share(shares, name, 'cpu'), share(shares, name, 'memory'))
  const quiet = nodes.filter(node => load(node) < idle.below)
  const others = nodes.filter(node => load(node) >= idle.below)
  const average = mean(others.map(load))
  if (quiet.length === 0 || average < idle.others) return []
  const resource = mean(others.map(({ name }) => share(shares, name, 'cpu'))) >= average ? 'cpu' : 'memory'
  const sentence = `${figuresOf(quiet, load)} requested, the other nodes ${percent(average)} on average`
  return [{ finding: 'idle', sentence, goal: { name: 'idle-nodes', nodes: namesOf(quiet), resource, min: idle.above } }]
}

/** Nodes that a goal can name. */
const mostNodes = 256
const mostNamed = 4

function namesOf(nodes: readonly NodeState[]): readonly string[] {
  return nodes.slice(0, mostNodes).map(({ name }) => name)
}

/** `n1 93 %, n2 91 % and 2 more`, the fullest first. */
function figuresOf(nodes: readonly NodeState[], figure: (node: NodeState) => number): string {
  const sorted = nodes.toSorted((a, b) => figure(b) - figure(a))
  const shown = sorted.slice(0, mostNamed).map(node => `${node.name} ${percent(figure(node))}`)
  const rest = sorted.length - mostNamed
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

function percent(value: number): string {
  return `${Math.round(value)} %`
}
