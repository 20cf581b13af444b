// Makes RebalancePlan objects: for a policy that is due, for a proposal that grew old, for a plan that has to be made anew.
// The name of a plan follows from why it is made, so that one reason makes one plan, also across a crash.
import { createHash } from 'node:crypto'
import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import { breaks } from '#kube/leases/breaks.ts'
import type { Log } from '#kube/log.ts'
import { type Problem, problemSentence } from '#kube/problem.ts'
import { budgetProposals } from '#planning/candidates/budget-proposals.ts'
import type { PlanPolicy } from '#planning/goals/policy.ts'
import { makePlan } from '#planning/plan.ts'
import type { Plan } from '#planning/plan-record.ts'
import { acceptance } from '#planning/sequence/acceptance.ts'
import type { RebalancePlan, RebalancePolicy } from '../api.ts'
import type { Leading } from '../capability.ts'
import { freezeAnnotation } from '../freeze.ts'
import { demandBefore } from './demand-history.ts'
import { isUnheld } from './landing/landing-decision.ts'
import { isForetold, landingRate } from './landing/landing-rate.ts'
import { leftOfLimits } from './left-of-limits.ts'
import { moveHistory } from './move-history.ts'
import { type Asking, askingOf, eventReasons, frozenByAnnotation, runUntilAnnotation } from './names.ts'
import type { PlanMetrics } from './plan-metrics.ts'
import { planObject } from './plan-object.ts'
import { planPolicyOf, policyHash } from './plan-policy.ts'
import { inPhase, isOver, standingMoves, withCondition } from './plan-progress.ts'
import type { Plans } from './plan-store.ts'
import { planMessage, planSentence } from './plan-words.ts'
import { missingNow } from './progress/nearness.ts'
import { quarantines } from './quarantine.ts'
import { type Foretold, foretell } from './timetable/foretell.ts'
import { foretellContext } from './timetable/foretell-context.ts'
import { type Undoing, undoingSentence, undone } from './trial/undone.ts'
import type { UsageMeter } from './usage/usage-meter.ts'

export interface PlannerContext {
  readonly leading: Leading
  readonly plans: Plans
  readonly events: EventRecorder
  readonly clock: Clock
  readonly log: Log
  /** How landings are steered where the policy does not say. */
  readonly landing: 'prefer' | 'hold'
  /** What its plans are for. */
  readonly purpose: Asking['purpose']
  /** Measures what goals of usage are about; absent: they stand still. */
  readonly usage?: UsageMeter | undefined
  readonly metrics?: PlanMetrics | undefined
}

type Planned =
  | {
      readonly kind: 'planned'
      readonly plan: RebalancePlan
      /** Points by which goals are missed now; absent where an earlier leader made the plan. */
      readonly missing?: number
    }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }

/** The plan for a reason; the one that is there already where an earlier leader made it. */
export async function planFor(
  context: PlannerContext,
  policy: RebalancePolicy,
  reason: string,
  signal: AbortSignal,
): Promise<Planned> {
  const name = planName(policy, reason)
  const existing = await wholePlan(context, name, signal)
  if (existing !== undefined) return { kind: 'planned', plan: existing }
  const made = await compute(context, policy, { batch: name }, signal)
  if (made.kind === 'refused') return made
  const approved = goesByItself(policy, made.foretold)
  const plan = await propose(context, { policy, name, ...made, approved }, signal)
  return { kind: 'planned', plan, missing: missingNow(made.foretold.plan) }
}

/**
 * The plan that takes the place of `old`, which does not hold any more; `undefined` where nothing is left to move. It is approved
 * where the policy approves by itself, or where it moves nothing that was not approved with the old one; not where somebody takes the old
 * one move by move. `landing` steers it another way than the policy says.
 */
export async function planAgain(
  context: PlannerContext,
  policy: RebalancePolicy,
  { old, landing }: { readonly old: RebalancePlan; readonly landing: 'prefer' | undefined },
  signal: AbortSignal,
): Promise<Planned> {
  const attempt = old.spec.attempt + 1
  const name = planName(policy, `${old.metadata.name} again ${attempt}`)
  const existing = await wholePlan(context, name, signal)
  if (existing !== undefined) return { kind: 'planned', plan: existing }
  const batch = old.spec.batch ?? old.metadata.name
  const made = await compute(context, policy, { landing, batch, rollsBack: old.spec.rollsBack }, signal)
  if (made.kind === 'refused') return made
  const { foretold } = made
  const replaces = { name: old.metadata.name, batch, attempt }
  const isStepped = old.metadata.annotations?.[runUntilAnnotation] !== undefined
  const isApproved = old.spec.approved && foretold.rest === undefined && isCovered(foretold.plan, old)
  const approved = !isStepped && (goesByItself(policy, foretold) || isApproved)
  const annotations = stillFrozen(old)
  return {
    kind: 'planned',
    plan: await propose(context, { policy, name, ...made, approved, replaces, annotations }, signal),
  }
}

