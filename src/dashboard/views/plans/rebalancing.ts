// Rebalancing over time: how full nodes were, plans against what happened, how often landings were predicted, whom the descheduler evicted.
import type { RebalancingView, UtilisationSpan } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { noPlans } from '../../words/en-rebalancing.ts'
import { utilisationOf } from '../nodes/utilisation.ts'
import type { Sees } from '../viewing.ts'
import { evictionsViewOf } from './evictions.ts'
import { landingRateOf, planOutcomeOf } from './landings.ts'
import { planAgainstOf, planToCompare } from './plan-against.ts'
import { newestFirst } from './plan-at-hand.ts'

/** Plans in the table; all are in the CSV. */
const mostPlans = 20

export interface RebalancingQuery {
  readonly span: UtilisationSpan
  readonly nodes: readonly string[]
  /** Undefined: the newest that has begun. */
  readonly plan: string | undefined
}

/** What is shown where nothing was asked for. */
export const usualQuery: RebalancingQuery = { span: 'hour', nodes: [], plan: undefined }

/** `undefined`: there is no plan of the name that was asked for. */
export function rebalancingViewOf(
  picture: Picture,
  { span, nodes, plan: name }: RebalancingQuery,
  sees: Sees,
): RebalancingView | undefined {
  const plan = sees.plans ? planToCompare(picture, name) : undefined
  if (sees.plans && name !== undefined && plan === undefined) return undefined
  const plans = sees.plans ? newestFirst(picture) : undefined
  const landings = sees.plans ? landingRateOf(picture) : null
  return {
    sentences: landings === null ? [] : plans?.length === 0 ? [noPlans()] : [landings.sentence],
    utilisation: utilisationOf(picture, { span, nodes, plan }, sees),
    plans: plans?.slice(0, mostPlans).map(planOutcomeOf) ?? null,
    planCount: plans?.length ?? null,
    plan: plan === undefined ? null : planAgainstOf(picture, plan, sees),
    landings,
    evictions: sees.permits ? evictionsViewOf(picture, sees.viewing) : null,
    ...(picture.past === undefined ? {} : { past: true as const }),
  }
}
