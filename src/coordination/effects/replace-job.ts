// A Job that is run again with a changed template: Jobs cannot be changed, so it goes and comes back under its name.
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists, isConflict } from '#kube/objects/status.ts'
import type { Target } from '../intent.ts'
import type { Permission } from '../needs.ts'
import type { Permit } from '../permits/permit.ts'
import { type EffectContext, effectOptions, permittedGuard } from './effect-context.ts'
import { type NotDone, notDoneBy } from './foreseen.ts'
import { type Job, jobAnew } from './job-manifest.ts'

/** The right this effect takes. */
export const replaceJobPermission: Permission = {
  groups: ['batch'],
  resources: ['jobs'],
  verbs: ['get', 'create', 'delete'],
  because: 'runs a Job again with its changed configuration',
}

type ReplaceOutcome =
  | { readonly kind: 'replaced' }
  /** The Job is gone and its successor was not taken: `manifest` is what is to be created by `createJob` until it is. */
  | { readonly kind: 'deleted'; readonly manifest: Job; readonly message: string }
  | NotDone

interface Replacement {
  readonly job: Target
  /** Awaited after the dry run and before the Job goes: keeps the manifest of its successor where a crash cannot lose it. */
  readonly keep: (manifest: Job) => Promise<void>
}

/**
 * Deletes `job` in the background, with its UID and resourceVersion as preconditions, and creates it anew with the change of its permit.
 * Before that the server is asked by a dry run whether it would take the new one: what it refuses leaves the Job alone. Safe to call twice:
 * the second time the Job that was meant is gone.
 * @throws Error for an uncovered or expired permit, a lost Lease, what `keep` throws, and what the server did not foresee.
 */
export async function replaceJob(
  context: EffectContext,
  permit: Permit,
  { job, keep }: Replacement,
  signal: AbortSignal,
): Promise<ReplaceOutcome> {
  const guard = permittedGuard(context, permit, job)
  const { record } = permit
  const { namespace } = job
  const jobs = context.api.resource<Job>(builtIn.jobs)
  const options = effectOptions(record, namespace, { guard, signal })
  let manifest: Job
  try {
    const found = await jobs.get(job.name, { namespace, signal, priority: 'effect' })
    const { uid, resourceVersion } = found.metadata
    if (uid === undefined || resourceVersion === undefined || (job.uid !== undefined && uid !== job.uid)) return { kind: 'gone' }
    const made = jobAnew(found, record.change)
    if (!made.ok) return { kind: 'refused', message: made.message }
    manifest = made.job
    await jobs.create(underAnyName(manifest), { ...options, dryRun: true })
    await keep(manifest)
    guard()
    const { query, timeoutMs } = options
    await jobs.delete(job.name, {
      namespace,
      signal,
      guard,
      priority: 'effect',
      propagationPolicy: 'Background',
      preconditions: { uid, resourceVersion },
      ...(query === undefined ? {} : { query }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    })
  } catch (error) {
    return notDoneBy(error)
  }
  const created = await createJob(context, permit, { job, manifest }, signal)
  return created.kind === 'created' ? { kind: 'replaced' } : { kind: 'deleted', manifest, message: created.message }
}

type CreateOutcome = { readonly kind: 'created' } | { readonly kind: 'not-created'; readonly message: string }

/**
 * Creates the successor of a Job that `replaceJob` deleted, where that was refused then. A Job of its name that is not on its way out is
 * taken to be it. Safe to call twice. @throws as `replaceJob` does
 */
export async function createJob(
  context: EffectContext,
  permit: Permit,
  { job, manifest }: { readonly job: Target; readonly manifest: Job },
  signal: AbortSignal,
): Promise<CreateOutcome> {
  const guard = permittedGuard(context, permit, job)
  const { namespace } = job
  const jobs = context.api.resource<Job>(builtIn.jobs)
  try {
    await jobs.create(manifest, effectOptions(permit.record, namespace, { guard, signal }))
    return { kind: 'created' }
  } catch (error) {
    if (!isAlreadyExists(error) && !isConflict(error)) {
      const outcome = notDoneBy(error)
      return { kind: 'not-created', message: outcome.kind === 'refused' ? outcome.message : 'its namespace is gone' }
    }
  }
  const there = await jobs.get(job.name, { namespace, signal, priority: 'effect' })
  const isSuccessor = there.metadata.uid !== job.uid && there.metadata.deletionTimestamp === undefined
  return isSuccessor ? { kind: 'created' } : { kind: 'not-created', message: 'the Job before it is not gone yet' }
}

/** Its own name is taken while it is there. */
function underAnyName(manifest: Job): Job {
  const { name, ...metadata } = manifest.metadata
  return { ...manifest, metadata: { ...metadata, name: '', generateName: `${name}-` } }
}
