// A workload that comes up from 0 is not to be disturbed until it has been Ready for a while. Pure over what was observed and its pods.
import type { PodState } from '#cluster/cluster-state.ts'
import { timeMs } from './object-fields.ts'
import type { Observations } from './observation.ts'

interface Waking {
  readonly sinceMs: number
  /** `undefined`: it is not Ready yet. */
  readonly untilMs: number | undefined
}

/** How long after it became Ready it is still left alone, in milliseconds. */
const readyForMs = 120_000
/** Where it does not become Ready at all: how long that counts as waking, in milliseconds. */
const longestWakingMs = 3_600_000

/** `undefined`: the workload is not between 0 and Ready plus 2 minutes. `pods`: all of the workload. */
export function wakingOf(
  workload: string,
  context: {
    readonly observed: Observations
    readonly pods: readonly PodState[]
    readonly nowMs: number
  },
): Waking | undefined {
  const { observed, pods, nowMs } = context
  const sinceMs = observed.wokenMs?.(workload) ?? lastFromZero(workload, observed)
  if (sinceMs === undefined) return undefined
  const readyMs = pods.flatMap(pod => (isOn(pod) ? (readySinceMs(pod) ?? []) : [])).toSorted((a, b) => a - b)[0]
  if (readyMs === undefined) return nowMs - sinceMs < longestWakingMs ? { sinceMs, untilMs: undefined } : undefined
  const untilMs = Math.max(readyMs, sinceMs) + readyForMs
  return untilMs > nowMs ? { sinceMs, untilMs } : undefined
}

function lastFromZero(workload: string, observed: Observations): number | undefined {
  const scale = observed
    .ofWorkload(workload)
    .findLast(({ replicas }) => replicas !== undefined && (replicas.from === 0 || replicas.to === 0))
  return scale?.replicas?.from === 0 ? scale.atMs : undefined
}

function isOn(pod: PodState): boolean {
  return pod.isReady && !pod.isTerminating
}

function readySinceMs({ object }: PodState): number | undefined {
  return timeMs(object.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime)
}
