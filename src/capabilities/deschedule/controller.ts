// The descheduler in planned mode: plans policies that are due, lets approved plans go on, and looks at waiting proposals again.
import type { RebalancePlan, RebalancePolicy, RebalancePolicyStatus } from '#coordination/api.ts'
import type { ControllerContext, Leading, Running } from '#coordination/capability.ts'
import { withDemand } from '#coordination/plans/demand-history.ts'
import { isForetold, landingRate } from '#coordination/plans/landing/landing-rate.ts'
import { eventReasons } from '#coordination/plans/names.ts'
import { PlanKeeper } from '#coordination/plans/plan-keeper.ts'
import { PlanLoop } from '#coordination/plans/plan-loop.ts'
import { planMetrics } from '#coordination/plans/plan-metrics.ts'
import { withCondition } from '#coordination/plans/plan-progress.ts'
import { openPlans, type Plans, type Policies } from '#coordination/plans/plan-store.ts'
import { planFor, problemLines, supersede } from '#coordination/plans/planner.ts'
import { PolicyReview } from '#coordination/plans/policy-review.ts'
import { rowsAfter } from '#coordination/plans/progress/day-rows.ts'
import { policyFigures } from '#coordination/plans/progress/figures.ts'
import { isStuck, nearnessAfter, progressing } from '#coordination/plans/progress/nearness.ts'
import { isUnjudged, shadowOf } from '#coordination/plans/progress/shadow.ts'
import { nextFiringMs, type Trigger, whenToPlan } from '#coordination/plans/schedule.ts'
import { SignalReader } from '#coordination/plans/trial/signal-reader.ts'
import { usageFreshMs } from '#coordination/plans/usage/fresh-usage.ts'
import { UsageMeter } from '#coordination/plans/usage/usage-meter.ts'
import type { Condition } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'
import { demandOf } from '#planning/energy/reserve.ts'
import { usageGoals } from '#planning/goals/usage-rules.ts'

const capabilityName = 'deschedule'

/** A policy that cannot be planned is looked at again: what it lacks (a node) may have come. */
const reviewMs = 60_000
const longestWaitMs = 3_600_000
/** While watches are broken they are asked again so often whether they are back. */
const staleMs = 5_000

/** Starts the loop. The returned part ends it, takes away what steers, and waits for that. */
export async function startDeschedule<Config>(context: ControllerContext, signal: AbortSignal): Promise<Running<Config>> {
  const { leading } = context
  if (leading === undefined) throw new Error('deschedule acts only where it leads')
  const ending = new AbortController()
  const until = AbortSignal.any([signal, ending.signal])
  const work = new Descheduling(context, leading)
  const telling = leading.usageAge.toldBy(() => work.usage.ageMs())
  const metering = work.usage.run(until)
  const running = await work.loop.start<Config>(work, signal)
  return {
    ...running,
    [Symbol.asyncDispose]: async () => {
      await running[Symbol.asyncDispose]()
      telling[Symbol.dispose]()
      ending.abort(new DOMException('deschedule is stopped', 'AbortError'))
      await metering
      await work.signals[Symbol.asyncDispose]()
    },
  }
}

function hasUsageGoals(policy: RebalancePolicy | undefined): boolean {
  return policy !== undefined && usageGoals(policy.spec).length > 0
}

