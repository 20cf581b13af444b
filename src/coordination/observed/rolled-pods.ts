// Pods that a StatefulSet's rollout let go, told from others that Events say were stopped. Its controller says of each that it deleted it, but
// recorders leave Events out: 25 of one object come at once, then one in five minutes, and a rollout of 13 pods has 26.
import type { PodLoss } from './pod-losses.ts'
import { reactionMs, toleranceMs } from './reaction-times.ts'

export interface RolloutSpan {
  readonly beganMs: number
  /** When it replaced its last pod, or the last one so far. */
  readonly untilMs: number
}

/**
 * `losses` without those that the rollouts of their StatefulSets explain, by UID: a rollout takes each ordinal once, so that the first pod of
 * a name that was stopped without a reason is its doing, and a second one's loss is not.
 */
export function notRolled(losses: readonly PodLoss[], rollouts: ReadonlyMap<string, RolloutSpan>): readonly PodLoss[] {
  const taken = new Set<string>()
  return losses
    .toSorted((a, b) => a.serverMs - b.serverMs)
    .filter(({ pod, cause, serverMs }) => {
      const span = rollouts.get(pod.metadata.ownerReferences?.[0]?.uid ?? '')
      if (cause !== 'deleted' || span === undefined) return true
      if (serverMs < span.beganMs - toleranceMs || serverMs > span.untilMs + reactionMs) return true
      const name = `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`
      const isFirst = !taken.has(name)
      taken.add(name)
      return !isFirst
    })
}
