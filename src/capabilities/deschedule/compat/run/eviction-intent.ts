// What a wish of a strategy is in the words of the arbiter.
import type { Intent, Target } from '#coordination/intent.ts'
import type { EvictionWish } from '../contract.ts'
import type { StrategyName } from '../policy/args.ts'

/** In whose name the arbiter is asked: its mode, windows and metrics are this capability's. */
export const requester = 'deschedule'

const classes: Readonly<Record<StrategyName, Intent['class']>> = {
  RemovePodsViolatingNodeTaints: 'correctness',
  RemovePodsViolatingNodeAffinity: 'availability',
  RemovePodsViolatingInterPodAntiAffinity: 'availability',
  RemovePodsViolatingTopologySpreadConstraint: 'availability',
  RemoveDuplicates: 'availability',
  RemovePodsHavingTooManyRestarts: 'availability',
  RemoveFailedPods: 'availability',
  PodLifeTime: 'availability',
  LowNodeUtilization: 'balance',
  HighNodeUtilization: 'cost',
}

/** How long one eviction may take with the reading back of its pod, and how long it is wanted; milliseconds. */
const timeToLiveMs = 120_000
const longestReason = 1_024

/** The pod of a wish as a target, named with its UID. */
export function targetOf({ pod }: EvictionWish): Target & { readonly namespace: string; readonly uid: string } {
  return { apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid }
}

/** `batch`: of the cycle. The same pod in the same cycle is the same wish. */
export function evictionIntent(wish: EvictionWish, { nowMs, batch }: { readonly nowMs: number; readonly batch: string }): Intent {
  const { pod, profile, strategy, reason } = wish
  const target = targetOf(wish)
  return {
    requester,
    verb: 'evict',
    purpose: 'move',
    class: classOf(strategy),
    targets: [target],
    workload: pod.workload,
    disrupts: [target],
    reasons: [{ code: strategy, message: `${profile}/${strategy}: ${reason}`.slice(0, longestReason) }],
    idempotencyKey: `${pod.uid} ${batch}`,
    batch,
    deadlineMs: nowMs + timeToLiveMs,
    timeToLiveMs,
  }
}

function classOf(strategy: string): Intent['class'] {
  const known: Readonly<Record<string, Intent['class']>> = classes
  return known[strategy] ?? 'balance'
}
