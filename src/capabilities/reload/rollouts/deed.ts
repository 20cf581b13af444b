// One reload of one workload on its way: what is asked of the arbiter, and what is done under its permit.
import type { Leading } from '#coordination/capability.ts'
import { evict } from '#coordination/effects/evict.ts'
import type { Job } from '#coordination/effects/job-manifest.ts'
import { pauseRollout, resumeRollout } from '#coordination/effects/pause-rollout.ts'
import { createJob, replaceJob } from '#coordination/effects/replace-job.ts'
import { type CustomTemplate, type RestartBasis, restart } from '#coordination/effects/restart.ts'
import { restartAt } from '#coordination/effects/restart-at.ts'
import { triggerJob } from '#coordination/effects/trigger-job.ts'
import type { Intent, Reason, Target } from '#coordination/intent.ts'
import type { Permit } from '#coordination/permits/permit.ts'
import type { PermitRecord } from '#coordination/permits/permit-record.ts'
import { NotSentError } from '#kube/client/connection-error.ts'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { isOutside } from '#kube/outside-error.ts'
import { formatTime } from '#kube/time/time.ts'
import { isMark, isUidMark, type WorkloadBaseline } from '../baseline/baseline.ts'
import { type SourceReference, sourceKey } from '../sources/source-state.ts'
import type { WorkloadFacts } from '../workloads/workload-facts.ts'
import type { PlannedAction, ReloadWay } from '../workloads/workload-plan.ts'
import type { JobKeeper } from './job-keeper.ts'

export const capabilityName = 'reload'
const fieldManager = 'Reloader'
const deadlineMs = 3_600_000
const timeToLiveMs = 15 * 60_000
/** A Job that was deleted is created anew for so long. */
const jobTimeToLiveMs = 24 * 3_600_000
const jobRetryMs = 10_000
const evictionRetryMs = 5_000
const unclearTries = 5
const afterUnclearMs = 1_000
const longestUnclearMs = 10_000

export type PlannedAct = Extract<PlannedAction, { readonly kind: 'act' }>

/** What is done under a permit: a reload in its way, or the end of a pause. */
export type DeedWay = ReloadWay | 'resume'

/** `object`: the workload as the server has it after the deed, where that was written: watches may tell of it late. */
type DeedOutcome = { readonly kind: 'done'; readonly generation: number; readonly object?: KubeObject } | DeedFailure

/** `overtaken`: somebody else wrote what it was decided on; it is to be decided anew. */
interface DeedFailure {
  readonly kind: 'failed'
  readonly message: string
  readonly overtaken?: true
}

const sourceWords = { configmap: 'ConfigMap', secret: 'Secret', secretproviderclass: 'SecretProviderClass' } as const

export function describeSource({ type, namespace, name }: SourceReference): string {
  return `${sourceWords[type]} ${namespace}/${name}`
}

interface IntentAround {
  readonly pods: readonly Pod[]
  readonly nowMs: number
  /** Names of keys that changed, where they are known. */
  readonly changedKeys?: (source: SourceReference) => readonly string[]
}

const mostKeysShown = 5
/** What a permit takes. */
const mostReasons = 32
const longestReason = 1_024
const changedCode = 'changed'

/** `Secret web/db changed (password, user)`: names of keys, never what they hold. */
function changeSentence(source: SourceReference, keys: readonly string[]): string {
  const shown = keys.slice(0, mostKeysShown).join(', ')
  const more = keys.length > mostKeysShown ? ` and ${keys.length - mostKeysShown} more` : ''
  return `${describeSource(source)} changed${keys.length === 0 ? '' : ` (${shown}${more})`}`
}

/** What is asked of the arbiter for `act`. */
export function intentOf(workload: WorkloadFacts, act: PlannedAct, { pods, nowMs, changedKeys }: IntentAround): Intent {
  const { apiVersion, kind, namespace, name, uid } = workload
  const reference = { apiVersion, kind, namespace, name, uid }
  const disrupts = pods.filter(pod => pod.metadata.deletionTimestamp === undefined && !isOver(pod)).map(targetOf)
  const { changes, removals } = act
  const hasChange = act.way !== 'evict' && act.way !== 'restart-at'
  return {
    requester: capabilityName,
    verb: act.way === 'evict' ? 'evict' : 'restart',
    purpose: 'reload',
    class: act.isRevoked ? 'safety' : 'correctness',
    targets: act.way === 'evict' ? disrupts : [reference],
    workload: reference,
    disrupts,
    reasons: act.sources.slice(0, mostReasons).map(source => {
      const key = sourceKey(source)
      const message = changeSentence(source, changedKeys?.(source) ?? []).slice(0, longestReason)
      return { code: changedCode, message, data: { source: key, mark: act.baseline.marks.get(key) ?? '', uid: act.baseline.uid } }
    }),
    idempotencyKey: act.wish,
    deadlineMs: nowMs + deadlineMs,
    timeToLiveMs: act.way === 'replace-job' ? jobTimeToLiveMs : timeToLiveMs,
    mark: 'none',
    fieldManager,
    ...(hasChange ? { change: { ...changes, ...(removals.length === 0 ? {} : { removeEnv: removals }) } } : {}),
  }
}

