// CronJobs: a Job at each time of their schedule, named after it; old Jobs go by the history limits.

import { isAlreadyExists } from '#kube/objects/status.ts'
import { parseCron } from '#kube/time/cron.ts'
import { secondsMs } from '#kube/time/duration.ts'
import { timeZone } from '#kube/time/time-zone.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EventSource } from '../event-recorder.ts'
import type { CronJob, Job } from '../kinds.ts'
import { isSameContent } from '../same-content.ts'
import { controllerOf, isTerminating, keyOf, splitKey, timeText } from './pod-state.ts'
import { controllerReference } from './pod-template.ts'
import { isNamespaceTerminating } from './slow-start.ts'

const writer = controllerWriter('cronjob-controller')
const source: EventSource = { component: 'cronjob-controller', writer }
const timeAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp'
const manyMissed = 100

export function startCronJobs(context: ComponentContext): void {
  const { view, loop, clock } = context
  const queue = loop.queue('cronjobs.batch', key => {
    const { namespace, name } = splitKey(key)
    const cron = view.get('cronjobs.batch', namespace, name)
    if (cron === undefined || isTerminating(cron)) return
    const nextMs = reconcile(context, cron)
    // Cron never ends: nobody waits for its next time.
    if (nextMs !== undefined) queue.addPeriodic(key, Math.max(1, nextMs - clock.now()))
  })
  view.on('cronjobs.batch', ({ type, object }) => (type === 'DELETED' ? queue.remove(keyOf(object)) : queue.add(keyOf(object))))
  view.on('jobs.batch', ({ object }) => {
    const owner = controllerOf(object)
    if (owner?.kind === 'CronJob') queue.add(`${object.metadata.namespace}/${owner.name}`)
  })
  for (const cron of view.list('cronjobs.batch')) queue.add(keyOf(cron))
}

/** When the schedule has its next time; `undefined` where it has none. */
function reconcile(context: ComponentContext, cron: CronJob): number | undefined {
  const { view, clock, events } = context
  const jobs = view.list('jobs.batch', cron.metadata.namespace).filter(job => controllerOf(job)?.uid === cron.metadata.uid)
  trimHistory(context, cron, jobs)
  const active = jobs.filter(job => endOf(job) === undefined)
  tellEnded(context, cron, jobs)
  const zone = cron.spec.timeZone
  const schedule = parseCron(cron.spec.schedule, zone === undefined ? {} : { zone })
  if (!schedule.ok) {
    events.record(cron, source, {
      type: 'Warning',
      reason: 'UnparseableSchedule',
      message: `unparseable schedule: ${cron.spec.schedule} : ${schedule.problem.expected}`,
    })
    writeStatus(context, cron, { jobs, active, scheduledMs: undefined })
    return undefined
  }
  const now = clock.now()
  const due = cron.spec.suspend === true ? undefined : latestDue(context, cron, schedule.value.next, now)
  const wasRun = due === undefined || jobs.some(job => job.metadata.name === jobName(cron, due))
  const made = due !== undefined && !wasRun ? runAt(context, cron, due, active) : undefined
  const still = made === undefined ? active : [...(cron.spec.concurrencyPolicy === 'Replace' ? [] : active), made]
  writeStatus(context, cron, { jobs, active: still, scheduledMs: made === undefined ? undefined : due })
  return schedule.value.next(now)
}

/** Jobs that were active at the last look, and have ended or are gone. */
function tellEnded({ events }: ComponentContext, cron: CronJob, jobs: readonly Job[]): void {
  for (const { uid, name } of cron.status?.active ?? []) {
    const job = jobs.find(candidate => candidate.metadata.uid === uid)
    const end = job === undefined ? undefined : endOf(job)
    if (job === undefined) {
      events.record(cron, source, { type: 'Normal', reason: 'MissingJob', message: `Active job went missing: ${name ?? ''}` })
    } else if (end !== undefined) {
      const message = `Saw completed job: ${job.metadata.name}, condition: ${end}`
      events.record(cron, source, { type: 'Normal', reason: 'SawCompletedJob', message })
    }
  }
}

/** The last time of the schedule that has passed and was not run; older ones that were missed are not made up for. */
function latestDue(
  { events }: ComponentContext,
  cron: CronJob,
  next: (afterMs: number) => number | undefined,
  nowMs: number,
): number | undefined {
  const createdMs = Date.parse(cron.metadata.creationTimestamp ?? '') || nowMs
  const lastMs = Date.parse(cron.status?.lastScheduleTime ?? '') || createdMs
  const deadlineMs = cron.spec.startingDeadlineSeconds === undefined ? undefined : secondsMs(cron.spec.startingDeadlineSeconds)
  let fromMs = deadlineMs === undefined ? lastMs : Math.max(lastMs, nowMs - deadlineMs)
  let due: number | undefined
  let missed = 0
  for (let at = next(fromMs); at !== undefined && at <= nowMs; at = next(fromMs)) {
    due = at
    fromMs = at
    missed++
    // Years of missed minutes are not walked through: from here on only the last day is looked at.
    if (missed === manyMissed + 1) {
      const message = `too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew`
      events.record(cron, source, { type: 'Warning', reason: 'TooManyMissedTimes', message })
      fromMs = Math.max(fromMs, nowMs - 86_400_000)
    }
  }
  return due
}

