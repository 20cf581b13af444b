// The cluster as one row: sums of all nodes.
import type { Amount, NodeRow, Totals } from '../../contract.ts'

/** The sums. What was used is known as far as every node was measured; `usedAt` is of the oldest measurement. */
export function totalsOf(rows: readonly NodeRow[]): Totals {
  return {
    nodes: rows.length,
    cpu: sumOf(rows.map(({ cpu }) => cpu)),
    memory: sumOf(rows.map(({ memory }) => memory)),
    pods: {
      allocatable: rows.reduce((sum, { pods }) => sum + pods.allocatable, 0),
      count: rows.reduce<number | null>((sum, { pods: { count } }) => (sum === null || count === null ? null : sum + count), 0),
    },
  }
}

function sumOf(amounts: readonly Amount[]): Amount {
  const total = (read: (amount: Amount) => number | null) =>
    amounts.reduce<number | null>((sum, amount) => {
      const value = read(amount)
      return sum === null || value === null ? null : sum + value
    }, 0)
  const used = amounts.length === 0 ? null : total(({ used }) => used)
  const oldest = amounts.reduce<string | null>(
    (at, { usedAt }) => (at === null || (usedAt !== null && usedAt < at) ? usedAt : at),
    null,
  )
  return {
    allocatable: total(({ allocatable }) => allocatable) ?? 0,
    requested: total(({ requested }) => requested),
    used,
    usedAt: used === null ? null : oldest,
  }
}
