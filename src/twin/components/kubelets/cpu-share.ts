// Processor time on a node that has less than its containers want: each gets its share by weight, and what one leaves is shared on.

interface CpuWant {
  readonly wanted: number
  /** What the container requests; the kernel gives those without a request the least weight there is. */
  readonly weight: number
}

/** What each gets, in the order given: never more than it wants, together never more than `capacity`, and nothing is left while somebody wants more. */
export function sharedCpu(wants: readonly CpuWant[], capacity: number): readonly number[] {
  const total = wants.reduce((sum, want) => sum + want.wanted, 0)
  if (total <= capacity) return wants.map(want => want.wanted)
  const given = wants.map(() => 0)
  const order = wants.map((want, index) => ({ ...want, index })).toSorted((a, b) => a.wanted / a.weight - b.wanted / b.weight)
  let left = capacity
  let weights = order.reduce((sum, want) => sum + want.weight, 0)
  for (const { wanted, weight, index } of order) {
    const share = weights <= 0 ? left : (left * weight) / weights
    given[index] = Math.min(wanted, share)
    left = Math.max(0, left - Math.min(wanted, share))
    weights -= weight
  }
  return given
}
