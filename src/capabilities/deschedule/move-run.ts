// One move, from its permit to its record. Every step can be the last before a crash: whoever comes next reads permit, cluster and
// recorded steps, and goes on from there.

import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { PlanMove, PlanStep, RebalancePlan } from '#coordination/api.ts'
import { type Arbiter, type Reply, refusalWords } from '#coordination/arbiter.ts'
import type { ClusterView } from '#coordination/cluster-view.ts'
import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { evict } from '#coordination/effects/evict.ts'
import { openGate } from '#coordination/effects/gate.ts'
import { restart } from '#coordination/effects/restart.ts'
import { freezeOf } from '#coordination/freeze.ts'
import type { Intent } from '#coordination/intent.ts'
import type { Permit } from '#coordination/ledger.ts'
import { isActive } from '#coordination/permit-record.ts'
import type { EventRecorder } from '#kube/events.ts'
import type { Log } from '#kube/log.ts'
import type { Pod } from '#kube/objects.ts'
import { isWithin, parseWindow } from '#kube/window.ts'
import { capabilityName, eventReasons, windowAnnotation } from './api.ts'
import { freshCheck } from './fresh-check.ts'
import { isGated } from './landing-gate.ts'
import { rememberMove } from './last-move.ts'
import { isFinal, stepOf } from './plan-progress.ts'
import { claimedBy, isReady, replacementAmong } from './replacement.ts'

export interface MoveContext {
  readonly arbiter: Arbiter
  readonly effects: EffectContext
  readonly view: ClusterView
  readonly events: EventRecorder
  readonly log: Log
  readonly settings: SchedulerSettings
  /** The plan as it is known now. */
  readonly plan: () => RebalancePlan
  /** Writes one step into the plan's status. */
  readonly record: (step: PlanStep) => Promise<void>
  /** Told when a replacement waits for a node for too long, and when it has one after all. */
  readonly waiting: (isWaiting: boolean, message: string) => Promise<void>
  /** How landings are steered now. */
  readonly landing: 'observe' | 'prefer' | 'hold'
  readonly requirements: { readonly requireBudget: boolean; readonly unlabelled: 'none' | 'descheduler' }
  readonly deadlineMs: () => number
  /** No move may begin any more. */
  readonly isStopping: () => boolean
}

export type MoveEnd =
  | { readonly kind: 'landed' }
  | { readonly kind: 'mismatch'; readonly isBack: boolean }
  /** Left alone with a reason; the rest of the plan goes on without it. */
  | { readonly kind: 'skipped' }
  /** Its certificate does not hold any more: the plan has to be made anew. */
  | { readonly kind: 'broken'; readonly message: string }
  | { readonly kind: 'frozen'; readonly message: string }
  /** A health gate: nothing more may be moved. */
  | { readonly kind: 'failed'; readonly message: string }

const limits = {
  /** Tries to get a permit, or an eviction through, before the workload is left alone. */
  tries: 10,
  /** How long a replacement may take to get a node before the plan pauses. */
  scheduledMs: 120_000,
  /** How long the plan stays paused for it. */
  pausedMs: 900_000,
  /** How long it may take to be Ready where its workload does not say. */
  readyMs: 600_000,
  permitMs: 600_000,
  firstRetryMs: 5_000,
  longestRetryMs: 60_000,
} as const

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
  return follow(context, { move, permit, startedMs }, signal)
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
    const end = await refused(context, { move, reply, isLast: attempt >= limits.tries })
    if (end !== undefined) return ended(end)
    const { verdict } = reply
    const untilMs = verdict.kind === 'defer' ? verdict.untilMs - clock.now() : 0
    await clock.after(
      Math.min(limits.longestRetryMs, Math.max(retryMs(attempt, undefined), Math.min(untilMs, limits.longestRetryMs))),
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
    timeToLiveMs: isSurge ? readyLimitMs(context, move) + 300_000 : limits.permitMs,
    proof,
    requireBudget: context.requirements.requireBudget,
    unlabelled: context.requirements.unlabelled,
  }
}

/** Does what the permit allows, unless it is done. `undefined`: done, follow it up. */
async function act(
  context: MoveContext,
  { move, permit }: { readonly move: PlanMove; readonly permit: Permit },
  signal: AbortSignal,
): Promise<MoveEnd | undefined> {
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
        if (attempt >= limits.tries)
          return giveUp(context, { move, permit, reason: 'EvictionRefused', message: outcome.message }, signal)
        context.log.info({ move: move.id, attempt, why: outcome.message }, 'eviction refused, asked again later')
        await context.effects.clock.after(retryMs(attempt, outcome.kind === 'refused' ? outcome.retryAfterMs : undefined), signal)
        break
      default:
        outcome satisfies never
    }
  }
}

