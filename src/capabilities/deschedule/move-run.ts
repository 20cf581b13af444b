// One move, from its permit to its record. Every step can be the last before a crash: whoever comes next reads permit, cluster and
// recorded steps, and goes on from there.

import type { PlanMove, PlanStep, RebalancePlan } from '#coordination/api.ts'
import { type Reply, refusalWords } from '#coordination/arbiter.ts'
import { evict } from '#coordination/effects/evict.ts'
import { restart } from '#coordination/effects/restart.ts'
import type { Intent } from '#coordination/intent.ts'
import type { Permit } from '#coordination/ledger.ts'
import { isActive } from '#coordination/permit-record.ts'
import { isWithin, parseWindow } from '#kube/window.ts'
import { capabilityName, windowAnnotation } from './api.ts'
import { followLanding } from './follow-landing.ts'
import { freshCheck } from './fresh-check.ts'
import { giveUp, type MoveContext, type MoveEnd, type MoveRun, moveLimits, readyLimitMs, skip } from './move-context.ts'
import { isFinal, stepOf } from './plan-progress.ts'

/** Carries out `move`, or what is left of it. Can be called again after a crash at any point. @throws on abort, a lost Lease, a broken connection. */
export async function carryOut(context: MoveContext, move: PlanMove, signal: AbortSignal): Promise<MoveEnd> {
  const key = moveKey(context.plan(), move)
  const active = context.arbiter.records().find(record => isActive(record) && record.idempotencyKey === key)
  const recorded = stepOf(context.plan(), move.id)
  if (isFinal(recorded)) {
    // It died between the record and the release.
    if (active !== undefined)
      await context.arbiter.release(
        active,
        { ending: recorded.state === 'Landed' || recorded.state === 'Mismatch' ? 'done' : 'failed', reason: recorded.state },
        signal,
      )
    return endOf(recorded, move)
  }
  const startedMs = active?.grant?.atMs ?? context.effects.clock.now()
  const begun =
    active === undefined ? await begin(context, move, signal) : { kind: 'permit' as const, permit: context.arbiter.adopt(active) }
  if (begun.kind !== 'permit') return begun.end
  const { permit } = begun
  const acted = await act(context, { move, permit }, signal)
  if (acted !== undefined) return acted
  return followLanding(context, { move, permit, startedMs }, signal)
}

/** The same move of the same plan, whoever leads. */
export function moveKey(plan: RebalancePlan, move: PlanMove): string {
  return `${plan.metadata.uid ?? plan.metadata.name}/${move.id}`
}

function endOf(step: PlanStep, move: PlanMove): MoveEnd {
  switch (step.state) {
    case 'Landed':
      return { kind: 'landed' }
    case 'Mismatch':
      return { kind: 'mismatch', isBack: step.landedOn === move.from }
    case 'Failed':
      return { kind: 'failed', message: step.message ?? '' }
    case 'Skipped':
    case 'Waiting':
    case 'Acting':
    case 'Landing':
      return { kind: 'skipped' }
  }
}

type Begun = { readonly kind: 'permit'; readonly permit: Permit } | { readonly kind: 'end'; readonly end: MoveEnd }
const ended = (end: MoveEnd): Begun => ({ kind: 'end', end })

/** Checks the certificate on the present state and asks for the permit, waiting where the arbiter says so. */
async function begin(context: MoveContext, move: PlanMove, signal: AbortSignal): Promise<Begun> {
  const { clock } = context.effects
  for (let attempt = 1; ; attempt++) {
    if (context.isStopping()) return ended({ kind: 'frozen', message: 'the controller stops' })
    const closed = closedWindow(context, move)
    if (closed !== undefined) return ended(await skip(context, move, { reason: 'OutsideWindow', message: closed }))
    const check = freshCheck(context.view.state(), move, {
      settings: context.settings,
      landing: context.landing,
      snapshotHash: context.plan().spec.snapshotHash,
    })
    if (check.kind === 'broken') return ended({ kind: 'broken', message: check.message })
    const reply = await context.arbiter.request(intentOf(context, move, check.proof), signal)
    if (reply.kind === 'granted') return { kind: 'permit', permit: reply.permit }
    const end = await refused(context, { move, reply, isLast: attempt >= moveLimits.tries })
    if (end !== undefined) return ended(end)
    const { verdict } = reply
    const untilMs = verdict.kind === 'defer' ? verdict.untilMs - clock.now() : 0
    await clock.after(
      Math.min(moveLimits.longestRetryMs, Math.max(retryMs(attempt, undefined), Math.min(untilMs, moveLimits.longestRetryMs))),
      signal,
    )
  }
}

