// A plan in what GitOps users write: which workloads' templates are to name another node, proven by playing the rollouts.

import type { KubeObject } from '#kube/objects/objects.ts'
import { Budgets } from '../candidates/budgets.ts'
import { sortPods } from '../candidates/movable.ts'
import { StaticFit } from '../candidates/static-fit.ts'
import { goalOutcomes, nodeShares } from '../goals/goals.ts'
import { coreWorkloads, toleratesTaint, tolerationOf } from '../isolation/core-workloads.ts'
import type { PlanInput } from '../plan-input.ts'
import type { GoalOutcome, NodeShare, Unmovable } from '../plan-record.ts'
import type { SolveOnce } from '../solving/solve.ts'
import { asAffinity, type Wish } from './manifest-edits.ts'
import { choosePlacements } from './placement-choice.ts'
import { affinityOf, type SteeredMove, steer } from './steering.ts'

export interface ManifestPlan {
  readonly policyName: string
  readonly moves: readonly SteeredMove[]
  /** Core workloads that get the toleration of the isolation's taint: `Kind namespace/name`. */
  readonly tolerations: readonly string[]
  readonly wishes: readonly Wish[]
  /** Each goal as it stands, and after the changes in the worst order of rollouts. */
  readonly goals: readonly GoalOutcome[]
  readonly before: readonly NodeShare[]
  readonly after: readonly NodeShare[]
  /** Pods that would find no place. */
  readonly stuck: readonly string[]
  readonly unmovable: readonly Unmovable[]
  readonly outcome: 'met' | 'not-met'
  /** Why the solver gave no answer. */
  readonly failure?: string
}

const affinityPath = ['spec', 'template', 'spec', 'affinity'] as const
const tolerationsPath = ['spec', 'template', 'spec', 'tolerations'] as const

/** `firm`: every template demands its node, also where a wish would do. The same input gives the same plan. */
export async function makeManifestPlan(
  input: PlanInput,
  given: { readonly objects: readonly KubeObject[]; readonly firm: boolean },
  solve: SolveOnce,
  signal: AbortSignal,
): Promise<ManifestPlan> {
  const { state, policy, settings } = input
  const { isolation, ...balance } = policy
  const balanced = { ...input, policy: balance }
  const sorting = sortPods(balanced, { budgets: Budgets.of(state, input.nowMs), fit: new StaticFit(state, settings) })
  const before = goalOutcomes(policy, state, { requests: new Map(), usage: new Map() }, input.measured)
  const isMet = before.every(({ state: now }) => now !== 'missed')
  const choice = isMet ? { moves: [], shortfall: 0 } : await choosePlacements(balanced, sorting.candidates, solve, signal)
  const steered = steer({ objects: given.objects, state, settings, policy }, choice.moves, given.firm)
  const tolerations = isolation === undefined ? [] : coreWorkloads(state, isolation).filter(({ isTolerant }) => !isTolerant)
  const goals = before.map((goal, at) => {
    const then = steered.goals[at]
    return then === undefined ? goal : { ...then, before: goal.before }
  })
  const wishes: Wish[] = steered.moves.map(move => ({
    live: move.object,
    path: affinityPath,
    value: value => affinityOf(state, move, asAffinity(value)),
  }))
  for (const { object } of tolerations) {
    if (isolation === undefined) break
    wishes.push({ live: object, path: tolerationsPath, value: value => withToleration(value, isolation) })
  }
  return {
    policyName: policy.name,
    moves: steered.moves,
    tolerations: tolerations.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`),
    wishes,
    goals,
    before: nodeShares(state),
    after: nodeShares(steered.after),
    stuck: steered.stuck,
    unmovable: sorting.unmovable,
    outcome: goals.every(goal => goal.state !== 'missed') && steered.stuck.length === 0 ? 'met' : 'not-met',
    ...('failure' in choice && choice.failure !== undefined ? { failure: choice.failure } : {}),
  }
}

function withToleration(value: unknown, isolation: { readonly taint: string }): readonly unknown[] {
  const own: readonly unknown[] = Array.isArray(value) ? value : []
  // What a manifest says is the user's; the API server judges its shape.
  return toleratesTaint(own as Parameters<typeof toleratesTaint>[0], isolation) ? own : [...own, tolerationOf(isolation)]
}