/**
 * The plan that undoes what `stopped` has moved; the one that is there already where an earlier leader made it. It is of the same batch:
 * cool-downs and ways back that these moves set hold others up, not their own way back.
 */
export async function planRollBackOf(
  context: PlannerContext,
  policy: RebalancePolicy,
  stopped: RebalancePlan,
  signal: AbortSignal,
): Promise<Planned> {
  const name = planName(policy, `${stopped.metadata.name} back`)
  const existing = await wholePlan(context, name, signal)
  if (existing !== undefined) return { kind: 'planned', plan: existing }
  const batch = stopped.spec.batch ?? stopped.metadata.name
  const made = await compute(context, policy, { batch, rollsBack: stopped.metadata.name }, signal)
  if (made.kind === 'refused') return made
  const proposal = { policy, name, ...made, batch, approved: policy.spec.mode === 'Auto' }
  return { kind: 'planned', plan: await propose(context, proposal, signal) }
}

/** Looks at a waiting proposal with today's eyes; `undefined` where it would come out the same. */
export async function planIfChanged(
  context: PlannerContext,
  policy: RebalancePolicy,
  old: RebalancePlan,
  signal: AbortSignal,
): Promise<RebalancePlan | undefined> {
  const batch = old.spec.batch ?? old.metadata.name
  const made = await compute(context, policy, { batch, rollsBack: old.spec.rollsBack }, signal)
  if (made.kind === 'refused' || isSamePlan(made.foretold.plan, old)) return undefined
  const { foretold } = made
  // The same cluster makes another plan once something that held it is over.
  const rest = old.status?.expected?.rest?.from ?? ''
  const name = planName(policy, `${old.metadata.name} ${foretold.plan.snapshotHash} ${rest}`)
  const replaces = { name: old.metadata.name, batch, attempt: old.spec.attempt }
  const proposal = { policy, name, ...made, approved: goesByItself(policy, foretold), replaces, annotations: stillFrozen(old) }
  return (await wholePlan(context, name, signal)) ?? propose(context, proposal, signal)
}

/** Marks every other plan of the policy and purpose that waits or stands still as replaced by `by`. */
export async function supersede(context: PlannerContext, by: RebalancePlan, signal: AbortSignal): Promise<void> {
  for (const plan of context.plans.list()) {
    const isOther = plan.metadata.name !== by.metadata.name && plan.spec.policyRef.name === by.spec.policyRef.name
    if (
      !isOther ||
      plan.spec.purpose !== by.spec.purpose ||
      isOver(plan) ||
      plan.status?.phase === undefined ||
      plan.status.phase === 'Running'
    )
      continue
    await replaceBy(context, plan, { by, message: `replaced by ${by.metadata.name}` }, signal)
  }
}

/** Ends `plan` in favour of another. */
export async function replaceBy(
  context: PlannerContext,
  plan: RebalancePlan,
  change: { readonly by: RebalancePlan; readonly message: string },
  signal: AbortSignal,
): Promise<void> {
  const nowMs = context.clock.now()
  await context.plans.setStatus(
    plan,
    status => ({
      ...inPhase(status, 'Expired', { message: change.message, nowMs }),
      conditions: withCondition(
        status.conditions,
        { type: 'Superseded', status: 'True', reason: 'Replaced', message: `by ${change.by.metadata.name}` },
        nowMs,
      ),
    }),
    signal,
  )
}

/** A plan that was created and not finished (its status is missing) is taken away: what was to be written is lost. */
async function wholePlan(context: PlannerContext, name: string, signal: AbortSignal): Promise<RebalancePlan | undefined> {
  const plan = context.plans.get(name)
  if (plan === undefined || plan.status?.phase !== undefined) return plan
  await context.plans.remove(plan, signal)
  return undefined
}

/** What reaches less than could be reached later is somebody's to approve, unless it brings the goals nearer and the policy goes by itself. */
function goesByItself({ spec }: RebalancePolicy, { rest, isWorthIt }: Foretold): boolean {
  return spec.mode === 'Auto' && (rest === undefined || isWorthIt)
}

interface Wanted {
  readonly batch: string
  readonly landing?: PlanPolicy['landing'] | undefined
  /** The plan that is to be undone; `undefined`: what the goals need. */
  readonly rollsBack?: string | undefined
}

interface Made {
  readonly kind: 'made'
  readonly foretold: Foretold
  readonly undoing?: Undoing
}

