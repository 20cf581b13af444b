// What the pods of a Job have come to: which ended ones count, as what, and which are let go of. Pure.
import type { Pod } from '#kube/objects/objects.ts'
import type { Job } from '../kinds.ts'
import { indexOf, isIndexed, type JobCounts, parseIndexes, podVerdict } from './job-step.ts'
import { isFinished, isTerminating } from './pod-state.ts'

export const trackingFinalizer = 'batch.kubernetes.io/job-tracking'
export const indexFailuresAnnotation = 'batch.kubernetes.io/job-index-failure-count'

/** Failures in a row of one index, and when its last pod ended. */
interface IndexFailures {
  readonly count: number
  readonly lastMs: number
}

export interface JobTally {
  readonly counts: JobCounts
  /** Pods that are counted, or need not be: their finalizer is to go. */
  readonly released: readonly Pod[]
  /** Newly counted ones. */
  readonly newSucceeded: number
  readonly newFailed: number
  /** Message of the first FailJob rule that a pod met. */
  readonly failJob: string | undefined
  /** Indexes that failed and may be tried again. */
  readonly retries: ReadonlyMap<number, IndexFailures>
}

/** `end`: what the job said already of how it is going to end; from then on pods that still run are lost, or no matter any more. */
export function jobTally(job: Job, pods: readonly Pod[], end: 'success' | 'failure' | undefined): JobTally {
  let { succeeded = 0, failed = 0 } = job.status ?? {}
  let newSucceeded = 0
  let newFailed = 0
  let failJob: string | undefined
  const completedIndexes = new Set(parseIndexes(job.status?.completedIndexes))
  const { failedIndexes, retries } = indexFailures(job, pods, completedIndexes)
  const released: Pod[] = []
  for (const pod of pods) {
    if (!pod.metadata.finalizers?.includes(trackingFinalizer)) continue
    const index = indexOf(pod)
    const verdict = podVerdict(job, pod)
    if (verdict.kind === 'succeeded') {
      if (!isIndexed(job) || (index >= 0 && !completedIndexes.has(index))) succeeded++
      if (isIndexed(job) && index >= 0) completedIndexes.add(index)
      newSucceeded++
      released.push(pod)
    } else if (verdict.kind === 'failed') {
      failJob ??= verdict.failJob
      // The last failed pod of an index tells how often it failed, until there is a newer one.
      if (end === undefined && retries.get(index)?.pod === pod) continue
      if (end === 'success' && !isFinished(pod)) {
        released.push(pod)
        continue
      }
      if (verdict.counts) failed++
      newFailed++
      released.push(pod)
    } else if (end === 'failure') {
      failed++
      released.push(pod)
    } else if (end === 'success') released.push(pod)
  }
  return { counts: { succeeded, failed, completedIndexes, failedIndexes }, released, newSucceeded, newFailed, failJob, retries }
}

interface LastOfIndex extends IndexFailures {
  readonly pod: Pod
}

function indexFailures(job: Job, pods: readonly Pod[], completed: ReadonlySet<number>) {
  const failedIndexes = new Set(parseIndexes(job.status?.['failedIndexes'] as string | undefined))
  const retries = new Map<number, LastOfIndex>()
  const limit = job.spec.backoffLimitPerIndex
  if (limit === undefined) return { failedIndexes, retries }
  for (const [index, own] of Map.groupBy(pods, indexOf)) {
    if (index < 0 || completed.has(index)) continue
    const newest = own.toSorted((a, b) => failuresBefore(b) - failuresBefore(a) || byCreation(b, a))[0]
    if (newest === undefined) continue
    const verdict = podVerdict(job, newest)
    if (verdict.kind !== 'failed') continue
    const count = failuresBefore(newest) + (verdict.counts ? 1 : 0)
    if (verdict.failsIndex || count > limit) failedIndexes.add(index)
    else retries.set(index, { count, lastMs: endedMs(newest), pod: newest })
  }
  return { failedIndexes, retries }
}

/** How often the pod's index had failed when the pod was made. */
function failuresBefore(pod: Pod): number {
  const text = pod.metadata.annotations?.[indexFailuresAnnotation]
  return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : 0
}

function byCreation(a: Pod, b: Pod): number {
  return (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1
}

function endedMs(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map(({ state }) => Date.parse(String(state?.terminated?.finishedAt ?? '')))
  const known = ends.filter(end => !Number.isNaN(end))
  return known.length === 0
    ? Date.parse(pod.metadata.deletionTimestamp ?? pod.metadata.creationTimestamp ?? '') || 0
    : Math.max(...known)
}

/** Pods that were told to go and have not ended. */
export function terminatingPods(pods: readonly Pod[]): number {
  return pods.filter(pod => isTerminating(pod) && !isFinished(pod)).length
}
