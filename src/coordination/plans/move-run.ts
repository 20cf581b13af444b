// One move, from its permit to its record. Every step can be the last before a crash: whoever comes next reads permit, cluster and
// recorded steps, and goes on from there.

import type { PlanMove, PlanStep, RebalancePlan } from '../api.ts'
import { type Reply, refusalWords } from '../arbiter/hearing.ts'
import { hasBegun, lookIn } from '../effects/begun.ts'
import { evict } from '../effects/evict.ts'
import { restart } from '../effects/restart.ts'
import { type Intent, wishKey } from '../intent.ts'
import { isActive, type PermitRecord } from '../permits/permit-record.ts'
import { type FreshCheck, freshCheck } from './fresh-check.ts'
import { followLanding } from './landing/follow-landing.ts'
import {
  endPermit,
  giveUp,
  type MoveContext,
  type MoveEnd,
  type MoveRun,
  moveLimits,
  readyLimitMs,
  skip,
} from './move-context.ts'
import { moveIntent } from './move-intent.ts'
import { askingOf } from './names.ts'
import { askedAgain, isPatientWith, retryMs } from './patience.ts'
import { isFinal, stepOf } from './plan-progress.ts'
import { closedWindow } from './timetable/workload-window.ts'

/** Carries out `move`, or what is left of it. Can be called again after a crash at any point. @throws on abort, a lost Lease, a broken connection. */
export async function carryOut(context: MoveContext, move: PlanMove, signal: AbortSignal): Promise<MoveEnd> {
  const recorded = stepOf(context.plan(), move.id)
  if (isFinal(recorded)) {
    // It died between the record and the release.
    const active = ownPermit(context, move)
    if (active !== undefined)
      await context.arbiter.release(
        active,
        { ending: recorded.state === 'Landed' || recorded.state === 'Mismatch' ? 'done' : 'failed', reason: recorded.state },
        signal,
      )
    return endOf(recorded)
  }
  for (;;) {
    const begun = underWay(context, move) ?? (await begin(context, move, signal))
    if (begun.kind === 'end') return begun.end
    const { run } = begun
    const acted = run.isPassenger ? undefined : await act(context, run, signal)
    if (acted !== undefined) return acted
    const startedMs = run.record.grant?.atMs ?? context.effects.clock.now()
    const end = await followLanding(context, { ...run, startedMs }, signal)
    if (end !== 'asked-anew') return end
  }
}

/** The move's own permit, where that is out. */
function ownPermit(context: MoveContext, move: PlanMove): PermitRecord | undefined {
  const wish = wishOf(context, move)
  return context.arbiter.permitsFor(wish).find(record => isActive(record) && wishKey(record) === wishKey(wish))
}

/** What an earlier leader, or an earlier try, began: the own permit taken up again, or a rollout that the move goes along with. */
function underWay(context: MoveContext, move: PlanMove): Begun | undefined {
  const own = ownPermit(context, move)
  if (own !== undefined) {
    const permit = context.arbiter.adopt(own)
    return { kind: 'run', run: { move, record: permit.record, permit, isPassenger: false } }
  }
  const along = context.arbiter.permitsFor(wishOf(context, move)).find(record => isActive(record) || record.ending === 'done')
  return along === undefined ? undefined : asPassenger(context, move, along)
}

/** The move goes along: it acts no more than steering its new pod, while the rollout is out. */
function asPassenger(context: MoveContext, move: PlanMove, record: PermitRecord): Begun {
  const permit = isActive(record) ? context.arbiter.adopt(record) : undefined
  return { kind: 'run', run: { move, record, permit, isPassenger: true } }
}

function wishOf(context: MoveContext, move: PlanMove): Pick<Intent, 'requester' | 'idempotencyKey'> {
  const plan = context.plan()
  return { requester: askingOf(plan).requester, idempotencyKey: moveKey(plan, move) }
}

/** The same move of the same plan, whoever leads. */
export function moveKey(plan: Pick<RebalancePlan, 'metadata'>, move: Pick<PlanMove, 'id'>): string {
  return `${plan.metadata.uid ?? plan.metadata.name}/${move.id}`
}

function endOf(step: PlanStep): MoveEnd {
  switch (step.state) {
    case 'Landed':
      return { kind: 'landed' }
    case 'Mismatch':
      return { kind: 'mismatch' }
    case 'Failed':
      return { kind: 'failed', message: step.message ?? '' }
    case 'Skipped':
    case 'Waiting':
    case 'Acting':
    case 'Landing':
      return { kind: 'skipped' }
  }
}

type Begun = { readonly kind: 'run'; readonly run: MoveRun } | { readonly kind: 'end'; readonly end: MoveEnd }
const ended = (end: MoveEnd): Begun => ({ kind: 'end', end })