async function compute(
  context: PlannerContext,
  policy: RebalancePolicy,
  { batch, landing, rollsBack }: Wanted,
  signal: AbortSignal,
): Promise<Made | { kind: 'refused'; problems: readonly Problem[] }> {
  const { leading, clock } = context
  await context.usage?.first(signal)
  const state = await leading.view.snapshot(signal)
  const planPolicy = planPolicyOf(policy, state, {
    ownerLabel: leading.ownerLabel,
    landing: context.landing,
    purpose: context.purpose,
  })
  if (!planPolicy.ok) return { kind: 'refused', problems: [planPolicy.problem] }
  const nowMs = clock.now()
  const left = leftOfLimits(policy, context.plans.list(), nowMs)
  const input = {
    state,
    policy: {
      ...planPolicy.value,
      limits: { ...planPolicy.value.limits, ...left },
      landing: landing ?? trustedLanding(context, planPolicy.value.landing),
    },
    settings: leading.settings,
    nowMs,
    quarantined: quarantines(context.plans.list(), nowMs),
    history: moveHistory(context.plans.list()),
    demandBefore: demandBefore(policy.status?.demand, nowMs),
    pause: breaks(clock, leading.refresh, signal),
    ...(context.usage === undefined ? {} : { measured: context.usage.measurements() }),
  }
  const known = foretellContext({ arbiter: leading.arbiter, plans: context.plans.list(), policy, purpose: context.purpose })
  if (rollsBack !== undefined)
    return await undone({ rollsBack, plans: context.plans.list(), input, context: { ...known, batch } })
  const beganMs = clock.elapsed()
  const foretold = await foretell(input, { ...known, plan: batch, batch }, async one => {
    await leading.refresh(signal)
    return await makePlan(one, leading.solve, signal)
  })
  // Whatever comes of it is written next.
  await leading.refresh(signal)
  const { plan } = foretold
  if (plan.problems.length > 0) return { kind: 'refused', problems: plan.problems }
  context.metrics?.planned(plan, (clock.elapsed() - beganMs) / 1000)
  return { kind: 'made', foretold }
}

/** Where the scheduler often does otherwise than foretold nothing is left to it alone. */
function trustedLanding({ plans }: PlannerContext, landing: PlanPolicy['landing']): PlanPolicy['landing'] {
  return landing === 'observe' && !isForetold(landingRate(plans.list())) ? 'prefer' : landing
}

interface Proposal extends Omit<Made, 'kind'> {
  readonly policy: RebalancePolicy
  readonly name: string
  /** Default: its name, or that of what it replaces. */
  readonly batch?: string
  readonly approved: boolean
  readonly replaces?: { readonly name: string; readonly batch: string; readonly attempt: number }
  readonly annotations?: Readonly<Record<string, string>>
}

/** A freeze of a plan also freezes the plan that takes its place: else a pause would end by a landing elsewhere. */
function stillFrozen({ metadata: { annotations = {} } }: RebalancePlan): Readonly<Record<string, string>> {
  const kept = [freezeAnnotation, frozenByAnnotation].flatMap(key => {
    const value = annotations[key]
    return value === undefined ? [] : [[key, value] as const]
  })
  return Object.fromEntries(kept)
}

async function propose(context: PlannerContext, proposal: Proposal, signal: AbortSignal): Promise<RebalancePlan> {
  const { policy, name, foretold, undoing, batch, approved, annotations = {} } = proposal
  const { plan } = foretold
  const nowMs = context.clock.now()
  const made = planObject(plan, {
    name,
    policyUid: policy.metadata.uid,
    policyHash: policyHash(policy, context.purpose),
    nowMs,
    foretold,
    approved,
    purpose: context.purpose,
    ...(undoing === undefined ? {} : { undoing }),
    ...(batch === undefined ? {} : { batch }),
    budgets: budgetProposals(context.leading.view.state(), plan),
    ...(proposal.replaces === undefined ? {} : { replaces: proposal.replaces }),
  })
  const { status = {}, ...unfrozen } = made
  const object =
    Object.keys(annotations).length === 0 ? unfrozen : { ...unfrozen, metadata: { ...unfrozen.metadata, annotations } }
  const isIdle = plan.moves.length === 0
  const idle = undoing === undefined ? withNothingToDo(status, foretold, nowMs) : withNothingToUndo(status, nowMs)
  const whole = isIdle ? idle : status
  const stored = await context.plans.create(object, whole, signal)
  context.log.info({ plan: name, moves: plan.moves.length, outcome: plan.outcome, method: plan.method }, 'plan proposed')
  announce(context, policy, { plan, name, sentence: undoing === undefined ? planSentence(plan) : undoingSentence(plan, undoing) })
  warnOfContradictions(context, plan)
  return stored
}

