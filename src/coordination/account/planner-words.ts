// Why the planner of each RebalancePolicy leaves a pod where it is: its own rules on the present state, whatever the arbiter says.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { OwnerLabel } from '#cluster/ownership.ts'
import type { Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import { Budgets } from '#planning/candidates/budgets.ts'
import { sortPods } from '#planning/candidates/movable.ts'
import { isSurge } from '#planning/candidates/move-action.ts'
import { StaticFit } from '#planning/candidates/static-fit.ts'
import type { PlanPolicy } from '#planning/goals/policy.ts'
import { reasonText, remedySentence, staySentence } from '#planning/sentences.ts'
import type { RebalancePlan, RebalancePolicy } from '../api.ts'
import { planPolicyOf } from '../plans/plan-policy.ts'
import { quarantines } from '../plans/quarantine.ts'
import type { PlannerWord } from './answers.ts'

interface PlannerContext {
  readonly state: ClusterState
  readonly settings: SchedulerSettings
  readonly ownerLabel: OwnerLabel
  readonly nowMs: number
  readonly plans: readonly RebalancePlan[]
  /** The pods as they stand in `state`. */
  readonly placement?: Placement
}

/** The policies as the planner takes them; one whose selectors do not parse is left out. */
export function plannersOf(policies: readonly RebalancePolicy[], context: PlannerContext): readonly Planner[] {
  return policies.flatMap(policy => {
    const resolved = planPolicyOf(policy, context.state, { ownerLabel: context.ownerLabel, landing: 'prefer' })
    return resolved.ok ? [new Planner(policy.metadata.name, resolved.value, context)] : []
  })
}

export class Planner {
  readonly name: string
  readonly policy: PlanPolicy
  readonly #context: PlannerContext
  /** By pod; each is sorted when it is asked for, not with all others. */
  readonly #words = new Map<string, readonly PlannerWord[]>()
  #budgets: Budgets | undefined
  #fit: StaticFit | undefined

  constructor(name: string, policy: PlanPolicy, context: PlannerContext) {
    this.name = name
    this.policy = policy
    this.#context = context
  }

  /** Every reason why the pod (`namespace/name`) stays, the first one first; none for one that may be moved. */
  wordsOn(podKey: string): readonly PlannerWord[] {
    const known = this.#words.get(podKey) ?? this.#sort(podKey)
    this.#words.set(podKey, known)
    return known
  }

  /** Whether the pod would be moved by a rollout that starts its replacement first. */
  surges(podKey: string): boolean {
    const { state } = this.#context
    const pod = state.pods.get(podKey)
    return pod?.workload !== undefined && isSurge(state, this.policy, { pod, workload: pod.workload })
  }

  #sort(podKey: string): readonly PlannerWord[] {
    const { state, settings, nowMs, plans, placement } = this.#context
    const pod = state.pods.get(podKey)
    if (pod === undefined) return []
    const input = { state, settings, policy: this.policy, nowMs, quarantined: quarantines(plans, nowMs) }
    this.#budgets ??= Budgets.of(state, nowMs)
    this.#fit ??= new StaticFit(state, settings, placement)
    const { unmovable } = sortPods(input, { budgets: this.#budgets, fit: this.#fit }, [pod])
    return unmovable.flatMap(one =>
      [one, ...one.also].map(reason => ({
        policy: this.name,
        reason: reasonText(reason),
        sentence: staySentence({ ...reason, node: one.node }),
        wayOut: remedySentence(reason.code, reason.data),
      })),
    )
  }
}
