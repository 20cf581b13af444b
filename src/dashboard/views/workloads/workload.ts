// One workload: what was done to it and what was not, what would happen if asked now, where its pods may go.

import type { PodState } from '#cluster/cluster-state.ts'
import { budgetSelector } from '#cluster/disruption-budget.ts'
import { effectiveOwner, kindKey, workloadOwner } from '#cluster/ownership.ts'
import { podUse, referencesOf } from '#cluster/references.ts'
import type { Account } from '#coordination/account/account.ts'
import { accountDocument } from '#coordination/account/account-document.ts'
import type { KubeObject, PodDisruptionBudget } from '#kube/objects/objects.ts'
import type { Ref, WorkloadView } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import * as words from '../../words/en-workload.ts'
import { unknownText } from '../../words/percent.ts'
import { rfc3339 } from '../../words/time.ts'
import { freezeButtons } from '../buttons.ts'
import { freezeFor } from '../freezes.ts'
import { scalerOf } from '../ledger/permits-owner.ts'
import { isNotThere, type NotThere } from '../not-there.ts'
import type { Viewing } from '../viewing.ts'
import { historyOf } from './history.ts'
import { workloadPods } from './workload-pods.ts'
import { accountFor, refOfSubject, type WorkloadSubject, workloadSubject } from './workload-subject.ts'
import { workloadVerdict } from './workload-verdict.ts'
import { cannotMove, wouldBeOf } from './workload-would-be.ts'

export { workloadRows } from './workload-rows.ts'

/** `ref.kind` as the object has it or as kubectl takes it; of a pod its workload, or itself where nobody controls it. */
export function workloadViewOf(picture: Picture, ref: Ref, viewing: Viewing): WorkloadView | NotThere {
  const namespace = ref.namespace ?? undefined
  if (!viewing.sees(namespace)) return { notThere: true, sentence: words.workloadNotSeen({ namespace: namespace ?? '' }) }
  const subject = workloadSubject(picture, ref)
  return isNotThere(subject) ? subject : viewOf(picture, subject, viewing)
}

function viewOf(picture: Picture, subject: WorkloadSubject, viewing: Viewing): WorkloadView {
  const ref = refOfSubject(subject)
  const account = accountFor(picture, subject)
  const isPast = picture.past !== undefined
  const present = picture.past?.present ?? picture
  const pods = podsOf(picture, subject)
  const object = objectOf(present, subject)
  const ready = isPast ? null : readiness(object, pods)
  const freeze = isPast ? null : freezeFor(picture, ref)
  const deletedMs = subject.isGone ? deletedAtMs(account) : undefined
  const shown = pods.find(pod => pod.nodeName !== undefined)
  const hindrance = isPast ? undefined : cannotMove(picture, { ref, account, node: shown?.nodeName })
  return {
    ref,
    ready,
    owner: isPast ? { value: unknownText, origin: words.ownerOrigins.past } : ownerOf(present, subject, pods),
    verdict: workloadVerdict(picture, { subject, account, ready, freeze, deletedMs, hindrance }),
    about: isPast ? [] : account.about,
    wouldBe: isPast ? [] : wouldBeOf(picture, { ref, account }),
    pods: workloadPods(picture, pods),
    placesAt: isPast || picture.placed === undefined ? null : rfc3339(picture.placed.atMs),
    podCount: isPast ? null : pods.length,
    dependsOn: isPast ? [] : dependenciesOf(object, pods, ref),
    budgets: isPast ? [] : budgetsOf(picture, ref, pods),
    freeze,
    deletedAt: deletedMs === undefined ? null : rfc3339(deletedMs),
    history: historyOf(picture, subject, {}).history,
    buttons: subject.isGone || isPast ? [] : freezeButtons(picture, ref, freeze, viewing),
    account: accountDocument(account, 'as it is in use'),
  }
}

function podsOf({ state }: Picture, subject: WorkloadSubject): readonly PodState[] {
  if (subject.kind === 'workload') return state.podsOf(subject.workload.uid).filter(pod => !pod.isFinished)
  const pod = state.pods.get(`${subject.namespace}/${subject.name}`)
  return pod === undefined ? [] : [pod]
}

