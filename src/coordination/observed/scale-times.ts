// When a workload was scaled that only an undated entry of its managed fields tells of: API servers give those of `scale` no time.
// Pure over the workload, its pods and Events. What may as well have been something else dates nothing.
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { deletedPodIn } from './event-texts.ts'
import { nameOf, replicasOf, timeMs } from './object-fields.ts'
import { type PastEvent, scalesIn } from './past-events.ts'
import { reactionMs, toleranceMs } from './reaction-times.ts'
import { rolledOutMs } from './rollout-times.ts'
import type { Frame } from './workload-frame.ts'
import { lastWriterOf } from './writers.ts'

type Scaled = Frame & {
  /** When its last rollout began, where one is known. */
  readonly rolledMs: number | undefined
  readonly isOfScaler: boolean
}

interface ScaleDate {
  readonly atMs: number
  /** For the evidence: what dates it. */
  readonly source: string
}

/**
 * When `workload` was scaled last, after its last rollout, in milliseconds since 1970. The most exact comes first: what controllers said, when
 * the Deployment's controller sized its ReplicaSet, when pods came that no replacement explains. `undefined` where none of them tells.
 */
export function scaleDate(workload: KubeObject, frame: Scaled, events: readonly PastEvent[]): ScaleDate | undefined {
  const doneMs = rolledOutMs(workload, frame)
  if (doneMs === undefined) return undefined
  const signedMs = workload.kind === 'Deployment' ? lastWriterOf(frame.current, 'replicas')?.atMs : undefined
  const dates: readonly (readonly [number | undefined, string])[] = [
    [saidMs(workload, frame, events), 'by its Events'],
    [signedMs, `when ${nameOf(frame.current)} was written`],
    [wokenMs(frame), 'when all its pods came'],
    [grownMs(workload, frame), 'when its last pods came'],
  ]
  for (const [atMs, source] of dates) if (atMs !== undefined && atMs > doneMs + toleranceMs) return { atMs, source }
  return undefined
}

/** When a controller last said that it came to the size that is wished now. */
function saidMs(workload: KubeObject, { current }: Frame, events: readonly PastEvent[]): number | undefined {
  const uid = workload.metadata.uid ?? ''
  if (workload.kind === 'Deployment') {
    const last = scalesIn(events, uid).findLast(({ set }) => set === current.metadata.name)
    return last?.to === replicasOf(workload) ? last.atMs : undefined
  }
  const times = events.filter(event => event.uid === uid && isShrinking(workload, event)).map(({ atMs }) => atMs)
  return times.length === 0 ? undefined : Math.min(...times.filter(ms => ms >= Math.max(...times) - reactionMs))
}

/** A ReplicaSet deletes a pod only to shrink; a StatefulSet also to renew it, but for ordinals that it is to have no more. */
function isShrinking(workload: KubeObject, { reason, note }: PastEvent): boolean {
  if (reason !== 'SuccessfulDelete') return false
  if (workload.kind !== 'StatefulSet') return true
  const name = deletedPodIn(note)
  return name !== undefined && ordinalOf(name) >= replicasOf(workload)
}

/** All pods came in one go, long after their controller: there were none. One pod alone may have replaced another, but where a scaler wakes. */
function wokenMs({ current, pods, isOfScaler }: Scaled): number | undefined {
  const createdMs = timeMs(current.metadata.creationTimestamp)
  const firstMs = groupMs(pods)
  if (createdMs === undefined || firstMs === undefined || firstMs <= createdMs + toleranceMs) return undefined
  return pods.length > 1 || isOfScaler ? firstMs : undefined
}

/** The highest ordinals of a StatefulSet came in one go after all the others: two or more, for one may have replaced another. */
function grownMs(workload: KubeObject, { pods }: Frame): number | undefined {
  if (workload.kind !== 'StatefulSet') return undefined
  const sorted = pods.toSorted((a, b) => ordinalOf(a.metadata.name) - ordinalOf(b.metadata.name))
  for (let count = sorted.length - 1; count >= 2; count--) {
    const firstMs = groupMs(sorted.slice(-count))
    const isYounger = (pod: Pod) => (timeMs(pod.metadata.creationTimestamp) ?? 0) >= (firstMs ?? 0) - toleranceMs
    if (firstMs !== undefined && !sorted.slice(0, -count).some(isYounger)) return firstMs
  }
  return undefined
}

/** When the first of `pods` was made, where all of them were made within one reaction. */
function groupMs(pods: readonly Pod[]): number | undefined {
  const times = pods.flatMap(pod => timeMs(pod.metadata.creationTimestamp) ?? [])
  const firstMs = Math.min(...times)
  return times.length > 0 && Math.max(...times) <= firstMs + reactionMs ? firstMs : undefined
}

function ordinalOf(podName: string): number {
  return Number(/-(\d+)$/.exec(podName)?.[1] ?? Number.NaN)
}
