// Jobs: pods run to completion, counted once each by their finalizer, with back-off after failures; finished ones expire.
import type { Condition, Pod, PodTemplateSpec } from '#kube/objects/objects.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { secondsMs } from '#kube/time/duration.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EventSource } from '../event-recorder.ts'
import type { Job } from '../kinds.ts'
import { isSameContent } from '../same-content.ts'
import { selectorFor } from '../selectors.ts'
import { indexAnnotation, indexText, type JobCounts, type JobEnd, jobBackOffMs, jobDecision } from './job-step.ts'
import { indexFailuresAnnotation, type JobTally, jobTally, terminatingPods, trackingFinalizer } from './job-tally.ts'
import { claimPods } from './pod-claims.ts'
import {
  conditionOf,
  controllerOf,
  isActive,
  isFinished,
  isReady,
  isTerminating,
  keyOf,
  splitKey,
  timeText,
  withCondition,
  withoutZeros,
} from './pod-state.ts'
import { controllerReference, podFromTemplate } from './pod-template.ts'
import { createInBatches, isNamespaceTerminating } from './slow-start.ts'

const writer = controllerWriter('job-controller')
const source: EventSource = { component: 'job-controller', writer }
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
      for (const pod of view.podsOf(object.metadata.uid ?? '')) orphans.add(keyOf(pod))
    }
  })
  view.on('pods', ({ type, object }) => {
    const owner = controllerOf(object)
    if (owner?.kind === 'Job') queue.add(`${object.metadata.namespace}/${owner.name}`)
    // A pod whose job is gone must not be held by its finalizer.
    // Also one that was let go of.
    if (
      type !== 'DELETED' &&
      object.metadata.finalizers?.includes(trackingFinalizer) === true &&
      (owner === undefined || view.get('jobs.batch', object.metadata.namespace, owner.name)?.metadata.uid !== owner.uid)
    )
      orphans.add(keyOf(object))
  })
  const orphans = loop.queue('jobs.batch orphans', key => {
    const { namespace, name } = splitKey(key)
    const pod = view.get('pods', namespace, name)
    const owner = pod === undefined ? undefined : controllerOf(pod)
    const job = owner?.kind === 'Job' ? view.get('jobs.batch', namespace, owner.name) : undefined
    if (pod !== undefined && (owner === undefined || job?.metadata.uid !== owner.uid)) dropFinalizer(context, pod)
  })
  for (const job of view.list('jobs.batch')) queue.add(keyOf(job))
}

/** Milliseconds until the job has to be looked at again for time alone. */
async function reconcile(context: ComponentContext, job: Job, failures: Failures): Promise<number | undefined> {
  const { clock } = context
  const pods = claimPods(context, { owner: job, selector: selectorFor(job.spec.selector), writer })
  if (isFinishedJob(job) || isTerminating(job)) {
    for (const pod of pods) if (!isActive(pod)) dropFinalizer(context, pod)
    if (isTerminating(job) && !isFinishedJob(job)) tellOfPods(context, job)
    return undefined
  }
  const known = knownEnd(job)
  const tally = jobTally(job, pods, known === undefined ? undefined : known.kind === 'complete' ? 'success' : 'failure')
  const now = clock.now()
  remember(failures, tally, now)
  for (const pod of tally.released) dropFinalizer(context, pod)
  const active = pods.filter(pod => isActive(pod))
  const notBefore = new Map([...tally.retries].map(([index, { count, lastMs }]) => [index, lastMs + jobBackOffMs(count)]))
  const decision = jobDecision({
    job,
    counts: tally.counts,
    active,
    failJob: tally.failJob,
    end: known,
    held: replacesEndedOnly(job) ? pods.filter(pod => isTerminating(pod) && !isFinished(pod)) : [],
    notBefore,
    nowMs: now,
  })
  for (const name of decision.remove) {
    const pod = active.find(candidate => candidate.metadata.name === name)
    // Pods of a job that has failed count as failed; those that are too many just go.
    if (pod !== undefined && decision.end === undefined) dropFinalizer(context, pod)
    removePod(context, job, pod)
  }
  const isPerIndex = job.spec.backoffLimitPerIndex !== undefined
  const backOffMs = isPerIndex ? 0 : failures.lastMs + jobBackOffMs(failures.count) - now
  const mayCreate = decision.create > 0 && backOffMs <= 0
  const left = context.view.podsOf(job.metadata.uid ?? '')
  const standing = left.filter(isActive)
  writeStatus(context, job, {
    counts: tally.counts,
    active: standing.length,
    ready: standing.filter(isReady).length,
    terminating: terminatingPods(left),
    end: decision.end,
    isOver: left.every(isFinished),
  })
  if (mayCreate) await createPods(context, job, { ...decision, failuresOf: index => tally.retries.get(index)?.count ?? 0 })
  if (decision.end !== undefined) return undefined
  const waits = [...notBefore.values()].filter(at => at > now).map(at => at - now)
  if (decision.create > 0 && !mayCreate) waits.push(backOffMs)
  const { activeDeadlineSeconds } = job.spec
  if (activeDeadlineSeconds !== undefined && job.spec.suspend !== true) {
    const startedMs = Date.parse(job.status?.startTime ?? timeText(now))
    waits.push(startedMs + secondsMs(activeDeadlineSeconds) - now)
  }
  return waits.length === 0 ? undefined : Math.max(1, Math.min(...waits))
}

