// A plan in what GitOps users write: which workloads' templates are to name another node, proven by playing the rollouts.

import type { KubeObject } from '#kube/objects/objects.ts'
import { Budgets } from '../candidates/budgets.ts'
import { sortPods } from '../candidates/movable.ts'
import { StaticFit } from '../candidates/static-fit.ts'
import { goalOutcomes, nodeShares } from '../goals/goals.ts'
import { workloadKey } from '../goals/policy.ts'
import { coreWorkloads, toleratesTaint, tolerationOf } from '../isolation/core-workloads.ts'
import { makePlan } from '../plan.ts'
import type { PlanInput } from '../plan-input.ts'
import type { GoalOutcome, NodeShare, Unmovable } from '../plan-record.ts'
import type { SolveOnce } from '../solving/solve.ts'
import { asAffinity, type Wish } from './manifest-edits.ts'
import { attemptPlacements, type Unsaid, unsaidOf } from './placement-attempts.ts'
import { affinityOf, type SteeredMove } from './steering.ts'

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
  /** Where goals are missed: workloads that a plan of single moves would move, and why their manifests cannot say it. */
  readonly unsaid: readonly Unsaid[]
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
  const cluster = { objects: given.objects, state, settings, policy: balance, measured: input.measured }
  const wanted = isMet ? { ...sorting, candidates: [] } : sorting
  const placements = await attemptPlacements(balanced, wanted, cluster, { solve, signal, firm: given.firm })
  const { steered } = placements
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
  const outcome = goals.every(goal => goal.state !== 'missed') && steered.stuck.length === 0 ? 'met' : 'not-met'
  return {
    policyName: policy.name,
    moves: steered.moves,
    tolerations: tolerations.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`),
    wishes,
    goals,
    before: nodeShares(state, new Map(), policy),
    after: nodeShares(steered.after, new Map(), policy),
    stuck: steered.stuck,
    unmovable: sorting.unmovable,
    outcome,
    unsaid: outcome === 'met' ? [] : unsaidOf(placements, await movedPods(balanced, solve, signal)),
    ...(placements.failure === undefined ? {} : { failure: placements.failure }),
  }
}

/** How many pods of each workload a plan of single moves would move, by `namespace/kind/name`. */
async function movedPods(input: PlanInput, solve: SolveOnce, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const { moves } = await makePlan(input, solve, signal)
  return new Map([...Map.groupBy(moves, ({ workload }) => workloadKey(workload))].map(([key, own]) => [key, own.length]))
}

function withToleration(value: unknown, isolation: { readonly taint: string }): readonly unknown[] {
  const own: readonly unknown[] = Array.isArray(value) ? value : []
  // What a manifest says is the user's; the API server judges its shape.
  return toleratesTaint(own as Parameters<typeof toleratesTaint>[0], isolation) ? own : [...own, tolerationOf(isolation)]
}
