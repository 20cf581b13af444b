// A solver beside which the Lease is kept. To plan for a large cluster is long work in which no timer fires; where the solver is asked there is
// time for a renewal.
import type { Clock } from '#kube/clock.ts'
import type { Leader } from '#kube/leases/lease.ts'
import type { Solve, SolveOnce } from '#planning/solving/solve.ts'

/**
 * `solve`, with a renewal that is due before and after each model. It rejects with what the Leader throws, too. The clock is held while
 * the solver works, and not while the Lease is renewed: that request may wait for time to pass.
 */
export function renewingSolve(solve: Solve, leader: Pick<Leader, 'refresh'>, clock: Pick<Clock, 'hold'>): Solve {
  const renewing =
    (once: SolveOnce): SolveOnce =>
    async (model, options, signal) => {
      await leader.refresh(signal)
      const solution = await held(() => once(model, options, signal))
      await leader.refresh(signal)
      return solution
    }
  /** The solver works in another process, which a virtual clock cannot see. */
  const held = async <T>(work: () => Promise<T>): Promise<T> => {
    using _ = clock.hold()
    return await work()
  }
  const once = renewing(solve)
  if (solve.session === undefined) return once
  const session = () => {
    const inner = solve.session?.()
    return { solve: inner === undefined ? once : renewing(inner.solve), [Symbol.dispose]: () => inner?.[Symbol.dispose]() }
  }
  return Object.assign(once, { session })
}
