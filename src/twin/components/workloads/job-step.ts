// What a Job does next: how many pods it wants, and when it has succeeded or failed. Pure.
import type { Pod } from '#kube/objects/objects.ts'
import { secondsMs } from '#kube/time/duration.ts'
import type { Job, PodFailurePolicyRule } from '../kinds.ts'
import { conditionOf, isFinished, isTerminating } from './pod-state.ts'

export const indexAnnotation = 'batch.kubernetes.io/job-completion-index'

/** What has been counted so far, of pods that are gone too. */
export interface JobCounts {
  readonly succeeded: number
  readonly failed: number
  readonly completedIndexes: ReadonlySet<number>
  readonly failedIndexes?: ReadonlySet<number>
}

export type JobEnd =
  | { readonly kind: 'complete'; readonly reason: string; readonly message: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly message: string }

export interface JobDecision {
  readonly end: JobEnd | undefined
  /** How many more pods to make, and for an Indexed job of which indexes. */
  readonly create: number
  readonly indexes: readonly number[]
  /** Names of pods to delete. */
  readonly remove: readonly string[]
}

interface JobInput {
  readonly job: Job
  readonly counts: JobCounts
  /** Pods that are neither finished nor terminating. */
  readonly active: readonly Pod[]
  /** Message of the first FailJob rule that a pod met. */
  readonly failJob: string | undefined
  /** What the job said already of how it is going to end. */
  readonly end?: JobEnd | undefined
  /** Pods that are going and hold a place, where only ended ones are replaced. */
  readonly held?: readonly Pod[]
  /** When an index may be tried again, in milliseconds since 1970. */
  readonly notBefore?: ReadonlyMap<number, number>
  readonly nowMs: number
}

export function isIndexed(job: Job): boolean {
  return job.spec.completionMode === 'Indexed'
}

export function jobDecision(input: JobInput): JobDecision {
  const { job, active, nowMs, failJob, counts, held = [], notBefore } = input
  const end = input.end ?? jobEnd(job, { counts, active: active.length, failJob, nowMs })
  const all = active.map(pod => pod.metadata.name)
  if (end !== undefined) return { end, create: 0, indexes: [], remove: all }
  if (job.spec.suspend === true) return { end: undefined, create: 0, indexes: [], remove: all }
  const wanted = wantedPods(job, counts, active.length + held.length)
  if (active.length > wanted) {
    const youngestFirst = active.toSorted((a, b) =>
      (a.metadata.creationTimestamp ?? '') > (b.metadata.creationTimestamp ?? '') ? -1 : 1,
    )
    return {
      end: undefined,
      create: 0,
      indexes: [],
      remove: youngestFirst.slice(0, active.length - wanted).map(pod => pod.metadata.name),
    }
  }
  const missing = Math.max(0, wanted - active.length - held.length)
  const free = isIndexed(job) ? freeIndexes(job, counts, [...active, ...held]) : []
  const indexes = free.filter(index => (notBefore?.get(index) ?? 0) <= nowMs).slice(0, missing)
  return { end: undefined, create: isIndexed(job) ? indexes.length : missing, indexes, remove: [] }
}

interface EndInput {
  readonly counts: JobCounts
  readonly active: number
  readonly failJob: string | undefined
  readonly nowMs: number
}

