// What reload reads of a workload: one narrow shape for Deployments, DaemonSets, StatefulSets, CronJobs, Jobs, Rollouts and kinds that the
// configuration names. A hostile object never stops the reading: what is not of the type it should be is absent.
import { type Fields, fieldOf, fieldsIn, isFields, listIn, textIn, textsIn } from '#cluster/loose-fields.ts'
import { type PodUse, podUse } from '#cluster/references.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type AnnotationProblem, type Annotations, annotationOf } from '../annotations.ts'
import type { ReloadSettings } from '../settings.ts'
import { type Selection, selectionOf } from './selection.ts'
import { type WorkloadWishes, wishesOf } from './workload-wishes.ts'

export interface WorkloadFacts {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  /** Where its pod template is: `['spec', 'template']`. */
  readonly templatePath: readonly string[]
  readonly annotations: Annotations
  readonly templateAnnotations: Annotations
  readonly pod: PodUse
  /** Which sources it takes: its annotations, compiled once. */
  readonly selection: Selection
  /** What its own annotations say about when and how. */
  readonly wishes: WorkloadWishes
  /** A Deployment with `spec.paused`. */
  readonly isPaused: boolean
  /** A CronJob or Job with `spec.suspend`. */
  readonly isSuspended: boolean
  /** A Job that is complete or has failed. */
  readonly isFinished: boolean
  /** A Job that a CronJob made. */
  readonly isOfCronJob: boolean
  readonly isBeingDeleted: boolean
  /** All annotations that cannot be followed. */
  readonly problems: readonly AnnotationProblem[]
}

/** `Deployment/shop/cart`: one text per workload, for maps. */
export function workloadKey({ kind, namespace, name }: Pick<WorkloadFacts, 'kind' | 'namespace' | 'name'>): string {
  return `${kind}/${namespace}/${name}`
}

/** `namespace/Kind/name` of a permit as a key of ours. */
export function keyOfPermit(workload: string | undefined): string | undefined {
  const [namespace, kind, name] = workload?.split('/') ?? []
  return namespace === undefined || kind === undefined || name === undefined ? undefined : workloadKey({ kind, namespace, name })
}

const standardPath: readonly string[] = ['spec', 'template']
const cronJobPath: readonly string[] = ['spec', 'jobTemplate', 'spec', 'template']

/** The facts of `object`, compiled for `settings`: made once for each version of it. */
export function workloadFacts(object: KubeObject, settings: ReloadSettings): WorkloadFacts {
  const templatePath = templatePathOf(object, settings)
  const template = fieldsAt(object, templatePath)
  const spec = fieldsIn(object, 'spec')
  const metadata = fieldsIn(object, 'metadata')
  const annotations = textsIn(metadata, 'annotations')
  const templateAnnotations = textsIn(fieldsIn(template, 'metadata'), 'annotations')
  const selection = selectionOf({ annotations, templateAnnotations }, settings)
  const wishes = wishesOf(annotations, settings)
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    namespace: textIn(metadata, 'namespace') ?? 'default',
    name: textIn(metadata, 'name') ?? '',
    uid: textIn(metadata, 'uid') ?? '',
    resourceVersion: textIn(metadata, 'resourceVersion') ?? '',
    templatePath,
    annotations,
    templateAnnotations,
    pod: podUse(fieldOf(template, 'spec')),
    selection,
    wishes,
    isPaused: object.kind === 'Deployment' && fieldOf(spec, 'paused') === true,
    isSuspended: fieldOf(spec, 'suspend') === true,
    isFinished: listIn(fieldsIn(object, 'status'), 'conditions').some(isEnd),
    isOfCronJob: listIn(metadata, 'ownerReferences').some(owner => textIn(owner, 'kind') === 'CronJob'),
    isBeingDeleted: textIn(metadata, 'deletionTimestamp') !== undefined,
    problems: [...selection.problems, ...wishes.problems, ...misplaced(object.kind, annotations, settings)],
  }
}

/** Only Deployments can be paused. */
function misplaced(kind: string, annotations: Annotations, { keys }: ReloadSettings): readonly AnnotationProblem[] {
  const value = annotationOf(annotations, keys.pausePeriod)
  if (value === undefined || kind === 'Deployment') return []
  return [{ key: keys.pausePeriod, value, why: 'expected on Deployments only' }]
}

function isEnd(condition: Fields): boolean {
  const type = textIn(condition, 'type')
  return (type === 'Complete' || type === 'Failed') && textIn(condition, 'status') === 'True'
}

function templatePathOf(object: KubeObject, { customKinds }: ReloadSettings): readonly string[] {
  if (object.kind === 'CronJob' && object.apiVersion.startsWith('batch/')) return cronJobPath
  const custom = customKinds.find(one => one.kind === object.kind && `${one.group}/${one.version}` === object.apiVersion)
  return custom === undefined ? standardPath : custom.podTemplatePath
}

function fieldsAt(object: Fields, path: readonly string[]): Fields {
  return path.reduce<Fields>((fields, step) => fieldsIn(isFields(fields) ? fields : {}, step), object)
}
