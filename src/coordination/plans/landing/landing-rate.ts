// How often replacements landed where the model of the scheduler foretold it, over the plans that are kept. Pure.
import type { PlanMove, PlanStep, RebalancePlan } from '../../api.ts'
import { isUnheld } from './landing-decision.ts'

/** What became of a replacement: where it was meant to be, elsewhere, back on its source, on no node. */
export type LandingResult = 'expected' | 'other' | 'back' | 'pending'

interface LandingRate {
  /** Landings that the model had foretold. */
  readonly foretold: number
  readonly expected: number
}

/** The newest plans count; what the model got wrong long ago may have been another scheduler. */
const mostPlans = 50
/** Fewer landings say nothing. */
export const leastLandings = 10
const leastShare = 0.9

/** What a recorded step says of its landing; `undefined`: there was none, or it says nothing of the model. */
export function landingResult(step: PlanStep, move: Pick<PlanMove, 'from'> | undefined): LandingResult | undefined {
  if (step.state === 'Landed') return 'expected'
  if (step.state === 'Failed') return step.reason === 'ReplacementPending' ? 'pending' : undefined
  if (step.state !== 'Mismatch' || isUnheld(step)) return undefined
  return step.landedOn === move?.from ? 'back' : 'other'
}

/** Over the plans that were not held: a gate leaves the scheduler no choice, so that such a landing says nothing of the model. */
export function landingRate(plans: readonly RebalancePlan[]): LandingRate {
  const madeAt = ({ metadata }: RebalancePlan) => metadata.creationTimestamp ?? ''
  const newest = plans.filter(({ spec }) => spec.landing !== 'hold').toSorted((a, b) => (madeAt(a) < madeAt(b) ? 1 : -1))
  const results = newest.slice(0, mostPlans).flatMap(({ spec, status }) => {
    const moves = new Map(spec.moves.map(move => [move.id, move]))
    return (status?.steps ?? []).flatMap(step => landingResult(step, moves.get(step.id)) ?? [])
  })
  return { foretold: results.length, expected: results.filter(result => result === 'expected').length }
}

/** Whether landings may be left to the scheduler alone (`observe`): it does what the model says in nine of ten cases. */
export function isForetold({ foretold, expected }: LandingRate): boolean {
  return foretold < leastLandings || expected >= foretold * leastShare
}