/** A job that is being deleted makes no more pods, but says what has become of those it has. */
function tellOfPods({ access, view }: ComponentContext, job: Job): void {
  const left = view.podsOf(job.metadata.uid ?? '')
  const { active: _, ...before } = job.status ?? {}
  const active = left.filter(isActive).length
  const status = {
    ...before,
    ...withoutZeros({ active }),
    ready: left.filter(pod => isActive(pod) && isReady(pod)).length,
    terminating: terminatingPods(left),
  }
  if (isSameContent(status, job.status)) return
  access.update('jobs.batch', { ...job, status }, writer, { subresource: 'status' })
}

/** Upstream waits for the pod's end before it replaces it. */
function replacesEndedOnly(job: Job): boolean {
  return job.spec.podReplacementPolicy === 'Failed' || job.spec.podFailurePolicy !== undefined
}

function remember(failures: Failures, { newSucceeded, newFailed }: JobTally, nowMs: number): void {
  if (newSucceeded > 0) failures.count = 0
  if (newFailed === 0) return
  failures.count += newFailed
  failures.lastMs = nowMs
}

/** How the job said that it is going to end. */
function knownEnd(job: Job): JobEnd | undefined {
  const isTold = ({ type, status }: Condition) => status === 'True' && (type === 'FailureTarget' || type === 'SuccessCriteriaMet')
  const told = job.status?.conditions?.find(isTold)
  if (told === undefined) return undefined
  const { type, reason = '', message = '' } = told
  return { kind: type === 'SuccessCriteriaMet' ? 'complete' : 'failed', reason, message }
}

