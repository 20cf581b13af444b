// Jobs: pods run to completion, counted once each by their finalizer, with back-off after failures; finished ones expire.
import type { Condition, Pod } from '#kube/objects.ts'
import { isConflict, isNotFound } from '#kube/status.ts'
import { type ComponentContext, controllerWriter } from './component.ts'
import type { EventSource } from './event-recorder.ts'
import {
  indexAnnotation,
  indexOf,
  indexText,
  isIndexed,
  type JobCounts,
  type JobEnd,
  jobBackOffMs,
  jobDecision,
  parseIndexes,
  podVerdict,
} from './job-step.ts'
import type { Job } from './kinds.ts'
import { claimPods } from './pod-claims.ts'
import {
  conditionOf,
  controllerOf,
  isActive,
  isReady,
  isTerminating,
  keyOf,
  splitKey,
  timeText,
  withCondition,
  withoutZeros,
} from './pod-state.ts'
import { canonicalText, controllerReference, podFromTemplate } from './pod-template.ts'
import { selectorFor } from './selectors.ts'
import { createInBatches, isNamespaceTerminating } from './slow-start.ts'

const writer = controllerWriter('job-controller')
const source: EventSource = { component: 'job-controller', writer }
const trackingFinalizer = 'batch.kubernetes.io/job-tracking'
const ownManager = 'kubernetes.io/job-controller'

/** What is remembered of a job between runs: failures since its last success, and when the last one was. */
interface Failures {
  count: number
  lastMs: number
}

export function startJobs(context: ComponentContext): void {
  const { view, loop } = context
  const failures = new Map<string, Failures>()
  const queue = loop.queue('jobs.batch', async key => {
    const { namespace, name } = splitKey(key)
    const job = view.get('jobs.batch', namespace, name)
    if (job === undefined || (job.spec.managedBy ?? ownManager) !== ownManager) return
    const uid = job.metadata.uid ?? ''
    const known = failures.get(uid) ?? { count: 0, lastMs: 0 }
    failures.set(uid, known)
    const waitMs = await reconcile(context, job, known)
    if (waitMs !== undefined) queue.addAfter(key, waitMs)
  })
  view.on('jobs.batch', ({ type, object }) => {
    if (type !== 'DELETED') queue.add(keyOf(object))
    else {
      failures.delete(object.metadata.uid ?? '')
      queue.remove(keyOf(object))
    }
  })
  view.on('pods', ({ type, object }) => {
    const owner = controllerOf(object)
    if (owner?.kind === 'Job') queue.add(`${object.metadata.namespace}/${owner.name}`)
    // A pod whose job is gone must not be held by its finalizer.
    if (
      type !== 'DELETED' &&
      isTerminating(object) &&
      view.get('jobs.batch', object.metadata.namespace, owner?.name ?? '')?.metadata.uid !== owner?.uid
    )
      orphans.add(keyOf(object))
  })
  const orphans = loop.queue('jobs.batch orphans', key => {
    const { namespace, name } = splitKey(key)
    const pod = view.get('pods', namespace, name)
    if (pod !== undefined) dropFinalizer(context, pod)
  })
  for (const job of view.list('jobs.batch')) queue.add(keyOf(job))
}

