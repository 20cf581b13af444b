// What a new leader reads out of the cluster about the time before it watched: rollouts by the age of ReplicaSets and revisions, scale
// events by who wrote the replicas and when, replaced pods by their age. Less than was seen live, and never more than there was.
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { hasBrought } from '../effects/begun.ts'
import { restartMark } from '../effects/restart.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { nameOf, notAfter, replicasOf, timeMs } from './object-fields.ts'
import { isWrittenUnder } from './our-writes.ts'
import { scalesIn } from './past-events.ts'
import { reactionMs, toleranceMs } from './reaction-times.ts'
import { replacedOf } from './replaced-pods.ts'
import { lastReplacedMs } from './rollout-times.ts'
import { scaleDate } from './scale-times.ts'
import { scalerName } from './scale-writes.ts'
import {
  restartedAtOf,
  revisionOf,
  rolloutId,
  rolls,
  templateGenerationOf,
  updateRevisionOf,
  writerOfTemplate,
} from './template-changes.ts'
import { type Frame, frameOf, type Past, type Rebuilt, setsByRevision } from './workload-frame.ts'
import { isOwnManager, lastWriterOf } from './writers.ts'

/** How far back a take-over looks: what is older holds nobody up. */
const lookBackMs = 24 * 3_600_000

/** Rollouts, scale events and replaced pods of one workload (Deployment, StatefulSet, DaemonSet, bare ReplicaSet). */
export function rebuiltOf(workload: KubeObject, past: Past): readonly Rebuilt[] {
  if (workload.kind === 'ReplicaSet' && isUnderDeployment(workload)) return []
  const frame = frameOf(workload, past)
  const rollout = rolloutOf(workload, frame, past)
  const scale = scaleOf(workload, { ...frame, rolledMs: rollout?.beganMs }, past)
  const known = [...(rollout === undefined ? [] : [rollout]), ...scale]
  const rolledMs = rollout?.beganMs
  const scaledMs = [...(rolledMs === undefined ? [] : [rolledMs]), ...scale.map(each => each.observation.atMs)]
  return [...known, ...replacedOf(workload, { ...frame, rolledMs, scaledMs }, past)].flatMap(each => {
    const atMs = notAfter(each.observation.atMs, past.nowMs)
    return atMs >= past.nowMs - lookBackMs ? [{ ...each, observation: { ...each.observation, atMs } }] : []
  })
}

function rolloutOf(workload: KubeObject, frame: Frame, past: Past): (Rebuilt & { readonly beganMs: number }) | undefined {
  if (replicasOf(workload) === 0) return undefined
  const found = workload.kind === 'Deployment' ? newSet(workload, past) : newRevision(workload, frame)
  if (found === undefined) return undefined
  const writer = lastWriterOf(workload, 'template')
  const isByUs =
    writer !== undefined &&
    (isOwnManager(writer.manager) || frame.permits.some(permit => isWrittenUnder(permit, writer, past.nowMs))) &&
    Math.abs((writer.atMs ?? 0) - found.atMs) < reactionMs
  const granted = frame.permits.some(permit => isBroughtBy(permit, workload, found))
  return {
    id: rolloutId(workload, found.to),
    beganMs: found.atMs,
    isGuess: false,
    isOurs: isByUs || granted,
    observation: {
      kind: 'rollout',
      workload: frame.key,
      namespace: frame.namespace,
      nodes: nodesOf(frame.pods),
      atMs: lastReplacedMs(workload, { ...frame, beganMs: found.atMs }),
      by: writerOfTemplate(workload, writer),
      evidence: found.evidence,
    },
  }
}

interface Found {
  readonly to: string
  readonly atMs: number
  readonly evidence: string
  /** The restart that the new template brought, where the old one had another. */
  readonly restartedAt: string | undefined
}

/** A ReplicaSet of a second or later revision: it is as old as its rollout, but for a way back, of which the template's writer tells. */
function newSet(deployment: KubeObject, { cluster }: Past): Found | undefined {
  const sets = setsByRevision(deployment, cluster)
  const current = sets.at(-1)
  const before = sets.at(-2)
  const revision = current && revisionOf(current)
  if (current === undefined || revision === undefined || revision === 1) return undefined
  const createdMs = timeMs(current.metadata.creationTimestamp)
  const isBack = sets.some(set => (timeMs(set.metadata.creationTimestamp) ?? 0) > (createdMs ?? 0))
  const atMs = isBack ? lastWriterOf(deployment, 'template')?.atMs : createdMs
  if (atMs === undefined) return undefined
  const restartedAt = restartedAtOf(current)
  const isRestart = before === undefined || restartedAtOf(before) !== restartedAt
  return {
    to: String(revision),
    atMs,
    evidence: `${nameOf(current)} is revision ${revision} of ${nameOf(deployment)}`,
    restartedAt: isRestart ? restartedAt : undefined,
  }
}