function isFinishedJob(job: Job): boolean {
  return (job.status?.conditions ?? []).some(
    condition => (condition.type === 'Complete' || condition.type === 'Failed') && condition.status === 'True',
  )
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

interface NewPods {
  readonly create: number
  readonly indexes: readonly number[]
  readonly failuresOf: (index: number) => number
}

async function createPods(
  { access, events }: ComponentContext,
  job: Job,
  { create, indexes, failuresOf }: NewPods,
): Promise<void> {
  const isPerIndex = job.spec.backoffLimitPerIndex !== undefined
  const { error } = await createInBatches(create, async at => {
    const index = indexes[at]
    const indexed = index === undefined ? {} : { [indexAnnotation]: String(index) }
    const counted = index === undefined || !isPerIndex ? {} : { [indexFailuresAnnotation]: String(failuresOf(index)) }
    const pod = podFromTemplate(index === undefined ? job.spec.template : indexedTemplate(job, index), {
      generateName: index === undefined ? `${job.metadata.name}-` : `${job.metadata.name}-${index}-`,
      namespace: job.metadata.namespace ?? '',
      owner: controllerReference(job),
      labels: indexed,
      annotations: { ...indexed, ...counted },
      finalizers: [trackingFinalizer],
    })
    const made = await access.createAdmitted('pods', pod, writer)
    events.record(job, source, { type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${made.metadata.name}` })
  })
  if (error === undefined || isNamespaceTerminating(error)) return
  events.record(job, source, { type: 'Warning', reason: 'FailedCreate', message: `Error creating: ${error.message}` })
  throw error
}

/** Pods of an index have a name of their own, and are told their index. */
function indexedTemplate(job: Job, index: number): PodTemplateSpec {
  const { template } = job.spec
  const { containers, initContainers } = template.spec
  const variable = {
    name: 'JOB_COMPLETION_INDEX',
    valueFrom: { fieldRef: { fieldPath: `metadata.labels['${indexAnnotation}']` } },
  }
  const told = (list: PodTemplateSpec['spec']['containers']) =>
    list.map(container => {
      const env = Array.isArray(container['env']) ? (container['env'] as readonly { readonly name?: string }[]) : []
      return env.some(({ name }) => name === variable.name) ? container : { ...container, env: [...env, variable] }
    })
  const spec = {
    ...template.spec,
    hostname: `${job.metadata.name}-${index}`,
    containers: told(containers),
    ...(initContainers === undefined ? {} : { initContainers: told(initContainers) }),
  }
  return { ...template, spec }
}

interface Outcome {
  readonly counts: JobCounts
  readonly active: number
  readonly ready: number
  readonly terminating: number
  readonly end: JobEnd | undefined
  /** Every pod has ended, or is gone. */
  readonly isOver: boolean
}

function writeStatus(context: ComponentContext, before: Job, outcome: Outcome): void {
  const { counts, active, ready, terminating, end } = outcome
  const { access, view, clock, events } = context
  const job = view.get('jobs.batch', before.metadata.namespace, before.metadata.name)
  if (job === undefined || job.metadata.uid !== before.metadata.uid) return
  const nowText = timeText(clock.now())
  let conditions = job.status?.conditions ?? []
  const suspended = end === undefined ? suspension(job, conditions) : undefined
  const isChanged = suspended !== undefined && conditionOf(conditions, 'Suspended')?.status !== suspended.status
  if (suspended !== undefined) conditions = withCondition(conditions, suspended, nowText)
  // First how it is going to end; that it has ended when no pod is left that runs.
  const isOver = end !== undefined && outcome.isOver
  if (end !== undefined)
    for (const condition of endConditions(end, isOver)) conditions = withCondition(conditions, condition, nowText)
  const isResumed = isChanged && suspended.status === 'False'
  const startTime = isResumed ? nowText : (job.status?.startTime ?? nowText)
  const status = {
    ...(job.spec.suspend === true ? {} : { startTime }),
    ...withoutZeros({ active, succeeded: counts.succeeded, failed: counts.failed }),
    ready,
    terminating,
    uncountedTerminatedPods: {},
    ...(counts.completedIndexes.size > 0 ? { completedIndexes: indexText(counts.completedIndexes) } : {}),
    ...(job.spec.backoffLimitPerIndex === undefined ? {} : { failedIndexes: indexText(counts.failedIndexes ?? new Set()) }),
    ...(conditions.length === 0 ? {} : { conditions }),
    ...(isOver && end?.kind === 'complete' ? { completionTime: nowText } : {}),
  }
  if (isSameContent(status, job.status)) return
  access.update('jobs.batch', { ...job, status }, writer, { subresource: 'status' })
  if (isChanged) {
    const isSuspended = suspended.status === 'True'
    const message = isSuspended ? 'Job suspended' : 'Job resumed'
    events.record(job, source, { type: 'Normal', reason: isSuspended ? 'Suspended' : 'Resumed', message })
  }
  if (!isOver || end === undefined) return
  if (end.kind === 'complete') events.record(job, source, { type: 'Normal', reason: 'Completed', message: 'Job completed' })
  else events.record(job, source, { type: 'Warning', reason: end.reason, message: end.message })
}

function endConditions(end: JobEnd, isOver: boolean): readonly Condition[] {
  const { reason, message } = end
  const [first, last] = end.kind === 'complete' ? ['SuccessCriteriaMet', 'Complete'] : ['FailureTarget', 'Failed']
  const types = isOver ? [first, last] : [first]
  return types.map(type => ({ type: type ?? '', status: 'True', reason, message }))
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
