// Which drains under way give way to which pods: a pod that waits for a node and fits only on one that is being emptied is worth more than
// what emptying it saves. Pure over the cluster's state.
import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'
import { settledPlacement } from '../facts/fit-facts.ts'
import { opened, withOpened } from '../facts/opened-nodes.ts'
import { isOurs, patienceMs } from '../gates/pending-pods.ts'
import { couldRunOn, toleratesCordon } from '../gates/static-fit.ts'
import { classNumber } from '../intent.ts'
import { cordonedUnder } from '../observed/cordon.ts'
import type { UnschedulablePod } from '../observed/unschedulable-pods.ts'
import { isActive, type PermitRecord } from '../permits/permit-record.ts'
import type { ArbiterPolicy } from '../policy/arbiter-policy.ts'
import { takesNodes } from '../policy/locks/node-lock.ts'
import { holdsIn, modeOf } from '../policy/mode.ts'
import { firstFew } from '../policy/touched-nodes.ts'

export interface GivingWay {
  readonly permit: PermitRecord
  /** The pod that needs it. */
  readonly pod: PodState
  /** Where that fits. */
  readonly node: string
  /** Since when the scheduler finds no node for it, in milliseconds since 1970. */
  readonly sinceMs: number
}

interface Context {
  readonly state: ClusterState
  /** Permits that are out. */
  readonly permits: readonly PermitRecord[]
  /** Pods that the scheduler finds no node for. */
  readonly waiting: readonly UnschedulablePod[]
  readonly policy: Pick<ArbiterPolicy, 'modes' | 'gates'>
  readonly nowMs: number
}

/** Drains that may be cut short, and pods that have waited long enough and could have a place on one of their nodes: at least one of each. */
export interface Contest {
  readonly drains: readonly Drain[]
  readonly waiting: readonly { readonly pod: PodState; readonly sinceMs: number }[]
}

/** Whether there is anything to decide; costs what waits and what is drained, not what the cluster holds. */
export function contestOf(context: Context): Contest | undefined {
  const drains = yieldingDrains(context)
  const waiting = drains.length === 0 ? [] : podsThatWait(context, drains)
  return waiting.length === 0 ? undefined : { drains, waiting }
}

/**
 * The drains that are to end now, each with the pod that it ends for. Of several that would do, that of the least urgent class goes, then the
 * youngest. Pods are looked at by priority, then by how long they have waited; each takes the room that it finds. Costs a model of the whole
 * cluster.
 */
export function drainsThatGiveWay(
  { state, permits }: Pick<Context, 'state' | 'permits'>,
  { drains, waiting }: Contest,
): readonly GivingWay[] {
  const freed = new Set(drains.flatMap(({ nodes }) => nodes.map(({ name }) => name)))
  const placement = settledPlacement(withOpened(state, freed), permits)
  const closed = new Set(permits.filter(one => takesNodes(one) && isActive(one)).flatMap(firstFew))
  const found: GivingWay[] = []
  for (const { pod, sinceMs } of waiting) {
    const { feasible } = placement.evaluate(pod)
    const elsewhere = feasible.find(name => !closed.has(name))
    if (elsewhere !== undefined) {
      placement.bind(pod, elsewhere)
      continue
    }
    const drain = drains.find(one => one.nodes.some(({ name }) => feasible.includes(name)))
    const node = drain?.nodes.find(({ name }) => feasible.includes(name))?.name
    if (drain === undefined || node === undefined) continue
    // Open from here on, so that it does not end twice.
    for (const { name } of drain.nodes) closed.delete(name)
    placement.bind(pod, node)
    found.push({ permit: drain.permit, pod, node, sinceMs })
  }
  return found
}

interface Drain {
  readonly permit: PermitRecord
  /** Those that would take pods if the drain ended. */
  readonly nodes: readonly NodeState[]
}

/** Those that may be cut short, in the order in which they are. What is more urgent goes on, and so does what no gate would have held. */
function yieldingDrains({ state, permits, policy }: Context): readonly Drain[] {
  if (!policy.gates.has('pending-pods')) return []
  return permits
    .filter(permit => isActive(permit) && permit.verb === 'drain' && classNumber(permit.class) >= classNumber('cost'))
    .filter(({ requester }) => holdsIn(modeOf(requester, policy.modes), 'enforce'))
    .toSorted(
      (a, b) =>
        classNumber(b.class) - classNumber(a.class) ||
        (b.grant?.atMs ?? 0) - (a.grant?.atMs ?? 0) ||
        (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1),
    )
    .map(permit => ({ permit, nodes: nodesFreedBy(permit, { state, permits }) }))
    .filter(({ nodes }) => nodes.length > 0)
}

/** A cordon that was there before, and another permit, keep a node closed whatever becomes of this one. */
function nodesFreedBy(permit: PermitRecord, { state, permits }: Pick<Context, 'state' | 'permits'>): readonly NodeState[] {
  return firstFew(permit)
    .filter(
      name => !permits.some(other => other !== permit && isActive(other) && takesNodes(other) && firstFew(other).includes(name)),
    )
    .flatMap(name => state.nodes.get(name) ?? [])
    .filter(({ object, isSchedulable }) => isSchedulable || cordonedUnder(object, permit) !== undefined)
}

/** Those that have waited long enough, that a cordon keeps away, and for which there is room on a node of `drains`. */
function podsThatWait({ state, permits, waiting, nowMs }: Context, drains: readonly Drain[]): Contest['waiting'] {
  const nodes = drains.flatMap(drain => drain.nodes.map(opened))
  return waiting
    .filter(({ sinceMs }) => nowMs - sinceMs > patienceMs)
    .flatMap(({ key, uid, sinceMs }) => {
      const pod = state.pods.get(key)
      return pod === undefined || pod.uid !== uid || pod.nodeName !== undefined ? [] : [{ pod, sinceMs }]
    })
    .filter(({ pod }) => !toleratesCordon(pod) && !isOurs(pod, permits))
    .filter(({ pod }) => nodes.some(node => couldRunOn(state, pod, node) && hasRoom(state, pod, node)))
    .toSorted((a, b) => b.pod.priority - a.pod.priority || a.sinceMs - b.sinceMs || (a.pod.key < b.pod.key ? -1 : 1))
}

/** By requests alone, and by what stands there now: who is on its way out takes room still. */
function hasRoom(state: ClusterState, pod: PodState, { name, allocatable }: NodeState): boolean {
  const there = state.podsOn(name)
  const isFree = ([resource, amount]: readonly [string, number]) =>
    amount === 0 || there.reduce((sum, one) => sum + (one.requests[resource] ?? 0), amount) <= (allocatable[resource] ?? 0)
  return there.length < (allocatable['pods'] ?? Number.POSITIVE_INFINITY) && Object.entries(pod.requests).every(isFree)
}
