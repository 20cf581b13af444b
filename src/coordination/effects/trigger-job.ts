// A Job of a CronJob, now: the CronJob itself is left as it is.
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists } from '#kube/objects/status.ts'
import type { Target } from '../intent.ts'
import type { Permission } from '../needs.ts'
import type { Permit } from '../permits/permit.ts'
import { type EffectContext, effectOptions, permittedGuard } from './effect-context.ts'
import { type NotDone, notDoneBy } from './foreseen.ts'
import { type CronJob, type Job, jobOfCronJob, triggeredJobName } from './job-manifest.ts'

/** The right to make the Job, and to see whether it was made. */
export const triggerJobPermission: Permission = {
  groups: ['batch'],
  resources: ['jobs'],
  verbs: ['create', 'get'],
  because: 'starts a Job of a CronJob',
}

/** The right to read what the Job is made of. */
export const triggerJobReadPermission: Permission = {
  groups: ['batch'],
  resources: ['cronjobs'],
  verbs: ['get'],
  because: 'starts a Job of a CronJob',
}

type TriggerOutcome = { readonly kind: 'triggered'; readonly job: string } | NotDone

/**
 * Creates the Job that `cronJob` would start, with the change of its permit in the template, owned by the CronJob that was meant. Safe to
 * call twice: the Job's name is the wish's own, and one that is there already was made by the first call.
 * @throws Error for an uncovered or expired permit, a lost Lease, and what the server did not foresee.
 */
export async function triggerJob(
  context: EffectContext,
  permit: Permit,
  cronJob: Target,
  signal: AbortSignal,
): Promise<TriggerOutcome> {
  const guard = permittedGuard(context, permit, cronJob)
  const { record } = permit
  const { namespace } = cronJob
  const jobs = context.api.resource<Job>(builtIn.jobs)
  const name = triggeredJobName(cronJob.name, record)
  try {
    const found = await context.api
      .resource<CronJob>(builtIn.cronjobs)
      .get(cronJob.name, { namespace, signal, priority: 'effect' })
    if (cronJob.uid !== undefined && found.metadata.uid !== cronJob.uid) return { kind: 'gone' }
    const made = jobOfCronJob(found, record.change, name)
    if (!made.ok) return { kind: 'refused', message: made.message }
    await jobs.create(made.job, effectOptions(record, namespace, { guard, signal }))
    return { kind: 'triggered', job: name }
  } catch (error) {
    if (!isAlreadyExists(error)) return notDoneBy(error)
  }
  const there = await jobs.get(name, { namespace, signal, priority: 'effect' })
  const isOfCronJob = there.metadata.ownerReferences?.some(({ uid }) => uid === cronJob.uid) === true
  return isOfCronJob || cronJob.uid === undefined
    ? { kind: 'triggered', job: name }
    : { kind: 'refused', message: `a Job ${name} of somebody else is there already` }
}
