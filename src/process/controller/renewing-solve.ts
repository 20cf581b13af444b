// A solver beside which the Lease is kept. To plan for a large cluster is long work in which no timer fires; where the solver is asked there is
// time for a renewal.
import type { Leader } from '#kube/leases/lease.ts'
import type { Solve, SolveOnce } from '#planning/solving/solve.ts'

/** `solve`, with a renewal that is due before and after each model. It rejects with what the Leader throws, too. */
export function renewingSolve(solve: Solve, leader: Pick<Leader, 'refresh'>): Solve {
  const renewing =
    (once: SolveOnce): SolveOnce =>
    async (model, options, signal) => {
      await leader.refresh(signal)
      const solution = await once(model, options, signal)
      await leader.refresh(signal)
      return solution
    }
  const once = renewing(solve)
  if (solve.session === undefined) return once
  const session = () => {
    const inner = solve.session?.()
    return { solve: inner === undefined ? once : renewing(inner.solve), [Symbol.dispose]: () => inner?.[Symbol.dispose]() }
  }
  return Object.assign(once, { session })
}