/** Milliseconds until the job has to be looked at again for time alone. */
async function reconcile(context: ComponentContext, job: Job, failures: Failures): Promise<number | undefined> {
  const { clock } = context
  const pods = claimPods(context, { owner: job, selector: selectorFor(job.spec.selector), writer })
  if (isFinishedJob(job) || isTerminating(job)) {
    for (const pod of pods) if (!isActive(pod)) dropFinalizer(context, pod)
    return undefined
  }
  const { counts, failJob } = count(context, job, pods, failures)
  const active = pods.filter(pod => isActive(pod))
  const decision = jobDecision({ job, counts, active, failJob, nowMs: clock.now() })
  for (const name of decision.remove)
    removePod(
      context,
      job,
      active.find(pod => pod.metadata.name === name),
    )
  const backOffMs = failures.lastMs + jobBackOffMs(failures.count) - clock.now()
  const mayCreate = decision.create > 0 && backOffMs <= 0
  writeStatus(context, job, {
    counts,
    active: active.length - decision.remove.length,
    ready: active.filter(isReady).length,
    end: decision.end,
  })
  if (mayCreate) await createPods(context, job, decision.create, decision.indexes)
  if (decision.create > 0 && !mayCreate) return backOffMs
  const { activeDeadlineSeconds } = job.spec
  const startedMs = Date.parse(job.status?.startTime ?? timeText(clock.now()))
  return activeDeadlineSeconds === undefined || decision.end !== undefined
    ? undefined
    : Math.max(1, startedMs + activeDeadlineSeconds * 1000 - clock.now())
}

function isFinishedJob(job: Job): boolean {
  return (job.status?.conditions ?? []).some(
    condition => (condition.type === 'Complete' || condition.type === 'Failed') && condition.status === 'True',
  )
}

/** Counts each ended pod once: the one that still has the finalizer is new, and loses it. */
function count(
  context: ComponentContext,
  job: Job,
  pods: readonly Pod[],
  failures: Failures,
): { readonly counts: JobCounts; readonly failJob: string | undefined } {
  let succeeded = job.status?.succeeded ?? 0
  let failed = job.status?.failed ?? 0
  let failJob: string | undefined
  const completedIndexes = new Set(parseIndexes(job.status?.completedIndexes))
  for (const pod of pods) {
    if (!pod.metadata.finalizers?.includes(trackingFinalizer)) continue
    const verdict = podVerdict(job, pod)
    if (verdict.kind === 'running') continue
    if (verdict.kind === 'succeeded') {
      const index = indexOf(pod)
      if (!isIndexed(job) || !completedIndexes.has(index)) succeeded++
      if (isIndexed(job) && index >= 0) completedIndexes.add(index)
      failures.count = 0
    } else {
      failJob ??= verdict.failJob
      if (verdict.counts) failed++
      failures.count++
      failures.lastMs = context.clock.now()
    }
    dropFinalizer(context, pod)
  }
  return { counts: { succeeded, failed, completedIndexes }, failJob }
}

function dropFinalizer({ access }: ComponentContext, pod: Pod): void {
  const finalizers = (pod.metadata.finalizers ?? []).filter(name => name !== trackingFinalizer)
  if (finalizers.length === (pod.metadata.finalizers ?? []).length) return
  try {
    access.update('pods', { ...pod, metadata: { ...pod.metadata, finalizers } }, writer)
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error
  }
}

function removePod({ access, events }: ComponentContext, job: Job, pod: Pod | undefined): void {
  if (pod?.metadata.uid === undefined) return
  access.remove('pods', pod.metadata.namespace, pod.metadata.name, writer, { preconditions: { uid: pod.metadata.uid } })
  events.record(job, source, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${pod.metadata.name}` })
}

async function createPods(
  { access, events }: ComponentContext,
  job: Job,
  count: number,
  indexes: readonly number[],
): Promise<void> {
  const { error } = await createInBatches(count, async at => {
    const index = indexes[at]
    const indexed = index === undefined ? {} : { [indexAnnotation]: String(index) }
    const pod = podFromTemplate(job.spec.template, {
      generateName: index === undefined ? `${job.metadata.name}-` : `${job.metadata.name}-${index}-`,
      namespace: job.metadata.namespace ?? '',
      owner: controllerReference(job),
      labels: indexed,
      annotations: indexed,
      finalizers: [trackingFinalizer],
    })
    const made = await access.createAdmitted('pods', pod, writer)
    events.record(job, source, { type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${made.metadata.name}` })
  })
  if (error === undefined || isNamespaceTerminating(error)) return
  events.record(job, source, { type: 'Warning', reason: 'FailedCreate', message: `Error creating: ${error.message}` })
  throw error
}

