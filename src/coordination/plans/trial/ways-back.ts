// What undoing a plan means: which pods its moves brought where, and which of them can be asked back to where they came from. Pure, from the
// plans that are kept and the cluster as it is.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { isLeaving } from '#planning/goals/leaving.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import type { WayBack } from '#planning/roll-back.ts'
import type { PlanMove, RebalancePlan } from '../../api.ts'
import { isOver, movesInOrder, standingMoves, stepOf } from '../plan-progress.ts'

/** After so long nobody expects a stopped plan to be undone any more: a controller that comes back then leaves its moves as they are. */
export const rollBackWithinMs = 3_600_000

/** Why a pod that was moved is not asked back. */
type LeftReason = 'PodGone' | 'RolledOut' | 'NodeGone' | 'NodeNotReady' | 'NodeCordoned' | 'NodeLeaving'

export interface LeftBehind {
  /** `namespace/name`. */
  readonly pod: string
  readonly workload: PlanMove['workload']
  readonly reason: LeftReason
  readonly message: string
}

interface WaysBack {
  /** The pods that were moved last come first. */
  readonly ways: readonly WayBack[]
  readonly left: readonly LeftBehind[]
}

/** Whether `plan` was stopped, its policy wanted it undone then, and nobody has seen to that yet. */
export function isToBeUndone(plan: RebalancePlan): boolean {
  if (!isOver(plan) || plan.spec.rollsBack !== undefined || plan.status?.trial?.stopped?.rollsBack !== true) return false
  return plan.status.conditions?.some(({ type }) => type === 'RolledBack') !== true
}

/** Whether it was stopped so long ago that it stays as it is. */
export function isTooLate(plan: RebalancePlan, nowMs: number): boolean {
  return !(Date.parse(plan.status?.trial?.stopped?.at ?? '') + rollBackWithinMs >= nowMs)
}

/** Whether a move of `plan`, or of one whose place it took, brought a pod to another node. */
export function hasMoved(plan: RebalancePlan, plans: readonly RebalancePlan[]): boolean {
  return movedPods(plan, plans).length > 0
}

/** The ways back of what `plan` moved, and of what was moved by the plans whose place it took. */
export function waysBackOf(plan: RebalancePlan, plans: readonly RebalancePlan[], state: ClusterState): WaysBack {
  const ways: WayBack[] = []
  const left: LeftBehind[] = []
  for (const moved of movedPods(plan, plans).toReversed()) {
    const pod = state.pods.get(moved.pod)
    const why = leftReason(moved, pod, state)
    if (why !== undefined) left.push({ pod: moved.pod, workload: moved.workload, ...why })
    else if (pod?.nodeName !== moved.from) ways.push({ pod: moved.pod, to: moved.from })
  }
  return { ways, left }
}

interface Moved {
  /** The pod that stands for the one that was moved: `namespace/name`. */
  readonly pod: string
  readonly uid: string
  readonly workload: PlanMove['workload']
  /** Where the first of them was. */
  readonly from: string
}

/** In the order in which they landed; one that was moved on is one pod. */
function movedPods(plan: RebalancePlan, plans: readonly RebalancePlan[]): readonly Moved[] {
  const moved = new Map<string, Moved>()
  for (const one of lineage(plan, plans)) {
    const standing = new Map(standingMoves(one).map(move => [move.id, move]))
    for (const { id } of movesInOrder(one)) {
      const [move, step] = [standing.get(id), stepOf(one, id)]
      if (move === undefined || step?.replacement === undefined || (step.state !== 'Landed' && step.state !== 'Mismatch'))
        continue
      const from = moved.get(move.pod.uid)?.from ?? move.from
      moved.delete(move.pod.uid)
      if (step.landedOn === from) continue
      const { name, uid } = step.replacement
      moved.set(uid, { pod: `${move.pod.namespace}/${name}`, uid, workload: move.workload, from })
    }
  }
  return [...moved.values()]
}

/** `plan` and those whose place it took, the first of them first. */
function lineage(plan: RebalancePlan, plans: readonly RebalancePlan[]): readonly RebalancePlan[] {
  const byName = new Map(plans.map(one => [one.metadata.name, one]))
  const line: RebalancePlan[] = []
  for (
    let one: RebalancePlan | undefined = plan;
    one !== undefined && !line.includes(one);
    one = byName.get(one.spec.replaces ?? '')
  )
    line.unshift(one)
  return line
}

function leftReason(
  { uid, from, workload, pod: key }: Moved,
  pod: PodState | undefined,
  state: ClusterState,
): Pick<LeftBehind, 'reason' | 'message'> | undefined {
  const siblings = [...state.pods.values()].filter(
    one => one.workload !== undefined && !one.isFinished && workloadKey(one.workload) === workloadKey(workload),
  )
  if (pod === undefined || pod.uid !== uid || pod.isTerminating || pod.isFinished) {
    const [set] = /^.*(?=-[^-]+$)/.exec(key.slice(key.indexOf('/') + 1)) ?? ['']
    const isOther =
      workload.kind === 'Deployment' && siblings.length > 0 && siblings.every(({ name }) => !name.startsWith(`${set}-`))
    return isOther
      ? { reason: 'RolledOut', message: 'its workload was rolled out since, and the new pods were never moved' }
      : { reason: 'PodGone', message: 'it is gone' }
  }
  const newer = siblings.find(one => revisionOf(one) !== revisionOf(pod) && createdMs(one) > createdMs(pod))
  if (newer !== undefined) return { reason: 'RolledOut', message: `its workload is being rolled out: ${newer.name} is newer` }
  if (pod.nodeName === from) return undefined
  const node = state.nodes.get(from)
  if (node === undefined) return { reason: 'NodeGone', message: `node ${from} is gone` }
  if (!node.isReady) return { reason: 'NodeNotReady', message: `node ${from} is not ready` }
  // A cordon has a taint too, which counts as leaving.
  if (!node.isSchedulable) return { reason: 'NodeCordoned', message: `node ${from} is cordoned` }
  return isLeaving(node) ? { reason: 'NodeLeaving', message: `node ${from} is being taken away by somebody` } : undefined
}

/** The revision of a Deployment, a StatefulSet or a DaemonSet; pods of others are all of one. */
function revisionOf({ object }: PodState): string {
  const labels = object.metadata.labels ?? {}
  return labels['pod-template-hash'] ?? labels['controller-revision-hash'] ?? ''
}

function createdMs({ object }: PodState): number {
  return Date.parse(object.metadata.creationTimestamp ?? '')
}