/** Waits for the replacement: a node, then Ready, then the old pod's end. Then the landing is recorded and the permit released. */
async function follow(
  context: MoveContext,
  run: { readonly move: PlanMove; readonly permit: Permit; readonly startedMs: number },
  signal: AbortSignal,
): Promise<MoveEnd> {
  const { move, permit, startedMs } = run
  const placed = await awaitNode(context, run, signal)
  if (placed === 'none-needed')
    return giveUp(
      context,
      { move, permit, reason: 'NoReplacement', message: 'the workload needs no replacement any more' },
      signal,
    )
  if (placed === 'pending') {
    const message = `${move.id}: no replacement of pod ${move.pod.namespace}/${move.pod.name} got a node`
    await context.record({ id: move.id, state: 'Failed', reason: 'ReplacementPending', message })
    await context.arbiter.release(permit.record, { ending: 'failed', reason: message }, signal)
    return { kind: 'failed', message }
  }
  const ready = await context.view.until(() => readyReplacement(context, run), { limitMs: readyLimitMs(context, move), signal })
  if (ready === undefined) {
    const message = `${move.id}: the replacement of pod ${move.pod.namespace}/${move.pod.name} did not become Ready`
    await context.record({ id: move.id, state: 'Failed', reason: 'ReplacementNotReady', message, landedOn: placed })
    await context.arbiter.release(permit.record, { ending: 'failed', reason: message }, signal)
    return { kind: 'failed', message }
  }
  await context.view.until(() => (isGone(context, move) ? true : undefined), { limitMs: graceMs(context, move), signal })
  const landedOn = ready.spec.nodeName ?? ''
  const isMeant = move.acceptable.includes(landedOn)
  const seconds = Math.max(0, Math.round((context.effects.clock.now() - startedMs) / 1000))
  if (isMeant) await rememberMove(context.effects, { move, landedOn, atMs: context.effects.clock.now() }, signal)
  await context.record({
    id: move.id,
    state: isMeant ? 'Landed' : 'Mismatch',
    landedOn,
    replacement: { name: ready.metadata.name, uid: ready.metadata.uid ?? '' },
    seconds,
    ...(isMeant
      ? {}
      : { reason: eventReasons.mismatch, message: `landed on ${landedOn}, meant were ${move.acceptable.join(', ')}` }),
  })
  await context.arbiter.release(permit.record, { ending: 'done', reason: `landed on ${landedOn}` }, signal)
  if (isMeant) return { kind: 'landed' }
  context.events.emit({
    type: 'Warning',
    reason: eventReasons.mismatch,
    action: 'Move',
    regarding: move.workload,
    note: `the replacement of pod ${move.pod.name} landed on ${landedOn}; plan ${context.plan().metadata.name} meant ${move.acceptable.join(', ')}`,
    controller: `ballast.dev/${capabilityName}`,
  })
  return { kind: 'mismatch', isBack: landedOn === move.from }
}

type Run = { readonly move: PlanMove; readonly permit: Permit }

async function awaitNode(context: MoveContext, run: Run, signal: AbortSignal): Promise<string | 'none-needed' | 'pending'> {
  const opened = new Set<string>()
  const look = (): Pod | 'none-needed' | undefined => {
    const pod = replacement(context, run)
    if (pod === undefined) return isSatisfied(context, run.move) ? 'none-needed' : undefined
    const isHeld = isGated(pod) && !opened.has(pod.metadata.uid ?? '')
    return isHeld || (pod.spec.nodeName ?? '') !== '' ? pod : undefined
  }
  for (const [round, limitMs] of [limits.scheduledMs, limits.pausedMs].entries()) {
    for (;;) {
      const found = await context.view.until(look, { limitMs, signal })
      if (found === undefined) break
      if (found === 'none-needed') return found
      if (!isGated(found)) {
        if (round > 0) await context.waiting(false, `${run.move.id}: the replacement has a node`)
        return found.spec.nodeName ?? ''
      }
      opened.add(found.metadata.uid ?? '')
      await letGo(context, run, found, signal)
    }
    if (round === 0)
      await context.waiting(
        true,
        `${run.move.id}: the replacement of pod ${run.move.pod.namespace}/${run.move.pod.name} waits for a node`,
      )
  }
  return 'pending'
}

