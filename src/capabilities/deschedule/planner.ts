// Makes RebalancePlan objects: for a policy that is due, for a proposal that grew old, for a plan that has to be made anew.
// The name of a plan follows from why it is made, so that one reason makes one plan, also across a crash.
import { createHash } from 'node:crypto'
import type { RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import type { Leading } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events.ts'
import type { Log } from '#kube/log.ts'
import { type Problem, problemSentence } from '#kube/problem.ts'
import { makePlan } from '#planning/plan.ts'
import type { Plan } from '#planning/plan-record.ts'
import { type PlanPolicy, workloadKey } from '#planning/policy.ts'
import { capabilityName, eventReasons } from './api.ts'
import { planObject } from './plan-object.ts'
import { planPolicyOf } from './plan-policy.ts'
import { inPhase, isOver, withCondition } from './plan-progress.ts'
import type { Plans } from './plan-store.ts'
import { planMessage, planSentence } from './plan-words.ts'
import { quarantines } from './quarantine.ts'

export interface PlannerContext {
  readonly leading: Leading
  readonly plans: Plans
  readonly events: EventRecorder
  readonly clock: Clock
  readonly log: Log
  /** How landings are steered where the policy does not say. */
  readonly landing: 'prefer' | 'hold'
}

type Planned =
  | { readonly kind: 'planned'; readonly plan: RebalancePlan }
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
  const made = await compute(context, policy, signal)
  if (made.kind === 'refused') return made
  return {
    kind: 'planned',
    plan: await propose(context, { policy, name, plan: made.plan, approved: policy.spec.mode === 'Auto' }, signal),
  }
}

/**
 * The plan that takes the place of `old`, which does not hold any more; `undefined` where nothing is left to move. It is approved
 * where the policy approves by itself, or where it moves nothing that was not approved with the old one.
 */
export async function planAgain(
  context: PlannerContext,
  policy: RebalancePolicy,
  old: RebalancePlan,
  signal: AbortSignal,
): Promise<Planned> {
  const attempt = old.spec.attempt + 1
  const name = planName(policy, `${old.metadata.name} again ${attempt}`)
  const existing = await wholePlan(context, name, signal)
  if (existing !== undefined) return { kind: 'planned', plan: existing }
  const made = await compute(context, policy, signal)
  if (made.kind === 'refused') return made
  const replaces = { name: old.metadata.name, batch: old.spec.batch ?? old.metadata.name, attempt }
  const approved = policy.spec.mode === 'Auto' || (old.spec.approved && isCovered(made.plan, old))
  return { kind: 'planned', plan: await propose(context, { policy, name, plan: made.plan, approved, replaces }, signal) }
}

/** Looks at a waiting proposal with today's eyes; `undefined` where it would come out the same. */
export async function planIfChanged(
  context: PlannerContext,
  policy: RebalancePolicy,
  old: RebalancePlan,
  signal: AbortSignal,
): Promise<RebalancePlan | undefined> {
  const made = await compute(context, policy, signal)
  if (made.kind === 'refused' || isSamePlan(made.plan, old)) return undefined
  const name = planName(policy, `${old.metadata.name} ${made.plan.snapshotHash}`)
  const replaces = { name: old.metadata.name, batch: old.spec.batch ?? old.metadata.name, attempt: old.spec.attempt }
  const proposal = { policy, name, plan: made.plan, approved: policy.spec.mode === 'Auto', replaces }
  return (await wholePlan(context, name, signal)) ?? propose(context, proposal, signal)
}