/** What resumes a Deployment that a reload paused. */
export function resumeIntent(
  workload: WorkloadFacts,
  pausedAt: string,
  { pods, nowMs }: { readonly pods: readonly Pod[]; readonly nowMs: number },
): Intent {
  const { apiVersion, kind, namespace, name, uid } = workload
  const reference = { apiVersion, kind, namespace, name, uid }
  return {
    requester: capabilityName,
    verb: 'restart',
    purpose: 'reload',
    class: 'correctness',
    targets: [reference],
    workload: reference,
    disrupts: pods.filter(pod => pod.metadata.deletionTimestamp === undefined && !isOver(pod)).map(targetOf),
    reasons: [{ code: resumeCode, message: 'the pause after its first change is over' }],
    idempotencyKey: `resume ${uid} ${pausedAt}`,
    deadlineMs: nowMs + deadlineMs,
    timeToLiveMs,
    mark: 'none',
    fieldManager,
  }
}

const resumeCode = 'pause-over'

/** What was acted on under a permit: marks of a baseline that its leader may not have come to write. */
export function marksIn(reasons: readonly Reason[]): WorkloadBaseline | undefined {
  const marks = new Map<string, string>()
  let uid = ''
  for (const { code, data } of reasons) {
    const { source, mark } = data ?? {}
    if (code !== changedCode || source === undefined || mark === undefined || !isMark(mark)) continue
    marks.set(source, mark)
    uid = data?.['uid'] ?? ''
  }
  return marks.size > 0 && isUidMark(uid) ? { uid, marks } : undefined
}

/** What a permit of an earlier leader was for. */
export function wayOf(record: PermitRecord): DeedWay {
  if (record.verb === 'evict') return 'evict'
  if (record.reasons.some(({ code }) => code === resumeCode)) return 'resume'
  const [target] = record.targets
  // A CronJob's own template is changed without a permit: it disturbs nobody.
  if (target?.kind === 'CronJob') return 'trigger-job'
  if (target?.kind === 'Job') return 'replace-job'
  return target?.kind === 'Rollout' && record.change === undefined ? 'restart-at' : 'patch'
}

export interface DeedContext {
  readonly leading: Leading
  readonly clock: Clock
  readonly jobs: JobKeeper
  /** Key of the annotation that says since when a Deployment is paused. */
  readonly pauseTimeKey: string
  /** Where a kind of somebody else has its pod template. */
  readonly customOf: (workload: Target) => CustomTemplate | undefined
  /** Told now and then of a Job that could not be created again yet. */
  readonly jobRefused: (job: Target, message: string) => void
}

/** Does what `permit` allows, in the way that was planned; safe to call again. Never throws what comes from outside, but aborts. */
export async function carryOut(
  context: DeedContext,
  { permit, way, basis }: { readonly permit: Permit; readonly way: DeedWay; readonly basis?: RestartBasis | undefined },
  signal: AbortSignal,
): Promise<DeedOutcome> {
  const deed = new Deed(context, permit, basis, signal)
  for (let tries = 1; ; tries++) {
    try {
      return await deed.run(way)
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      // Nothing was sent, and nothing will be under this permit.
      if (error instanceof NotSentError) return { kind: 'failed', message: error.message }
      // What came of it is not known, and everything here may be done twice.
      // A Job that was deleted has nobody else who would create it again.
      const isLast = way === 'replace-job' ? context.clock.elapsed() >= permit.expiresElapsedMs : tries === unclearTries
      if (isLast) return { kind: 'failed', message: messageOf(error) }
      await context.clock.after(Math.min(longestUnclearMs, afterUnclearMs * tries), signal)
    }
  }
}

class Deed {
  readonly #context: DeedContext
  readonly #permit: Permit
  readonly #basis: RestartBasis | undefined
  readonly #signal: AbortSignal

  constructor(context: DeedContext, permit: Permit, basis: RestartBasis | undefined, signal: AbortSignal) {
    this.#context = context
    this.#permit = permit
    this.#basis = basis
    this.#signal = signal
  }

