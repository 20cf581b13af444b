// What every capability that carries out plans does with them between their steps: lets them go on, makes them anew, holds proposals
// against the cluster, and takes away what is left of steering. Each sees to the plans of its own purpose only.
import type { Condition, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { formatTime } from '#kube/time/time.ts'
import { snapshotHash } from '#planning/snapshot-hash.ts'
import type { RebalancePlan, RebalancePlanStatus, RebalancePolicy } from '../api.ts'
import type { ControllerContext, Leading } from '../capability.ts'
import { holdLimits, unheldLandings } from './landing/landing-decision.ts'
import { dropStrandedGates, releaseHold } from './landing/landing-gate.ts'
import { endSteering } from './landing/landing-taint.ts'
import { type Asking, askingOf, isOfOthers } from './names.ts'
import { type PlanMetrics, planMetrics } from './plan-metrics.ts'
import { planPolicyOf, policyHash } from './plan-policy.ts'
import { inPhase, isApproved, isOver, isUnderWay, withCondition } from './plan-progress.ts'
import { policyChanged, type ReplanEnd, type RunContext, runPlan } from './plan-run.ts'
import type { Plans, Policies } from './plan-store.ts'
import { type PlannerContext, planAgain, planIfChanged, planRollBackOf, problemLines, replaceBy } from './planner.ts'
import type { PolicyReview } from './policy-review.ts'
import { waitsFor } from './precedence.ts'
import { whyClosed, whyPaused } from './run-pauses.ts'
import { opensMs } from './timetable/openings.ts'
import type { SignalReader } from './trial/signal-reader.ts'
import { isToBeUndone, isTooLate } from './trial/ways-back.ts'
import type { UsageMeter } from './usage/usage-meter.ts'

const intervals = {
  /** A waiting proposal is checked again. */
  recheckMs: 15 * 60_000,
  /** A paused plan is tried again where nothing said that it may go on. */
  retryPausedMs: 5 * 60_000,
  /** A plan that waits for a step of another. */
  retryBusyMs: 5_000,
  longestWaitMs: 3_600_000,
  /** Younger plans are kept however many there are: quarantines last a day. */
  keepOverMs: 48 * 3_600_000,
} as const
/** Plans of a policy that are over and kept. */
const mostOver = 50
/** A batch is planned anew this often at most, and may land elsewhere this often. */
const mostAttempts = 5
const mostMismatches = 2
/** What a plan's schema takes. */
const mostReplacements = 100

interface PlanKeeperOptions {
  readonly context: ControllerContext
  readonly leading: Leading
  readonly purpose: Asking['purpose']
  readonly plans: Plans
  readonly policies: Policies
  readonly review: PolicyReview
  /** Why no step of the plan may begin just now, beside what holds for every plan. */
  readonly holdsBack?: (plan: RebalancePlan) => string | undefined
  readonly isStopping: () => boolean
  /** Absent: goals of usage stand still. */
  readonly usage?: UsageMeter
  /** Absent: signals of policies are unknown, so that what has them stands still. */
  readonly signals?: SignalReader
}

export class PlanKeeper {
  readonly #options: PlanKeeperOptions
  readonly #requester: string
  /** By `elapsed()`. */
  readonly #pausedUntil = new Map<string, number>()

  constructor(options: PlanKeeperOptions) {
    this.#options = options
    this.#requester = askingOf({ spec: { purpose: options.purpose } }).requester
  }

  get plannerContext(): PlannerContext {
    const { context, leading, plans, purpose, usage } = this.#options
    const { events, clock, log } = context
    return { leading, plans, events, clock, log, landing: this.landing, purpose, usage, metrics: this.#metrics }
  }

  get #metrics(): PlanMetrics | undefined {
    const { metrics } = this.#options.context
    return metrics === undefined ? undefined : planMetrics(metrics)
  }

  get landing(): 'prefer' | 'hold' {
    return this.#options.context.webhooks === undefined ? 'prefer' : 'hold'
  }

  /** Plans of the purpose that are whole and not over. */
  openPlansOf(policy: Pick<RebalancePolicy, 'metadata'>): readonly RebalancePlan[] {
    return this.#options.plans
      .list()
      .filter(
        plan =>
          plan.spec.purpose === this.#options.purpose &&
          plan.spec.policyRef.name === policy.metadata.name &&
          !isOver(plan) &&
          plan.status?.phase !== undefined,
      )
  }

  /** Those that were begun or approved, first attempts first. */
  activePlansOf(policy: RebalancePolicy): readonly RebalancePlan[] {
    return this.openPlansOf(policy)
      .filter(plan => isUnderWay(plan) || (isApproved(plan) && policy.spec.mode !== 'Report'))
      .toSorted(byAttempt)
  }

  /** What a person changed may be what a paused plan waits for. */
  forgetPauses(): void {
    this.#pausedUntil.clear()
  }

  /** Lets an approved plan go on. `undefined`: it is over, look at the next; else in how many milliseconds to come back. */
  async advance(policy: RebalancePolicy, plan: RebalancePlan, signal: AbortSignal): Promise<number | undefined> {
    const { clock } = this.#options.context
    const nowMs = clock.now()
    const pausedMs = (this.#pausedUntil.get(plan.metadata.name) ?? 0) - clock.elapsed()
    if (pausedMs > 0) return pausedMs
    const paused = whyPaused(plan, policy, nowMs) ?? whyClosed(plan, this.#options.leading.arbiter, nowMs)
    const held = paused ?? this.#options.leading.view.staleness() ?? this.#holdsBack(plan)
    if (held !== undefined) {
      if (plan.spec.landing === 'hold' && isUnderWay(plan))
        await releaseHold(this.#options.leading.effects, this.#requester, signal)
      await this.hold(plan, held, signal)
      return paused === undefined ? intervals.retryBusyMs : this.#tryLater(plan, this.#untilOpenMs(policy, plan))
    }
    const runContext = this.#runContext(policy)
    if (runContext === undefined) return intervals.retryPausedMs
    const end = await runPlan(runContext, plan, signal)
    switch (end.kind) {
      case 'over':
        return undefined
      case 'paused':
        return this.#holdsBack(plan) === undefined
          ? this.#tryLater(plan, end.retryMs ?? this.#untilOpenMs(policy, plan))
          : intervals.retryBusyMs
      case 'replan':
        await this.#again(policy, plan, end, signal)
        return 0
    }
  }

  /** Makes the plans that undo what signals have stopped, each once; an earlier leader may have had no time for it. */
  async rollBack(policy: RebalancePolicy, signal: AbortSignal): Promise<void> {
    const { plans, purpose, context } = this.#options
    for (const plan of plans.list()) {
      if (plan.spec.purpose !== purpose || plan.spec.policyRef.name !== policy.metadata.name || !isToBeUndone(plan)) continue
      const nowMs = context.clock.now()
      const told = isTooLate(plan, nowMs) ? tooLate : undoneBy(await planRollBackOf(this.plannerContext, policy, plan, signal))
      await plans.setStatus(plan, status => ({ ...status, conditions: withCondition(status.conditions, told, nowMs) }), signal)
    }
  }

  /** Holds waiting proposals against the cluster every quarter of an hour, and against their policy when that was changed. */
  async recheck(policy: RebalancePolicy, proposals: readonly RebalancePlan[], signal: AbortSignal): Promise<number> {
    const { plans, context, leading } = this.#options
    let waitMs: number = intervals.longestWaitMs
    for (const plan of proposals) {
      const nowMs = context.clock.now()
      const leftMs = Date.parse(plan.status?.checkedAt ?? '') + intervals.recheckMs - nowMs
      const hash = policyHash(policy, this.#options.purpose)
      const isOfPolicy = (plan.status?.policyHash ?? hash) === hash
      if (leftMs > 0 && isOfPolicy) {
        waitMs = Math.min(waitMs, leftMs)
        continue
      }
      const restMs = Date.parse(plan.status?.expected?.rest?.from ?? '')
      const isSame = isOfPolicy && !(restMs <= nowMs) && snapshotHash(leading.view.state()) === plan.spec.snapshotHash
      const changed = isSame ? undefined : await planIfChanged(this.plannerContext, policy, plan, signal)
      if (changed !== undefined)
        await replaceBy(
          this.plannerContext,
          plan,
          { by: changed, message: isOfPolicy ? 'its certificates do not hold any more' : policyChanged },
          signal,
        )
      else await plans.setStatus(plan, status => ({ ...status, checkedAt: formatTime(nowMs), policyHash: hash }), signal)
      waitMs = Math.min(waitMs, intervals.recheckMs)
    }
    return waitMs
  }

  /** Takes away plans that were over long ago: those that are kept are what quarantines, landing rates and people look at. */
  async prune(policy: Pick<RebalancePolicy, 'metadata'>, signal: AbortSignal): Promise<void> {
    const { plans, purpose, context } = this.#options
    const beforeMs = context.clock.now() - intervals.keepOverMs
    const finishedMs = ({ status, metadata }: RebalancePlan) => Date.parse(status?.finishedAt ?? metadata.creationTimestamp ?? '')
    const over = plans
      .list()
      .filter(plan => plan.spec.purpose === purpose && plan.spec.policyRef.name === policy.metadata.name && isOver(plan))
      .toSorted((a, b) => finishedMs(b) - finishedMs(a))
    for (const plan of over.slice(mostOver)) if (finishedMs(plan) < beforeMs) await plans.remove(plan, signal)
  }

  /** Says of what is under way of a policy that cannot be planned just now that it stands still. */
  async holdAll(policy: Pick<RebalancePolicy, 'metadata'>, message: string, signal: AbortSignal): Promise<void> {
    for (const plan of this.openPlansOf(policy)) if (isUnderWay(plan)) await this.hold(plan, message, signal)
  }

  /** Says that a plan stands still, and why. */
  async hold(plan: RebalancePlan, message: string, signal: AbortSignal): Promise<void> {
    const nowMs = this.#options.context.clock.now()
    const phase = isUnderWay(plan) ? 'Paused' : 'Approved'
    await this.#options.plans.setStatus(
      plan,
      status => (status.phase === phase && status.message === message ? status : inPhase(status, phase, { message, nowMs })),
      signal,
    )
  }

  /** Ends a plan that is not to go on. What is under way of it is somebody's who follows its permit. */
  async expire(plan: RebalancePlan, message: string, signal: AbortSignal): Promise<void> {
    const nowMs = this.#options.context.clock.now()
    await this.#options.plans.setStatus(plan, status => inPhase(status, 'Expired', { message, nowMs }), signal)
  }

  /** A plan whose policy is gone has nobody who wants it. */
  async expireOrphans(signal: AbortSignal): Promise<void> {
    const { plans, policies, purpose } = this.#options
    for (const plan of plans.list()) {
      const isOurs = plan.spec.purpose === purpose && !isOver(plan) && plan.status?.phase !== undefined
      if (isOurs && policies.get(plan.spec.policyRef.name) === undefined) await this.expire(plan, 'its policy is gone', signal)
    }
  }

  /** Something steers for a plan that is not there any more: nobody else would end it. */
  isForsaken(): boolean {
    const batches = new Set(this.#options.plans.list().map(plan => plan.spec.batch ?? plan.metadata.name))
    return this.#options.leading.arbiter
      .unfinished(this.#requester)
      .some(({ purpose, batch }) => purpose === 'steer' && batch !== undefined && !batches.has(batch))
  }

  /** Removes what an earlier leader steered with, but for the gate of what it had begun: another replica may answer for that meanwhile. */
  async takeOver(signal: AbortSignal): Promise<void> {
    const isMoving = this.#options.leading.arbiter.unfinished(this.#requester).some(({ purpose }) => purpose !== 'steer')
    await this.#clean({ reason: 'left by an earlier leader', keepsHold: isMoving && this.#isHolding() }, signal)
  }

  /** Removes what steers for plans of ours, or of nobody. A plan under way steers anew when it goes on. */
  async cleanUp(reason: string, signal: AbortSignal): Promise<void> {
    await this.#clean({ reason, keepsHold: false }, signal)
  }

  async #clean(
    { reason, keepsHold }: { readonly reason: string; readonly keepsHold: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    if (signal.aborted) return
    const { leading, plans } = this.#options
    const { effects, view } = leading
    try {
      effects.leadership.assert()
    } catch {
      // The new leader cleans up before its first decision.
      return
    }
    const isOthers = (plan: string) => isOfOthers(plans.get(plan), this.#requester)
    await endSteering(this.#runContextParts(), { requester: this.#requester, reason, isOthers }, signal)
    if (!keepsHold) await releaseHold(effects, this.#requester, signal)
    const which = this.#isHolding() ? 'old' : 'all'
    await dropStrandedGates({ effects, view }, { which, requester: this.#requester }, signal)
  }

  #isHolding(): boolean {
    return this.#options.plans.list().some(plan => isUnderWay(plan) && plan.spec.landing === 'hold')
  }

  /** Drops gates that are too old, and ends permits over their time. To be called every few seconds. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { effects, view, arbiter } = this.#options.leading
    await dropStrandedGates({ effects, view }, { which: 'old', requester: this.#requester }, signal)
    await arbiter.settle(signal)
  }

  /** How long a plan waits that stands still: not past the moment at which the windows open. */
  #untilOpenMs(policy: RebalancePolicy, plan: RebalancePlan): number {
    const arbiter = this.#options.leading.arbiter.surroundings().policy
    const nowMs = this.#options.context.clock.now()
    const leftMs = opensMs({ policy, arbiter, asking: askingOf(plan) }, nowMs) - nowMs
    return leftMs > 0 ? Math.min(intervals.retryPausedMs, leftMs) : intervals.retryPausedMs
  }

  #holdsBack(plan: RebalancePlan): string | undefined {
    return this.#options.holdsBack?.(plan) ?? waitsFor(plan, this.#options.plans.list())
  }

  #tryLater(plan: RebalancePlan, afterMs: number = intervals.retryPausedMs): number {
    this.#pausedUntil.set(plan.metadata.name, this.#options.context.clock.elapsed() + afterMs)
    return afterMs
  }

  /** Makes a plan anew that does not hold, or ends it where that has been tried often enough. */
  async #again(known: RebalancePolicy, begun: RebalancePlan, end: ReplanEnd, signal: AbortSignal): Promise<void> {
    const { plans, context, review } = this.#options
    // As people left it while the plan ran.
    const policy = review.readable(known.metadata.name) ?? known
    // As people left it while it ran: frozen, or to be taken move by move.
    const plan = plans.get(begun.metadata.name) ?? begun
    const nowMs = context.clock.now()
    const mismatches = (plan.status?.mismatches ?? 0) + (end.cause === 'elsewhere' ? 1 : 0)
    // Nobody's mistake, and bounded by what follows from it: the batch goes on without the gate.
    const unheld = unheldLandings(plans.list(), plan.spec.batch ?? plan.metadata.name)
    const fail = (message: string) =>
      plans.setStatus(plan, status => ({ ...inPhase(status, 'Failed', { message, nowMs }), mismatches }), signal)
    if (mismatches >= mostMismatches) {
      await fail(`${mismatches} replacements landed elsewhere; nothing more is moved`)
      return
    }
    // A user who edits a policy is not to be told that it was tried too often.
    const most = end.cause === 'policy' ? mostReplacements : mostAttempts + unheld
    if (plan.spec.attempt + 1 >= most) {
      await fail(`planned anew ${plan.spec.attempt} times: ${end.message}`)
      return
    }
    const landing = unheld >= holdLimits.mostUnheld || plan.spec.landing === 'prefer' ? 'prefer' : undefined
    const planned = await planAgain(this.plannerContext, policy, { old: plan, landing }, signal)
    if (planned.kind === 'refused') {
      await fail(problemLines(planned.problems).slice(0, 4096))
      return
    }
    await plans.setStatus(planned.plan, status => inherited(status, { mismatches, ready: plan.status?.trial?.ready }), signal)
    await replaceBy(this.plannerContext, plan, { by: planned.plan, message: end.message }, signal)
  }

  #runContextParts() {
    const { arbiter, effects, view } = this.#options.leading
    return { arbiter, effects, view, nodes: this.#options.context.informers.of<Node>(builtIn.nodes) }
  }

  #runContext(policy: RebalancePolicy): RunContext | undefined {
    const { leading, context, plans, review, purpose, isStopping, usage, signals } = this.#options
    const { ownerLabel, settings } = leading
    const planPolicy = planPolicyOf(policy, leading.view.state(), { ownerLabel, landing: this.landing, purpose })
    if (!planPolicy.ok) return undefined
    const { events, log, webhooks } = context
    return {
      ...this.#runContextParts(),
      events,
      log,
      plans,
      settings,
      webhooks,
      usage,
      metrics: this.#metrics,
      signals,
      policy: () => review.readable(policy.metadata.name),
      planPolicy: planPolicy.value,
      holdsBack: plan => this.#holdsBack(plan),
      isStopping,
    }
  }
}

const tooLate = {
  type: 'RolledBack',
  status: 'False',
  reason: 'TooLate',
  message: 'it was stopped more than an hour ago',
} as const

function undoneBy(planned: Awaited<ReturnType<typeof planRollBackOf>>): Condition {
  if (planned.kind === 'planned')
    return { type: 'RolledBack', status: 'True', reason: 'PlanMade', message: `by ${planned.plan.metadata.name}` }
  return { type: 'RolledBack', status: 'False', reason: 'Refused', message: problemLines(planned.problems).slice(0, 4096) }
}

function byAttempt(a: RebalancePlan, b: RebalancePlan): number {
  return a.spec.attempt - b.spec.attempt || (a.metadata.name < b.metadata.name ? -1 : 1)
}

/** What a plan takes over from the one whose place it takes: how often that was misled, and what readiness was before the first of them. */
function inherited(
  status: RebalancePlanStatus,
  old: { readonly mismatches: number; readonly ready: NonNullable<RebalancePlanStatus['trial']>['ready'] },
): RebalancePlanStatus {
  const isCounted = (status.mismatches ?? 0) >= old.mismatches
  const isReady = old.ready === undefined || status.trial?.ready !== undefined
  if (isCounted && isReady) return status
  return {
    ...status,
    ...(isCounted ? {} : { mismatches: old.mismatches }),
    ...(isReady ? {} : { trial: { ...status.trial, ready: old.ready } }),
  }
}
