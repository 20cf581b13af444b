// How a Deployment's ReplicaSets are sized next: rolling update, recreate and proportional scaling as
// kube-controller-manager does them. Pure: the controller applies what comes out, one step at a time.

import type { Deployment } from '#kube/objects/objects.ts'
import { scaledValue } from '#kube/values/int-or-string.ts'

/** One ReplicaSet as far as sizing goes. */
export interface SetState {
  readonly name: string
  readonly replicas: number
  readonly available: number
  /** Its annotations of the last sizing; `undefined` where absent. */
  readonly desiredReplicas: number | undefined
  readonly maxReplicas: number | undefined
  readonly createdMs: number
}

export interface RolloutShape {
  readonly desired: number
  /** Pods above and below `desired` that a rolling update may have; both 0 with Recreate. */
  readonly surge: number
  readonly unavailable: number
}

export interface Sizing {
  readonly name: string
  readonly to: number
}

/** Percentages of surge round up, of unavailable down; where both are 0 one pod may be unavailable. */
export function rolloutShape(deployment: Deployment): RolloutShape {
  const desired = deployment.spec.replicas ?? 1
  const strategy = deployment.spec.strategy
  if (strategy?.type === 'Recreate') return { desired, surge: 0, unavailable: 0 }
  const surge = scaledValue(strategy?.rollingUpdate?.maxSurge ?? '25%', desired, 'up')
  const unavailable = scaledValue(strategy?.rollingUpdate?.maxUnavailable ?? '25%', desired, 'down')
  return { desired, surge, unavailable: surge === 0 && unavailable === 0 ? 1 : Math.min(unavailable, desired) }
}

/** The next sizes of a rolling update: either the new set grows, or old ones shrink. Empty when there is nothing to do until pods change. */
export function rollingStep(shape: RolloutShape, current: SetState, old: readonly SetState[]): readonly Sizing[] {
  const { desired, surge, unavailable } = shape
  if (current.replicas > desired) return [{ name: current.name, to: desired }]
  const total = sum(old, set => set.replicas) + current.replicas
  const growth = Math.min(desired + surge - total, desired - current.replicas)
  if (growth > 0) return [{ name: current.name, to: current.replicas + growth }]
  return shrinkOldSets(total, desired - unavailable, current, old)
}

/** The size that a new set is made with: what fits beside the old ones; with Recreate there are none any more. */
export function firstSize({ desired, surge }: RolloutShape, old: readonly SetState[], isRolling: boolean): number {
  if (!isRolling) return desired
  return Math.max(0, Math.min(desired, desired + surge - sum(old, set => set.replicas)))
}

/** Old sets first lose pods that are not available anyway, oldest set first, then as many as the available ones allow. */
function shrinkOldSets(total: number, minAvailable: number, current: SetState, old: readonly SetState[]): readonly Sizing[] {
  const maxScaledDown = total - minAvailable - (current.replicas - current.available)
  if (maxScaledDown <= 0) return []
  const sizes = new Map(old.map(set => [set.name, set.replicas]))
  const oldestFirst = old.toSorted(byAge)
  let cleaned = 0
  for (const set of oldestFirst) {
    if (cleaned >= maxScaledDown) break
    const surplus = Math.min(maxScaledDown - cleaned, set.replicas - set.available)
    if (surplus <= 0) continue
    sizes.set(set.name, set.replicas - surplus)
    cleaned += surplus
  }
  let left = sum(old, set => set.available) + current.available - minAvailable
  for (const set of oldestFirst) {
    if (left <= 0) break
    const size = sizes.get(set.name) ?? 0
    const step = Math.min(size, left)
    sizes.set(set.name, size - step)
    left -= step
  }
  return changed(old, sizes)
}

/** Recreate: old sets to 0; once none of their pods is left the new set gets its full size. */
export function recreateStep(
  shape: RolloutShape,
  current: SetState | undefined,
  old: readonly SetState[],
  oldPodsLeft: number,
): readonly Sizing[] {
  const shrink = old.filter(set => set.replicas > 0).map(set => ({ name: set.name, to: 0 }))
  if (shrink.length > 0) return shrink
  if (oldPodsLeft > 0 || current === undefined || current.replicas === shape.desired) return []
  return [{ name: current.name, to: shape.desired }]
}

/** Whether `spec.replicas` was changed since the active sets were sized. */
export function isScalingEvent(desired: number, sets: readonly SetState[]): boolean {
  return sets.some(set => set.replicas > 0 && set.desiredReplicas !== undefined && set.desiredReplicas !== desired)
}

/**
 * Sizes after a change of `spec.replicas` amid a rollout, or while paused: with one active set that set takes all of it,
 * else the difference is spread in proportion to the sets' sizes, what is left over going to the largest.
 */
export function scalingStep(
  shape: RolloutShape,
  current: SetState | undefined,
  old: readonly SetState[],
  isRolling: boolean,
): readonly Sizing[] {
  const { desired } = shape
  const all = current === undefined ? old : [...old, current]
  const active = all.filter(set => set.replicas > 0)
  const only = active.length === 1 ? active[0] : active.length === 0 ? (current ?? old.toSorted(byAge).at(-1)) : undefined
  if (only !== undefined) return only.replicas === desired ? [] : [{ name: only.name, to: desired }]
  if (active.length === 0) return []
  if (
    current !== undefined &&
    current.replicas === desired &&
    current.desiredReplicas === desired &&
    current.available === desired
  ) {
    return old.filter(set => set.replicas > 0).map(set => ({ name: set.name, to: 0 }))
  }
  return isRolling ? spread(shape, active) : []
}

function spread(shape: RolloutShape, active: readonly SetState[]): readonly Sizing[] {
  const allowed = shape.desired > 0 ? shape.desired + shape.surge : 0
  const difference = allowed - sum(active, set => set.replicas)
  if (difference === 0) return []
  const ordered = active.toSorted(
    (a, b) =>
      b.replicas - a.replicas ||
      (difference > 0 ? b.createdMs - a.createdMs : a.createdMs - b.createdMs) ||
      (a.name < b.name ? -1 : 1),
  )
  const sizes = new Map<string, number>()
  let given = 0
  for (const set of ordered) {
    const wanted =
      shape.desired === 0 ? -set.replicas : Math.round((set.replicas * allowed) / (set.maxReplicas ?? allowed)) - set.replicas
    const left = difference - given
    const share = difference > 0 ? Math.max(0, Math.min(wanted, left)) : Math.min(0, Math.max(wanted, left))
    sizes.set(set.name, set.replicas + share)
    given += share
  }
  const largest = ordered[0]
  if (largest !== undefined) sizes.set(largest.name, Math.max(0, (sizes.get(largest.name) ?? 0) + difference - given))
  return changed(active, sizes)
}

function changed(sets: readonly SetState[], sizes: ReadonlyMap<string, number>): readonly Sizing[] {
  return sets.flatMap(set => {
    const to = sizes.get(set.name)
    return to === undefined || to === set.replicas ? [] : [{ name: set.name, to }]
  })
}

function byAge(a: SetState, b: SetState): number {
  return a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1)
}

function sum(sets: readonly SetState[], of: (set: SetState) => number): number {
  return sets.reduce((total, set) => total + of(set), 0)
}