/** Opens the gate of a held replacement towards the node of the plan; where that can't be, it is left to the scheduler by the sweep of old gates. */
async function letGo(context: MoveContext, { move, permit }: Run, pod: Pod, signal: AbortSignal): Promise<void> {
  const outcome = await openGate(context.effects, permit, { pod, node: move.to }, signal)
  if (outcome.kind === 'refused')
    context.log.warn({ move: move.id, pod: pod.metadata.name, why: outcome.message }, 'gate not opened')
}

function replacement(context: MoveContext, { move, permit }: Run): Pod | undefined {
  return replacementAmong(context.view.podsUnder(move.workload), {
    move,
    permit: permit.record,
    claimed: claimedBy(context.plan(), move.id),
  })
}

function readyReplacement(context: MoveContext, run: Run): Pod | undefined {
  const pod = replacement(context, run)
  return pod !== undefined && isReady(pod) ? pod : undefined
}

function isGone(context: MoveContext, move: PlanMove): boolean {
  return context.view.pod(move.pod.namespace, move.pod.name)?.metadata.uid !== move.pod.uid
}

/** The workload was scaled down meanwhile: as many pods stand as it wants. */
function isSatisfied(context: MoveContext, move: PlanMove): boolean {
  if (!isGone(context, move)) return false
  const spec = specOf(context, move)
  const replicas = typeof spec.replicas === 'number' ? spec.replicas : undefined
  const standing = context.view
    .podsUnder(move.workload)
    .filter(pod => pod.metadata.deletionTimestamp === undefined && isReady(pod)).length
  return replicas !== undefined && standing >= replicas
}

function specOf(
  context: MoveContext,
  { workload }: PlanMove,
): { readonly replicas?: unknown; readonly progressDeadlineSeconds?: unknown } {
  const object = context.view.object(workload)
  return typeof object?.['spec'] === 'object' && object['spec'] !== null ? object['spec'] : {}
}

function readyLimitMs(context: MoveContext, move: PlanMove): number {
  const { progressDeadlineSeconds } = specOf(context, move)
  return typeof progressDeadlineSeconds === 'number' ? progressDeadlineSeconds * 1000 : limits.readyMs
}

/** How long the old pod may take to go: its own grace, and half a minute for the kubelet. */
function graceMs(context: MoveContext, move: PlanMove): number {
  const pod = context.view.pod(move.pod.namespace, move.pod.name)
  return ((pod?.spec.terminationGracePeriodSeconds ?? 30) + 30) * 1000
}

/** `Retry-After`, else 5 s doubling to 60 s. */
function retryMs(attempt: number, retryAfterMs: number | undefined): number {
  return retryAfterMs ?? Math.min(limits.longestRetryMs, limits.firstRetryMs * 2 ** (attempt - 1))
}

async function giveUp(
  context: MoveContext,
  end: Run & { readonly reason: string; readonly message: string },
  signal: AbortSignal,
): Promise<MoveEnd> {
  const skipped = await skip(context, end.move, end)
  await context.arbiter.release(end.permit.record, { ending: 'failed', reason: `${end.reason}: ${end.message}` }, signal)
  return skipped
}

async function skip(
  context: MoveContext,
  move: PlanMove,
  why: { readonly reason: string; readonly message: string },
): Promise<MoveEnd> {
  await context.record({ id: move.id, state: 'Skipped', reason: why.reason.slice(0, 128), message: why.message.slice(0, 1024) })
  context.events.emit({
    type: 'Normal',
    reason: eventReasons.skipped,
    action: 'Move',
    regarding: move.workload,
    note: `move of pod ${move.pod.name} from ${move.from} left out: ${why.message} [${why.reason}]`,
    controller: `ballast.dev/${capabilityName}`,
  })
  return { kind: 'skipped' }
}

/** Why the workload's own window keeps it where it is now. A window that does not parse holds nothing. */
function closedWindow(context: MoveContext, { workload }: PlanMove): string | undefined {
  const object = context.view.object(workload)
  const text = object?.metadata.annotations?.[windowAnnotation]
  if (text === undefined) return undefined
  const window = parseWindow(text)
  return !window.ok || isWithin([window.value], context.effects.clock.now()) ? undefined : `${windowAnnotation} ${text} is closed`
}

/** What freezes a plan as a whole: the annotation on it or on its policy. */
export function planFreeze(objects: readonly Parameters<typeof freezeOf>[0][], nowMs: number): ReturnType<typeof freezeOf> {
  for (const object of objects) {
    const freeze = freezeOf(object, nowMs)
    if (freeze !== undefined) return freeze
  }
  return undefined
}
