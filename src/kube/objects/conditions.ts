// Conditions of a status: what they say changes only when something changed.

import { formatTime } from '../time/time.ts'
import type { Condition } from './objects.ts'

export interface NewCondition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  /** UpperCamelCase. */
  readonly reason: string
  readonly message: string
  /** The `metadata.generation` that was looked at. */
  readonly observedGeneration: number
}

/**
 * `conditions` with `condition` in the place of the one of its type, or at the end. `lastTransitionTime` moves only with the
 * status. Where nothing changed the same array is returned: no write is needed.
 */
export function withCondition(conditions: readonly Condition[], condition: NewCondition, nowMs: number): readonly Condition[] {
  const known = conditions.find(one => one.type === condition.type)
  const isSame =
    known !== undefined &&
    known.status === condition.status &&
    known.reason === condition.reason &&
    known.message === condition.message &&
    known.observedGeneration === condition.observedGeneration
  if (isSame) return conditions
  const hasMoved = known?.status !== condition.status || known.lastTransitionTime === undefined
  const next: Condition = {
    ...condition,
    lastTransitionTime: hasMoved ? formatTime(nowMs) : (known.lastTransitionTime ?? formatTime(nowMs)),
  }
  return known === undefined ? [...conditions, next] : conditions.map(one => (one === known ? next : one))
}

/** Whether the condition of a type is there and True. */
export function isConditionTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return conditions?.some(condition => condition.type === type && condition.status === 'True') ?? false
}
