// Which of the plans the overview, the nodes and the goals speak of.
import type { RebalancePlan } from '#coordination/api.ts'
import type { Picture } from '../../picture.ts'
import { madeAtMs, phaseOf } from './plan-facts.ts'

/** The plan that the overview speaks of: the one under way, else the newest that waits, else the newest; `undefined` where there is none. */
export function planAtHand(picture: Picture): RebalancePlan | undefined {
  const plans = newestFirst(picture)
  const of = (...phases: readonly string[]) => plans.find(plan => phases.includes(phaseOf(plan)))
  return of('Running', 'Paused') ?? of('Approved') ?? of('Proposed') ?? plans[0]
}

/** Every plan, the newest first. */
export function newestFirst({ book }: Picture): readonly RebalancePlan[] {
  return book.plans.toSorted((a, b) => madeAtMs(b) - madeAtMs(a) || (a.metadata.name < b.metadata.name ? -1 : 1))
}