/** Marks every other plan of the policy that waits or stands still as replaced by `by`. */
export async function supersede(context: PlannerContext, by: RebalancePlan, signal: AbortSignal): Promise<void> {
  for (const plan of context.plans.list()) {
    const isOther = plan.metadata.name !== by.metadata.name && plan.spec.policyRef.name === by.spec.policyRef.name
    if (!isOther || isOver(plan) || plan.status?.phase === undefined || plan.status.phase === 'Running') continue
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

async function compute(
  context: PlannerContext,
  policy: RebalancePolicy,
  signal: AbortSignal,
): Promise<{ kind: 'made'; plan: Plan; policy: PlanPolicy } | { kind: 'refused'; problems: readonly Problem[] }> {
  const { leading, clock } = context
  const state = leading.view.state()
  const planPolicy = planPolicyOf(policy, state, { ownerLabel: leading.ownerLabel, landing: context.landing })
  if (!planPolicy.ok) return { kind: 'refused', problems: [planPolicy.problem] }
  const nowMs = clock.now()
  const input = {
    state,
    policy: planPolicy.value,
    settings: leading.settings,
    nowMs,
    quarantined: quarantines(context.plans.list(), nowMs),
  }
  // The solver works in another process, which a virtual clock cannot see.
  using _ = clock.hold()
  const plan = await makePlan(input, leading.solve, signal)
  return plan.problems.length > 0
    ? { kind: 'refused', problems: plan.problems }
    : { kind: 'made', plan, policy: planPolicy.value }
}

interface Proposal {
  readonly policy: RebalancePolicy
  readonly name: string
  readonly plan: Plan
  readonly approved: boolean
  readonly replaces?: { readonly name: string; readonly batch: string; readonly attempt: number }
}

async function propose(context: PlannerContext, proposal: Proposal, signal: AbortSignal): Promise<RebalancePlan> {
  const { policy, name, plan, approved } = proposal
  const nowMs = context.clock.now()
  const made = planObject(plan, {
    name,
    policyUid: policy.metadata.uid,
    nowMs,
    approved,
    ...(proposal.replaces === undefined ? {} : { replaces: proposal.replaces }),
  })
  const { status = {}, ...object } = made
  const whole = plan.moves.length > 0 ? status : withNothingToDo(status, plan, nowMs)
  const stored = await context.plans.create(object, whole, signal)
  context.log.info({ plan: name, moves: plan.moves.length, outcome: plan.outcome, method: plan.method }, 'plan proposed')
  announce(context, policy, { plan, name })
  warnOfContradictions(context, plan)
  return stored
}

/** Nothing to approve: the plan is over as soon as it is made. */
function withNothingToDo(
  status: NonNullable<RebalancePlan['status']>,
  plan: Plan,
  nowMs: number,
): NonNullable<RebalancePlan['status']> {
  const isMet = plan.outcome === 'met'
  const ended = inPhase(status, isMet ? 'Succeeded' : 'Failed', { message: planMessage(plan), nowMs })
  const condition = {
    type: 'GoalsMet',
    status: isMet ? ('True' as const) : ('False' as const),
    reason: isMet ? 'Measured' : 'OutOfReach',
    message: planMessage(plan),
  }
  return { ...ended, conditions: withCondition(ended.conditions, condition, nowMs) }
}

function announce(
  context: PlannerContext,
  policy: RebalancePolicy,
  { plan, name }: { readonly plan: Plan; readonly name: string },
): void {
  const controller = `ballast.dev/${capabilityName}`
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
    note: `${name}: ${planSentence(plan)}`,
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

/** A workload that is labelled for the descheduler and scaled by KEDA belongs to KEDA: its people should know. Once a workload. */
function warnOfContradictions(context: PlannerContext, plan: Plan): void {
  const told = new Set<string>()
  for (const { workload, code, data } of plan.unmovable) {
    if (
      workload === undefined ||
      code !== 'KedaManaged' ||
      data['contradicting'] === undefined ||
      told.has(workloadKey(workload))
    )
      continue
    told.add(workloadKey(workload))
    context.events.emit({
      type: 'Warning',
      reason: eventReasons.skipped,
      action: 'Plan',
      regarding: workload,
      note: `its label says ${data['contradicting']}, but a ScaledObject or ScaledJob targets it: it is KEDA's and is not moved [KedaManaged]`,
      controller: `ballast.dev/${capabilityName}`,
    })
  }
}

function isSamePlan(plan: Plan, old: RebalancePlan): boolean {
  const text = (moves: readonly { readonly pod: { readonly uid: string }; readonly to: string; readonly action: string }[]) =>
    moves.map(move => `${move.pod.uid} ${move.to} ${move.action}`).join('\n')
  return text(plan.moves) === text(old.spec.moves)
}

function isCovered(plan: Plan, old: RebalancePlan): boolean {
  return plan.moves.every(move =>
    old.spec.moves.some(known => known.pod.uid === move.pod.uid && known.acceptable.includes(move.to)),
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
