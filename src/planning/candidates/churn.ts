// What a workload went through lately makes its pods dearer to move, so that not the same ones are moved again and again.

import type { WorkloadReference } from '#cluster/cluster-state.ts'
import { restartOf } from '#cluster/loose-fields.ts'
import { type PlanPolicy, workloadKey } from '../goals/policy.ts'
import type { PlanInput } from '../plan-input.ts'
import { workloadObject } from './workload-object.ts'

const dayMs = 24 * 3600 * 1000
/** After so many days a disturbance counts half. */
const halfLifeDays = 7
/** Older ones count nothing: less than a two hundredth is left of them. */
const mostDays = 56
/** A workload is not made dearer than by so many disturbances of today. */
const mostCounted = 4
/** A move that an annotation tells of and one of a plan at most so far apart are the same. */
const sameMoveMs = 6 * 3600 * 1000

interface Disturbance {
  readonly what: 'moved' | 'restarted'
  readonly atMs: number
}

interface Churn {
  /** What moving one of its pods costs times, 1 without history, at most 5. */
  readonly factor: number
  /** What it counts, the newest first. */
  readonly disturbances: readonly Disturbance[]
}

/**
 * By how much the history of a workload makes its pods dearer: 1 + the sum over its disturbances of 2^(-days / 7), where days are whole and the sum
 * is at most 4. Disturbances are its moves in plans that are kept (those of one plan once), the one that `ballast.dev/last-move` tells of, and the
 * last `kubectl rollout restart`. With `objective: moves` nothing is dearer.
 */
export function churnOf(
  input: Pick<PlanInput, 'state' | 'nowMs' | 'history'> & { readonly policy: Pick<PlanPolicy, 'objective'> },
  workload: WorkloadReference,
): Churn {
  if (input.policy.objective === 'moves') return { factor: 1, disturbances: [] }
  const daysOf = ({ atMs }: Disturbance) => Math.floor((input.nowMs - atMs) / dayMs)
  const disturbances = disturbancesOf(input, workload)
    .filter(one => daysOf(one) >= 0 && daysOf(one) <= mostDays)
    .toSorted((a, b) => b.atMs - a.atMs)
  const sum = disturbances.reduce((total, one) => total + 2 ** (-daysOf(one) / halfLifeDays), 0)
  return { factor: 1 + Math.min(mostCounted, sum), disturbances }
}

function disturbancesOf(
  { state, history }: Pick<PlanInput, 'state' | 'history'>,
  workload: WorkloadReference,
): readonly Disturbance[] {
  const moves = history?.get(workloadKey(workload)) ?? []
  const object = workloadObject(state, workload)
  const [, note] = /@(.+)$/.exec(object?.metadata.annotations?.['ballast.dev/last-move'] ?? '') ?? []
  const notedMs = Date.parse(note ?? '')
  const isNew = Number.isFinite(notedMs) && !moves.some(atMs => Math.abs(atMs - notedMs) <= sameMoveMs)
  const restartedMs = Date.parse(restartOf(object) ?? '')
  return [
    ...moves.map(atMs => ({ what: 'moved' as const, atMs })),
    ...(isNew ? [{ what: 'moved' as const, atMs: notedMs }] : []),
    ...(Number.isFinite(restartedMs) ? [{ what: 'restarted' as const, atMs: restartedMs }] : []),
  ]
}
