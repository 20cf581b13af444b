// Which pods a ReplicaSet gives up first when it shrinks: kube-controller-manager's order of active pods.
import type { Pod } from '#kube/objects/objects.ts'
import { isReady, readySinceMs, restartsOf } from './pod-state.ts'

const deletionCostAnnotation = 'controller.kubernetes.io/pod-deletion-cost'
const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 }

export interface RankedPod {
  readonly pod: Pod
  /** Active pods of related sets (same owner) on its node, itself included; 0 when it has no node. */
  readonly doubled: number
}

/**
 * The pods, first to be deleted first. Ages compare by floor(log2) of their nanoseconds at `nowMs`, so that among pods of
 * about one age the choice spreads (by uid) instead of always taking the youngest.
 */
export function deletionOrder(pods: readonly RankedPod[], nowMs: number): readonly Pod[] {
  return pods.toSorted((a, b) => compare(a, b, nowMs)).map(ranked => ranked.pod)
}

function compare(a: RankedPod, b: RankedPod, nowMs: number): number {
  const states =
    hasNode(a.pod) - hasNode(b.pod) ||
    phaseOf(a.pod) - phaseOf(b.pod) ||
    Number(isReady(a.pod)) - Number(isReady(b.pod)) ||
    deletionCost(a.pod) - deletionCost(b.pod) ||
    b.doubled - a.doubled
  if (states !== 0) return states
  const [readyA, readyB] = [readySinceMs(a.pod), readySinceMs(b.pod)]
  if (readyA !== undefined && readyB !== undefined && readyA !== readyB)
    return byLogarithm(a.pod, b.pod, ageRank(readyA, nowMs) - ageRank(readyB, nowMs))
  const restarts = restartsOf(b.pod) - restartsOf(a.pod)
  if (restarts !== 0) return restarts
  const [createdA, createdB] = [createdMs(a.pod), createdMs(b.pod)]
  if (createdA !== createdB) return byLogarithm(a.pod, b.pod, ageRank(createdA, nowMs) - ageRank(createdB, nowMs))
  return byUid(a.pod, b.pod)
}

function byLogarithm(a: Pod, b: Pod, difference: number): number {
  return difference === 0 ? byUid(a, b) : difference
}

function byUid(a: Pod, b: Pod): number {
  const [left, right] = [a.metadata.uid ?? '', b.metadata.uid ?? '']
  return left < right ? -1 : left > right ? 1 : 0
}

/** floor(log2(age in nanoseconds)); -1 for what is not in the past. */
function ageRank(sinceMs: number, nowMs: number): number {
  const ageMs = nowMs - sinceMs
  return ageMs <= 0 ? -1 : Math.floor(Math.log2(ageMs * 1e6))
}

function hasNode(pod: Pod): number {
  return pod.spec.nodeName ? 1 : 0
}

function phaseOf(pod: Pod): number {
  return phaseRank[pod.status?.phase ?? 'Pending'] ?? 0
}

function createdMs(pod: Pod): number {
  return Date.parse(pod.metadata.creationTimestamp ?? '') || 0
}

/** The annotation as an int32; anything else counts as 0, as the API server lets nothing else in. */
function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[deletionCostAnnotation]
  return text !== undefined && /^(0|-?[1-9][0-9]{0,9})$/.test(text) ? Number(text) : 0
}
