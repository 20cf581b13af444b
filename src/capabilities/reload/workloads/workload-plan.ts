// One workload and all sources that it may take: what happens now, in one step, and why (config-reload P1). Pure.
import { createHash } from 'node:crypto'
import type { TemplateChange } from '#coordination/intent.ts'
import { type AnnotationProblem, annotationOf, fixedAnnotationKeys } from '../annotations.ts'
import { emptyBaseline, isSameBaseline, markOfUid, type SourceMark, type WorkloadBaseline } from '../baseline/baseline.ts'
import { readLastReload } from '../rollouts/last-reloaded-from.ts'
import { beginsPause } from '../rollouts/pause.ts'
import { changeOf, type Mark, type Variable } from '../rollouts/template-change.ts'
import { variableName } from '../rollouts/variable-name.ts'
import type { ReloadSettings } from '../settings.ts'
import { type PlannedSource, planSource, type SourceOutcome } from '../sources/source-plan.ts'
import { type SourceReference, type SourceState, sourceKey, sourceTypes } from '../sources/source-state.ts'
import { settledAt } from './debounce.ts'
import { type GuardState, mayRollAt } from './rate-guard.ts'
import type { WorkloadFacts } from './workload-facts.ts'

export interface PlanInput {
  readonly workload: WorkloadFacts
  /** Every source that its matcher finds, and every one of its baseline; those that are gone as `absent`. */
  readonly sources: readonly SourceState[]
  /** `undefined`: the workload was never looked at. */
  readonly baseline: WorkloadBaseline | undefined
  readonly guard: GuardState
  readonly settings: ReloadSettings
  readonly nowMs: number
  /** Not after the last change of its pod template: creation of the newest ReplicaSet or ControllerRevision. */
  readonly templateChangedAtMs?: number
  /** When the first change came that was not acted on yet: `pendingSinceMs` of the plan before. */
  readonly pendingSinceMs?: number
  /** Workload and sources come from the first lists after a start: for `syncAfterRestart`. */
  readonly isFirstList?: boolean
  /** Sources, by `sourceKey`, that changed under a workload of which nobody knew yet. */
  readonly overtaken?: ReadonlyMap<string, 'create' | 'update'>
}

export type ReloadWay = 'patch' | 'trigger-job' | 'replace-job' | 'restart-at' | 'pause-then-patch' | 'evict'

export type PlannedAction =
  | { readonly kind: 'none' }
  /** Nothing to do but to store `baseline`. */
  | { readonly kind: 'record-only' }
  | {
      readonly kind: 'wait'
      readonly untilMs: number
      readonly why: 'debounce' | 'window' | 'rate-guard'
      readonly sources: readonly SourceReference[]
    }
  | {
      readonly kind: 'act'
      readonly way: ReloadWay
      readonly changes: TemplateChange
      readonly removals: readonly Variable[]
      /** For `pause-then-patch`: how long. */
      readonly pauseMs: number | undefined
      /** A source that must not be used any more is among them: class safety. */
      readonly isRevoked: boolean
      readonly sources: readonly SourceReference[]
      /** The same for the same wish, across restarts. */
      readonly wish: string
      /** To be stored once it is done. */
      readonly baseline: WorkloadBaseline
    }

export interface WorkloadPlan {
  /** Every source with its outcome, in order. */
  readonly sources: readonly SourceOutcome[]
  readonly action: PlannedAction
  /** To be stored now; the very one given where nothing is to be recorded. */
  readonly baseline: WorkloadBaseline
  readonly pendingSinceMs: number | undefined
  readonly problems: readonly AnnotationProblem[]
}

type Act = Extract<PlannedAction, { readonly kind: 'act' }>

/** A source that reloads the workload, with what is written of it. */
type Pending = PlannedSource & { readonly mark: Mark; readonly remembered: SourceMark }

/** What becomes of the workload now. The same input gives the same plan. */
export function planWorkload(input: PlanInput): WorkloadPlan {
  const { workload, settings } = input
  const given = input.baseline?.uid === markOfUid(workload.uid) ? input.baseline : undefined
  const rolledAtMs = latestRollout(input)
  const shared = sharedVariables(input.sources)
  const planned = input.sources.toSorted(bySource).map(state => {
    const before = given?.marks.get(sourceKey(state.reference))
    const overtakenBy = input.overtaken?.get(sourceKey(state.reference))
    return planSource({ ...input, state, before, rolledAtMs, overtakenBy, isShared: shared.has(variableName(state.reference)) })
  })
  const pending = planned.filter(isPending)
  const way = wayOf(workload, settings)
  const baseline = baselineOf(planned, input.baseline, { workload, done: undefined })
  const changed = baseline !== input.baseline
  const plan = { sources: planned.map(({ outcome }) => outcome), baseline, problems: workload.problems }
  if (pending.length === 0 || workload.isBeingDeleted) {
    return { ...plan, action: { kind: changed ? 'record-only' : 'none' }, pendingSinceMs: undefined }
  }
  const changedAtMs = pending.map(({ state }) => state.changedAtMs)
  const pendingSinceMs = Math.min(input.pendingSinceMs ?? input.nowMs, ...changedAtMs)
  const wait = waiting(input, pending, pendingSinceMs)
  if (wait !== undefined) return { ...plan, action: wait, pendingSinceMs }
  const done = baselineOf(planned, baseline, { workload, done: way })
  return { ...plan, action: actOf(workload, way, { pending, baseline: done }), pendingSinceMs }
}

