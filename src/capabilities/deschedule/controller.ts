// The descheduler in planned mode: plans policies that are due, lets approved plans go on, and looks at waiting proposals again.
import type { RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import type { ControllerContext, Leading, Running } from '#coordination/capability.ts'
import { PlanKeeper } from '#coordination/plans/plan-keeper.ts'
import { PlanLoop } from '#coordination/plans/plan-loop.ts'
import { withCondition } from '#coordination/plans/plan-progress.ts'
import { openPlans, type Policies } from '#coordination/plans/plan-store.ts'
import { planFor, problemLines, supersede } from '#coordination/plans/planner.ts'
import { PolicyReview } from '#coordination/plans/policy-review.ts'
import { type Trigger, whenToPlan } from '#coordination/plans/schedule.ts'
import { formatTime } from '#kube/time.ts'

const capabilityName = 'deschedule'

/** A policy that cannot be planned is looked at again: what it lacks (a node) may have come. */
const reviewMs = 60_000
const longestWaitMs = 3_600_000

/** Starts the loop. The returned part ends it, takes away what steers, and waits for that. */
export async function startDeschedule<Config>(context: ControllerContext, signal: AbortSignal): Promise<Running<Config>> {
  const { leading } = context
  if (leading === undefined) throw new Error('deschedule acts only where it leads')
  const work = new Descheduling(context, leading)
  return work.loop.start<Config>(work, signal)
}

class Descheduling {
  readonly loop: PlanLoop
  readonly keeper: PlanKeeper
  readonly #context: ControllerContext
  readonly #leading: Leading
  readonly #policies: Policies
  readonly #review: PolicyReview

  constructor(context: ControllerContext, leading: Leading) {
    this.#context = context
    this.#leading = leading
    const { clock, events, api, informers, webhooks } = context
    const { leadership } = leading.effects
    const { plans, policies } = openPlans({ api, informers, leadership, requester: capabilityName })
    const loop = new PlanLoop({ context, leading, name: capabilityName, plans, policies })
    const landing = webhooks === undefined ? 'prefer' : 'hold'
    const review = new PolicyReview({ policies, leading, clock, events, landing, requester: capabilityName })
    const isStopping = () => loop.isStopping
    this.keeper = new PlanKeeper({ context, leading, purpose: 'move', plans, policies, review, isStopping })
    this.loop = loop
    this.#policies = policies
    this.#review = review
  }

  readonly pass = async (signal: AbortSignal): Promise<number> => {
    let waitMs: number = longestWaitMs
    for (const object of this.#policies.list()) {
      const policy = await this.#review.reviewed(object, signal)
      waitMs = Math.min(waitMs, policy === undefined ? reviewMs : await this.#serve(policy, signal))
    }
    return waitMs
  }

  async #serve(policy: RebalancePolicy, signal: AbortSignal): Promise<number> {
    const { clock } = this.#context
    // Without goals it is a policy of isolation alone.
    if (policy.spec.goals.length === 0) return longestWaitMs
    const active = this.keeper.activePlansOf(policy)
    const due = whenToPlan(policy, clock.now())
    // Who asks for a plan while another stands still wants that one gone; a replacement under way is waited for.
    const isInTheWay = (plan: RebalancePlan) =>
      plan.status?.phase === 'Running' ||
      this.#leading.arbiter
        .unfinished(capabilityName)
        .some(record => record.batch === plan.spec.batch && record.purpose === 'move')
    const isAskedAnew = due.kind === 'now' && due.trigger.kind === 'asked' && !active.some(isInTheWay)
    for (const plan of isAskedAnew ? [] : active) {
      const waitMs = await this.keeper.advance(policy, plan, signal)
      if (waitMs !== undefined) return waitMs
    }
    if (due.kind === 'now') {
      await this.#plan(policy, due.trigger, signal)
      return 0
    }
    const proposals = this.keeper.openPlansOf(policy).filter(plan => plan.status?.phase === 'Proposed')
    const recheckMs = await this.keeper.recheck(policy, proposals, signal)
    return Math.min(recheckMs, due.kind === 'at' ? Math.max(1, due.atMs - clock.now()) : longestWaitMs)
  }

  async #plan(policy: RebalancePolicy, trigger: Trigger, signal: AbortSignal): Promise<void> {
    const planned = await planFor(this.keeper.plannerContext, policy, trigger.key, signal)
    if (planned.kind === 'planned') await supersede(this.keeper.plannerContext, planned.plan, signal)
    else this.#review.tell(policy, planned.problems)
    const nowMs = this.#context.clock.now()
    await this.#policies.setStatus(
      policy,
      status => ({
        ...status,
        ...(trigger.kind === 'asked' ? { lastPlanNow: trigger.value } : { lastScheduleTime: formatTime(trigger.atMs) }),
        ...(planned.kind === 'planned' ? { lastPlan: planned.plan.metadata.name } : {}),
        conditions: withCondition(
          status.conditions,
          planned.kind === 'planned'
            ? { type: 'Planned', status: 'True', reason: 'PlanMade', message: planned.plan.status?.message ?? '' }
            : {
                type: 'Planned',
                status: 'False',
                reason: 'PolicyRefused',
                message: problemLines(planned.problems).slice(0, 4096),
              },
          nowMs,
        ),
      }),
      signal,
    )
  }
}
