// After the deed: the replacement gets a node, becomes Ready, the old pod ends; then the landing is recorded and the permit released.
import type { PlanMove } from '#coordination/api.ts'
import { openGate } from '#coordination/effects/gate.ts'
import type { Pod } from '#kube/objects.ts'
import { capabilityName, eventReasons } from './api.ts'
import { isGated } from './landing-gate.ts'
import { rememberMove } from './last-move.ts'
import { giveUp, type MoveContext, type MoveEnd, type MoveRun, moveLimits, readyLimitMs, workloadSpec } from './move-context.ts'
import { claimedBy, isReady, replacementAmong } from './replacement.ts'

/** Waits for the replacement: a node, then Ready, then the old pod's end. Then the landing is recorded and the permit released. */
export async function followLanding(
  context: MoveContext,
  run: MoveRun & { readonly startedMs: number },
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

async function awaitNode(context: MoveContext, run: MoveRun, signal: AbortSignal): Promise<string | 'none-needed' | 'pending'> {
  const opened = new Set<string>()
  const look = (): Pod | 'none-needed' | undefined => {
    const pod = replacement(context, run)
    if (pod === undefined) return isSatisfied(context, run.move) ? 'none-needed' : undefined
    const isHeld = isGated(pod) && !opened.has(pod.metadata.uid ?? '')
    return isHeld || (pod.spec.nodeName ?? '') !== '' ? pod : undefined
  }
  for (const [round, limitMs] of [moveLimits.scheduledMs, moveLimits.pausedMs].entries()) {
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
async function letGo(context: MoveContext, { move, permit }: MoveRun, pod: Pod, signal: AbortSignal): Promise<void> {
  const outcome = await openGate(context.effects, permit, { pod, node: move.to }, signal)
  if (outcome.kind === 'refused')
    context.log.warn({ move: move.id, pod: pod.metadata.name, why: outcome.message }, 'gate not opened')
}

function replacement(context: MoveContext, { move, permit }: MoveRun): Pod | undefined {
  return replacementAmong(context.view.podsUnder(move.workload), {
    move,
    permit: permit.record,
    claimed: claimedBy(context.plan(), move.id),
  })
}

function readyReplacement(context: MoveContext, run: MoveRun): Pod | undefined {
  const pod = replacement(context, run)
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

/** How long the old pod may take to go: its own grace, and half a minute for the kubelet. */
function graceMs(context: MoveContext, move: PlanMove): number {
  const pod = context.view.pod(move.pod.namespace, move.pod.name)
  return ((pod?.spec.terminationGracePeriodSeconds ?? 30) + 30) * 1000
}