/** The last moment known at which all of its pods were to be made anew: by somebody's change of the template, or by a reload. */
function latestRollout({ workload, settings, templateChangedAtMs }: PlanInput): number {
  const text = annotationOf(workload.templateAnnotations, fixedAnnotationKeys.lastReloadedFrom)
  const written = settings.strategy === 'annotations' ? readLastReload(text)?.atMs : undefined
  return Math.max(templateChangedAtMs ?? Number.NEGATIVE_INFINITY, written ?? Number.NEGATIVE_INFINITY)
}

function bySource({ reference: a }: SourceState, { reference: b }: SourceState): number {
  const order = sourceTypes.indexOf(a.type) - sourceTypes.indexOf(b.type)
  if (order !== 0) return order
  const [left, right] = [`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`]
  return left < right ? -1 : left > right ? 1 : 0
}

function isPending(planned: PlannedSource): planned is Pending {
  return planned.outcome.code === 'changed' && planned.mark !== undefined && planned.remembered !== undefined
}

/** Names of variables that several of the sources have. */
function sharedVariables(sources: readonly SourceState[]): ReadonlySet<string> {
  if (sources.length < 2) return new Set()
  const names = sources.map(({ reference }) => variableName(reference))
  return new Set(names.filter((name, index) => names.indexOf(name) !== index))
}

/** What is remembered: of sources that reload only what was before, until that is `done`, in which way. */
function baselineOf(
  planned: readonly PlannedSource[],
  before: WorkloadBaseline | undefined,
  { workload, done }: { readonly workload: WorkloadFacts; readonly done: ReloadWay | undefined },
): WorkloadBaseline {
  const marks = new Map<string, SourceMark>()
  for (const one of planned) {
    const acted = done !== undefined && isSaidByTemplate(done) ? one.rememberedIfWritten : one.remembered
    const mark = one.outcome.code !== 'changed' ? one.remembered : done === undefined ? one.before : acted
    if (mark !== undefined) marks.set(sourceKey(one.outcome.source), mark)
  }
  const baseline = { ...emptyBaseline(workload), marks }
  return before !== undefined && isSameBaseline(before, baseline) ? before : baseline
}

/** Whether the pod template itself says it afterwards, also to who has no permit. */
export function isSaidByTemplate(way: ReloadWay): boolean {
  return way === 'patch' || way === 'pause-then-patch'
}

/** What the reload waits for, the first that holds: further changes, its window, its distance to the one before. */
function waiting(input: PlanInput, pending: readonly Pending[], pendingSinceMs: number): PlannedAction | undefined {
  const { workload, guard, settings, nowMs } = input
  const sources = pending.map(({ outcome }) => outcome.source)
  const isUrgent = pending.some(({ state }) => state.annotations.revoked)
  if (!isUrgent) {
    const { debounceMs, window } = workload.wishes
    const changedAtMs = pending.map(({ state }) => state.changedAtMs)
    const settledMs = settledAt(changedAtMs, { pendingSinceMs, debounceMs, maxWaitMs: settings.maxWaitMs })
    if (settledMs > nowMs) return { kind: 'wait', untilMs: settledMs, why: 'debounce', sources }
    if (window !== undefined && window.openAt(nowMs) === undefined) {
      return { kind: 'wait', untilMs: window.nextAfter(nowMs)?.startMs ?? Number.POSITIVE_INFINITY, why: 'window', sources }
    }
  }
  // While a Deployment is paused a change of its template rolls nothing out.
  const mayMs = workload.isPaused ? nowMs : mayRollAt(guard, nowMs, settings.guard)
  return mayMs > nowMs ? { kind: 'wait', untilMs: mayMs, why: 'rate-guard', sources } : undefined
}

function actOf(
  workload: WorkloadFacts,
  way: ReloadWay,
  { pending, baseline }: { readonly pending: readonly Pending[]; readonly baseline: WorkloadBaseline },
): Act {
  const hasChange = way !== 'evict' && way !== 'restart-at'
  return {
    kind: 'act',
    way,
    ...(hasChange ? changeOf(pending.map(({ mark }) => mark)) : { changes: {}, removals: [] }),
    pauseMs: way === 'pause-then-patch' ? workload.wishes.pauseMs : undefined,
    isRevoked: pending.some(({ state }) => state.annotations.revoked),
    sources: pending.map(({ outcome }) => outcome.source),
    wish: wishOf(workload, pending),
    baseline,
  }
}

function wayOf(workload: WorkloadFacts, { customKinds }: ReloadSettings): ReloadWay {
  const { kind, wishes } = workload
  const custom = customKinds.find(one => one.kind === kind && `${one.group}/${one.version}` === workload.apiVersion)
  if (custom !== undefined) return (wishes.reloadBy ?? custom.reloadBy) === 'evict' ? 'evict' : 'patch'
  if (kind === 'CronJob') return wishes.cronJob === 'patch' ? 'patch' : 'trigger-job'
  if (kind === 'Job') return 'replace-job'
  if (wishes.reloadBy === 'evict') return 'evict'
  if (kind === 'Rollout') return wishes.rollout === 'restart' ? 'restart-at' : 'patch'
  return kind === 'Deployment' && beginsPause(workload) ? 'pause-then-patch' : 'patch'
}

/** The workload and each source in the version that reloads it. */
function wishOf({ uid }: WorkloadFacts, pending: readonly Pending[]): string {
  const versions = pending.map(({ state, remembered }) => [sourceKey(state.reference), state.resourceVersion, remembered])
  return createHash('sha256')
    .update(JSON.stringify([uid, versions]))
    .digest('hex')
    .slice(0, 32)
}
