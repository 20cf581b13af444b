// After the deed: the replacement gets a node, becomes Ready, the old pod ends; then the landing is recorded and the permit released.

import type { Pod } from '#kube/objects/objects.ts'
import { acceptableText } from '#planning/sequence/acceptance.ts'
import type { PlanMove } from '../../api.ts'
import { openGate } from '../../effects/gate.ts'
import { rememberMove } from '../last-move.ts'
import {
  endPermit,
  giveUp,
  type MoveContext,
  type MoveEnd,
  type MoveRun,
  moveLimits,
  readyLimitMs,
  workloadSpec,
} from '../move-context.ts'
import { askingOf, eventReasons } from '../names.ts'
import { landingOf } from './landing-decision.ts'
import { isGated } from './landing-gate.ts'
import { claimedBy, isReady, replacementAmong } from './replacement.ts'

/**
 * Waits for the replacement: a node, then Ready, then the old pod's end. Then the landing is recorded and the permit released.
 * `asked-anew`: the rollout that the move went along with ended without replacing its pod.
 */
export async function followLanding(
  context: MoveContext,
  run: MoveRun & { readonly startedMs: number },
  signal: AbortSignal,
): Promise<MoveEnd | 'asked-anew'> {
  const { move, startedMs } = run
  const placed = await awaitNode(context, run, signal)
  if (placed === 'not-replaced') return 'asked-anew'
  const giveUpUnneeded = () =>
    giveUp(context, { ...run, reason: 'NoReplacement', message: 'the workload needs no replacement any more' }, signal)
  if (placed === 'none-needed') return giveUpUnneeded()
  if (placed === 'pending') {
    const message = `${move.id}: no replacement of pod ${move.pod.namespace}/${move.pod.name} got a node`
    await context.record({ id: move.id, state: 'Failed', reason: 'ReplacementPending', message })
    await endPermit(context, run, { ending: 'failed', reason: message, landing: 'pending' }, signal)
    return { kind: 'failed', message }
  }
  const ready = await context.view.until(() => readyReplacement(context, run), { limitMs: readyLimitMs(context, move), signal })
  if (ready === 'none-needed') return giveUpUnneeded()
  if (ready === undefined) {
    const message = `${move.id}: the replacement of pod ${move.pod.namespace}/${move.pod.name} did not become Ready`
    await context.record({ id: move.id, state: 'Failed', reason: 'ReplacementNotReady', message, landedOn: placed })
    await endPermit(context, run, { ending: 'failed', reason: message }, signal)
    return { kind: 'failed', message }
  }
  await context.view.until(() => (isGone(context, move) ? true : undefined), { limitMs: goneLimitMs(context, run), signal })
  const landedOn = ready.spec.nodeName ?? ''
  const landing = landingOf(ready, move, context.plan())
  const isMeant = landing === 'expected'
  const seconds = Math.max(0, Math.round((context.effects.clock.now() - startedMs) / 1000))
  if (isMeant)
    await rememberMove(
      context.effects,
      { move, landedOn, atMs: context.effects.clock.now(), requester: askingOf(context.plan()).requester },
      signal,
    )
  const reason = landing === 'unheld' ? eventReasons.unheld : eventReasons.mismatch
  const why = landing === 'unheld' ? ': it was made while the landing webhook did not answer' : ''
  await context.record({
    id: move.id,
    state: isMeant ? 'Landed' : 'Mismatch',
    landedOn,
    replacement: { name: ready.metadata.name, uid: ready.metadata.uid ?? '' },
    seconds,
    ...(isMeant
      ? {}
      : { reason, message: `landed on ${landedOn}, meant were ${acceptableText(context.plan().spec, move)}${why}` }),
  })
  await endPermit(context, run, { ending: 'done', reason: `landed on ${landedOn}`, landing }, signal)
  if (isMeant) return { kind: 'landed' }
  context.events.emit({
    type: 'Warning',
    reason,
    action: 'Move',
    regarding: move.workload,
    note: `the replacement of pod ${move.pod.name} landed on ${landedOn}; plan ${context.plan().metadata.name} meant ${acceptableText(context.plan().spec, move)}${why}`,
    controller: `ballast.dev/${askingOf(context.plan()).requester}`,
  })
  return { kind: 'mismatch' }
}