/** Checks the certificate on the present state and asks for the permit, waiting where the arbiter says so. */
async function begin(context: MoveContext, move: PlanMove, signal: AbortSignal): Promise<Begun> {
  const { arbiter, effects, view } = context
  for (let refusals = 0; ; ) {
    const paused = context.paused()
    if (paused !== undefined) return ended({ kind: 'frozen', message: paused })
    const closed = closedWindow(context.view.object(move.workload), effects.clock.now())
    if (closed !== undefined) {
      const leftMs = closed.opensMs - effects.clock.now()
      if (closed.opensMs > context.deadlineMs())
        return ended(await skip(context, move, { reason: 'OutsideWindow', message: closed.message }))
      await effects.clock.after(Math.min(moveLimits.longestRetryMs, leftMs), signal)
      continue
    }
    const silence = await context.gateSilence()
    if (silence !== undefined) return ended({ kind: 'unsteered', message: silence })
    const check = freshCheck(view.state(), move, {
      settings: context.settings,
      landing: context.landing,
      snapshotHash: context.plan().spec.snapshotHash,
      closedNodes: context.plan().spec.closedNodes,
      allows: context.roomFor(move),
    })
    // What waited for a rollout may have gone along with it meanwhile.
    const along = underWay(context, move)
    if (along !== undefined) return along
    if (check.kind === 'broken') return ended(brokenEnd(context, check))
    const reply = await arbiter.request(intentOf(context, move, check.proof), signal)
    if (reply.kind === 'granted') {
      const { permit } = reply
      return { kind: 'run', run: { move, record: permit.record, permit, isPassenger: false } }
    }
    const { verdict } = reply
    if (verdict.kind === 'coalesced') return asPassenger(context, move, verdict.into)
    const isWaiting = verdict.kind === 'absorbed' || (verdict.kind === 'defer' && isPatientWith(verdict.objection.rule))
    if (!isWaiting) refusals++
    const end = await refused(context, { move, reply, isLast: refusals >= moveLimits.tries })
    if (end !== undefined) return ended(end)
    const untilMs = verdict.kind === 'defer' ? verdict.untilMs - effects.clock.now() : moveLimits.longestRetryMs
    await arbiter.untilChange(askedAgain({ isWaiting, refusals, untilMs }), signal)
  }
}

/** Where only the missing gate is in the way of a plan of `hold`, the plan stays as it is. */
function brokenEnd(context: MoveContext, check: FreshCheck & { readonly kind: 'broken' }): MoveEnd {
  const isForWantOfGate = check.code === 'lands-elsewhere' && context.plan().spec.landing === 'hold' && context.landing !== 'hold'
  return { kind: isForWantOfGate ? 'unsteered' : 'broken', message: check.message }
}

/** What a refusal means for the move; `undefined`: ask again later. */
async function refused(
  context: MoveContext,
  { move, reply, isLast }: { readonly move: PlanMove; readonly reply: Reply & { kind: 'not-granted' }; readonly isLast: boolean },
): Promise<MoveEnd | undefined> {
  const { verdict } = reply
  const words = refusalWords(verdict)
  if (verdict.kind === 'absorbed') return undefined
  if (verdict.kind === 'coalesced' || verdict.kind === 'no-op') return skip(context, move, words)
  const { rule } = verdict.objection
  if (rule === 'freeze') return { kind: 'frozen', message: reply.sentence }
  if (rule === 'stale' || rule === 'fit-proof') return { kind: 'broken', message: reply.sentence }
  const isWorthWaiting = verdict.kind === 'defer' && !isLast
  return isWorthWaiting ? undefined : skip(context, move, words)
}

function intentOf(context: MoveContext, move: PlanMove, proof: NonNullable<Intent['proof']>): Intent {
  const plan = context.plan()
  return moveIntent(move, {
    asking: askingOf(plan),
    plan: plan.metadata.name,
    policy: plan.spec.policyRef.name,
    key: moveKey(plan, move),
    batch: plan.spec.batch ?? plan.metadata.name,
    isForUsage: context.isForUsage,
    deadlineMs: context.deadlineMs(),
    readyMs: readyLimitMs(context, move),
    requirements: context.requirements,
    proof,
  })
}

/** Does what the permit allows, unless it is done. `undefined`: done, follow it up. */
async function act(context: MoveContext, run: MoveRun, signal: AbortSignal): Promise<MoveEnd | undefined> {
  const { move, permit } = run
  if (permit === undefined) throw new Error(`nothing may be done for ${move.id} without a permit`)
  const [target] = permit.record.targets
  const isBegun = hasBegun(permit.record, lookIn(context.view.state()))
  const silence = isBegun ? undefined : await context.gateSilence()
  if (silence !== undefined) {
    await endPermit(context, run, { ending: 'withdrawn', reason: silence }, signal)
    return { kind: 'unsteered', message: silence }
  }
  if (target === undefined) throw new Error(`permit ${permit.record.name} names no target`)
  if (move.action === 'surge') {
    const outcome = await restart(context.effects, permit, target, signal)
    if (outcome.kind === 'restarted') return undefined
    return giveUp(
      context,
      {
        ...run,
        reason: outcome.kind === 'gone' ? 'WorkloadGone' : 'RestartRefused',
        message: outcome.kind === 'refused' ? outcome.message : 'the workload is gone',
      },
      signal,
    )
  }
  for (let attempt = 1; ; attempt++) {
    const pod = context.view.pod(move.pod.namespace, move.pod.name)
    if (pod === undefined || pod.metadata.uid !== move.pod.uid || pod.metadata.deletionTimestamp !== undefined) return undefined
    const outcome = await evict(context.effects, permit, target, signal)
    switch (outcome.kind) {
      case 'evicted':
      case 'already-gone':
        return undefined
      case 'forbidden':
        return giveUp(context, { ...run, reason: 'EvictionForbidden', message: outcome.message }, signal)
      case 'refused':
      case 'not-done': {
        if (attempt >= moveLimits.tries)
          return giveUp(context, { ...run, reason: 'EvictionRefused', message: outcome.message }, signal)
        context.log.info({ move: move.id, attempt, why: outcome.message }, 'eviction refused, asked again later')
        await context.effects.clock.after(retryMs(attempt, outcome.kind === 'refused' ? outcome.retryAfterMs : undefined), signal)
        const paused = context.paused()
        if (paused !== undefined) {
          await endPermit(context, run, { ending: 'withdrawn', reason: paused.slice(0, 256) }, signal)
          return { kind: 'frozen', message: paused }
        }
        break
      }
      default:
        outcome satisfies never
    }
  }
}
