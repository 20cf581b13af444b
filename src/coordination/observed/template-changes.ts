// Rollouts that somebody began: a Deployment that went to another revision, a StatefulSet or DaemonSet to another template.
import type { KubeObject } from '#kube/objects/objects.ts'
import { restartedAtAnnotation } from '../effects/template-patch.ts'
import { fieldsOf, justSeen, nameOf, recordOf, replicasOf } from './object-fields.ts'
import { isWrittenUnder, type OurWrite } from './our-writes.ts'
import { isOwnManager, knownName, lastWriterOf, somebody, type Writer } from './writers.ts'

/** What `deployment.kubernetes.io/revision` says of a Deployment or one of its ReplicaSets; `undefined` where it is no number. */
export function revisionOf(object: KubeObject): number | undefined {
  const revision = Number(object.metadata.annotations?.['deployment.kubernetes.io/revision'])
  return Number.isSafeInteger(revision) && revision > 0 ? revision : undefined
}

/** The generation of a DaemonSet's template, which its pods carry as a label. */
export function templateGenerationOf(daemonSet: KubeObject): string | undefined {
  return daemonSet.metadata.annotations?.['deprecated.daemonset.template.generation']
}

/** The time of the last `rollout restart` in a workload's template. */
export function restartedAtOf(workload: KubeObject): string | undefined {
  const annotation = templateAnnotations(workload)[restartedAtAnnotation]
  return typeof annotation === 'string' ? annotation : undefined
}

/** The last restart that each workload's template brought, by UID. Most were never restarted, and take no memory. */
export class RestartMarks {
  readonly #byUid = new Map<string, string>()

  /** Whether that changes what was known. */
  set(uid: string, restartedAt: string | undefined): boolean {
    if (this.#byUid.get(uid) === restartedAt) return false
    if (restartedAt === undefined) this.#byUid.delete(uid)
    else this.#byUid.set(uid, restartedAt)
    return true
  }
}

/** The id under which the rollout of `workload` to revision `to` is in the book. */
export function rolloutId({ metadata }: KubeObject, to: string): string {
  return `rollout:${metadata.uid ?? ''}:${to}`
}

/** The revision that pods of a Deployment, StatefulSet or DaemonSet are to get, as `templateChange` names it. */
export function wantedRevision(workload: KubeObject): string | undefined {
  switch (workload.kind) {
    case 'Deployment':
      return revisionOf(workload)?.toString()
    case 'StatefulSet':
      return updateRevisionOf(workload)
    case 'DaemonSet':
      return templateGenerationOf(workload)
    default:
      return undefined
  }
}

interface TemplateChange {
  /** The revision that pods are to get. */
  readonly to: string
  readonly atMs: number
  readonly by: string
  readonly evidence: string
  /** One of our field managers wrote the template, or one in whose name a permit of ours let us write. */
  readonly isOurs: boolean
}

/**
 * The rollout that began between two states of a Deployment, StatefulSet or DaemonSet. None: the first revision of all, a workload
 * without pods, pods that are only replaced when they are deleted (`OnDelete`), a partition above all of them.
 */
export function templateChange(
  previous: KubeObject,
  next: KubeObject,
  { nowMs, ours }: { readonly nowMs: number; readonly ours: readonly OurWrite[] },
): TemplateChange | undefined {
  if (previous.metadata.uid !== next.metadata.uid) return undefined
  const step = stepOf(previous, next)
  if (step === undefined) return undefined
  const writer = lastWriterOf(next, 'template')
  return {
    to: step.to,
    atMs: justSeen(writer?.atMs, nowMs),
    by: writerOfTemplate(next, writer),
    evidence: `${nameOf(next)} went from ${step.of} ${step.from} to ${step.to}`,
    isOurs: writer !== undefined && (isOwnManager(writer.manager) || ours.some(one => isWrittenUnder(one, writer, nowMs))),
  }
}

/** Who wrote the template, as users know them: Reloader by the annotation it leaves, others by their field manager. */
export function writerOfTemplate(workload: KubeObject, writer: Writer | undefined): string {
  const isGeneric = writer === undefined || ['manager', 'Reloader', 'reloader'].includes(writer.manager)
  if (isGeneric && Object.keys(templateAnnotations(workload)).some(name => name.startsWith('reloader.stakater.com/'))) {
    return 'Reloader'
  }
  return writer === undefined ? somebody : knownName(writer.manager)
}

interface Step {
  readonly of: 'revision' | 'template'
  readonly from: string
  readonly to: string
}

function stepOf(previous: KubeObject, next: KubeObject): Step | undefined {
  switch (next.kind) {
    case 'Deployment':
      return replicasOf(next) > 0 ? step('revision', revisionOf(previous), revisionOf(next)) : undefined
    case 'StatefulSet':
      return rolls(next) ? step('revision', updateRevisionOf(previous), updateRevisionOf(next)) : undefined
    case 'DaemonSet':
      return rolls(next) ? step('template', templateGenerationOf(previous), templateGenerationOf(next)) : undefined
    default:
      return undefined
  }
}

function step(of: Step['of'], from: string | number | undefined, to: string | number | undefined): Step | undefined {
  return from === undefined || to === undefined || from === to ? undefined : { of, from: String(from), to: String(to) }
}

/** The revision a StatefulSet's pods are to get. */
export function updateRevisionOf(statefulSet: KubeObject): string | undefined {
  const { updateRevision } = fieldsOf(statefulSet, 'status')
  return typeof updateRevision === 'string' && updateRevision !== '' ? updateRevision : undefined
}

/** Whether a StatefulSet or DaemonSet replaces pods by itself when its template changes. */
export function rolls(workload: KubeObject): boolean {
  const strategy = recordOf(fieldsOf(workload, 'spec')['updateStrategy'])
  if (strategy['type'] === 'OnDelete') return false
  if (workload.kind === 'DaemonSet') return true
  const { partition } = recordOf(strategy['rollingUpdate'])
  return replicasOf(workload) > (typeof partition === 'number' ? partition : 0)
}

function templateAnnotations(workload: KubeObject): Readonly<Record<string, unknown>> {
  const template = recordOf(fieldsOf(workload, 'spec')['template'])
  return recordOf(recordOf(template['metadata'])['annotations'])
}
