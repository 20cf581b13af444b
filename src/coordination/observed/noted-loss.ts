// A judged loss as a line of the book: by itself, or as a part of the drain of its node.
import { controllerOf, kindKey } from '#cluster/ownership.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { lossVerdict, type NoLoss } from './loss-cause.ts'
import type { Observation } from './observation.ts'
import type { ObservationBook } from './observation-book.ts'
import type { ObservedCluster } from './observed-cluster.ts'
import type { PodLoss } from './pod-losses.ts'
import { revisionOf, rolloutId, wantedRevision } from './template-changes.ts'

/** The id under which the loss of a pod is in the book. */
export function lossId({ pod }: PodLoss): string {
  return `loss:${pod.metadata.uid ?? ''}`
}

/** The id of the rollout that let the pod go; `undefined` where its controller wanted fewer of the present revision. */
function rolloutBehind({ pod }: PodLoss, because: NoLoss, cluster: ObservedCluster): string | undefined {
  if (because !== 'rolled-out' && because !== 'scaled-down') return undefined
  const owner = controllerIn(cluster, pod)
  const workload = owner?.kind === 'ReplicaSet' ? controllerIn(cluster, owner) : owner
  const to = workload && wantedRevision(workload)
  if (owner === undefined || workload === undefined || to === undefined) return undefined
  if (because === 'scaled-down' && owner === workload) return undefined
  return because === 'rolled-out' || revisionOf(owner)?.toString() !== to ? rolloutId(workload, to) : undefined
}

function controllerIn(cluster: ObservedCluster, { metadata }: KubeObject): KubeObject | undefined {
  const above = controllerOf(metadata)
  return above && cluster.object(kindKey(above.apiVersion, above.kind), metadata.namespace, above.name)
}

/** Judges a loss by the cluster as it is now and writes it down. `undefined`: it is none, or known, or a part of a rollout. */
export function noteLoss(book: ObservationBook, loss: PodLoss, cluster: ObservedCluster): Observation | undefined {
  const id = lossId(loss)
  const verdict = book.has(id) ? undefined : lossVerdict(loss, cluster)
  if (verdict === undefined) return undefined
  if (verdict.kind === 'none') {
    const rollout = rolloutBehind(loss, verdict.because, cluster)
    if (rollout !== undefined) book.rollOn(rollout, loss.atMs)
    return undefined
  }
  const { metadata, spec } = loss.pod
  const node = spec.nodeName ?? ''
  const observation: Observation = {
    kind: 'pod-lost',
    workload: verdict.workload,
    namespace: metadata.namespace ?? '',
    nodes: node === '' ? [] : [node],
    atMs: loss.atMs,
    by: verdict.by,
    evidence: verdict.evidence,
  }
  const { cordon } = verdict
  if (cordon === undefined) book.put(id, observation)
  else {
    const { by, evidence, kind } = cordon
    book.putDrained(id, observation, { node, by, evidence, isCertain: kind === 'removal' })
  }
  return observation
}
