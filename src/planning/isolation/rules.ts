// Nodes kept for the core: which of their pods stay, that all others leave at once, in which order, and with what taint in mind.

import type { ClusterState, NodeState } from '#cluster/cluster-state.ts'
import { mover } from '#cluster/ownership.ts'
import type { Taint } from '#kube/objects/objects.ts'
import { policyOwner } from '../candidates/owner.ts'
import type { Rule } from '../candidates/rule.ts'
import type { IsolationRules, PlanPolicy } from '../goals/policy.ts'
import type { GoalRow, MoveClass, MoveModel } from '../model/move-model.ts'
import type { Blocker, IsolationOutcome, Move } from '../plan-record.ts'
import type { Intent } from '../sequence/move-intent.ts'

export function isIsolated(policy: PlanPolicy, node: string): boolean {
  return policy.isolation?.nodes.includes(node) === true
}

/** Why a pod of an isolated node stays there, in order of precedence. */
export function isolationRules(state: ClusterState, policy: PlanPolicy, isolation: IsolationRules): readonly Rule[] {
  const core = new Set(isolation.coreNamespaces)
  const excepted = new Set(isolation.exceptions)
  return [
    pod => (core.has(pod.namespace) ? { code: 'Core', data: { namespace: pod.namespace } } : undefined),
    pod => {
      const { workload } = pod
      const names = [
        pod.key,
        ...(workload === undefined
          ? []
          : [`${workload.namespace}/${workload.name}`, `${workload.namespace}/${workload.kind}/${workload.name}`]),
      ]
      const exception = names.find(name => excepted.has(name))
      return exception === undefined ? undefined : { code: 'Excepted', data: { exception } }
    },
    pod => {
      const { owner, facts } = policyOwner(state, policy, pod)
      if (owner === 'keda') return isolation.keda === 'evict' ? undefined : { code: 'KedaNotAtZero', data: facts }
      if (owner === mover || isolation.includeUnmanaged) return undefined
      return { code: owner === 'none' ? 'OwnerNone' : 'Unlabelled', data: facts }
    },
  ]
}

/** The row that makes all `leaving` pods of each isolated node leave: as many pods as stay is the most it may end with. */
export function isolationRows(
  state: ClusterState,
  policy: PlanPolicy,
  leaving: readonly { readonly from: string }[],
): readonly GoalRow[] {
  const indexes = new Map([...state.nodes.keys()].map((name, index) => [name, index]))
  return (policy.isolation?.nodes ?? []).flatMap(name => {
    const node = indexes.get(name)
    const used = state.podsOn(name).length
    const count = leaving.filter(({ from }) => from === name).length
    if (node === undefined || count === 0) return []
    return [
      {
        goal: `isolate ${name}`,
        node,
        resource: 'pods',
        stat: 'requests',
        bound: 'max',
        limit: used - count,
        used,
        allocatable: state.nodes.get(name)?.allocatable['pods'] ?? 0,
        hard: true,
      },
    ]
  })
}

/** What `moves` leave behind of the pods that are to leave; `undefined` for a plan that is none of isolation. */
export function isolationOutcome(
  policy: PlanPolicy,
  leaving: readonly { readonly pod: { readonly key: string; readonly uid: string } }[],
  moves: readonly Pick<Move, 'pod'>[],
): IsolationOutcome | undefined {
  if (policy.isolation === undefined) return undefined
  const moved = new Set(moves.map(({ pod }) => `${pod.namespace}/${pod.name}`))
  const left = leaving.filter(({ pod }) => !moved.has(pod.key)).map(({ pod }) => pod.key)
  return { nodes: policy.isolation.nodes, toMove: leaving.length, left: left.sort() }
}

/** The order of the waves: replicated with a budget, single or without one, StatefulSets, labelled `none`, KEDA's. */
const waveRanks = ['replicated', 'single', 'stateful', 'none', 'keda'] as const
type WaveRank = (typeof waveRanks)[number]

