// What the cluster shows of the time before anybody watched, written into a book: standing losses, those that Events tell, and what
// ages and writers tell of each workload.
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { noteLoss } from './noted-loss.ts'
import { notAfter } from './object-fields.ts'
import type { Observation } from './observation.ts'
import type { ObservationBook } from './observation-book.ts'
import type { ObservedCluster } from './observed-cluster.ts'
import { lossesIn, type PastEvent } from './past-events.ts'
import { type PodLoss, standingLoss } from './pod-losses.ts'
import { toleranceMs } from './reaction-times.ts'
import { rebuiltOf } from './rebuilt.ts'
import { notRolled, type RolloutSpan } from './rolled-pods.ts'

interface Past {
  readonly cluster: ObservedCluster & {
    /** The pod of this UID, where it is there. */
    pod(uid: string): Pod | undefined
  }
  readonly events: readonly PastEvent[]
  readonly nowMs: number
}

/** How soon after a loss its replacement is made at the latest, in milliseconds: a grace period, and a controller that backs off. */
const replacedWithinMs = 120_000

/**
 * Writes the last day into `book`, what is known already left as it is. Yields now and then, for whoever must not work for long at once;
 * returns the ids of what only the age of a pod tells. `lose`: what to do with a pod that was lost, by default it is judged at once.
 */
export function* lookBack(
  book: ObservationBook,
  past: Past,
  lose: (loss: PodLoss) => void = loss => void noteLoss(book, loss, past.cluster),
): Generator<void, readonly string[]> {
  const { cluster, events, nowMs } = past
  const guesses: { readonly id: string; readonly observation: Observation }[] = []
  const rollouts = new Map<string, RolloutSpan>()
  for (const workload of workloadsOf(cluster)) {
    for (const { id, observation, isGuess, isOurs, beganMs } of rebuiltOf(workload, { cluster, events, nowMs })) {
      const { workload: key, replicas, atMs } = observation
      if (beganMs !== undefined && workload.kind === 'StatefulSet')
        rollouts.set(workload.metadata.uid ?? '', { beganMs, untilMs: atMs })
      if (key !== undefined && replicas !== undefined) book.scale(key, { ...replicas, atMs })
      if (isGuess) guesses.push({ id, observation })
      // What Events add to what is known of a scale event is how far it went.
      else if (!isOurs && (!book.has(id) || replicas !== undefined)) book.put(id, observation)
    }
    yield
  }
  for (const pod of cluster.pods()) {
    const loss = standingLoss(pod, nowMs)
    if (loss !== undefined) lose(loss)
  }
  for (const loss of notRolled(lossesIn(events, cluster), rollouts)) lose({ ...loss, atMs: notAfter(loss.atMs, nowMs) })
  const unexplained = guesses.filter(({ observation }) => !isExplained(observation, book))
  for (const { id, observation } of unexplained) book.put(id, observation)
  return unexplained.map(({ id }) => id)
}

/** Collected first: while somebody yields the caches may change. */
function workloadsOf(cluster: ObservedCluster): readonly KubeObject[] {
  return [...cluster.workloads()]
}

/** A young pod is the replacement of one whose loss is known. */
function isExplained({ workload = '', atMs }: Observation, book: ObservationBook): boolean {
  return book
    .ofWorkload(workload)
    .some(other => other.kind !== 'scaled' && other.atMs <= atMs + toleranceMs && other.atMs >= atMs - replacedWithinMs)
}