/** Where a pod stays that was to go back, its reasons are in the status. */
function withNothingToUndo(status: NonNullable<RebalancePlan['status']>, nowMs: number): NonNullable<RebalancePlan['status']> {
  const phase = (status.unmovable ?? []).length === 0 ? 'Succeeded' : 'Incomplete'
  return inPhase(status, phase, { message: status.message ?? '', nowMs })
}

/** Nothing to approve: the plan is over as soon as it is made. */
function withNothingToDo(
  status: NonNullable<RebalancePlan['status']>,
  foretold: Foretold,
  nowMs: number,
): NonNullable<RebalancePlan['status']> {
  const { plan, rest } = foretold
  const message = planMessage(plan, foretold)
  const isMet = plan.outcome === 'met'
  const isUnknown = plan.problems.length === 0 && plan.goals.every(({ state }) => state !== 'missed') && !isMet
  const phase = isMet ? 'Succeeded' : rest === undefined ? 'Failed' : 'Incomplete'
  const ended = inPhase(status, phase, { message, nowMs })
  const condition = {
    type: 'GoalsMet',
    status: isMet ? ('True' as const) : isUnknown ? ('Unknown' as const) : ('False' as const),
    reason: isMet ? 'Measured' : isUnknown ? 'NotMeasured' : rest === undefined ? 'OutOfReach' : 'NotNow',
    message,
  }
  return { ...ended, conditions: withCondition(ended.conditions, condition, nowMs) }
}

function announce(
  context: PlannerContext,
  policy: RebalancePolicy,
  { plan, name, sentence }: { readonly plan: Plan; readonly name: string; readonly sentence: string },
): void {
  const controller = controllerOf(context)
  const { uid } = policy.metadata
  const regarding = {
    apiVersion: policy.apiVersion,
    kind: policy.kind,
    name: policy.metadata.name,
    ...(uid === undefined ? {} : { uid }),
  }
  context.events.emit({
    type: 'Normal',
    reason: eventReasons.planned,
    action: 'Plan',
    regarding,
    note: `${name}: ${sentence}`,
    controller,
  })
  for (const move of plan.moves) {
    context.events.emit({
      type: 'Normal',
      reason: eventReasons.planned,
      action: 'Plan',
      regarding: move.workload,
      note: `${name}: pod ${move.pod.name} is to go from ${move.from} to ${move.to}`,
      controller,
    })
  }
}

/** Warns of pods that the plan leaves alone for their owner. */
function warnOfContradictions(context: PlannerContext, plan: Plan): void {
  const { ownerWarnings } = context.leading.arbiter
  for (const { workload, pod, code, data } of plan.unmovable) {
    const said = data['contradicting']
    if (said === undefined) continue
    const subject = workload ?? { apiVersion: 'v1', kind: 'Pod', ...pod }
    const by = { reason: eventReasons.skipped, action: 'Plan', controller: controllerOf(context) }
    ownerWarnings.tell({ subject, said, key: data['label'] ?? '', isScaled: data['source'] === 'scaler' }, { ...by, code })
  }
}

function controllerOf({ purpose }: PlannerContext): string {
  return `ballast.dev/${askingOf({ spec: { purpose } }).requester}`
}

function isSamePlan(plan: Plan, old: RebalancePlan): boolean {
  const text = (moves: readonly { readonly pod: { readonly uid: string }; readonly to: string; readonly action: string }[]) =>
    moves.map(move => `${move.pod.uid} ${move.to} ${move.action}`).join('\n')
  return text(plan.moves) === text(old.spec.moves)
}

/** A replacement that was made without its gate stands for the pod that was to move: what was approved is still to be done. */
function isCovered(plan: Plan, old: RebalancePlan): boolean {
  const strays = new Map((old.status?.steps ?? []).filter(isUnheld).map(({ id, replacement }) => [id, replacement?.uid]))
  return plan.moves.every(move =>
    standingMoves(old).some(
      approved =>
        (approved.pod.uid === move.pod.uid || strays.get(approved.id) === move.pod.uid) &&
        acceptance(old.spec, approved)(move.to),
    ),
  )
}

/** `<policy>-<8 hex digits of the reason>`: fits a label value, so that the taint can name it. */
function planName(policy: RebalancePolicy, reason: string): string {
  const hash = createHash('sha256')
    .update(`${policy.metadata.uid ?? ''} ${reason}`)
    .digest('hex')
    .slice(0, 8)
  return `${policy.metadata.name.slice(0, 54)}-${hash}`
}

/** All problems in one text, a line each. */
export function problemLines(problems: readonly Problem[]): string {
  return problems.map(problemSentence).join('\n')
}
