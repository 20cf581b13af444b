// Replicas that somebody wrote: an autoscaler, KEDA, a person. Pure over two states of one workload.
import type { KubeObject } from '#kube/objects/objects.ts'
import { justSeen, nameOf, replicasOf } from './object-fields.ts'
import { isOwnManager, knownName, lastWriterOf, somebody, type Writer } from './writers.ts'

interface ScaleWrite {
  readonly from: number
  readonly to: number
  readonly atMs: number
  readonly by: string
  readonly evidence: string
  /** One of our field managers wrote it. */
  readonly isOurs: boolean
}

/** Kinds whose `spec.replicas` is a wish from outside; a ReplicaSet under a Deployment is sized by the Deployment. */
const scaledKinds: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'ReplicationController', 'ReplicaSet'])

/** The scale event between two states of a workload. `isOfScaler`: a ScaledObject targets it, so that its autoscaler is KEDA's. */
export function scaleWrite(
  previous: KubeObject,
  next: KubeObject,
  { nowMs, isOfScaler }: { readonly nowMs: number; readonly isOfScaler: boolean },
): ScaleWrite | undefined {
  if (!scaledKinds.has(next.kind) || previous.metadata.uid !== next.metadata.uid) return undefined
  if (next.metadata.ownerReferences?.some(owner => owner.controller === true && owner.kind === 'Deployment')) return undefined
  const [from, to] = [replicasOf(previous), replicasOf(next)]
  if (from === to) return undefined
  const writer = lastWriterOf(next, 'replicas')
  const by = scalerName(writer, isOfScaler)
  return {
    from,
    to,
    atMs: justSeen(writer?.atMs, nowMs),
    by,
    evidence: `${nameOf(next)} was scaled from ${from} to ${to}`,
    isOurs: writer !== undefined && isOwnManager(writer.manager),
  }
}

/** Who writes replicas, as users know them: kube-controller-manager does so for HorizontalPodAutoscalers alone. */
export function scalerName(writer: Writer | undefined, isOfScaler: boolean): string {
  if (writer === undefined) return somebody
  if (writer.manager === 'kube-controller-manager') {
    return isOfScaler ? 'KEDA (by its HorizontalPodAutoscaler)' : 'HorizontalPodAutoscaler'
  }
  return writer.isByScale && writer.manager === 'kubectl' ? 'kubectl scale' : knownName(writer.manager)
}