/** The template was written after the workload was made, and no pod of the present revision is older than that. */
function newRevision(workload: KubeObject, { pods }: Frame): Found | undefined {
  const revision = workload.kind === 'StatefulSet' ? updateRevisionOf(workload) : templateGenerationOf(workload)
  const label = workload.kind === 'StatefulSet' ? 'controller-revision-hash' : 'pod-template-generation'
  const atMs = lastWriterOf(workload, 'template')?.atMs
  const createdMs = timeMs(workload.metadata.creationTimestamp)
  if (revision === undefined || atMs === undefined || createdMs === undefined || !rolls(workload)) return undefined
  if (atMs <= createdMs + toleranceMs) return undefined
  const isOfRevision = (pod: Pod) => pod.metadata.labels?.[label] === revision
  const isOlder = (pod: Pod) => (timeMs(pod.metadata.creationTimestamp) ?? 0) < atMs - toleranceMs
  if (pods.length === 0 || pods.some(pod => isOfRevision(pod) && isOlder(pod))) return undefined
  return {
    to: revision,
    atMs,
    evidence: `${nameOf(workload)} went to revision ${revision}`,
    restartedAt: restartedAtOf(workload),
  }
}

/** By its mark, or by its change within moments of the grant: a change stays in the template, whoever rolls it out next. */
function isBroughtBy(
  permit: PermitRecord,
  workload: KubeObject,
  { atMs, restartedAt }: { readonly atMs: number; readonly restartedAt: string | undefined },
): boolean {
  const { grant, mark } = permit
  if (grant === undefined || permit.ending === 'withdrawn') return false
  if (restartMark({ grant }) === restartedAt) return true
  return mark === 'none' && Math.abs(grant.atMs - atMs) < reactionMs && hasBrought(permit, workload)
}

/** Replicas that nobody has written, and that are not what a server fills in, came through a scale that was at zero: it notes nobody then. */
function wasAtZero(workload: KubeObject): boolean {
  return lastWriterOf(workload, 'template') !== undefined && replicasOf(workload) > 1
}

/** Who wrote the replicas apart from the template, and when; Events of the last hour say from how many. */
function scaleOf(
  workload: KubeObject,
  frame: Frame & { readonly rolledMs: number | undefined },
  { cluster, events }: Past,
): readonly Rebuilt[] {
  const uid = workload.metadata.uid ?? ''
  const writer = lastWriterOf(workload, 'replicas')
  const createdMs = timeMs(workload.metadata.creationTimestamp) ?? 0
  const isScaled = cluster.isScaled(workload)
  // What nobody signed is known of workloads that come and go with their load: all pods came together, long after their controller.
  const isUndated = writer === undefined ? wasAtZero(workload) : writer.isByScale && writer.atMs === undefined
  const dated = isUndated ? scaleDate(workload, { ...frame, isOfScaler: isScaled }, events) : undefined
  const atMs = writer === undefined ? (dated?.atMs ?? (isScaled ? firstPodMs(frame) : undefined)) : (writer.atMs ?? dated?.atMs)
  if (atMs === undefined || atMs <= createdMs + toleranceMs) return []
  const told = scalesIn(events, uid).findLast(each => Math.abs(each.atMs - atMs) <= toleranceMs)
  // An entry that holds the template as well is written again with each change of either.
  const isAlone = writer === undefined || writer.isByScale || lastWriterOf(workload, 'template')?.atMs !== atMs
  const to = replicasOf(workload)
  const replicas = told ?? (isFromZero(frame, atMs) && to > 0 ? { from: 0, to } : undefined)
  if (told === undefined && (!isAlone || (writer === undefined && replicas === undefined))) return []
  return [
    {
      id: `scale:${uid}:${atMs}`,
      isGuess: false,
      isOurs: writer !== undefined && isOwnManager(writer.manager),
      observation: {
        kind: 'scaled',
        workload: frame.key,
        namespace: frame.namespace,
        nodes: [],
        atMs,
        by: writer === undefined && isScaled ? 'KEDA' : scalerName(writer, isScaled),
        evidence: `the replicas of ${nameOf(workload)} were written at ${new Date(atMs).toISOString()}${dated === undefined ? '' : `, ${dated.source}`}`,
        ...(replicas === undefined ? {} : { replicas: { from: replicas.from, to: replicas.to } }),
      },
    },
  ]
}

function firstPodMs({ pods }: Frame): number | undefined {
  const times = pods.flatMap(pod => timeMs(pod.metadata.creationTimestamp) ?? [])
  return times.length === 0 ? undefined : Math.min(...times)
}

/** Every pod came after the write, and their controller is older: there was none before. */
function isFromZero({ current, pods }: Frame, atMs: number): boolean {
  const createdMs = timeMs(current.metadata.creationTimestamp) ?? atMs
  return (
    createdMs < atMs - toleranceMs &&
    pods.length > 0 &&
    pods.every(pod => (timeMs(pod.metadata.creationTimestamp) ?? 0) >= atMs - toleranceMs)
  )
}

function isUnderDeployment(set: KubeObject): boolean {
  return set.metadata.ownerReferences?.some(owner => owner.controller === true && owner.kind === 'Deployment') === true
}

function nodesOf(pods: readonly Pod[]): readonly string[] {
  return [...new Set(pods.flatMap(pod => pod.spec.nodeName ?? []))].sort()
}