function jobEnd(job: Job, { counts, active, failJob, nowMs }: EndInput): JobEnd | undefined {
  const { completions, backoffLimit = 6, activeDeadlineSeconds } = job.spec
  if (failJob !== undefined) return { kind: 'failed', reason: 'PodFailurePolicy', message: failJob }
  const failedIndexes = counts.failedIndexes?.size ?? 0
  if (counts.failed > backoffLimit)
    return { kind: 'failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }
  const startedMs = Date.parse(job.status?.startTime ?? '')
  if (activeDeadlineSeconds !== undefined && job.spec.suspend !== true && startedMs + secondsMs(activeDeadlineSeconds) <= nowMs) {
    return { kind: 'failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' }
  }
  const { maxFailedIndexes } = job.spec
  if (maxFailedIndexes !== undefined && failedIndexes > maxFailedIndexes) {
    const message = 'Job has exceeded the specified maximal number of failed indexes'
    return { kind: 'failed', reason: 'MaxFailedIndexesExceeded', message }
  }
  if (failedIndexes > 0 && failedIndexes + counts.completedIndexes.size >= (completions ?? 0))
    return { kind: 'failed', reason: 'FailedIndexes', message: 'Job has failed indexes' }
  const met = metSuccessRule(job, counts)
  if (met !== undefined) return { kind: 'complete', reason: 'SuccessPolicy', message: `Matched rules at index ${met}` }
  const succeeded = isIndexed(job) ? counts.completedIndexes.size : counts.succeeded
  const isDone = completions === undefined ? counts.succeeded > 0 && active === 0 : succeeded >= completions && active === 0
  if (isDone) return { kind: 'complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
  return undefined
}

/** Position of the first rule of the success policy that holds. */
function metSuccessRule(job: Job, { completedIndexes }: JobCounts): number | undefined {
  const rules = job.spec.successPolicy?.rules ?? []
  const at = rules.findIndex(({ succeededIndexes, succeededCount }) => {
    const asked = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes)
    const done = [...completedIndexes].filter(index => asked === undefined || asked.has(index)).length
    return done >= (succeededCount ?? asked?.size ?? 1)
  })
  return at < 0 ? undefined : at
}

function wantedPods(job: Job, counts: JobCounts, active: number): number {
  const { parallelism = 1, completions } = job.spec
  // A work queue: once a pod has succeeded the others only finish.
  if (completions === undefined) return counts.succeeded > 0 ? active : parallelism
  const over = isIndexed(job) ? counts.completedIndexes.size + (counts.failedIndexes?.size ?? 0) : counts.succeeded
  return Math.min(parallelism, Math.max(0, completions - over))
}

function freeIndexes(job: Job, counts: JobCounts, active: readonly Pod[]): readonly number[] {
  const busy = new Set(active.map(indexOf))
  const free: number[] = []
  for (let index = 0; index < (job.spec.completions ?? 0); index++)
    if (!busy.has(index) && !counts.completedIndexes.has(index) && counts.failedIndexes?.has(index) !== true) free.push(index)
  return free
}

/** The completion index of a pod; -1 without one. */
export function indexOf(pod: Pod): number {
  const text = pod.metadata.annotations?.[indexAnnotation]
  return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : -1
}

type PodVerdict =
  | { readonly kind: 'running' }
  | { readonly kind: 'succeeded' }
  | {
      readonly kind: 'failed'
      readonly counts: boolean
      readonly failJob: string | undefined
      readonly failsIndex?: boolean
    }

/** What a pod of the job comes to; one that is being deleted counts as failed before it has ended, unless the job waits for that. */
export function podVerdict(job: Job, pod: Pod): PodVerdict {
  if (pod.status?.phase === 'Succeeded') return { kind: 'succeeded' }
  const waitsForEnd = job.spec.podReplacementPolicy === 'Failed' || job.spec.podFailurePolicy !== undefined
  const isLost = pod.status?.phase === 'Failed' || (isTerminating(pod) && !isFinished(pod) && !waitsForEnd)
  if (!isLost) return { kind: 'running' }
  const rule = job.spec.podFailurePolicy?.rules.find(candidate => meets(candidate, pod))
  if (rule?.action === 'Ignore') return { kind: 'failed', counts: false, failJob: undefined }
  const at = rule === undefined ? 0 : (job.spec.podFailurePolicy?.rules.indexOf(rule) ?? 0)
  const failJob = rule?.action === 'FailJob' ? `${whyOf(rule, pod)} matching FailJob rule at index ${at}` : undefined
  if (rule?.action === 'FailIndex') return { kind: 'failed', counts: true, failJob, failsIndex: true }
  return { kind: 'failed', counts: true, failJob }
}

function meets(rule: PodFailurePolicyRule, pod: Pod): boolean {
  const { onExitCodes, onPodConditions } = rule
  if (onExitCodes !== undefined) {
    return exitMet(rule, pod) !== undefined
  }
  return (onPodConditions ?? []).some(
    ({ type, status }) => conditionOf(pod.status?.conditions, type)?.status === (status ?? 'True'),
  )
}

/** The first container that ended with one of the rule's codes. */
function exitMet({ onExitCodes }: PodFailurePolicyRule, pod: Pod): { readonly name: string; readonly code: number } | undefined {
  if (onExitCodes === undefined) return undefined
  for (const { name, state } of pod.status?.containerStatuses ?? []) {
    const code = state?.terminated?.exitCode
    const isAsked = onExitCodes.containerName === undefined || name === onExitCodes.containerName
    if (!isAsked || code === undefined || code === 0) continue
    if (onExitCodes.values.includes(code) === (onExitCodes.operator === 'In')) return { name, code }
  }
  return undefined
}

function whyOf(rule: PodFailurePolicyRule, pod: Pod): string {
  const name = `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`
  const exit = exitMet(rule, pod)
  if (exit !== undefined) return `Container ${exit.name} for pod ${name} failed with exit code ${exit.code}`
  const met = rule.onPodConditions?.find(
    ({ type, status }) => conditionOf(pod.status?.conditions, type)?.status === (status ?? 'True'),
  )
  return `Pod ${name} has condition ${met?.type ?? ''}`
}

/** 10 s, doubled with each failure in a row, at most 6 minutes. */
export function jobBackOffMs(failuresInARow: number): number {
  return failuresInARow <= 0 ? 0 : Math.min(360_000, 10_000 * 2 ** Math.min(10, failuresInARow - 1))
}

/** `0-2,5`: how completed indexes are written. */
export function indexText(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b)
  const parts: string[] = []
  for (let at = 0; at < sorted.length; ) {
    let end = at
    while (end + 1 < sorted.length && sorted[end + 1] === (sorted[end] ?? 0) + 1) end++
    parts.push(end === at ? `${sorted[at]}` : end === at + 1 ? `${sorted[at]},${sorted[end]}` : `${sorted[at]}-${sorted[end]}`)
    at = end + 1
  }
  return parts.join(',')
}

/** The reverse of `indexText`; what does not parse is left out. */
export function parseIndexes(text: string | undefined): ReadonlySet<number> {
  const indexes = new Set<number>()
  for (const part of (text ?? '').split(',')) {
    const match = /^([0-9]{1,9})(?:-([0-9]{1,9}))?$/.exec(part)
    if (match === null) continue
    for (let index = Number(match[1]); index <= Number(match[2] ?? match[1]); index++) indexes.add(index)
  }
  return indexes
}
