// The orders in which strategies take pods. Upstream leaves ties to chance; here `namespace/name` decides.
import type { PodState } from '#cluster/cluster-state.ts'
import { type QualityOfService, qualityOfService } from './quality-of-service.ts'

export const preferNoEvictionAnnotation = 'descheduler.alpha.kubernetes.io/prefer-no-eviction'

const ranks: Readonly<Record<QualityOfService, number>> = { BestEffort: 0, Burstable: 1, Guaranteed: 2 }

/**
 * By priority, none first and lowest next; then BestEffort, Burstable, Guaranteed; then those without `prefer-no-eviction` first.
 */
export function byPriority(pods: readonly PodState[]): readonly PodState[] {
  return pods
    .map(pod => ({
      pod,
      priority: priorityOf(pod),
      rank: ranks[qualityOfService(pod.object)],
      prefersToStay: pod.object.metadata.annotations?.[preferNoEvictionAnnotation] === undefined ? 0 : 1,
    }))
    .sort(
      (a, b) => compare(a.priority, b.priority) || a.rank - b.rank || a.prefersToStay - b.prefersToStay || byKey(a.pod, b.pod),
    )
    .map(({ pod }) => pod)
}

/** The priority to sort by: a pod without one comes before every other. */
export function priorityOf(pod: PodState): number {
  return pod.object.spec.priority ?? Number.NEGATIVE_INFINITY
}

/** By node, then `namespace/name`. */
export function byNodeAndKey(a: PodState, b: PodState): number {
  return compare(a.nodeName ?? '', b.nodeName ?? '') || byKey(a, b)
}

/** By `namespace/name`. */
export function byKey(a: PodState, b: PodState): number {
  return compare(a.key, b.key)
}

/** Negative, zero, positive as `a` is less, equal, more; of numbers, texts and infinities. */
export function compare<Value extends number | bigint | string>(a: Value, b: Value): number {
  return a < b ? -1 : a > b ? 1 : 0
}
