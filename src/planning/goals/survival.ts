// What happens when nodes are lost: who is made again, and whether the scheduler finds a place for each. Played on a copy of the cluster, because
// free sums prove nothing: the room may be in pieces.

import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { Loss, RoomLack } from '../plan-record.ts'
import { mostWithin } from './bounds.ts'
import { isLeaving } from './leaving.ts'
import type { FleetGoal, GoalMember, PlanPolicy } from './policy.ts'

/** Pods to be placed times nodes to look at, over all losses of a goal: above it nothing is played, and the goal counts as unknown. */
const mostLooks = 2_000_000

/** Whether a pod is made again elsewhere when its node is gone: something other than the node itself makes it. */
export function comesBack({ object, isTerminating }: PodState): boolean {
  const maker = object.metadata.ownerReferences?.find(owner => owner.controller === true)
  return !isTerminating && maker !== undefined && maker.kind !== 'DaemonSet' && maker.kind !== 'Node'
}

/** Whether a node takes what a lost one leaves. */
export function takesOver(node: NodeState): boolean {
  return node.isReady && node.isSchedulable && !isLeaving(node)
}

/**
 * The worst loss of one member of the goal; `undefined` where there is too much to play. The nodes that are lost stay listed, as after a power
 * cut. Their pods come in the order of their priority; each has to find a node as kube-scheduler chooses it, and where that goes beyond the
 * headroom a second play keeps within it.
 */
export function worstLoss(
  state: ClusterState,
  goal: FleetGoal,
  policy: Pick<PlanPolicy, 'headroom'>,
  settings: SchedulerSettings,
): Loss | undefined {
  const members = goal.sets.flatMap(set => set.members)
  const leaving = members.map(member => displacedBy(state, member))
  const looks = leaving.reduce((sum, pods) => sum + pods.length, 0) * state.nodes.size
  if (looks > mostLooks) return undefined
  const whole = new Placement(state, settings)
  let worst: Loss = { lost: members[0]?.name ?? '', pending: [], because: '' }
  members.forEach((member, at) => {
    const loss = new LossPlay(state, policy, whole).play(member, leaving[at] ?? [])
    if (loss.pending.length > worst.pending.length) worst = loss
  })
  return worst
}

/** Losses as things stand, where nothing is to change any more; each is played once. */
export function lossesNow(
  state: ClusterState,
  policy: Pick<PlanPolicy, 'headroom'>,
  settings: SchedulerSettings,
): Readonly<Record<'before' | 'after', (goal: FleetGoal) => Loss | undefined>> {
  const known = new Map<FleetGoal, Loss | undefined>()
  const loss = (goal: FleetGoal) => {
    if (!known.has(goal)) known.set(goal, worstLoss(state, goal, policy, settings))
    return known.get(goal)
  }
  return { before: loss, after: loss }
}

function displacedBy(state: ClusterState, { nodes }: GoalMember): readonly PodState[] {
  const pods = nodes.flatMap(name => state.podsOn(name)).filter(comesBack)
  return pods.toSorted((a, b) => b.priority - a.priority || (a.key < b.key ? -1 : 1))
}

class LossPlay {
  readonly #state: ClusterState
  readonly #policy: Pick<PlanPolicy, 'headroom'>
  readonly #whole: Placement

  constructor(state: ClusterState, policy: Pick<PlanPolicy, 'headroom'>, whole: Placement) {
    this.#state = state
    this.#policy = policy
    this.#whole = whole
  }

  play(member: GoalMember, pods: readonly PodState[]): Loss {
    const free = this.#placed(member, pods, false)
    if (free.pending.length > 0 || !free.isBeyond) return free
    return this.#placed(member, pods, true)
  }

