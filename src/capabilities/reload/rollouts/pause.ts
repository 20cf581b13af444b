// The pause of a Deployment after its first change (config-reload 3.9), step by step. Pure: the caller patches and sets the timer.
import { parseTime } from '#kube/time/time.ts'
import { annotationOf } from '../annotations.ts'
import type { ReloadSettings } from '../settings.ts'
import type { WorkloadFacts } from '../workloads/workload-facts.ts'

export type PauseState =
  /** Runs, or is paused by somebody else: nothing of ours to resume. */
  | { readonly kind: 'none' }
  | { readonly kind: 'foreign' }
  /** Paused by a reload; to be resumed at `resumeAtMs`, which may be past. */
  | { readonly kind: 'ours'; readonly resumeAtMs: number; readonly why: 'period' | 'period-gone' | 'moment-unreadable' }

type Paused = Pick<WorkloadFacts, 'isPaused' | 'annotations'> & { readonly wishes: Pick<WorkloadFacts['wishes'], 'pauseMs'> }

/** Whose pause the Deployment is in, and when it ends; the same after a restart as before. */
export function pauseState(workload: Paused, { keys }: Pick<ReloadSettings, 'keys'>, nowMs: number): PauseState {
  if (!workload.isPaused) return { kind: 'none' }
  const pausedAt = annotationOf(workload.annotations, keys.pauseTime)
  if (pausedAt === undefined || pausedAt === '') return { kind: 'foreign' }
  const parsed = parseTime(pausedAt)
  if (!parsed.ok) return { kind: 'ours', resumeAtMs: nowMs, why: 'moment-unreadable' }
  const { pauseMs } = workload.wishes
  // Without a period that can be read nobody would ever resume it.
  if (pauseMs === undefined) return { kind: 'ours', resumeAtMs: nowMs, why: 'period-gone' }
  return { kind: 'ours', resumeAtMs: Math.max(nowMs, parsed.value + pauseMs), why: 'period' }
}

/** Whether a reload of the Deployment begins a pause: not while it is paused already, by whomever. */
export function beginsPause({ isPaused, wishes }: Paused): boolean {
  return !isPaused && wishes.pauseMs !== undefined && wishes.pauseMs > 0
}
