// Where replacements of moved pods came to stand, against where their plan meant them: of one plan, and how often over all that are kept.
import type { PlanMove, PlanStep, RebalancePlan } from '#coordination/api.ts'
import { isUnheld } from '#coordination/plans/landing/landing-decision.ts'
import { isForetold, landingRate, landingResult, leastLandings } from '#coordination/plans/landing/landing-rate.ts'
import type { LandingCounts, LandingRate, PlanOutcome } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { landingRateText } from '../../words/en-rebalancing.ts'
import { rfc3339 } from '../../words/time.ts'
import { newestFirst } from './plan-at-hand.ts'
import { firstTime, phaseOf } from './plan-facts.ts'

/** In thousandths: what `isForetold` asks for. */
const threshold = 900
/** Plans whose landings are summed up, the newest of them. */
const mostPlans = 50

const noLandings: LandingCounts = { expected: 0, other: 0, back: 0, pending: 0, unheld: 0 }

/** What a recorded step says of the landing; undefined: there is none, yet or at all. */
export function landingOfStep(step: PlanStep, move: Pick<PlanMove, 'from'>): keyof LandingCounts | undefined {
  return isUnheld(step) ? 'unheld' : landingResult(step, move)
}

/** What became of `plan`. */
export function planOutcomeOf(plan: RebalancePlan): PlanOutcome {
  const { metadata, spec, status } = plan
  const moves = new Map(spec.moves.map(move => [move.id, move]))
  const counts = { ...noLandings }
  let failed = 0
  let skipped = 0
  for (const step of status?.steps ?? []) {
    const move = moves.get(step.id)
    const landing = move === undefined ? undefined : landingOfStep(step, move)
    if (landing !== undefined) counts[landing]++
    else if (step.state === 'Failed') failed++
    else if (step.state === 'Skipped') skipped++
  }
  const at = (time: string | undefined) => {
    const ms = firstTime(time)
    return ms === undefined ? null : rfc3339(ms)
  }
  return {
    name: metadata.name,
    policy: spec.policyRef.name,
    phase: phaseOf(plan),
    landing: spec.landing,
    startedAt: at(status?.startedAt),
    finishedAt: at(status?.finishedAt),
    moves: spec.moves.length,
    counts,
    failed,
    skipped,
    rate: spec.landing === 'hold' ? null : rateOf(judgedOf(counts), counts.expected),
  }
}

/** How often landings were as foretold, over the plans that are kept. */
export function landingRateOf(picture: Picture): LandingRate {
  const counts = { ...noLandings }
  let plans = 0
  for (const plan of newestFirst(picture).slice(0, mostPlans).map(planOutcomeOf)) {
    if (judgedOf(plan.counts) > 0) plans++
    for (const landing of landingNames) counts[landing] += plan.counts[landing]
  }
  const model = landingRate(picture.book.plans)
  const facts = {
    ...model,
    rate: rateOf(model.foretold, model.expected),
    threshold,
    isTrusted: isForetold(model),
  }
  return { ...facts, counts, plans, sentence: landingRateText({ ...facts, landed: judgedOf(counts), least: leastLandings }) }
}

const landingNames = ['expected', 'other', 'back', 'pending', 'unheld'] as const satisfies readonly (keyof LandingCounts)[]

/** All but those that were made while nobody held them: the model said nothing of these. */
function judgedOf({ expected, other, back, pending }: LandingCounts): number {
  return expected + other + back + pending
}

/** In thousandths, truncated: never 100 % where one was not as meant. */
function rateOf(judged: number, expected: number): number | null {
  return judged === 0 ? null : Math.trunc((expected * 1_000) / judged)
}