  /** Where `withinHeadroom` only nodes are looked at that the pod does not fill beyond it. */
  #placed(member: GoalMember, pods: readonly PodState[], withinHeadroom: boolean): Loss & { readonly isBeyond: boolean } {
    const placement = this.#whole.fork()
    const lost = new Set(member.nodes)
    for (const name of lost)
      for (const pod of this.#state.podsOn(name)) if (placement.nodeOf(pod.key) !== undefined) placement.remove(pod.key)
    const left = [...this.#state.nodes.values()].filter(node => !lost.has(node.name) && takesOver(node))
    const pending: string[] = []
    let because = ''
    let lack: RoomLack | undefined
    let isBeyond = false
    for (const pod of pods) {
      const next = placement.asPending(pod)
      const open = withinHeadroom ? left.filter(node => this.#keepsHeadroom(placement, node, pod)) : left
      const names = open.map(({ name }) => name)
      const [to] = placement.evaluate(next, { among: names }).landing
      if (to === undefined) {
        if (pending.length === 0) {
          because = refusalOf(placement, next, names, left.length)
          lack = this.#lackOf(placement, next, left, withinHeadroom)
        }
        pending.push(pod.key)
        continue
      }
      const node = this.#state.nodes.get(to)
      isBeyond ||= node !== undefined && !this.#keepsHeadroom(placement, node, pod)
      placement.bind(next, to)
    }
    return { lost: member.name, pending, because, ...(lack === undefined ? {} : { lack }), isBeyond }
  }

  /** The node that comes nearest to having room for `pod`, of those where nothing but room speaks against it. */
  #lackOf(placement: Placement, pod: PodState, left: readonly NodeState[], withinHeadroom: boolean): RoomLack | undefined {
    const fits = placement.fitting(pod)
    const rooms = left.flatMap(node => {
      const verdict = fits(node.name)
      return verdict.kind !== 'refused' || verdict.filter === 'NodeResourcesFit'
        ? [{ node: node.name, room: this.#roomOn(placement, node, withinHeadroom) }]
        : []
    })
    const lacks = rooms.flatMap(({ node, room }) => {
      const short = Object.entries({ ...pod.requests, pods: 1 })
        .map(([resource, needed]) => ({ node, resource, needed, room: Math.max(0, room(resource)) }))
        .filter(({ needed, room: there }) => needed > there)
        .toSorted((a, b) => a.room / a.needed - b.room / b.needed)
      return short.slice(0, 1)
    })
    const [nearest] = lacks.toSorted((a, b) => b.room / b.needed - a.room / a.needed || (a.node < b.node ? -1 : 1))
    if (nearest === undefined) return undefined
    const together = rooms.reduce((sum, { room }) => sum + Math.max(0, room(nearest.resource)), 0)
    return { ...nearest, together }
  }

  /** What may still be filled on a node, by resource. */
  #roomOn(placement: Placement, { name, allocatable }: NodeState, withinHeadroom: boolean): (resource: string) => number {
    const free = placement.freeOf(name)
    const headroom = new Map(Object.entries(this.#policy.headroom))
    return resource => {
      const [total, left, percent] = [allocatable[resource] ?? 0, free[resource] ?? 0, headroom.get(resource)]
      return withinHeadroom && percent !== undefined ? Math.min(left, mostWithin(percent, total) - (total - left)) : left
    }
  }

  #keepsHeadroom(placement: Placement, { name, allocatable }: NodeState, { requests }: PodState): boolean {
    const free = placement.freeOf(name)
    return Object.entries(this.#policy.headroom).every(([resource, percent]) => {
      const total = allocatable[resource] ?? 0
      const amount = resource === 'pods' ? 1 : (requests[resource] ?? 0)
      return amount === 0 || total - (free[resource] ?? 0) + amount <= mostWithin(percent, total)
    })
  }
}

/** The commonest reason on the nodes that are left. */
function refusalOf(placement: Placement, pod: PodState, open: readonly string[], left: number): string {
  if (open.length === 0) return left === 0 ? 'no node is left that takes pods' : 'no node has room for it under the headroom'
  const fits = placement.fitting(pod)
  const reasons = open.flatMap(name => {
    const verdict = fits(name)
    return verdict.kind === 'refused' ? [verdict.reasons[0] ?? verdict.filter] : []
  })
  const counted = [...Map.groupBy(reasons, reason => reason)].toSorted(([, a], [, b]) => b.length - a.length)
  return counted.map(([reason, times]) => `${times.length} ${reason}`).join(', ')
}