/** What a refusal means for the move; `undefined`: ask again later. */
async function refused(
  context: MoveContext,
  { move, reply, isLast }: { readonly move: PlanMove; readonly reply: Reply & { kind: 'not-granted' }; readonly isLast: boolean },
): Promise<MoveEnd | undefined> {
  const { verdict } = reply
  const words = refusalWords(verdict)
  if (verdict.kind === 'coalesced' || verdict.kind === 'no-op') return skip(context, move, words)
  const { rule } = verdict.objection
  if (rule === 'freeze') return { kind: 'frozen', message: reply.sentence }
  if (rule === 'stale' || rule === 'fit-proof') return { kind: 'broken', message: reply.sentence }
  const isWorthWaiting = verdict.kind === 'defer' && rule !== 'cool-down' && !isLast
  return isWorthWaiting ? undefined : skip(context, move, words)
}

function intentOf(context: MoveContext, move: PlanMove, proof: NonNullable<Intent['proof']>): Intent {
  const plan = context.plan()
  const pod = { apiVersion: 'v1', kind: 'Pod', namespace: move.pod.namespace, name: move.pod.name, uid: move.pod.uid }
  const { apiVersion, kind, namespace, name, uid } = move.workload
  const isSurge = move.action === 'surge'
  return {
    requester: capabilityName,
    verb: isSurge ? 'restart' : 'evict',
    purpose: 'move',
    class: 'balance',
    targets: [isSurge ? { apiVersion, kind, namespace, name, uid } : pod],
    workload: move.workload,
    disrupts: [pod],
    reasons: [
      {
        code: 'rebalance',
        message: `plan ${plan.metadata.name} of policy ${plan.spec.policyRef.name} moves it from ${move.from} to ${move.to}`,
        data: { plan: plan.metadata.name, move: move.id, from: move.from, to: move.to },
      },
    ],
    idempotencyKey: moveKey(plan, move),
    batch: plan.spec.batch ?? plan.metadata.name,
    deadlineMs: context.deadlineMs(),
    timeToLiveMs: isSurge ? readyLimitMs(context, move) + 300_000 : moveLimits.permitMs,
    proof,
    requireBudget: context.requirements.requireBudget,
    unlabelled: context.requirements.unlabelled,
  }
}

/** Does what the permit allows, unless it is done. `undefined`: done, follow it up. */
async function act(context: MoveContext, { move, permit }: MoveRun, signal: AbortSignal): Promise<MoveEnd | undefined> {
  const [target] = permit.record.targets
  if (target === undefined) throw new Error(`permit ${permit.record.name} names no target`)
  if (move.action === 'surge') {
    const outcome = await restart(context.effects, permit, target, signal)
    if (outcome.kind === 'restarted') return undefined
    return giveUp(
      context,
      {
        move,
        permit,
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
        return giveUp(context, { move, permit, reason: 'EvictionForbidden', message: outcome.message }, signal)
      case 'refused':
      case 'not-done':
        if (attempt >= moveLimits.tries)
          return giveUp(context, { move, permit, reason: 'EvictionRefused', message: outcome.message }, signal)
        context.log.info({ move: move.id, attempt, why: outcome.message }, 'eviction refused, asked again later')
        await context.effects.clock.after(retryMs(attempt, outcome.kind === 'refused' ? outcome.retryAfterMs : undefined), signal)
        break
      default:
        outcome satisfies never
    }
  }
}

/** `Retry-After`, else 5 s doubling to 60 s. */
function retryMs(attempt: number, retryAfterMs: number | undefined): number {
  return retryAfterMs ?? Math.min(moveLimits.longestRetryMs, moveLimits.firstRetryMs * 2 ** (attempt - 1))
}

/** Why the workload's own window keeps it where it is now. A window that does not parse holds nothing. */
function closedWindow(context: MoveContext, { workload }: PlanMove): string | undefined {
  const object = context.view.object(workload)
  const text = object?.metadata.annotations?.[windowAnnotation]
  if (text === undefined) return undefined
  const window = parseWindow(text)
  return !window.ok || isWithin([window.value], context.effects.clock.now()) ? undefined : `${windowAnnotation} ${text} is closed`
}