type Placed = string | 'none-needed' | 'not-replaced' | 'pending'

async function awaitNode(context: MoveContext, run: MoveRun, signal: AbortSignal): Promise<Placed> {
  const opened = new Set<string>()
  const look = (): Pod | 'none-needed' | 'not-replaced' | undefined => {
    const pod = replacement(context, run)
    if (pod === undefined) {
      if (isSatisfied(context, run.move)) return 'none-needed'
      return isLeftBehind(context, run) ? 'not-replaced' : undefined
    }
    const isHeld = isGated(pod) && !opened.has(pod.metadata.uid ?? '')
    return isHeld || (pod.spec.nodeName ?? '') !== '' ? pod : undefined
  }
  // A rollout comes to the pod in its own time.
  const scheduledMs = run.isPassenger ? Math.max(moveLimits.scheduledMs, readyLimitMs(context, run.move)) : moveLimits.scheduledMs
  for (const [round, limitMs] of [scheduledMs, moveLimits.pausedMs].entries()) {
    for (;;) {
      const found = await context.view.until(look, { limitMs, signal })
      if (found === undefined) break
      if (found === 'none-needed' || found === 'not-replaced') return found
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
async function letGo(context: MoveContext, { move, permit }: MoveRun, pod: Pod, signal: AbortSignal): Promise<void> {
  if (permit === undefined) return
  const outcome = await openGate(context.effects, permit, { pod, node: move.to }, signal)
  if (outcome.kind === 'refused')
    context.log.warn({ move: move.id, pod: pod.metadata.name, why: outcome.message }, 'gate not opened')
}

function replacement(context: MoveContext, { move, record }: MoveRun): Pod | undefined {
  return replacementAmong(context.view.podsUnder(move.workload), {
    move,
    permit: record,
    claimed: claimedBy(context.plan(), move.id),
  })
}

/** A workload that is scaled down loses the pod first that is not Ready: the replacement. */
function readyReplacement(context: MoveContext, run: MoveRun): Pod | 'none-needed' | undefined {
  const pod = replacement(context, run)
  if (pod === undefined && isSatisfied(context, run.move)) return 'none-needed'
  return pod !== undefined && isReady(pod) ? pod : undefined
}

function isGone(context: MoveContext, move: PlanMove): boolean {
  return context.view.pod(move.pod.namespace, move.pod.name)?.metadata.uid !== move.pod.uid
}

/** The workload was scaled down meanwhile: as many pods stand as it wants. */
function isSatisfied(context: MoveContext, move: PlanMove): boolean {
  if (!isGone(context, move)) return false
  const spec = workloadSpec(context, move)
  const replicas = typeof spec.replicas === 'number' ? spec.replicas : undefined
  const standing = context.view
    .podsUnder(move.workload)
    .filter(pod => pod.metadata.deletionTimestamp === undefined && isReady(pod)).length
  return replicas !== undefined && standing >= replicas
}

/** The rollout it goes along with ended, and its pod still stands there. */
function isLeftBehind(context: MoveContext, { move, record, isPassenger }: MoveRun): boolean {
  if (!isPassenger || isGone(context, move)) return false
  const now = context.arbiter.permitsFor(record).find(one => one.name === record.name)
  return now?.releasedAtMs !== undefined && now.ending !== 'done'
}

/** How long the old pod may stay once a replacement is Ready: a rollout comes to it in its own time. */
function goneLimitMs(context: MoveContext, { move, isPassenger }: MoveRun): number {
  return isPassenger ? readyLimitMs(context, move) : graceMs(context, move)
}

/** How long the old pod may take to go: its own grace, and half a minute for the kubelet. */
function graceMs(context: MoveContext, move: PlanMove): number {
  const pod = context.view.pod(move.pod.namespace, move.pod.name)
  return ((pod?.spec.terminationGracePeriodSeconds ?? 30) + 30) * 1000
}
