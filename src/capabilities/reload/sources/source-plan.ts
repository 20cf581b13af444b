// One source seen from one workload: whether it is new, unchanged, changed, or of no matter, and what the template would say of it.
import { differenceOf, type MarkDifference, markAfterWriting, markOfSource, type SourceMark } from '../baseline/baseline.ts'
import { targetContainer } from '../rollouts/target-container.ts'
import { type Mark, markOf, writtenHash } from '../rollouts/template-change.ts'
import type { ReloadSettings } from '../settings.ts'
import { type DecisionCode, decideReload, type ReloadDecision } from '../workloads/decision.ts'
import type { WorkloadFacts } from '../workloads/workload-facts.ts'
import type { SourceContent } from './content-hash.ts'
import { usedKeys } from './key-use.ts'
import type { SourceReference, SourceState } from './source-state.ts'

export const sourceOutcomeCodes = [
  /** Not selected: `decision` says why. */
  'left-alone',
  /** Not read yet in this version. */
  'unread',
  'unchanged',
  'first-seen',
  'created',
  'deleted',
  /** Deleted and created again between two looks. */
  'recreated',
  /** kapp makes a new object of each version: the reference changes, and with it the template. */
  'versioned',
  'unused-keys',
  /** No container uses it. */
  'not-used',
  'already-written',
  'already-rolled',
  /** A kind of workload, or a state of one, that is not to be reloaded. */
  'kind-left-alone',
  /** Reloads the workload: now, or when its time has come. */
  'changed',
] as const
type SourceOutcomeCode = (typeof sourceOutcomeCodes)[number]

export interface SourceOutcome {
  readonly source: SourceReference
  readonly code: SourceOutcomeCode
  readonly decision: DecisionCode
  /** The entry or pattern that names it. */
  readonly by?: string
  /** The container that takes the mark of the change. */
  readonly container?: string
  /** `changed`: what happened to it. */
  readonly event?: ChangeEvent
}

type ChangeEvent = 'create' | 'update' | 'delete'

export interface PlannedSource {
  readonly outcome: SourceOutcome
  readonly state: SourceState
  /** What was remembered of it. */
  readonly before: SourceMark | undefined
  /** What is to be remembered; `undefined`: nothing. */
  readonly remembered: SourceMark | undefined
  /** `changed`: what is written, and what is to be remembered if it is. */
  readonly mark?: Mark
  readonly rememberedIfWritten?: SourceMark
}

interface SourceInput {
  readonly workload: WorkloadFacts
  readonly state: SourceState
  readonly before: SourceMark | undefined
  readonly settings: ReloadSettings
  readonly nowMs: number
  /** When all pods of the workload were last made anew, as far as is known. */
  readonly rolledAtMs: number
  readonly isFirstList?: boolean
  /** The workload took the source when that changed, and nobody knew of the workload yet. */
  readonly overtakenBy?: 'create' | 'update' | undefined
  /** Another source has the same variable: `my-config` and `my.config`. What the template says may be of either. */
  readonly isShared: boolean
}

/** What becomes of one source. */
export function planSource(input: SourceInput): PlannedSource {
  const { workload, state, before, settings } = input
  const decision = decideReload(state, workload, settings)
  const outcome = (code: SourceOutcomeCode): SourceOutcome => ({ source: state.reference, code, ...reasonOf(decision) })
  if (!decision.reload) return { outcome: outcome('left-alone'), state, before, remembered: undefined }
  if (!isRead(state)) return { outcome: outcome('unread'), state, before, remembered: before }
  const container = targetContainer(workload.pod, state.reference, { mustUse: decision.auto })
  const used = workload.wishes.keys === 'used' ? usedKeys(workload.pod, state.reference) : 'all'
  const written = input.isShared ? undefined : writtenHash(workload, { source: state.reference, container }, settings.strategy)
  const remembered = markOfSource(state, { used, written })
  const recorded = (code: SourceOutcomeCode): PlannedSource => ({ outcome: outcome(code), state, before, remembered })
  const change = before === undefined ? firstSight(input, written) : changeSince(differenceOf(before, remembered), input)
  if (change.kind === 'recorded') return recorded(change.code)
  if (isKindLeftAlone(workload, settings)) return recorded('kind-left-alone')
  if (container === undefined) return recorded('not-used')
  if (input.rolledAtMs > state.changedAtMs && change.event !== 'delete') return recorded('already-rolled')
  const sha1 = state.content === 'absent' ? '' : state.content.sha1
  const marked = { source: state.reference, event: change.event, container, sha1, collides: change.collides }
  const { changedAtMs } = state
  const mark = markOf(workload, { ...marked, changedAtMs }, { strategy: settings.strategy, nowMs: input.nowMs })
  if (mark.kind === 'already-written') return recorded('already-written')
  return {
    outcome: { ...outcome('changed'), container, event: change.event },
    state,
    before,
    remembered,
    mark,
    rememberedIfWritten: input.isShared ? remembered : markAfterWriting(remembered, sha1),
  }
}