function objectOf({ state }: Picture, subject: WorkloadSubject): KubeObject | undefined {
  if (subject.kind === 'pod') return state.pods.get(`${subject.namespace}/${subject.name}`)?.object
  const { apiVersion, kind, namespace, name } = subject.workload
  return state.object(kindKey(apiVersion, kind), namespace, name)
}

/** How many pods it wants: by its replicas; of a DaemonSet by what its controller counted; else as many as there are. */
function readiness(object: KubeObject | undefined, pods: readonly PodState[]): WorkloadView['ready'] {
  if (object === undefined && pods.length === 0) return null
  const wanted = numberIn(object?.['spec'], 'replicas') ?? numberIn(object?.['status'], 'desiredNumberScheduled')
  const rolls = object?.kind === 'Deployment' || object?.kind === 'StatefulSet' || object?.kind === 'ReplicaSet'
  return {
    wanted: wanted ?? (rolls ? 1 : pods.length),
    ready: pods.filter(({ isReady, isTerminating }) => isReady && !isTerminating).length,
  }
}

function numberIn(fields: unknown, name: string): number | undefined {
  const value: unknown = typeof fields === 'object' && fields !== null ? Reflect.get(fields, name) : undefined
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function ownerOf(picture: Picture, subject: WorkloadSubject, pods: readonly PodState[]): WorkloadView['owner'] {
  const { state, ownerLabel } = picture
  const [pod] = pods
  const found =
    pod !== undefined
      ? effectiveOwner(state, pod, ownerLabel)
      : subject.kind === 'workload'
        ? workloadOwner(state, subject.workload, ownerLabel)
        : undefined
  const value = found?.owner ?? words.noOwner
  switch (found?.source) {
    case 'scaler':
      return { value, origin: scalerOf(picture, refOfSubject(subject)) }
    case 'pod':
      return { value, origin: words.ownerOrigins.pods }
    case 'workload':
      return { value, origin: words.ownerOrigins.label(refOfSubject(subject).kind) }
    case 'namespace':
      return { value, origin: words.ownerOrigins.namespace }
    default:
      return { value, origin: words.ownerOrigins.nowhere }
  }
}

/** What its template, or where that is not known a pod of it, refers to: names alone, never what they hold. */
function dependenciesOf(object: KubeObject | undefined, pods: readonly PodState[], { namespace }: Ref): readonly Ref[] {
  const spec = templateSpec(object) ?? pods[0]?.object.spec
  return referencesOf(podUse(spec))
    .filter(({ kind }) => kind !== 'Image')
    .map(({ kind, name }) => ({ kind, namespace, name }))
}

/** Pod spec of a workload; for a CronJob that of its Jobs. */
function templateSpec(object: KubeObject | undefined): unknown {
  const field = (value: unknown, name: string): unknown =>
    typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  const spec = object?.kind === 'CronJob' ? field(field(object['spec'], 'jobTemplate'), 'spec') : object?.['spec']
  return field(field(spec, 'template'), 'spec')
}

function budgetsOf({ state }: Picture, { namespace }: Ref, pods: readonly PodState[]): WorkloadView['budgets'] {
  return state
    .objectsIn('PodDisruptionBudget', namespace ?? '')
    .filter(isBudget)
    .filter(budget => {
      const selector = budgetSelector(budget)
      return pods.some(pod => selector.matches(pod.object.metadata.labels ?? {}))
    })
    .map(({ metadata, status }) => ({
      name: metadata.name,
      allowed: status?.disruptionsAllowed ?? 0,
      healthy: status?.currentHealthy ?? 0,
      desired: status?.desiredHealthy ?? 0,
    }))
}

function isBudget(object: KubeObject): object is PodDisruptionBudget {
  return object.kind === 'PodDisruptionBudget' && typeof object['spec'] === 'object' && object['spec'] !== null
}

/** When the last of its pods was stopped, where that is the last that is known of it: nobody writes down when a workload goes. */
function deletedAtMs({ entries }: Account): number | undefined {
  const last = entries.findLast(({ reason }) => reason !== undefined && stops.has(reason))
  return last !== undefined && last.atMs >= (entries.at(-1)?.atMs ?? 0) ? last.atMs : undefined
}

const stops: ReadonlySet<string> = new Set(['Killing', 'SuccessfulDelete', 'ScalingReplicaSet'])
