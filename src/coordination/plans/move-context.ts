// What one move works with, how it can end, and how it is left out.
import type { PodState } from '#cluster/cluster-state.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Log } from '#kube/log.ts'
import type { PlanMove, PlanStep, RebalancePlan } from '../api.ts'
import type { Arbiter } from '../arbiter/arbiter.ts'
import type { EffectContext } from '../effects/effect-context.ts'
import type { ClusterView } from '../facts/cluster-view.ts'
import type { Intent } from '../intent.ts'
import type { PermitEnd } from '../permits/ledger.ts'
import type { Permit } from '../permits/permit.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { askingOf, eventReasons } from './names.ts'

/** What the policy behind a plan says of whose pods it may move. */
export type MoveRequirements = Required<
  Pick<Intent, 'requireBudget' | 'unlabelled' | 'ignoreScalers' | 'evictScaled' | 'spareUnmanaged'>
>

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
  /** How landings are steered now: a plan of `hold` goes on by `prefer` while the landing webhook is away. */
  readonly landing: 'observe' | 'prefer' | 'hold'
  /** Whether a node other than the one that was chosen may take the pod of `move` as well, with what the plan still brings there. */
  readonly roomFor: (move: PlanMove) => (node: string, pod: PodState) => boolean
  /** Under `hold`, before a pod goes: why its replacement would not be gated; `undefined`: it would. Waits for a while. */
  readonly gateSilence: () => Promise<string | undefined>
  /** What the policy behind the plan says of whose pods it may move. */
  readonly requirements: MoveRequirements
  /** The move serves a goal of measured use: the gate `usage-stale` is about it. */
  readonly isForUsage: boolean
  readonly deadlineMs: () => number
  /** Why no move may begin just now: the controller stops, somebody froze the plan, its window closed. */
  readonly paused: () => string | undefined
}

export type MoveEnd =
  | { readonly kind: 'landed' }
  | { readonly kind: 'mismatch' }
  /** Nothing was done: its replacement would not be held where the plan wants it, nor land there by itself. */
  | { readonly kind: 'unsteered'; readonly message: string }
  /** Left alone with a reason; the rest of the plan goes on without it. */
  | { readonly kind: 'skipped' }
  /** Its certificate does not hold any more: the plan has to be made anew. */
  | { readonly kind: 'broken'; readonly message: string }
  | { readonly kind: 'frozen'; readonly message: string }
  /** A health gate: nothing more may be moved. */
  | { readonly kind: 'failed'; readonly message: string }

/** How long, and how often, a move may try. */
export const moveLimits = {
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

/** A move and the permit under which its pod goes: its own, or that of a rollout of the workload that it goes along with. */
export interface MoveRun {
  readonly move: PlanMove
  readonly record: PermitRecord
  /** Leave to act; none where the rollout is over. */
  readonly permit: Permit | undefined
  /** It goes along: the permit is another's, and is ended by that one. */
  readonly isPassenger: boolean
}

/** What a workload wants, as far as a move asks. */
export function workloadSpec(
  context: MoveContext,
  { workload }: PlanMove,
): { readonly replicas?: unknown; readonly progressDeadlineSeconds?: unknown } {
  const object = context.view.object(workload)
  return typeof object?.['spec'] === 'object' && object['spec'] !== null ? object['spec'] : {}
}

/** How long a replacement may take to be Ready, in milliseconds. */
export function readyLimitMs(context: MoveContext, move: PlanMove): number {
  return readyLimitBy(workloadSpec(context, move))
}

/** The same, by the spec of its workload. */
export function readyLimitBy({ progressDeadlineSeconds }: { readonly progressDeadlineSeconds?: unknown }): number {
  return typeof progressDeadlineSeconds === 'number' ? progressDeadlineSeconds * 1000 : moveLimits.readyMs
}

/** Leaves a move out whose permit is out already. */
export async function giveUp(
  context: MoveContext,
  end: MoveRun & { readonly reason: string; readonly message: string },
  signal: AbortSignal,
): Promise<MoveEnd> {
  const skipped = await skip(context, end.move, end)
  await endPermit(context, end, { ending: 'failed', reason: `${end.reason}: ${end.message}` }, signal)
  return skipped
}

/** Gives the move's own permit back; that of a rollout is not ours to end. */
export async function endPermit(context: MoveContext, run: MoveRun, end: PermitEnd, signal: AbortSignal): Promise<void> {
  if (!run.isPassenger) await context.arbiter.release(run.record, end, signal)
}

/** Leaves a move out: recorded, and told to whoever looks at the workload. */
export async function skip(
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
    controller: `ballast.dev/${askingOf(context.plan()).requester}`,
  })
  return { kind: 'skipped' }
}