interface Outcome {
  readonly counts: JobCounts
  readonly active: number
  readonly ready: number
  readonly end: JobEnd | undefined
}

function writeStatus(context: ComponentContext, before: Job, { counts, active, ready, end }: Outcome): void {
  const { access, view, clock, events } = context
  const job = view.get('jobs.batch', before.metadata.namespace, before.metadata.name)
  if (job === undefined || job.metadata.uid !== before.metadata.uid) return
  const nowText = timeText(clock.now())
  let conditions = job.status?.conditions ?? []
  const suspended = suspension(job, conditions)
  if (suspended !== undefined) conditions = withCondition(conditions, suspended, nowText)
  // Pods that were told to end come first; then the job says that it is over.
  if (end !== undefined && active === 0)
    for (const condition of endConditions(end)) conditions = withCondition(conditions, { ...condition }, nowText)
  const isOver = conditions.some(condition => condition.type === 'Complete' || condition.type === 'Failed')
  const status = {
    ...(job.spec.suspend === true ? {} : { startTime: job.status?.startTime ?? nowText }),
    ...withoutZeros({ active, succeeded: counts.succeeded, failed: counts.failed }),
    ready: end === undefined ? ready : 0,
    terminating: 0,
    uncountedTerminatedPods: {},
    ...(isIndexed(job) ? { completedIndexes: indexText(counts.completedIndexes) } : {}),
    ...(conditions.length === 0 ? {} : { conditions }),
    ...(isOver && end?.kind === 'complete' ? { completionTime: nowText } : {}),
  }
  if (canonicalText(status) === canonicalText(job.status)) return
  access.update('jobs.batch', { ...job, status }, writer, { subresource: 'status' })
  if (isOver && end !== undefined) {
    const text =
      end.kind === 'complete'
        ? { type: 'Normal', reason: 'Completed', message: 'Job completed' }
        : { type: 'Warning', reason: end.reason, message: end.message }
    events.record(job, source, text.type === 'Normal' ? { ...text, type: 'Normal' } : { ...text, type: 'Warning' })
  }
}

function endConditions(end: JobEnd): readonly Condition[] {
  const { reason, message } = end
  const types = end.kind === 'complete' ? ['SuccessCriteriaMet', 'Complete'] : ['FailureTarget', 'Failed']
  return types.map(type => ({ type, status: 'True', reason, message }))
}

function suspension(job: Job, conditions: readonly Condition[]): Condition | undefined {
  const known = conditionOf(conditions, 'Suspended')
  if (job.spec.suspend === true) return { type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' }
  return known?.status === 'True'
    ? { type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' }
    : undefined
}

/** `ttlSecondsAfterFinished`: finished jobs go with their pods when it is over. */
export function startTtlAfterFinished(context: ComponentContext): void {
  const { view, loop, access, clock } = context
  const ttlWriter = controllerWriter('ttl-after-finished-controller')
  const queue = loop.queue('ttl-after-finished', key => {
    const { namespace, name } = splitKey(key)
    const job = view.get('jobs.batch', namespace, name)
    const ttl = job?.spec.ttlSecondsAfterFinished
    const end = job?.status?.conditions?.find(
      condition => (condition.type === 'Complete' || condition.type === 'Failed') && condition.status === 'True',
    )
    if (job === undefined || ttl === undefined || end?.lastTransitionTime === undefined || isTerminating(job)) return
    const left = Date.parse(end.lastTransitionTime) + ttl * 1000 - clock.now()
    if (left > 0) queue.addPeriodic(key, left)
    else access.remove('jobs.batch', namespace, name, ttlWriter, { propagationPolicy: 'Foreground' })
  })
  view.on('jobs.batch', ({ type, object }) => (type === 'DELETED' ? queue.remove(keyOf(object)) : queue.add(keyOf(object))))
  for (const job of view.list('jobs.batch')) queue.add(keyOf(job))
}
