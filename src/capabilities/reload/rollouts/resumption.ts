// The end of a pause that a reload began: asked for and carried out like a reload, or at once where nothing runs.
import type { Leading } from '#coordination/capability.ts'
import { resumeAtRest } from '#coordination/effects/pause-rollout.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type WorkloadFacts, workloadKey } from '../workloads/workload-facts.ts'
import { capabilityName, carryOut, type DeedContext, resumeIntent } from './deed.ts'
import type { RolloutFollower } from './rollout-follower.ts'

interface ResumptionContext {
  readonly leading: Leading
  readonly clock: Clock
  readonly log: Log
  readonly follower: RolloutFollower
  readonly deeds: DeedContext
  /** What was written is known at once, however late the watch is. */
  readonly observe: (written: KubeObject) => void
}

/** Resumes a Deployment that a reload paused, or leaves it for the next time. @throws only when `signal` is aborted */
export async function resumePaused(
  context: ResumptionContext,
  { facts, pausedAt }: { readonly facts: WorkloadFacts; readonly pausedAt: string },
  signal: AbortSignal,
): Promise<void> {
  const { leading, clock, follower, deeds, log, observe } = context
  try {
    const pods = leading.view.podsUnder(facts)
    const reply = await leading.arbiter.request(resumeIntent(facts, pausedAt, { pods, nowMs: clock.now() }), signal)
    if (reply.kind !== 'granted') {
      const { verdict } = reply
      if (verdict.kind === 'no-op' && verdict.objection.rule === 'nothing-runs')
        await resumeNothingRunning(context, facts, signal)
      return
    }
    const outcome = await carryOut(deeds, { permit: reply.permit, way: 'resume' }, signal)
    if (outcome.kind === 'failed') {
      log.warn({ workload: workloadKey(facts), why: outcome.message }, 'a pause is not ended: tried again')
      await follower.release(reply.permit, { ending: 'failed', reason: outcome.message.slice(0, 1024) })
    } else {
      if (outcome.object !== undefined) observe(outcome.object)
      await follower.release(reply.permit, { ending: 'done', reason: 'the pause is over' })
    }
  } catch (error) {
    if (signal.aborted) throw error
    log.warn({ workload: workloadKey(facts), why: messageOf(error) }, 'a pause is not ended: tried again')
  }
}

async function resumeNothingRunning(
  { leading, deeds, observe }: ResumptionContext,
  { apiVersion, kind, namespace, name, uid }: WorkloadFacts,
  signal: AbortSignal,
): Promise<void> {
  const pause = { deployment: { apiVersion, kind, namespace, name, uid }, annotation: deeds.pauseTimeKey }
  const by = { requester: capabilityName, fieldManager: 'Reloader' }
  const outcome = await resumeAtRest(leading.effects, pause, by, signal)
  if (outcome.kind === 'resumed' && outcome.object !== undefined) observe(outcome.object)
}
