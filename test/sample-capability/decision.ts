// Which Deployments are due for new pods: pure, over the state of one moment. The worked example of docs/writing-a-capability.md.
import type { ClusterState, WorkloadReference } from '#cluster/cluster-state.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { parseTime } from '#kube/time/time.ts'

/** On a Deployment: the age at which its pods are replaced, as `24h`. */
export const refreshAnnotation = 'example.ballast.dev/refresh-after'

export interface Refresh {
  readonly workload: WorkloadReference
  readonly outcome: 'due' | 'young' | 'unreadable'
  /** Creation of its oldest pod, in milliseconds since 1970. */
  readonly oldestMs: number
  readonly reason: string
}

/** Every Deployment that asks for it, with what becomes of it and why. */
export function refreshes(state: ClusterState, nowMs: number): readonly Refresh[] {
  return state.objects('Deployment').flatMap(({ metadata }): Refresh[] => {
    const text = metadata.annotations?.[refreshAnnotation]
    if (text === undefined) return []
    const { name, namespace = '', uid = '' } = metadata
    const workload = { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name, uid }
    const after = parseDurationMs(text)
    const oldestMs = oldestOf(state, uid, nowMs)
    if (!after.ok) return [{ workload, oldestMs, outcome: 'unreadable', reason: `${text} is no duration` }]
    const isDue = nowMs - oldestMs >= after.value
    return [{ workload, oldestMs, outcome: isDue ? 'due' : 'young', reason: `pods are replaced after ${text}` }]
  })
}

function oldestOf(state: ClusterState, uid: string, nowMs: number): number {
  const created = state.podsOf(uid).flatMap(({ object, isTerminating }) => {
    const time = isTerminating ? undefined : parseTime(object.metadata.creationTimestamp ?? '')
    return time?.ok === true ? [time.value] : []
  })
  return Math.min(nowMs, ...created)
}
