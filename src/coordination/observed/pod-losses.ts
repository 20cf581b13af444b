// Pods that leave while they are wanted: what a pod's own change tells about it. Whether its owner wanted it to go is asked later
// (loss-cause.ts), when what the owner did has come by its own watch.
import type { Condition, Pod } from '#kube/objects/objects.ts'
import { kubeletWords } from './event-texts.ts'
import { justSeen, notAfter, timeMs } from './object-fields.ts'
import { somebody } from './writers.ts'

/** `deleted`: nothing in the pod says why; its controller may have done it as well as a person. */
export type LossCause = 'evicted' | 'preempted' | 'tainted' | 'node-gone' | 'kubelet' | 'deleted'

export interface PodLoss {
  readonly pod: Pod
  readonly cause: LossCause
  /** By our clock: what rules count from. */
  readonly atMs: number
  /** By the server's: what its other times are compared with. */
  readonly serverMs: number
  readonly by: string
  readonly evidence: string
}

interface PodChange {
  readonly previous: Pod | undefined
  readonly next: Pod
  /** The object is gone; `next` is as it last was. */
  readonly isGone: boolean
}

/**
 * The loss between two states of a pod: it begins to go, is gone at once, or the kubelet ends it.
 * None: a pod that had finished, or that had no node; a static pod; a second look at one that was leaving already.
 */
export function podLoss(change: PodChange, nowMs: number): PodLoss | undefined {
  return lossIn(change, { nowMs, ours: justSeen })
}

/** The present by our clock, and how what the server says becomes a time of it. */
interface Present {
  readonly nowMs: number
  readonly ours: (serverMs: number | undefined, nowMs: number) => number
}

function lossIn({ previous, next, isGone }: PodChange, present: Present): PodLoss | undefined {
  if (!isAtWork(previous ?? next) || isStatic(next)) return undefined
  if (previous !== undefined && isLeaving(previous)) return undefined
  const target = disruptionOf(next)
  if (next.status?.phase === 'Failed') return endedByKubelet(next, target, present)
  if (next.status?.phase === 'Succeeded' || !(isGone || isLeaving(next))) return undefined
  const times = timesOf(leavingSince(next) ?? timeMs(target?.lastTransitionTime), present)
  const { cause, by } = target === undefined ? { cause: 'deleted' as const, by: somebody } : causeOf(next, target)
  const name = `pod ${next.metadata.namespace ?? ''}/${next.metadata.name}`
  const evidence =
    target === undefined ? `${name} was deleted` : `${name} has DisruptionTarget ${target.reason ?? ''}: ${target.message ?? ''}`
  return { pod: next, cause, ...times, by, evidence }
}

function timesOf(serverMs: number | undefined, { nowMs, ours }: Present): Pick<PodLoss, 'atMs' | 'serverMs'> {
  return { atMs: ours(serverMs, nowMs), serverMs: serverMs ?? nowMs }
}

/** A pod that is leaving, or that its kubelet ended, when nobody saw it begin: what a take-over finds. */
export function standingLoss(pod: Pod, nowMs: number): PodLoss | undefined {
  if ((pod.spec.nodeName ?? '') === '' || isStatic(pod)) return undefined
  const present = { nowMs, ours: notAfter }
  if (pod.status?.phase === 'Failed') return endedByKubelet(pod, disruptionOf(pod), present)
  return lossIn({ previous: undefined, next: pod, isGone: false }, present)
}

/** The condition that says a pod is to be ended by somebody else than its owner. */
function disruptionOf(pod: Pod): Condition | undefined {
  return pod.status?.conditions?.find(({ type, status }) => type === 'DisruptionTarget' && status === 'True')
}

function isAtWork(pod: Pod): boolean {
  const phase = pod.status?.phase
  return (pod.spec.nodeName ?? '') !== '' && phase !== 'Succeeded' && phase !== 'Failed'
}

function isStatic(pod: Pod): boolean {
  return pod.metadata.ownerReferences?.some(owner => owner.controller === true && owner.kind === 'Node') === true
}

function isLeaving(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined && pod.metadata.deletionTimestamp !== null
}

/** The deletion time is when the pod's grace ends. */
function leavingSince({ metadata }: Pod): number | undefined {
  const endMs = timeMs(metadata.deletionTimestamp)
  return endMs === undefined ? undefined : endMs - (metadata.deletionGracePeriodSeconds ?? 0) * 1000
}

function causeOf(pod: Pod, { reason }: Condition): { readonly cause: LossCause; readonly by: string } {
  switch (reason) {
    case 'EvictionByEvictionAPI':
      return { cause: 'evicted', by: somebody }
    case 'PreemptionByScheduler':
      return { cause: 'preempted', by: 'kube-scheduler (preemption)' }
    case 'DeletionByTaintManager':
      return { cause: 'tainted', by: 'taint-eviction-controller' }
    case 'DeletionByPodGC':
      return { cause: 'node-gone', by: 'pod garbage collector' }
    case 'TerminationByKubelet':
      return { cause: 'kubelet', by: kubeletWords(wordsOf(pod)) }
    default:
      // Somebody's own reason: the condition is open to all.
      return { cause: 'deleted', by: somebody }
  }
}

/** Reasons of pods that a kubelet ended by itself; others failed of their own. */
const kubeletReasons: ReadonlySet<string> = new Set(['Evicted', 'NodeShutdown', 'Shutdown', 'Terminated', 'Preempting'])

function endedByKubelet(pod: Pod, target: Condition | undefined, present: Present): PodLoss | undefined {
  const reason = pod.status?.reason ?? ''
  if (!kubeletReasons.has(reason) && target?.reason !== 'TerminationByKubelet') return undefined
  const name = `pod ${pod.metadata.namespace ?? ''}/${pod.metadata.name}`
  return {
    pod,
    cause: 'kubelet',
    ...timesOf(timeMs(target?.lastTransitionTime) ?? finishedMs(pod), present),
    by: kubeletWords(wordsOf(pod)),
    evidence: `${name} Failed, ${reason === '' ? 'TerminationByKubelet' : reason}: ${pod.status?.message ?? target?.message ?? ''}`,
  }
}

function finishedMs(pod: Pod): number | undefined {
  const times = (pod.status?.containerStatuses ?? []).flatMap(({ state }) => timeMs(state?.terminated?.finishedAt) ?? [])
  return times.length === 0 ? undefined : Math.max(...times)
}

/** What the kubelet says of a pod that it ended, in its status and its condition. */
function wordsOf(pod: Pod): string {
  return `${pod.status?.message ?? ''} ${disruptionOf(pod)?.message ?? ''}`
}
