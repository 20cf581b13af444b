// Jobs that are made by us: of a CronJob's template, and of a Job that is to run again. Pure: from the object that is there to the manifest.
import { createHash } from 'node:crypto'
import type { KubeObject, ObjectMeta } from '#kube/objects/objects.ts'
import { type TemplateChange, wishKey } from '../intent.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { changedTemplate, type Template } from './template-patch.ts'

interface JobSpec {
  readonly template?: Template
  readonly selector?: unknown
  readonly [field: string]: unknown
}

export interface Job extends KubeObject {
  readonly spec?: JobSpec
  readonly status?: unknown
}

export interface CronJob extends KubeObject {
  readonly spec?: { readonly jobTemplate?: { readonly metadata?: Partial<ObjectMeta>; readonly spec?: JobSpec } }
}

type Manifest = { readonly ok: true; readonly job: Job } | { readonly ok: false; readonly message: string }

/** How a Job that `kubectl create job --from` makes says so. */
const instantiateAnnotation = 'cronjob.kubernetes.io/instantiate'
/** As much of a CronJob's name as leaves room for what tells Jobs apart: names of Jobs label their pods. */
const longestPrefix = 52

/** The name of the Job that a permit makes of a CronJob: the same however often it is asked for. */
export function triggeredJobName(cronJob: string, record: Pick<PermitRecord, 'requester' | 'idempotencyKey'>): string {
  return `${cronJob.slice(0, longestPrefix)}-${createHash('sha256').update(wishKey(record)).digest('hex').slice(0, 10)}`
}

/** The Job that `cronJob` would start now, with `change` in its template. Whether the CronJob is suspended is not asked. */
export function jobOfCronJob(cronJob: CronJob, change: TemplateChange | undefined, name: string): Manifest {
  const { jobTemplate } = cronJob.spec ?? {}
  if (jobTemplate?.spec === undefined) return { ok: false, message: 'it has no spec.jobTemplate.spec' }
  const changed = changedSpec(jobTemplate.spec, change)
  if (!changed.ok) return changed
  const { metadata } = cronJob
  const owner = { apiVersion: 'batch/v1', kind: 'CronJob', name: metadata.name, uid: metadata.uid ?? '' }
  return {
    ok: true,
    job: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name,
        generateName: `${metadata.name}-`,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        labels: { ...jobTemplate.metadata?.labels },
        annotations: { [instantiateAnnotation]: 'manual', ...jobTemplate.metadata?.annotations },
        ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
      },
      spec: changed.spec,
    },
  }
}

/** Labels that the server gives to the pods of a Job, and takes from nobody else. */
const labelsOfServer = ['controller-uid', 'batch.kubernetes.io/controller-uid', 'job-name', 'batch.kubernetes.io/job-name']

/**
 * `job` as it was before the server had it, with `change` in its template. A selector of its own (`manualSelector`) stays, with the labels
 * that it selects.
 */
export function jobAnew(job: Job, change: TemplateChange | undefined): Manifest {
  if (job.spec === undefined) return { ok: false, message: 'it has no spec' }
  const { selector: _, ...spec } = job.spec
  const { template } = spec
  const isOwnSelector = job.spec['manualSelector'] === true
  const bare = { ...spec, ...(template === undefined ? {} : { template: unlabelled(template) }) }
  const changed = changedSpec(isOwnSelector ? job.spec : bare, change)
  if (!changed.ok) return changed
  const { name, namespace, labels, annotations, ownerReferences, finalizers } = job.metadata
  return {
    ok: true,
    job: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined ? {} : { annotations }),
        ...(ownerReferences === undefined ? {} : { ownerReferences }),
        ...(finalizers === undefined ? {} : { finalizers }),
      },
      spec: changed.spec,
    },
  }
}

function unlabelled(template: Template): Template {
  const { labels } = template.metadata ?? {}
  if (typeof labels !== 'object' || labels === null) return template
  const kept = Object.entries(labels).filter(([key]) => !labelsOfServer.includes(key))
  return { ...template, metadata: { ...template.metadata, labels: Object.fromEntries(kept) } }
}

function changedSpec(
  spec: JobSpec,
  change: TemplateChange | undefined,
): { readonly ok: true; readonly spec: JobSpec } | { readonly ok: false; readonly message: string } {
  if (spec.template === undefined) return { ok: false, message: 'it has no pod template' }
  const changed = changedTemplate(spec.template, change, undefined)
  return changed.ok ? { ok: true, spec: { ...spec, template: changed.template } } : changed
}