function runAt(context: ComponentContext, cron: CronJob, dueMs: number, active: readonly Job[]): Job | undefined {
  const { access, view, events } = context
  const namespace = cron.metadata.namespace ?? ''
  if (cron.spec.concurrencyPolicy === 'Forbid' && active.length > 0) {
    events.record(cron, source, {
      type: 'Normal',
      reason: 'JobAlreadyActive',
      message: 'Not starting job because prior execution is running and concurrency policy is Forbid',
    })
    return undefined
  }
  if (cron.spec.concurrencyPolicy === 'Replace') {
    for (const job of active)
      access.remove('jobs.batch', namespace, job.metadata.name, writer, { propagationPolicy: 'Background' })
  }
  const { metadata, spec } = cron.spec.jobTemplate
  const name = jobName(cron, dueMs)
  const annotations = { ...metadata?.annotations, [timeAnnotation]: zonedText(dueMs, cron.spec.timeZone) }
  const job: Job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      namespace,
      ...(metadata?.labels === undefined ? {} : { labels: metadata.labels }),
      annotations,
      ownerReferences: [controllerReference(cron)],
    },
    spec,
  }
  try {
    access.create('jobs.batch', job, writer)
  } catch (error) {
    if (isAlreadyExists(error) || isNamespaceTerminating(error)) return undefined
    throw error
  }
  events.record(cron, source, { type: 'Normal', reason: 'SuccessfulCreate', message: `Created job ${name}` })
  return view.get('jobs.batch', namespace, name)
}

/** RFC 3339, in the schedule's own time zone. */
function zonedText(ms: number, zone: string | undefined): string {
  const known = zone === undefined ? undefined : timeZone(zone)
  if (known === undefined) return timeText(ms)
  const offsetMinutes = Math.round(known.offsetMs(ms) / 60_000)
  if (offsetMinutes === 0) return timeText(ms)
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const distance = Math.abs(offsetMinutes)
  const offset = `${offsetMinutes < 0 ? '-' : '+'}${two(distance / 60)}:${two(distance % 60)}`
  return `${timeText(ms + offsetMinutes * 60_000).slice(0, -1)}${offset}`
}

function jobName(cron: CronJob, dueMs: number): string {
  return `${cron.metadata.name}-${Math.floor(dueMs / 60_000)}`
}

function endOf(job: Job): 'Complete' | 'Failed' | undefined {
  const end = job.status?.conditions?.find(
    condition => condition.status === 'True' && (condition.type === 'Complete' || condition.type === 'Failed'),
  )
  return end === undefined ? undefined : end.type === 'Complete' ? 'Complete' : 'Failed'
}

function trimHistory({ access, events }: ComponentContext, cron: CronJob, jobs: readonly Job[]): void {
  const limits = { Complete: cron.spec.successfulJobsHistoryLimit ?? 3, Failed: cron.spec.failedJobsHistoryLimit ?? 1 }
  for (const end of ['Complete', 'Failed'] as const) {
    const ended = jobs.filter(job => endOf(job) === end && !isTerminating(job))
    const oldestFirst = ended.toSorted((a, b) => ((a.status?.startTime ?? '') < (b.status?.startTime ?? '') ? -1 : 1))
    for (const job of oldestFirst.slice(0, Math.max(0, ended.length - limits[end]))) {
      access.remove('jobs.batch', job.metadata.namespace, job.metadata.name, writer, { propagationPolicy: 'Background' })
      events.record(cron, source, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted job ${job.metadata.name}` })
    }
  }
}

interface CronOutcome {
  /** Its own, those included that have just gone from the history. */
  readonly jobs: readonly Job[]
  readonly active: readonly Job[]
  readonly scheduledMs: number | undefined
}

function writeStatus({ access, view }: ComponentContext, before: CronJob, { jobs, active, scheduledMs }: CronOutcome): void {
  const cron = view.get('cronjobs.batch', before.metadata.namespace, before.metadata.name)
  if (cron === undefined) return
  const ended = jobs.filter(job => endOf(job) === 'Complete')
  const successes = ended.map(job => job.status?.completionTime ?? '').toSorted()
  const lastSuccessfulTime = [cron.status?.lastSuccessfulTime ?? '', ...successes].toSorted().at(-1)
  const references = active.map(job => ({
    apiVersion: job.apiVersion,
    kind: job.kind,
    name: job.metadata.name,
    namespace: job.metadata.namespace,
    uid: job.metadata.uid,
    resourceVersion: job.metadata.resourceVersion,
  }))
  const lastScheduleTime = scheduledMs === undefined ? cron.status?.lastScheduleTime : timeText(scheduledMs)
  const status = {
    ...(references.length === 0 ? {} : { active: references }),
    ...(lastScheduleTime === undefined ? {} : { lastScheduleTime }),
    ...(lastSuccessfulTime ? { lastSuccessfulTime } : {}),
  }
  if (
    isSameContent(
      { ...status, active: references.map(reference => reference.uid) },
      { ...cron.status, active: (cron.status?.active ?? []).map(reference => reference.uid) },
    )
  )
    return
  access.update('cronjobs.batch', { ...cron, status }, writer, { subresource: 'status' })
}