function reasonOf({ code, by }: ReloadDecision) {
  return by === undefined ? { decision: code } : { decision: code, by }
}

function isRead(state: SourceState): state is SourceState & { readonly content: SourceContent | 'absent' } {
  return state.content !== 'unread'
}

type Change =
  | { readonly kind: 'recorded'; readonly code: SourceOutcomeCode }
  | { readonly kind: 'event'; readonly event: ChangeEvent; readonly collides: boolean }

/**
 * Upstream counts what its first list holds as created, where it is told to; otherwise what is seen first is taken as known. What upstream
 * wrote is remembered like a mark of ours: another hash in the template at the start says that nobody acted on a change.
 */
function firstSight({ state, settings, isFirstList, overtakenBy }: SourceInput, written: string | undefined): Change {
  const isOvertaken = overtakenBy === 'update' || (overtakenBy === 'create' && settings.reloadOnCreate)
  if (isOvertaken && isRead(state) && state.content !== 'absent') return { kind: 'event', event: overtakenBy, collides: false }
  const isBehind = isRead(state) && state.content !== 'absent' && written !== undefined && !written.startsWith(state.content.sha1)
  if (isFirstList === true && isBehind) return { kind: 'event', event: 'update', collides: false }
  const counts = isFirstList === true && settings.reloadOnCreate && settings.syncAfterRestart
  if (!counts || state.content === 'absent' || !hasLifeEvents(state)) return { kind: 'recorded', code: 'first-seen' }
  return { kind: 'event', event: 'create', collides: false }
}

function changeSince({ kind, collides }: MarkDifference, { state, settings }: SourceInput): Change {
  const recorded = (code: SourceOutcomeCode): Change => ({ kind: 'recorded', code })
  const event = (happened: ChangeEvent): Change => ({ kind: 'event', event: happened, collides })
  if (kind === 'same') return recorded('unchanged')
  if (kind === 'unused-keys') return recorded('unused-keys')
  if (kind === 'changed') return event('update')
  if (state.annotations.isVersioned) return recorded('versioned')
  if (kind === 'deleted') return settings.reloadOnDelete && hasLifeEvents(state) ? event('delete') : recorded('deleted')
  if (!hasLifeEvents(state)) return recorded(kind)
  if (settings.reloadOnCreate) return event('create')
  // Between two looks it was gone: upstream would have taken notice of that.
  return kind === 'recreated' && settings.reloadOnDelete ? event('delete') : recorded(kind)
}

/** Upstream takes no notice of SecretProviderClassPodStatuses that come and go with their pods. */
function hasLifeEvents({ reference }: SourceState): boolean {
  return reference.type !== 'secretproviderclass'
}

/** Jobs that are over or that a CronJob made, and CronJobs that are suspended: upstream runs these again. */
function isKindLeftAlone(
  { kind, wishes, isSuspended, isFinished, isOfCronJob }: WorkloadFacts,
  settings: ReloadSettings,
): boolean {
  if (kind === 'CronJob' && wishes.cronJob === 'ignore') return true
  if (settings.followsUpstreamJobs) return false
  if (kind === 'CronJob') return isSuspended && wishes.cronJob === 'trigger'
  return kind === 'Job' && (isFinished || isOfCronJob)
}
