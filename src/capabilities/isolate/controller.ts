// Isolation as a loop: each pass looks where each policy's isolation stands, writes that down, and does what its stage is about.
import { createHash } from 'node:crypto'
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { IsolationStatus, RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import type { ControllerContext, Leading, Running } from '#coordination/capability.ts'
import { PlanKeeper } from '#coordination/plans/plan-keeper.ts'
import { PlanLoop } from '#coordination/plans/plan-loop.ts'
import { isolationRulesOf, planPolicyOf, readPolicy } from '#coordination/plans/plan-policy.ts'
import { isOver, isUnderWay } from '#coordination/plans/plan-progress.ts'
import { openPlans, type Plans, type Policies } from '#coordination/plans/plan-store.ts'
import { planFor, supersede } from '#coordination/plans/planner.ts'
import { PolicyReview } from '#coordination/plans/policy-review.ts'
import { breaks } from '#kube/leases/breaks.ts'
import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type TriedRollout, undoLines, webhookRows } from '#planning/isolation/rows.ts'
import { withTaint } from '#planning/isolation/rules.ts'
import { carriesTaint, type IsolationSurvey, otherNodes, surveyIsolation } from '#planning/isolation/survey.ts'
import { makePlan } from '#planning/plan.ts'
import type { PlanInput } from '#planning/plan-input.ts'
import type { Plan } from '#planning/plan-record.ts'
import { snapshotHash } from '#planning/snapshot-hash.ts'
import { IsolationReport } from './report.ts'
import { followRollouts, rollOutNext, triedRollout } from './rollout-stage.ts'
import { newestOver, retryOf, type Situation, situationOf } from './situation.ts'
import { finishTaints, isWanted, releaseTaints, robbedNodes, taintNext } from './taint-stage.ts'
import { TolerationKeeper } from './toleration-keeper.ts'
import { followTolerations, type Refusals, tolerateNext } from './toleration-stage.ts'

const capabilityName = 'isolate'

const intervals = {
  /** While something is waited for that no watch of ours rings for. */
  waitMs: 10_000,
  /** While a roll-out or a permit is waited for. */
  stepMs: 5_000,
  /** Afterwards: what comes to the nodes, or may leave them now. */
  watchMs: 60_000,
  longestWaitMs: 3_600_000,
} as const

/** Starts the loop. The returned part ends it, takes away what steers, and waits for that; a taint that is wanted stays. */
export async function startIsolate<Config>(context: ControllerContext, signal: AbortSignal): Promise<Running<Config>> {
  const { leading } = context
  if (leading === undefined) throw new Error('isolate acts only where it leads')
  const work = new Isolating(context, leading)
  const serving = context.webhooks?.serve(work.tolerations.webhook)
  const stopServing = () => serving?.[Symbol.dispose]()
  signal.addEventListener('abort', stopServing, { once: true })
  try {
    const running = await work.loop.start<Config>(work, signal)
    return {
      ...running,
      // The configuration stays, as the taint does: whoever leads next answers by it.
      [Symbol.asyncDispose]: async () => {
        await running[Symbol.asyncDispose]()
        stopServing()
      },
    }
  } catch (error) {
    stopServing()
    throw error
  }
}

class Isolating {
  readonly loop: PlanLoop
  readonly keeper: PlanKeeper
  /** Tolerations by webhook, where a policy asks for that. */
  readonly tolerations: TolerationKeeper
  readonly #context: ControllerContext
  readonly #leading: Leading
  readonly #plans: Plans
  readonly #policies: Policies
  readonly #review: PolicyReview
  readonly #report: IsolationReport
  /** The last plan on paper of each policy: made again only when cluster or policy changed. */
  readonly #papers = new Map<string, { readonly key: string; readonly plan: Plan }>()

  constructor(context: ControllerContext, leading: Leading) {
    this.#context = context
    this.#leading = leading
    const { clock, events, api, informers, webhooks } = context
    const { leadership } = leading.effects
    const { plans, policies } = openPlans({ api, informers, leadership, requester: capabilityName })
    const loop = new PlanLoop({ context, leading, name: capabilityName, plans, policies })
    const landing = webhooks === undefined ? 'prefer' : 'hold'
    const review = new PolicyReview({ policies, leading, clock, events, landing, requester: capabilityName })
    this.keeper = new PlanKeeper({
      context,
      leading,
      purpose: 'isolate',
      plans,
      policies,
      review,
      holdsBack: plan => this.#whyHeld(plan),
      isStopping: () => loop.isStopping,
    })
    this.tolerations = new TolerationKeeper({ effects: leading.effects, webhooks, instance: context.identity.instance })
    this.loop = loop
    this.#plans = plans
    this.#policies = policies
    this.#review = review
    this.#report = new IsolationReport({ policies, events, clock })
  }

