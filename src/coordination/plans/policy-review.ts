// Looks at each RebalancePolicy before anything is planned from it, and says on the object what is wrong with it.

import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import { type Problem, problemSentence } from '#kube/problem.ts'
import { policyProblems } from '#planning/goals/goals.ts'
import type { RebalancePolicy } from '../api.ts'
import type { Leading } from '../capability.ts'
import { energyProblems } from './energy-policy.ts'
import { eventReasons } from './names.ts'
import { isolationProblems, planPolicyOf, readPolicy } from './plan-policy.ts'
import { withCondition } from './plan-progress.ts'
import type { Policies } from './plan-store.ts'
import { problemLines } from './planner.ts'
import { scheduleProblems } from './schedule.ts'
import { autoProblems } from './trial/auto-problems.ts'

interface PolicyReviewOptions {
  readonly policies: Policies
  readonly leading: Leading
  readonly clock: Clock
  readonly events: EventRecorder
  readonly landing: 'prefer' | 'hold'
  /** The capability that reviews. */
  readonly requester: string
}

export class PolicyReview {
  readonly #options: PolicyReviewOptions

  constructor(options: PolicyReviewOptions) {
    this.#options = options
  }

  /** The policy where it can be planned. Its condition `Valid` says so, or what is wrong; a change of that is an event too. */
  async reviewed(object: RebalancePolicy, signal: AbortSignal): Promise<RebalancePolicy | undefined> {
    const read = readPolicy(object)
    const problems = read.ok ? this.#problems(read.policy) : read.problems
    const message = problemLines(problems).slice(0, 4096)
    const before = object.status?.conditions?.find(({ type }) => type === 'Valid')
    const status = problems.length === 0 ? 'True' : 'False'
    const isTold = before?.status === status && (before.message ?? '') === message
    const stored = isTold
      ? object
      : await this.#write(object, { status, reason: problems.length === 0 ? 'Accepted' : 'InvalidSpec', message }, signal)
    if (!isTold && problems.length > 0) this.tell(object, problems)
    if (!read.ok || problems.length > 0) return undefined
    return stored.status === undefined ? read.policy : { ...read.policy, status: stored.status }
  }

  /** The policy as it is now, with the defaults of its schema; `undefined` where it is gone or has lost its shape. */
  readable(name: string): RebalancePolicy | undefined {
    const object = this.#options.policies.get(name)
    if (object === undefined) return undefined
    const read = readPolicy(object)
    return read.ok ? read.policy : undefined
  }

  /** The event for what is wrong. */
  tell(policy: RebalancePolicy, problems: readonly Problem[]): void {
    const { apiVersion, kind, metadata } = policy
    this.#options.events.emit({
      type: 'Warning',
      reason: eventReasons.invalid,
      action: 'Validate',
      regarding: { apiVersion, kind, name: metadata.name, ...(metadata.uid === undefined ? {} : { uid: metadata.uid }) },
      note: problems.map(problemSentence).join('\n'),
      controller: `ballast.dev/${this.#options.requester}`,
    })
  }

  #problems(policy: RebalancePolicy): readonly Problem[] {
    const { leading, clock, landing } = this.#options
    const state = leading.view.state()
    const planPolicy = planPolicyOf(policy, state, { ownerLabel: leading.ownerLabel, landing })
    const ofRest = [
      ...scheduleProblems(policy, clock.now()),
      ...isolationProblems(policy),
      ...energyProblems(policy, state),
      ...autoProblems(policy),
    ]
    return planPolicy.ok ? [...ofRest, ...policyProblems(planPolicy.value, state)] : [planPolicy.problem, ...ofRest]
  }

  #write(
    object: RebalancePolicy,
    condition: { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string },
    signal: AbortSignal,
  ): Promise<RebalancePolicy> {
    const { generation } = object.metadata
    const nowMs = this.#options.clock.now()
    return this.#options.policies.setStatus(
      object,
      known => ({
        ...known,
        ...(generation === undefined ? {} : { observedGeneration: generation }),
        conditions: withCondition(known.conditions, { type: 'Valid', ...condition }, nowMs),
      }),
      signal,
    )
  }
}
