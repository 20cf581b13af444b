// The arithmetic of spreading: domains of different sizes, and which pods go from the big to the small ones, on paper.
import type { PodState } from '#cluster/cluster-state.ts'
import { type Breath, breath, type Pace, picked, sorted } from '../pace.ts'
import { byKey, compare, priorityOf } from './pod-order.ts'

export interface Domain {
  readonly value: string
  readonly pods: readonly PodState[]
}

interface Balancing {
  readonly maxSkew: number
  /** Pods for each domain if all had the same. */
  readonly mean: number
  /** Whether a pod fits a node of a domain below the mean. */
  fits(pod: PodState): boolean
  readonly pace: Pace
}

/** Whether no domain has more than `maxSkew` pods above the smallest. */
export function isBalanced(domains: readonly Domain[], maxSkew: number): boolean {
  const sizes = domains.map(({ pods }) => pods.length)
  return sizes.length === 0 || Math.max(...sizes) - Math.min(...sizes) <= maxSkew
}

/**
 * The pods to be moved, in the order in which they are. The biggest domain gives to the smallest until the two are near enough; of its pods
 * those that fit somewhere go before others, those without nodeSelector and node affinity before others, then the highest priority.
 */
export function* balance(
  domains: readonly Domain[],
  { maxSkew, mean, fits, pace }: Balancing,
): Generator<Breath, readonly PodState[], unknown> {
  const bySize: { readonly value: string; pods: PodState[] }[] = []
  for (const { value, pods } of domains) bySize.push({ value, pods: [...(yield* sorted(pods, byReluctance, pace))] })
  bySize.sort((a, b) => a.pods.length - b.pods.length || compare(a.value, b.value))
  const moved = new Set<PodState>()
  let [low, high] = [0, bySize.length - 1]
  while (low < high) {
    if (pace.isDue()) yield breath
    if ((bySize[high]?.pods.length ?? 0) <= mean) high--
    const [small, big] = [bySize[low], bySize[high]]
    if (small === undefined || big === undefined) break
    const skew = big.pods.length - small.pods.length
    const count = Math.min(
      Math.ceil(big.pods.length - mean),
      Math.ceil(mean - small.pods.length),
      Math.ceil((skew - maxSkew) / 2),
    )
    if (skew <= maxSkew || count <= 0) {
      low++
      continue
    }
    const fitting = new Set(yield* picked(big.pods, fits, pace))
    const ordered = [...big.pods.filter(pod => !fitting.has(pod)), ...fitting]
    const leaving = ordered.splice(ordered.length - count)
    for (const pod of leaving) moved.add(pod)
    big.pods = ordered
    small.pods.push(...leaving)
  }
  return [...moved]
}

/** Those that are taken last come first. All have passed the evictors. */
function byReluctance(a: PodState, b: PodState): number {
  return Number(isBound(b)) - Number(isBound(a)) || compare(priorityOf(a), priorityOf(b)) || byKey(a, b)
}

/** It asks for certain nodes, or may. */
function isBound({ object: { spec } }: PodState): boolean {
  return Object.keys(spec.nodeSelector ?? {}).length > 0 || spec.affinity?.nodeAffinity !== undefined
}
