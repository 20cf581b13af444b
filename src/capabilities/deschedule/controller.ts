// The descheduler's loop in planned mode. Level-based: each pass looks at all policies and plans as they are now, does the one thing that
// is due, and begins again; nothing is remembered between passes, so that a new leader's first pass is like any other.
import type { RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import { Bell } from '#coordination/bell.ts'
import type { Check, ControllerContext, Leading, Running } from '#coordination/capability.ts'
import { messageOf } from '#kube/log.ts'
import type { Node } from '#kube/objects.ts'
import { builtIn } from '#kube/resource.ts'
import { formatTime } from '#kube/time.ts'
import { snapshotHash } from '#planning/snapshot-hash.ts'
import { capabilityName } from './api.ts'
import { dropStrandedGates, landingWebhook, releaseHold } from './landing-gate.ts'
import { endSteering } from './landing-taint.ts'
import { planPolicyOf } from './plan-policy.ts'
import { inPhase, isApproved, isOver, isUnderWay, withCondition } from './plan-progress.ts'
import { type RunContext, runPlan, whyPaused } from './plan-run.ts'
import { openPlans, type Plans, type Policies } from './plan-store.ts'
import { type PlannerContext, planAgain, planFor, planIfChanged, problemLines, replaceBy, supersede } from './planner.ts'
import { PolicyReview } from './policy-review.ts'
import { type Trigger, whenToPlan } from './schedule.ts'

const intervals = {
  /** A waiting proposal is checked again. */
  recheckMs: 15 * 60_000,
  /** A paused plan is tried again where nothing said that it may go on. */
  retryPausedMs: 5 * 60_000,
  /** Old gates, permits over their time. */
  sweepMs: 10_000,
  /** How long moves under way may take to land when the controller stops: less than pods are given to end. */
  drainMs: 20_000,
  firstErrorMs: 1_000,
  longestErrorMs: 30_000,
  /** A policy that cannot be planned is looked at again: what it lacks (a node) may have come. */
  reviewMs: 60_000,
  longestWaitMs: 3_600_000,
} as const
/** A batch is planned anew this often at most, and may land elsewhere this often. */
const mostAttempts = 5
const mostMismatches = 2

/** Starts the loop. The returned part ends it, takes away what steers, and waits for that. */
export async function startDeschedule<Config>(context: ControllerContext, signal: AbortSignal): Promise<Running<Config>> {
  const { leading } = context
  if (leading === undefined) throw new Error('deschedule acts only where it leads')
  const loop = new DescheduleLoop(context, leading)
  return loop.start<Config>(signal)
}

class DescheduleLoop {
  readonly #context: ControllerContext
  readonly #leading: Leading
  readonly #plans: Plans
  readonly #policies: Policies
  readonly #review: PolicyReview
  readonly #bell: Bell
  readonly #stop = new AbortController()
  readonly #pausedUntil = new Map<string, number>()
  #failure: string | undefined
  #isClean = false
  /** Something was changed by others since the pass began. */
  #isRung = false
  #isStopping = false

  constructor(context: ControllerContext, leading: Leading) {
    this.#context = context
    this.#leading = leading
    const { plans, policies } = openPlans({
      api: context.api,
      informers: context.informers,
      leadership: leading.effects.leadership,
    })
    this.#plans = plans
    this.#policies = policies
    const { clock, events } = context
    this.#review = new PolicyReview({ policies, leading, clock, events, landing: this.#landing })
    this.#bell = new Bell(clock)
  }

  async start<Config>(outer: AbortSignal): Promise<Running<Config>> {
    const signal = AbortSignal.any([outer, this.#stop.signal])
    await this.#context.informers.allSynced(signal)
    const resources = new DisposableStack()
    resources.defer(this.#plans.onWish(() => this.#wake()))
    resources.defer(this.#policies.onWish(() => this.#wake()))
    const { webhooks } = this.#context
    if (webhooks !== undefined) resources.use(webhooks.serve(landingWebhook))
    const running = [this.#run(signal), this.#sweep(signal)]
    return {
      health: () => this.#health(),
      reconfigure: async () => 'restart-part',
      [Symbol.asyncDispose]: async () => {
        await this.#drain(running, outer)
        resources.dispose()
        await this.#cleanUp('the controller stops', outer)
      },
    }
  }

  /** Lets what is under way land, for a while; then ends everything. */
  async #drain(running: readonly Promise<void>[], outer: AbortSignal): Promise<void> {
    this.#isStopping = true
    this.#bell.ring()
    const [loop] = running
    const isOver = new AbortController()
    // Both aborts of it mean the same here as its time: go on.
    const limit = this.#context.clock.after(intervals.drainMs, AbortSignal.any([outer, isOver.signal])).catch(() => undefined)
    await Promise.race([loop, limit])
    isOver.abort()
    this.#stop.abort(new DOMException('deschedule is stopped', 'AbortError'))
    await Promise.all(running)
  }

  #wake(): void {
    // What a person changed may be what a paused plan waits for.
    this.#pausedUntil.clear()
    this.#isRung = true
    this.#bell.ring()
    this.#leading.view.ring()
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted && !this.#isStopping; ) {
      try {
        this.#isRung = false
        const waitMs = await this.#pass(signal)
        this.#failure = undefined
        failures = 0
        await this.#bell.until(() => (this.#isRung || this.#isStopping ? true : undefined), { limitMs: waitMs, signal })
      } catch (error) {
        if (signal.aborted) return
        this.#failure = messageOf(error)
        const delayMs = Math.min(intervals.longestErrorMs, intervals.firstErrorMs * 2 ** failures++)
        this.#context.log.error({ capability: capabilityName, delayMs, why: this.#failure }, 'pass failed, tried again')
        await this.#context.clock.after(delayMs, signal).catch(ignoreAbort(signal))
      }
    }
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#context.clock.after(intervals.sweepMs, signal)
        await dropStrandedGates({ effects: this.#leading.effects, view: this.#leading.view }, 'old', signal)
        await this.#leading.arbiter.settle(signal)
      } catch (error) {
        if (signal.aborted) return
        this.#context.log.warn({ capability: capabilityName, why: messageOf(error) }, 'sweep failed, tried again')
      }
    }
  }

  /** Does what is due. @returns after how many milliseconds something may be due though nothing changed. */
  async #pass(signal: AbortSignal): Promise<number> {
    if (!this.#isClean) {
      await this.#cleanUp('left by an earlier leader', signal)
      this.#isClean = true
    } else if (this.#isForsaken()) await this.#cleanUp('its plan was deleted', signal)
    await this.#expireOrphans(signal)
    let waitMs: number = intervals.longestWaitMs
    for (const object of this.#policies.list()) {
      const policy = await this.#review.reviewed(object, signal)
      if (policy === undefined) {
        waitMs = Math.min(waitMs, intervals.reviewMs)
        continue
      }
      waitMs = Math.min(waitMs, await this.#serve(policy, signal))
    }
    return waitMs
  }

  /** Something steers for a plan that is not there any more: nobody else would end it. */
  #isForsaken(): boolean {
    const batches = new Set(this.#plans.list().map(plan => plan.spec.batch ?? plan.metadata.name))
    return this.#leading.arbiter
      .unfinished(capabilityName)
      .some(({ purpose, batch }) => purpose === 'steer' && batch !== undefined && !batches.has(batch))
  }

  /** Removes what steers, wherever it comes from. A plan under way steers anew when it goes on. */
  async #cleanUp(reason: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    try {
      this.#leading.effects.leadership.assert()
    } catch {
      // Whoever leads now cleans up before its first decision.
      return
    }
    await endSteering(this.#runContextParts(), reason, signal)
    await releaseHold(this.#leading.effects, signal)
    const isHolding = this.#plans.list().some(plan => isUnderWay(plan) && plan.spec.landing === 'hold')
    await dropStrandedGates({ effects: this.#leading.effects, view: this.#leading.view }, isHolding ? 'old' : 'all', signal)
  }

  /** A plan whose policy is gone has nobody who wants it. */
  async #expireOrphans(signal: AbortSignal): Promise<void> {
    for (const plan of this.#plans.list()) {
      if (isOver(plan) || plan.status?.phase === undefined || this.#policies.get(plan.spec.policyRef.name) !== undefined) continue
      const change = { message: 'its policy is gone', nowMs: this.#context.clock.now() }
      await this.#plans.setStatus(plan, status => inPhase(status, 'Expired', change), signal)
    }
  }

  async #serve(policy: RebalancePolicy, signal: AbortSignal): Promise<number> {
    const { clock } = this.#context
    const mine = this.#plans
      .list()
      .filter(plan => plan.spec.policyRef.name === policy.metadata.name && !isOver(plan) && plan.status?.phase !== undefined)
    const active = mine.filter(plan => isUnderWay(plan) || (isApproved(plan) && policy.spec.mode !== 'Report')).sort(byAttempt)
    const due = whenToPlan(policy, clock.now())
    // Who asks for a plan while another stands still wants that one gone; a replacement under way is waited for.
    const isInTheWay = (plan: RebalancePlan) =>
      plan.status?.phase === 'Running' ||
      this.#leading.arbiter
        .unfinished(capabilityName)
        .some(record => record.batch === plan.spec.batch && record.purpose === 'move')
    const isAskedAnew = due.kind === 'now' && due.trigger.kind === 'asked' && !active.some(isInTheWay)
    for (const plan of isAskedAnew ? [] : active) {
      const waitMs = await this.#advance(policy, plan, signal)
      if (waitMs !== undefined) return waitMs
    }
    if (due.kind === 'now') {
      await this.#plan(policy, due.trigger, signal)
      return 0
    }
    const proposals = mine.filter(plan => plan.status?.phase === 'Proposed')
    const recheckMs = await this.#recheck(policy, proposals, signal)
    return Math.min(recheckMs, due.kind === 'at' ? Math.max(1, due.atMs - clock.now()) : intervals.longestWaitMs)
  }

  /** Lets an approved plan go on. `undefined`: it is over, look at the next. */
  async #advance(policy: RebalancePolicy, plan: RebalancePlan, signal: AbortSignal): Promise<number | undefined> {
    const nowMs = this.#context.clock.now()
    const pausedUntilMs = this.#pausedUntil.get(plan.metadata.name) ?? 0
    if (pausedUntilMs > nowMs) return pausedUntilMs - nowMs
    const paused = whyPaused(plan, policy, nowMs)
    if (paused !== undefined) {
      const phase = isUnderWay(plan) ? 'Paused' : 'Approved'
      await this.#plans.setStatus(
        plan,
        status =>
          status.phase === phase && status.message === paused ? status : inPhase(status, phase, { message: paused, nowMs }),
        signal,
      )
      this.#pausedUntil.set(plan.metadata.name, nowMs + intervals.retryPausedMs)
      return intervals.retryPausedMs
    }
    const runContext = this.#runContext(policy)
    if (runContext === undefined) return intervals.retryPausedMs
    const end = await runPlan(runContext, plan, signal)
    switch (end.kind) {
      case 'over':
        return undefined
      case 'paused':
        this.#pausedUntil.set(plan.metadata.name, this.#context.clock.now() + intervals.retryPausedMs)
        return intervals.retryPausedMs
      case 'replan':
        await this.#again(policy, plan, end, signal)
        return 0
    }
  }

  async #plan(policy: RebalancePolicy, trigger: Trigger, signal: AbortSignal): Promise<void> {
    const planned = await planFor(this.#plannerContext(), policy, trigger.key, signal)
    if (planned.kind === 'planned') await supersede(this.#plannerContext(), planned.plan, signal)
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

  /** Makes a plan anew that does not hold, or ends it where that has been tried often enough. */
  async #again(
    policy: RebalancePolicy,
    plan: RebalancePlan,
    end: { readonly message: string; readonly isMismatch: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const nowMs = this.#context.clock.now()
    const mismatches = (plan.status?.mismatches ?? 0) + (end.isMismatch ? 1 : 0)
    const fail = (message: string) =>
      this.#plans.setStatus(plan, status => ({ ...inPhase(status, 'Failed', { message, nowMs }), mismatches }), signal)
    if (mismatches >= mostMismatches) {
      await fail(`${mismatches} replacements landed elsewhere; nothing more is moved`)
      return
    }
    if (plan.spec.attempt + 1 >= mostAttempts) {
      await fail(`planned anew ${plan.spec.attempt} times: ${end.message}`)
      return
    }
    const planned = await planAgain(this.#plannerContext(), policy, plan, signal)
    if (planned.kind === 'refused') {
      await fail(problemLines(planned.problems).slice(0, 4096))
      return
    }
    await this.#plans.setStatus(
      planned.plan,
      status => ((status.mismatches ?? 0) >= mismatches ? status : { ...status, mismatches }),
      signal,
    )
    await replaceBy(this.#plannerContext(), plan, { by: planned.plan, message: end.message }, signal)
  }

  /** Holds waiting proposals against the cluster every quarter of an hour. */
  async #recheck(policy: RebalancePolicy, proposals: readonly RebalancePlan[], signal: AbortSignal): Promise<number> {
    let waitMs: number = intervals.longestWaitMs
    for (const plan of proposals) {
      const nowMs = this.#context.clock.now()
      const leftMs = Date.parse(plan.status?.checkedAt ?? '') + intervals.recheckMs - nowMs
      if (leftMs > 0) {
        waitMs = Math.min(waitMs, leftMs)
        continue
      }
      const isSame = snapshotHash(this.#leading.view.state()) === plan.spec.snapshotHash
      const changed = isSame ? undefined : await planIfChanged(this.#plannerContext(), policy, plan, signal)
      if (changed !== undefined)
        await replaceBy(this.#plannerContext(), plan, { by: changed, message: 'its certificates do not hold any more' }, signal)
      else await this.#plans.setStatus(plan, status => ({ ...status, checkedAt: formatTime(nowMs) }), signal)
      waitMs = Math.min(waitMs, intervals.recheckMs)
    }
    return waitMs
  }

  get #landing(): 'prefer' | 'hold' {
    return this.#context.webhooks === undefined ? 'prefer' : 'hold'
  }

  #plannerContext(): PlannerContext {
    const { events, clock, log } = this.#context
    return { leading: this.#leading, plans: this.#plans, events, clock, log, landing: this.#landing }
  }

  #runContextParts() {
    const { arbiter, effects, view } = this.#leading
    return { arbiter, effects, view, nodes: this.#context.informers.of<Node>(builtIn.nodes) }
  }

  #runContext(policy: RebalancePolicy): RunContext | undefined {
    const planPolicy = planPolicyOf(policy, this.#leading.view.state(), {
      ownerLabel: this.#leading.ownerLabel,
      landing: this.#landing,
    })
    if (!planPolicy.ok) return undefined
    const { events, log, webhooks } = this.#context
    return {
      ...this.#runContextParts(),
      events,
      log,
      plans: this.#plans,
      settings: this.#leading.settings,
      webhooks,
      policy: () => this.#review.readable(policy.metadata.name),
      planPolicy: planPolicy.value,
      isStopping: () => this.#isStopping,
    }
  }

  #health(): readonly Check[] {
    return [{ name: 'loop', ok: this.#failure === undefined, ...(this.#failure === undefined ? {} : { message: this.#failure }) }]
  }
}

function byAttempt(a: RebalancePlan, b: RebalancePlan): number {
  return a.spec.attempt - b.spec.attempt || (a.metadata.name < b.metadata.name ? -1 : 1)
}

function ignoreAbort(signal: AbortSignal): (error: unknown) => void {
  return error => {
    if (!signal.aborted) throw error
  }
}