  readonly pass = async (signal: AbortSignal): Promise<number> => {
    const nodes = this.#context.informers.of<Node>(builtIn.nodes)
    await finishTaints({ leading: this.#leading, nodes }, signal)
    await releaseTaints({ leading: this.#leading, nodes }, this.#policies, signal)
    await this.tolerations.keep(this.#policies.list(), signal)
    let waitMs: number = intervals.longestWaitMs
    for (const object of this.#policies.list()) {
      const read = readPolicy(object)
      if (read.ok && !isWanted(read.policy)) {
        await this.#abort(read.policy, signal)
        continue
      }
      const policy = await this.#review.reviewed(object, signal)
      if (policy === undefined) await this.#standStill(object, signal)
      waitMs = Math.min(waitMs, policy === undefined ? intervals.waitMs : await this.#serve(policy, signal))
    }
    return waitMs
  }

  async #serve(policy: RebalancePolicy, signal: AbortSignal): Promise<number> {
    const input = this.#inputFor(policy)
    if (input === undefined) return intervals.watchMs
    const survey = surveyIsolation(input)
    const situation = await this.#situation(policy, { input, survey }, signal)
    await this.#holdPlans(policy, situation, signal)
    const known = await this.#report.write(policy, this.#reported(policy, survey, situation), signal)
    if (situation.phase === 'Reported') return intervals.watchMs
    // The stage is over with its last workload; that one's permit is still out.
    if (situation.stage !== 'Tolerations' || situation.phase === 'Blocked') await this.#followTolerations(policy, survey, signal)
    switch (situation.stage) {
      case 'Preflight':
        return intervals.waitMs
      case 'Tolerations':
        return this.#tolerations(policy, { survey, situation }, signal)
      case 'Taint':
        return this.#taint(known, { survey, situation }, signal)
      case 'Waves':
        return this.#waves(policy, survey, signal)
      case 'Verify':
        return intervals.watchMs
    }
  }

  #inputFor(policy: RebalancePolicy): PlanInput | undefined {
    const { view, ownerLabel, settings } = this.#leading
    const state = view.state()
    const resolved = planPolicyOf(policy, state, { ownerLabel, landing: this.keeper.landing, purpose: 'isolate' })
    return resolved.ok ? { state, policy: resolved.value, settings, nowMs: this.#context.clock.now() } : undefined
  }

  async #situation(
    policy: RebalancePolicy,
    { input, survey }: { readonly input: PlanInput; readonly survey: IsolationSurvey },
    signal: AbortSignal,
  ): Promise<Situation> {
    const plans = this.#plansOf(policy)
    const isPlanned = plans.some(plan => !isOver(plan))
    const paper = isPlanned || survey.leaving.length === 0 ? undefined : await this.#paper(policy, input, signal)
    const tainted = policy.status?.isolation?.conditions?.find(({ type }) => type === 'Tainted')
    const { isServed } = this.tolerations
    const sinceMs = tainted?.status === 'True' ? Date.parse(tainted.lastTransitionTime ?? '') : Number.NaN
    return situationOf({
      policy,
      survey,
      paper,
      plans,
      robbed: policy.spec.isolation?.taintMode === 'kubernetes' ? robbedNodes(input.state, policy, survey.rules) : [],
      hindered: webhookRows(survey, { isServed, tried: this.#tried(policy, survey, input.state) }),
      taintedSinceMs: Number.isNaN(sinceMs) ? undefined : sinceMs,
      nowMs: input.nowMs,
    })
  }

  #tried(policy: RebalancePolicy, survey: IsolationSurvey, state: ClusterState): TriedRollout | undefined {
    const tried = this.tolerations.tried(policy)
    // What another process tried is tried again, before it is said to be in the way.
    if (tried === undefined || !this.tolerations.isSpent(tried)) return undefined
    const found = triedRollout(tried, survey, state)
    const { object } = survey.core.find(workload => workload.object.metadata.uid === tried.workload) ?? {}
    return { ...found, isMarked: found.isMarked || this.tolerations.isBefore(tried.mark, object?.metadata.generation) }
  }

  #plansOf(policy: RebalancePolicy): readonly RebalancePlan[] {
    return this.#plans
      .list()
      .filter(
        plan =>
          plan.spec.purpose === 'isolate' &&
          plan.spec.policyRef.name === policy.metadata.name &&
          plan.status?.phase !== undefined,
      )
  }

  /** The plan as it would be with the taint there already: whether all that is to leave finds a place. */
  async #paper(policy: RebalancePolicy, input: PlanInput, signal: AbortSignal): Promise<Plan> {
    const rules = input.policy.isolation
    const state = rules === undefined ? input.state : withTaint(input.state, rules)
    const key = `${policy.metadata.uid ?? ''} ${policy.metadata.generation ?? 0} ${snapshotHash(state)}`
    const known = this.#papers.get(policy.metadata.name)
    if (known?.key === key) return known.plan
    const pause = breaks(this.#context.clock, this.#leading.refresh, signal)
    const plan = await makePlan({ ...input, state, pause }, this.#leading.solve, signal)
    await this.#leading.refresh(signal)
    this.#papers.set(policy.metadata.name, { key, plan })
    return plan
  }

  /** While an earlier stage is not over no plan of it goes on. */
  async #holdPlans(policy: RebalancePolicy, situation: Situation, signal: AbortSignal): Promise<void> {
    if (situation.stage === 'Waves' || situation.stage === 'Verify') return
    for (const plan of this.keeper.openPlansOf(policy))
      if (isUnderWay(plan)) await this.keeper.hold(plan, situation.message.slice(0, 4096), signal)
  }

  async #followTolerations(policy: RebalancePolicy, survey: IsolationSurvey, signal: AbortSignal): Promise<void> {
    const deps = { context: this.#context, leading: this.#leading, keeper: this.tolerations }
    if (policy.spec.isolation?.tolerations === 'webhook') await followRollouts(deps, { policy, survey }, signal)
    else await followTolerations(deps, { policy, survey, refusals: new Map() }, signal)
  }

  async #tolerations(
    policy: RebalancePolicy,
    at: { readonly survey: IsolationSurvey; readonly situation: Situation },
    signal: AbortSignal,
  ): Promise<number> {
    const how = policy.spec.isolation?.tolerations
    if (at.situation.phase === 'Blocked' || (how !== 'apply' && how !== 'webhook')) return intervals.waitMs
    const deps = { context: this.#context, leading: this.#leading, keeper: this.tolerations }
    const next = how === 'apply' ? tolerateNext : rollOutNext
    const refusals = await next(deps, { policy, survey: at.survey }, signal)
    if (refusals.size === 0) return intervals.stepMs
    const refused = withRefusals(at.situation, refusals)
    await this.#report.write(policy, this.#reported(policy, at.survey, refused), signal)
    return intervals.watchMs
  }

  async #taint(
    policy: RebalancePolicy,
    at: { readonly survey: IsolationSurvey; readonly situation: Situation },
    signal: AbortSignal,
  ): Promise<number> {
    const { survey, situation } = at
    if (policy.spec.isolation?.taintMode !== 'kubernetes' || situation.phase !== 'Running') return intervals.waitMs
    const nodes = this.#context.informers.of<Node>(builtIn.nodes)
    const tainted = policy.status?.isolation?.conditions?.find(({ type }) => type === 'Tainted')
    const wish = { policy, rules: survey.rules, untainted: survey.untainted, since: tainted?.lastTransitionTime ?? '' }
    const refused = await taintNext({ leading: this.#leading, nodes }, wish, signal)
    if (refused === undefined) return 0
    await this.#report.write(policy, this.#reported(policy, survey, { ...situation, phase: 'Waiting', message: refused }), signal)
    return intervals.waitMs
  }

  async #waves(policy: RebalancePolicy, survey: IsolationSurvey, signal: AbortSignal): Promise<number> {
    const [active] = this.keeper.activePlansOf(policy)
    // What it came to is said by the next pass, which looks at the cluster anew.
    if (active !== undefined) return Math.min((await this.keeper.advance(policy, active, signal)) ?? 0, intervals.waitMs)
    const proposals = this.keeper.openPlansOf(policy)
    if (proposals.length > 0) return Math.min(intervals.waitMs, await this.keeper.recheck(policy, proposals, signal))
    const plans = this.#plansOf(policy)
    const nowMs = this.#context.clock.now()
    const retry = retryOf(plans, nowMs)
    if (retry !== undefined) return Math.max(1, retry.atMs - nowMs)
    if (survey.leaving.length === 0) return 0
    const pods = createHash('sha256')
      .update(survey.leaving.map(({ pod }) => pod.uid).join('\n'))
      .digest('hex')
    const after = newestOver(plans)
    const reason = `isolate ${pods} after ${after?.metadata.name ?? ''} ${after?.status?.finishedAt ?? ''}`
    const planned = await planFor(this.keeper.plannerContext, policy, reason, signal)
    if (planned.kind === 'refused') {
      this.#review.tell(policy, planned.problems)
      return intervals.watchMs
    }
    await supersede(this.keeper.plannerContext, planned.plan, signal)
    return isOver(planned.plan) ? intervals.watchMs : 0
  }

  /** A policy with a fault: whatever is under way of it pauses, and its status says why. */
  async #standStill(object: RebalancePolicy, signal: AbortSignal): Promise<void> {
    const known = this.#policies.get(object.metadata.name) ?? object
    const fault = known.status?.conditions?.find(({ type }) => type === 'Valid')?.message ?? ''
    const message = `the policy has a fault, nothing is done: ${fault}`.slice(0, 4096)
    for (const plan of this.keeper.openPlansOf(object)) if (isUnderWay(plan)) await this.keeper.hold(plan, message, signal)
    const before = known.status?.isolation
    if (before === undefined) return
    const { blocked: _, ...rest } = before
    await this.#report.write(known, { ...rest, phase: 'Blocked', message }, signal)
  }

  /** Nobody wants it any more: plans end, and what was done is said with how to take it back. Moved pods stay. */
  async #abort(policy: RebalancePolicy, signal: AbortSignal): Promise<void> {
    const open = this.keeper.openPlansOf(policy)
    for (const plan of open) await this.keeper.expire(plan, 'the isolation was aborted', signal)
    if (open.length > 0) await this.keeper.cleanUp('the isolation was aborted', signal)
    const before = policy.status?.isolation
    if (before === undefined || before.phase === 'Aborted') return
    const taintMode = policy.spec.isolation?.taintMode ?? 'external'
    const rules = { nodes: before.nodes, taint: policy.spec.isolation?.taint ?? '' }
    const undo = taintMode === 'kubernetes' ? [] : undoLines(rules, taintMode)
    const taken = taintMode === 'kubernetes' ? 'Its taint was taken away' : 'Its taint is to be taken away (see undo)'
    const webhook =
      policy.spec.isolation?.tolerations === 'webhook'
        ? '. The webhook is taken away: core pods that are made from now on do not tolerate the taint, those that run stay (it is NoSchedule)'
        : ''
    const message = `aborted in stage ${before.stage}. ${taken}; pods that moved stay where they are, tolerations harm nobody${webhook}`
    const { plan: _, blocked: __, warnings: ___, ...rest } = before
    await this.#report.write(policy, { ...rest, phase: 'Aborted', message, undo }, signal)
  }

  /** What must hold at every single step, beside what the plan itself says. Costs little. */
  #whyHeld(plan: RebalancePlan): string | undefined {
    const policy = this.#review.readable(plan.spec.policyRef.name)
    if (policy === undefined) return 'its policy is gone'
    if (!isWanted(policy)) return 'the isolation was aborted'
    const state = this.#leading.view.state()
    const rules = isolationRulesOf(policy, state)
    if (!rules.ok) return 'its policy has no isolation that can be read'
    const bare = rules.value.nodes.filter(name => !carriesTaint(state.nodes.get(name), rules.value))
    if (bare.length > 0) return `the taint ${rules.value.taint} was removed from ${bare.join(', ')}`
    return otherNodes(state.nodes.values(), rules.value).length === 0 ? 'no other node is Ready and schedulable' : undefined
  }

  #reported(policy: RebalancePolicy, survey: IsolationSurvey, situation: Situation): IsolationStatus {
    const { spec, status } = policy
    const [plan] = this.keeper.openPlansOf(policy)
    return {
      stage: situation.stage,
      phase: situation.phase,
      message: situation.message.slice(0, 4096),
      nodes: survey.rules.nodes,
      ...(plan === undefined ? {} : { plan: plan.metadata.name }),
      blocked: situation.blocked,
      warnings: situation.warnings,
      undo: undoLines(survey.rules, spec.isolation?.taintMode ?? 'external'),
      conditions: this.#report.conditions(status?.isolation?.conditions, { survey, situation }),
    }
  }
}

function withRefusals(situation: Situation, refusals: Refusals): Situation {
  const blocked = situation.blocked.map(row => {
    const why = refusals.get(row.subject.replace(/^\S+ /, ''))
    return why === undefined ? row : { ...row, message: `${row.message}; not written: ${why}` }
  })
  return { ...situation, phase: 'Waiting', blocked }
}
