// Goals over several nodes, each in one row of words: what they ask for, where they stand, and what the plan at hand says of them.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import { planPolicyOf } from '#coordination/plans/plan-policy.ts'
import { goalFigures } from '#coordination/plans/stored/stored-goals.ts'
import { fleetOutcomes } from '#planning/goals/fleet-goals.ts'
import type { GoalOutcome } from '#planning/plan-record.ts'
import type { WideGoal } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { wideGoalWords } from '../../words/en-verdict.ts'
import { openPlan } from './after.ts'
import { newestFirst } from './plan-at-hand.ts'
import { isEnded } from './plan-facts.ts'

/** A goal with more sets than this is told by those that are furthest from it. */
const mostSetsTold = 3

interface Standing {
  readonly policy: string
  readonly name: string
  readonly shownName: string
  readonly outcomes: readonly GoalOutcome[]
}

const standings = new WeakMap<readonly RebalancePolicy[], { readonly state: ClusterState; readonly found: readonly Standing[] }>()

/** Every goal over several nodes of every policy; what a plan brings is of `shown`, by default the plan at hand, while its moves are still to come. */
export function wideGoals(picture: Picture, shown: RebalancePlan | undefined = openPlan(picture)): readonly WideGoal[] {
  const plan = shown !== undefined && isEnded(shown) ? undefined : shown
  return standingsOf(picture).map(standing => rowOf(picture, standing, plan))
}

function standingsOf({ book, state, ownerLabel }: Picture): readonly Standing[] {
  const known = standings.get(book.policies)
  if (known?.state === state) return known.found
  const all = book.policies.flatMap(policy => {
    const read = planPolicyOf(policy, state, { ownerLabel, landing: 'prefer' })
    if (!read.ok || read.value.fleetGoals.length === 0) return []
    const outcomes = fleetOutcomes(read.value, state, new Map(), undefined)
    return read.value.fleetGoals.map(({ name }) => ({
      ...{ policy: policy.metadata.name, name },
      outcomes: outcomes.filter(({ goal }) => goal === name),
    }))
  })
  const names = book.policies.flatMap(({ spec }) => spec.goals.map(({ name }) => name))
  const found = all.map(one => ({
    ...one,
    shownName: names.filter(name => name === one.name).length > 1 ? `${one.policy}/${one.name}` : one.name,
  }))
  standings.set(book.policies, { state, found })
  return found
}

function rowOf(picture: Picture, { policy, name, shownName, outcomes }: Standing, plan: RebalancePlan | undefined): WideGoal {
  const hard = outcomes.some(outcome => outcome.hard)
  const stored = (of: RebalancePlan | undefined) => (of?.status?.goals ?? []).filter(row => row.name === name)
  const after = plan?.spec.policyRef.name === policy && plan.spec.moves.length > 0 ? stored(plan) : []
  const then = after.length === 0 ? null : after.every(({ outcome }) => outcome === 'met') ? ('met' as const) : ('unmet' as const)
  if (picture.past !== undefined)
    return {
      name: shownName,
      state: 'unknown',
      hard,
      after: then,
      because: wideGoalWords({ text: 'of that time it is not kept' }),
    }
  if (outcomes.every(({ state, measure }) => state === 'unknown' && measure === 'survives')) {
    // Losses are played when a plan is made, and not with each look at a page.
    const last = stored(newestFirst(picture).find(one => one.spec.policyRef.name === policy))
    const text =
      last.length === 0
        ? 'whether a loss is survived is played when a plan is made'
        : `when the last plan was made: ${last.map(({ message }) => message).join('; ')}`
    return { name: shownName, state: 'unknown', hard, after: then, because: wideGoalWords({ text }) }
  }
  const told = outcomes.toSorted((a, b) => b.shortBy - a.shortBy).slice(0, mostSetsTold)
  const more = outcomes.length - told.length
  const text = `${told.map(outcome => goalFigures(outcome)).join('; ')}${more > 0 ? `; and ${more} more` : ''}`
  const isMet = outcomes.every(({ state }) => state === 'met')
  const isUnknown = outcomes.every(({ state }) => state === 'unknown')
  return {
    name: shownName,
    state: isMet ? 'met' : isUnknown ? 'unknown' : 'unmet',
    hard,
    after: then,
    because: wideGoalWords({ text }),
  }
}
