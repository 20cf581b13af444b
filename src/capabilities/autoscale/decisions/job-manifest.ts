// The Jobs of a ScaledJob: what a new one is, which of those that are there run, wait, are of an earlier spec, or are more than the history
// may hold. Pure. Names, labels and order are KEDA's.

import { at } from '#kube/objects/object-fields.ts'
import { isRecord } from '#kube/objects/object-shape.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { ScaledJob } from '../kinds/scaled-job.ts'
import { jobExcludedLabels, jobGeneration, jobLabel } from '../names.ts'
import { manager } from './autoscaler.ts'
import type { JobCounts } from './job-decision.ts'

/** What one look may start of `object`; `version` is what the label says of who writes. */
export function wantedJob(object: ScaledJob, version: string): KubeObject {
  const { metadata, spec } = object
  const { name, namespace } = metadata
  const excluded = new Set(metadata.annotations?.[jobExcludedLabels]?.split(',') ?? [])
  const template = isRecord(spec.jobTargetRef['template']) ? spec.jobTargetRef['template'] : {}
  const podMetadata = isRecord(template['metadata']) ? template['metadata'] : {}
  const podSpec = isRecord(template['spec']) ? template['spec'] : {}
  const policy = podSpec['restartPolicy']
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: '',
      generateName: `${name}-`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: {
        'app.kubernetes.io/name': name,
        'app.kubernetes.io/version': version,
        'app.kubernetes.io/part-of': name,
        'app.kubernetes.io/managed-by': manager,
        [jobLabel]: name,
        ...Object.fromEntries(Object.entries(metadata.labels ?? {}).filter(([key]) => !excluded.has(key))),
      },
      annotations: { [jobGeneration]: String(metadata.generation ?? 0), ...metadata.annotations },
      ownerReferences: [
        {
          apiVersion: object.apiVersion,
          kind: object.kind,
          name,
          uid: metadata.uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      ...spec.jobTargetRef,
      template: {
        ...template,
        metadata: {
          ...podMetadata,
          labels: { ...(isRecord(podMetadata['labels']) ? podMetadata['labels'] : {}), [jobLabel]: name },
        },
        // A Job may not have what is meant where nothing is said: Always.
        spec: { ...podSpec, restartPolicy: policy === undefined || policy === '' ? 'OnFailure' : policy },
      },
    },
  }
}

/** How a Job ended; undefined: it has not. */
function finishOf(job: KubeObject): 'Complete' | 'Failed' | undefined {
  const conditions = at(job, 'status', 'conditions')
  const found = Array.isArray(conditions)
    ? conditions.find(one => (at(one, 'type') === 'Complete' || at(one, 'type') === 'Failed') && at(one, 'status') === 'True')
    : undefined
  return found === undefined ? undefined : at(found, 'type') === 'Complete' ? 'Complete' : 'Failed'
}

/** Jobs that are not over, and those of them none of whose pods has come as far as is asked. */
export function jobCounts(
  jobs: readonly KubeObject[],
  podsOf: (job: string) => readonly Pod[],
  conditions: readonly string[] = [],
): JobCounts {
  const running = jobs.filter(job => finishOf(job) === undefined)
  const pending = running.filter(job => !podsOf(job.metadata.name).some(pod => hasCome(pod, conditions)))
  return { running: running.length, pending: pending.length }
}

function hasCome({ status }: Pod, conditions: readonly string[]): boolean {
  if (conditions.length === 0) return status?.phase === 'Running' || status?.phase === 'Succeeded'
  return conditions.every(type => status?.conditions?.some(one => one.type === type && one.status === 'True') === true)
}

/** Those of an earlier spec, or of nobody knows which, where the object wants them gone. */
export function jobsOfEarlierSpec({ metadata, spec }: ScaledJob, jobs: readonly KubeObject[]): readonly KubeObject[] {
  if ((spec.rolloutStrategy ?? spec.rollout?.strategy) === 'gradual') return []
  const generation = String(metadata.generation ?? 0)
  return jobs.filter(job => job.metadata.annotations?.[jobGeneration] !== generation)
}

const defaultHistory = 100

/** Finished ones beyond what is to be kept: the oldest first. */
export function jobsBeyondHistory({ spec }: ScaledJob, jobs: readonly KubeObject[]): readonly KubeObject[] {
  const beyond = (finish: 'Complete' | 'Failed', kept = defaultHistory) => {
    const finished = jobs.filter(job => finishOf(job) === finish).toSorted((one, other) => endedAt(one) - endedAt(other))
    return finished.slice(0, Math.max(0, finished.length - kept))
  }
  return [...beyond('Complete', spec.successfulJobsHistoryLimit), ...beyond('Failed', spec.failedJobsHistoryLimit)]
}

/** Failed ones have no time of completion: theirs is that of the condition. */
function endedAt(job: KubeObject): number {
  const conditions = at(job, 'status', 'conditions')
  const changed = Array.isArray(conditions)
    ? conditions.filter(one => at(one, 'status') === 'True').map(one => Date.parse(String(at(one, 'lastTransitionTime'))))
    : []
  return Date.parse(String(at(job, 'status', 'completionTime'))) || Math.max(0, ...changed.filter(Number.isFinite))
}