/** `intents` in the order in which they take turns: those of a group wait until none of the group before can go. */
export function waveGroups(
  state: ClusterState,
  policy: PlanPolicy,
  intents: readonly Intent[],
  hasBudget: (intent: Intent) => boolean,
): readonly { readonly intents: readonly Intent[]; readonly isOneByOne: boolean }[] {
  if (policy.isolation === undefined) return [{ intents, isOneByOne: false }]
  const groups = Map.groupBy(intents, intent => waveRank(state, policy, intent, hasBudget(intent)))
  return waveRanks.flatMap(rank => {
    const group = groups.get(rank)
    return group === undefined ? [] : [{ intents: group, isOneByOne: rank === 'stateful' }]
  })
}

function waveRank(
  state: ClusterState,
  policy: PlanPolicy,
  { candidate: { pod, workload }, action }: Intent,
  hasBudget: boolean,
): WaveRank {
  const { owner } = policyOwner(state, policy, pod)
  if (owner === 'keda' || owner === 'none') return owner
  if (workload.kind === 'StatefulSet') return 'stateful'
  return action === 'evict' && hasBudget ? 'replicated' : 'single'
}

type ShortRoom = Extract<Blocker, { readonly kind: 'room' }>

/** What must leave against the room that is left, resource by resource: of what there is too little, for all or for one pod. */
export function shortRooms(model: MoveModel, isolation: Pick<IsolationRules, 'nodes'>): readonly ShortRoom[] {
  const leaving = model.classes.filter(each => isolation.nodes.includes(model.nodes[each.from]?.name ?? ''))
  const receiving = [...new Set(leaving.flatMap(each => each.destinations))].sort((a, b) => a - b)
  const resources = [...new Set(['pods', ...leaving.flatMap(each => Object.keys(each.requests))])].sort()
  return resources.flatMap((resource): ShortRoom[] => {
    const amountOf = (each: MoveClass) => (resource === 'pods' ? 1 : (each.requests[resource] ?? 0))
    const roomOf = (index: number) => {
      const node = model.nodes[index]
      return node === undefined ? 0 : Math.max(0, (node.ceiling[resource] ?? 0) - (node.used[resource] ?? 0))
    }
    const roomsOf = (indexes: readonly number[]) =>
      indexes.map(index => ({ node: model.nodes[index]?.name ?? '', room: roomOf(index) }))
    const needed = leaving.reduce((sum, each) => sum + each.size * amountOf(each), 0)
    const rooms = roomsOf(receiving)
    if (needed > rooms.reduce((sum, { room }) => sum + room, 0)) return [{ kind: 'room', resource, needed, rooms }]
    const tooBig = leaving.find(each => each.destinations.every(index => roomOf(index) < amountOf(each)))
    if (tooBig === undefined) return []
    return [{ kind: 'room', resource, needed: amountOf(tooBig), rooms: roomsOf(tooBig.destinations), of: tooBig.name }]
  })
}

/** `state` as it will be once the isolated nodes carry their taint: what a plan made before that has to reckon with. */
export function withTaint(state: ClusterState, isolation: Pick<IsolationRules, 'nodes' | 'taint'>): ClusterState {
  const taint: Taint = { key: isolation.taint, effect: 'NoSchedule' }
  const nodes = new Map(
    [...state.nodes].map(([name, node]) => [name, isolation.nodes.includes(name) ? tainted(node, taint) : node] as const),
  )
  return {
    nodes,
    pods: state.pods,
    podsOn: node => state.podsOn(node),
    podsOf: workloadUid => state.podsOf(workloadUid),
    objects: kind => (kind === 'Node' ? [...nodes.values()].map(({ object }) => object) : state.objects(kind)),
    objectsIn: (kind, namespace) => state.objectsIn(kind, namespace),
    object: (kind, namespace, name) => (kind === 'Node' ? nodes.get(name)?.object : state.object(kind, namespace, name)),
  }
}

function tainted(node: NodeState, taint: Taint): NodeState {
  const taints = node.object.spec?.taints ?? []
  if (taints.some(one => one.key === taint.key && one.effect === taint.effect)) return node
  return { ...node, object: { ...node.object, spec: { ...node.object.spec, taints: [...taints, taint] } } }
}
