// Percentages of amounts as bounds in whole numbers, what nodes have requested of them, and what is wrong with a bound.

import type { ClusterState } from '#cluster/cluster-state.ts'
import type { Problem } from '#kube/problem.ts'
import type { Amounts } from '../plan-record.ts'

/** Millionths of a percent: goals may have fractions, sums may not. */
const percentSteps = 1_000_000n

/** The largest whole amount strictly below `percent` of `total`. */
export function mostBelow(percent: number, total: number): number {
  const scaled = BigInt(Math.round(percent * 1e6)) * BigInt(total)
  const whole = 100n * percentSteps
  return Number(scaled % whole === 0n ? scaled / whole - 1n : floorDivide(scaled, whole))
}

/** The smallest whole amount strictly above `percent` of `total`. */
export function leastAbove(percent: number, total: number): number {
  return Number(floorDivide(BigInt(Math.round(percent * 1e6)) * BigInt(total), 100n * percentSteps)) + 1
}

/** The largest whole amount that is at most `percent` of `total`. */
export function mostWithin(percent: number, total: number): number {
  return Number(floorDivide(BigInt(Math.round(percent * 1e6)) * BigInt(total), 100n * percentSteps))
}

function floorDivide(value: bigint, by: bigint): bigint {
  return value / by - (value % by < 0n ? 1n : 0n)
}

/** Requested on a node by its pods that are not finished; `pods` is their number. */
export function requestedOn(state: ClusterState, node: string): Amounts {
  const sum: Record<string, number> = { cpu: 0, memory: 0, pods: 0 }
  for (const pod of state.podsOn(node)) {
    for (const [resource, amount] of Object.entries(pod.requests)) sum[resource] = (sum[resource] ?? 0) + amount
    sum['pods'] = (sum['pods'] ?? 0) + 1
  }
  return sum
}

/** A name that no node has. */
export function missingNode(name: string, where: string, state: ClusterState): Problem[] {
  if (state.nodes.has(name)) return []
  const known = [...state.nodes.keys()]
  const shown = known.length > 8 ? `${known.slice(0, 8).join(', ')} and ${known.length - 8} more` : known.join(', ')
  return [{ code: 'node-missing', where, found: name, expected: `a node of this cluster (${shown})` }]
}

/**
 * A margin that leaves nothing of its goal. `points`: the goal is a distance, which may be 0; otherwise a share, which has to be strictly
 * above 0 and below 100 percent.
 */
export function marginProblems(
  { max, min, margin }: { readonly max?: number; readonly min?: number; readonly margin: number },
  kind: 'share' | 'points',
  where: string,
): Problem[] {
  const wrong = (expected: string): Problem => ({
    code: 'goal-margin',
    where: `${where}.margin`,
    found: String(margin),
    expected,
  })
  if (margin <= 0) return []
  if (kind === 'points')
    return max !== undefined && margin > max
      ? [wrong(`at most ${max}, the points of the goal (1 where the policy does not say)`)]
      : []
  return [
    ...(max !== undefined && max > 0 && margin >= max
      ? [wrong(`less than max (${max}): nothing is below ${max - margin} % (1 where the policy does not say)`)]
      : []),
    ...(min !== undefined && min < 100 && min + margin >= 100
      ? [wrong(`less than ${100 - min}: nothing is above ${min + margin} % (1 where the policy does not say)`)]
      : []),
  ]
}

/** A percentage that is none. */
export function outOfRange(percent: number, where: string): Problem[] {
  if (percent >= 0 && percent <= 100) return []
  return [{ code: 'percent-range', where, found: String(percent), expected: 'a percentage from 0 to 100' }]
}