  async run(way: DeedWay): Promise<DeedOutcome> {
    const { effects } = this.#context.leading
    const [target] = this.#permit.record.targets
    if (target === undefined) return { kind: 'failed', message: 'its permit names nothing' }
    switch (way) {
      case 'patch':
        return this.#restart(target)
      case 'pause-then-patch':
        return this.#pauseThenPatch(target)
      case 'resume': {
        const pause = { deployment: target, annotation: this.#context.pauseTimeKey }
        return outcomeOf(await resumeRollout(effects, this.#permit, pause, this.#signal))
      }
      case 'trigger-job':
        return outcomeOf(await triggerJob(effects, this.#permit, target, this.#signal))
      case 'restart-at':
        return outcomeOf(await restartAt(effects, this.#permit, target, this.#signal))
      case 'replace-job':
        return this.#replaceJob(target)
      case 'evict':
        return this.#evictAll()
    }
  }

  async #pauseThenPatch(deployment: Target): Promise<DeedOutcome> {
    const { leading, clock, pauseTimeKey } = this.#context
    const pause = { deployment, annotation: pauseTimeKey, at: formatTime(clock.now()) }
    const paused = await pauseRollout(leading.effects, this.#permit, pause, this.#signal)
    if (paused.kind === 'gone' || paused.kind === 'refused') return outcomeOf(paused)
    return this.#restart(deployment)
  }

  async #restart(workload: Target): Promise<DeedOutcome> {
    const { leading, customOf } = this.#context
    const manner = { basis: this.#basis, custom: customOf(workload) }
    return outcomeOf(await restart(leading.effects, this.#permit, workload, this.#signal, manner))
  }

  async #replaceJob(job: Target): Promise<DeedOutcome> {
    const { leading, jobs } = this.#context
    const keep = (manifest: Job) => jobs.keep(job, manifest, this.#signal)
    let replaced: Awaited<ReturnType<typeof replaceJob>>
    try {
      replaced = await replaceJob(leading.effects, this.#permit, { job, keep }, this.#signal)
    } catch (error) {
      if (error instanceof RangeError) return { kind: 'failed', message: error.message }
      throw error
    }
    const manifest = replaced.kind === 'deleted' ? replaced.manifest : await this.#kept(job)
    if (replaced.kind === 'replaced' || manifest === undefined) {
      if (replaced.kind === 'replaced') await jobs.forget(job, this.#signal)
      return outcomeOf(replaced.kind === 'deleted' ? { kind: 'gone' } : replaced)
    }
    // Refused before it was deleted: it runs as it was.
    if (replaced.kind === 'refused') {
      await jobs.forget(job, this.#signal)
      return outcomeOf(replaced)
    }
    return this.#createAgain(job, manifest)
  }

  /** What an earlier try has kept of it; that the server cannot say is told, and tried again. */
  async #kept(job: Target): Promise<Job | undefined> {
    const { jobs, jobRefused } = this.#context
    try {
      return await jobs.kept(job, this.#signal)
    } catch (error) {
      if (isOutside(error)) jobRefused(job, `whether its manifest was kept is not known: ${messageOf(error)}`)
      throw error
    }
  }

  /** Until it is there, or the permit is over. */
  async #createAgain(job: Target, manifest: Job): Promise<DeedOutcome> {
    const { leading, clock, jobs, jobRefused } = this.#context
    const untilMs = this.#permit.expiresElapsedMs - jobRetryMs
    for (;;) {
      const created = await createJob(leading.effects, this.#permit, { job, manifest }, this.#signal)
      if (created.kind === 'created') {
        await jobs.forget(job, this.#signal)
        return { kind: 'done', generation: 0 }
      }
      jobRefused(job, created.message)
      if (clock.elapsed() + jobRetryMs > untilMs) {
        await jobs.forget(job, this.#signal)
        return { kind: 'failed', message: `not created for 24 h: ${created.message}` }
      }
      await clock.after(jobRetryMs, this.#signal)
    }
  }

  /** One by one, as budgets let it; the pods that come read what is there now. */
  async #evictAll(): Promise<DeedOutcome> {
    const { leading, clock } = this.#context
    const { record } = this.#permit
    for (const pod of record.targets) {
      for (;;) {
        const outcome = await evict(leading.effects, this.#permit, pod, this.#signal)
        if (outcome.kind === 'evicted' || outcome.kind === 'already-gone') break
        if (outcome.kind === 'forbidden') return { kind: 'failed', message: outcome.message }
        const waitMs = outcome.kind === 'refused' ? (outcome.retryAfterMs ?? evictionRetryMs) : evictionRetryMs
        if (clock.elapsed() + waitMs >= this.#permit.expiresElapsedMs) return { kind: 'failed', message: outcome.message }
        await clock.after(waitMs, this.#signal)
      }
    }
    return { kind: 'done', generation: 0 }
  }
}

type EffectOutcome =
  | { readonly kind: 'restarted'; readonly generation?: number; readonly object?: KubeObject }
  | { readonly kind: 'triggered' | 'replaced' | 'gone' }
  | { readonly kind: 'resumed' | 'not-paused'; readonly object?: KubeObject }
  | { readonly kind: 'refused'; readonly message: string; readonly overtaken?: true }

function outcomeOf(outcome: EffectOutcome): DeedOutcome {
  switch (outcome.kind) {
    case 'refused':
      return { ...outcome, kind: 'failed' }
    case 'gone':
      return { kind: 'failed', message: 'it is gone, or another has its name' }
    case 'restarted':
      return { kind: 'done', generation: outcome.generation ?? 0, ...written(outcome) }
    case 'resumed':
      return { kind: 'done', generation: 0, ...written(outcome) }
    default:
      return { kind: 'done', generation: 0 }
  }
}

function written({ object }: { readonly object?: KubeObject }): { readonly object?: KubeObject } {
  return object === undefined ? {} : { object }
}

function targetOf({ metadata: { namespace = '', name, uid = '' } }: Pod): Target {
  return { apiVersion: 'v1', kind: 'Pod', namespace, name, uid }
}

function isOver({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed'
}