class Descheduling {
  readonly loop: PlanLoop
  readonly keeper: PlanKeeper
  readonly usage: UsageMeter
  readonly signals: SignalReader
  readonly #context: ControllerContext
  readonly #leading: Leading
  readonly #policies: Policies
  readonly #review: PolicyReview
  readonly #plans: Plans

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
    this.usage = new UsageMeter(context)
    this.signals = new SignalReader(context)
    const { usage, signals } = this
    this.keeper = new PlanKeeper({ context, leading, purpose: 'move', plans, policies, review, isStopping, usage, signals })
    this.loop = loop
    this.#plans = plans
    this.#policies = policies
    this.#review = review
  }

  readonly pass = async (signal: AbortSignal): Promise<number> => {
    let waitMs: number = longestWaitMs
    this.usage.want(this.#policies.list().some(({ metadata }) => hasUsageGoals(this.#review.readable(metadata.name))))
    for (const object of this.#policies.list()) {
      const policy = await this.#review.reviewed(object, signal)
      if (policy === undefined)
        await this.keeper.holdAll(object, 'its policy is not valid: see the condition Valid of it', signal)
      waitMs = Math.min(waitMs, policy === undefined ? reviewMs : await this.#serve(policy, signal))
    }
    this.#measure()
    return waitMs
  }

  #measure(): void {
    const { metrics, clock } = this.#context
    if (metrics === undefined) return
    const plans = this.#plans.list()
    const policies = this.#policies.list().flatMap(({ metadata, status }) => {
      const policy = this.#review.readable(metadata.name)
      return policy === undefined ? [] : [{ ...policy, ...(status === undefined ? {} : { status }) }]
    })
    planMetrics(metrics).kept(policies.map(policy => policyFigures(policy, plans, clock.now())))
  }

  async #serve(known: RebalancePolicy, signal: AbortSignal): Promise<number> {
    const { clock } = this.#context
    const policy = await this.#noteDays(await this.#noteDemand(known, signal), signal)
    // Without goals and energy it is a policy of isolation alone.
    if (policy.spec.goals.length === 0 && policy.spec.energy === undefined) return longestWaitMs
    if (this.#leading.view.staleness() === undefined) await this.keeper.rollBack(policy, signal)
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
    const stale = this.#leading.view.staleness()
    if (stale !== undefined) {
      this.#context.log.warn({ policy: policy.metadata.name, why: stale }, 'nothing is planned')
      return staleMs
    }
    if (due.kind === 'now') {
      await this.#plan(policy, due.trigger, signal)
      return 0
    }
    const proposals = this.keeper.openPlansOf(policy).filter(plan => plan.status?.phase === 'Proposed')
    const recheckMs = await this.keeper.recheck(policy, proposals, signal)
    return Math.min(recheckMs, due.kind === 'at' ? Math.max(1, due.atMs - clock.now()) : longestWaitMs)
  }

  /** Notes what is requested now, where a policy has energy, for the plans of the day that follows. */
  async #noteDemand(policy: RebalancePolicy, signal: AbortSignal): Promise<RebalancePolicy> {
    if (policy.spec.energy === undefined || this.#leading.view.staleness() !== undefined) return policy
    const now = demandOf(this.#leading.view.state())
    const nowMs = this.#context.clock.now()
    const change = (status: RebalancePolicyStatus): RebalancePolicyStatus => {
      const demand = withDemand(status.demand, now, nowMs)
      return demand === status.demand ? status : { ...status, demand }
    }
    const { status } = await this.#policies.setStatus(policy, change, signal)
    return status === undefined ? policy : { ...policy, status }
  }

  /** Notes what became of proposals that are over, then the days that this belongs to. */
  async #noteDays(policy: RebalancePolicy, signal: AbortSignal): Promise<RebalancePolicy> {
    if (this.#leading.view.staleness() !== undefined) return policy
    const isOwn = ({ spec }: RebalancePlan) => spec.purpose === 'move' && spec.policyRef.name === policy.metadata.name
    const unjudged = this.#plans.list().filter(plan => isOwn(plan) && isUnjudged(plan))
    const state = this.#leading.view.state()
    for (const plan of unjudged)
      await this.#plans.setStatus(plan, status => ({ ...status, shadow: status.shadow ?? shadowOf(plan, state) }), signal)
    const nowMs = this.#context.clock.now()
    const own = this.#plans.list().filter(isOwn)
    const change = (status: RebalancePolicyStatus): RebalancePolicyStatus => {
      const days = rowsAfter(status.days, own, nowMs)
      return days === status.days || (days.length === 0 && status.days === undefined) ? status : { ...status, days }
    }
    const { status } = await this.#policies.setStatus(policy, change, signal)
    return status === undefined ? policy : { ...policy, status }
  }

  #conditions(policy: RebalancePolicy, known: readonly Condition[] | undefined, nowMs: number): readonly Condition[] | undefined {
    const measured = this.#measuredCondition(policy, known, nowMs)
    const rate = landingRate(this.#plans.list())
    const isTrusted = isForetold(rate)
    const figures = `${rate.expected} of ${rate.foretold} landings were as foretold`
    if (isTrusted) return measured?.filter(({ type }) => type !== 'LandingsForetold')
    const message = `${figures}, less than nine of ten: where the policy says observe, landings are steered by prefer`
    return withCondition(measured, { type: 'LandingsForetold', status: 'False', reason: 'HitRateLow', message }, nowMs)
  }

  /** Says of a policy with goals of usage whether they can be seen to. */
  #measuredCondition(
    policy: RebalancePolicy,
    conditions: readonly Condition[] | undefined,
    nowMs: number,
  ): readonly Condition[] | undefined {
    if (!hasUsageGoals(policy)) return conditions?.filter(({ type }) => type !== 'Measured')
    const ageMs = this.usage.ageMs() ?? 0
    const problem = this.usage.problem()
    const isOld = ageMs > usageFreshMs
    const age = `the newest figures of metrics.k8s.io are ${Math.round(ageMs / 1000)} s old`
    const message = problem === undefined ? age : `metrics.k8s.io: ${problem}`
    const isMeasured = problem === undefined && !isOld
    const reason = isMeasured ? 'Fresh' : problem === undefined ? 'Stale' : 'NotAnswering'
    return withCondition(conditions, { type: 'Measured', status: isMeasured ? 'True' : 'False', reason, message }, nowMs)
  }

  async #plan(policy: RebalancePolicy, trigger: Trigger, signal: AbortSignal): Promise<void> {
    const planned = await planFor(this.keeper.plannerContext, policy, trigger.key, signal)
    if (planned.kind === 'planned') {
      await supersede(this.keeper.plannerContext, planned.plan, signal)
      await this.keeper.prune(policy, signal)
    }
    if (planned.kind === 'refused') this.#review.tell(policy, planned.problems)
    const nowMs = this.#context.clock.now()
    const nextMs = nextFiringMs(policy, nowMs)
    const missing = planned.kind === 'planned' ? planned.missing : undefined
    const before = this.#policies.get(policy.metadata.name)?.status ?? policy.status
    const nearness =
      missing === undefined ? before?.nearness : nearnessAfter(before?.nearness, { mode: policy.spec.mode, missing })
    await this.#policies.setStatus(
      policy,
      ({ nextPlanTime: _, nearness: __, ...status }) => ({
        ...status,
        ...(nearness === undefined ? {} : { nearness }),
        ...(nextMs === undefined ? {} : { nextPlanTime: formatTime(nextMs) }),
        ...(trigger.kind === 'asked' ? { lastPlanNow: trigger.value } : { lastScheduleTime: formatTime(trigger.atMs) }),
        ...(planned.kind === 'planned' ? { lastPlan: planned.plan.metadata.name } : {}),
        landing: landingRate(this.#plans.list()),
        conditions: withCondition(
          this.#conditions(policy, withNearness(status.conditions, nearness, nowMs), nowMs),
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
    const wasStuck = before?.nearness !== undefined && isStuck(before.nearness)
    if (nearness !== undefined && isStuck(nearness) && !wasStuck) this.#tellStuck(policy, progressing(nearness).message)
  }

  #tellStuck({ apiVersion, kind, metadata: { name, uid } }: RebalancePolicy, note: string): void {
    const regarding = { apiVersion, kind, name, ...(uid === undefined ? {} : { uid }) }
    const told = { reason: eventReasons.stuck, action: 'Plan', regarding, note, controller: `ballast.dev/${capabilityName}` }
    this.#context.events.emit({ type: 'Warning', ...told })
  }
}

/** The condition `Progressing`; none of a policy that does not go by itself. */
function withNearness(
  conditions: readonly Condition[] | undefined,
  nearness: RebalancePolicyStatus['nearness'],
  nowMs: number,
): readonly Condition[] | undefined {
  if (nearness === undefined) return conditions?.filter(({ type }) => type !== 'Progressing')
  return withCondition(conditions, progressing(nearness), nowMs)
}
