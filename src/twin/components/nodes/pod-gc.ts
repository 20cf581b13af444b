// Pods that nobody will ever end: on nodes that are gone or declared out of service, terminating without a node, finished ones too many.
import type { Pod } from '#kube/objects/objects.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import { conditionOf, isFinished, isTerminating, keyOf, timeText, withCondition } from '../workloads/pod-state.ts'

const writer = controllerWriter('pod-garbage-collector')
const periodMs = 20_000
const quarantineMs = 40_000
const finishedLimit = 12_500
const outOfService = 'node.kubernetes.io/out-of-service'

/** Pods on nodes that are absent from the start belong to a snapshot taken without them: they stay as they are. */
export function startPodGc(context: ComponentContext): void {
  const { view, loop, clock } = context
  const absentFromStart = new Set(view.firstFew().filter(name => view.get('nodes', undefined, name) === undefined))
  const missingSince = new Map<string, number>()
  const forget = (pod: Pod, disruption: string | undefined) =>
    loop.alone('podgc', keyOf(pod), () => forceDelete(context, pod, disruption))
  const queue = loop.queue('podgc', () => {
    queue.addPeriodic('all', periodMs)
    const now = clock.elapsed()
    for (const name of view.firstFew()) {
      if (view.get('nodes', undefined, name) !== undefined) missingSince.delete(name)
      else if (!absentFromStart.has(name) && !missingSince.has(name)) missingSince.set(name, now)
    }
    for (const [name, sinceMs] of missingSince) {
      if (now - sinceMs < quarantineMs) continue
      for (const pod of view.podsOn(name)) forget(pod, 'PodGC: node no longer exists')
      if (view.podsOn(name).length === 0) missingSince.delete(name)
    }
    for (const node of view.list('nodes')) {
      const isReady = conditionOf(node.status?.conditions, 'Ready')?.status === 'True'
      if (isReady || !node.spec?.taints?.some(taint => taint.key === outOfService)) continue
      for (const pod of view.podsOn(node.metadata.name)) if (isTerminating(pod)) forget(pod, undefined)
    }
    for (const pod of view.list('pods')) if (isTerminating(pod) && !pod.spec.nodeName) forget(pod, undefined)
    for (const pod of superfluous(context)) forget(pod, undefined)
  })
  queue.addPeriodic('all', periodMs)
}

function superfluous(context: ComponentContext): readonly Pod[] {
  const finished = context.view.list('pods').filter(isFinished)
  if (finished.length <= finishedLimit) return []
  const oldestFirst = finished.toSorted((a, b) =>
    (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1,
  )
  return oldestFirst.slice(0, finished.length - finishedLimit)
}

function forceDelete({ access, view, clock }: ComponentContext, pod: Pod, disruption: string | undefined): void {
  const { namespace, name, uid } = pod.metadata
  try {
    if (disruption !== undefined && !isFinished(pod)) {
      const condition = { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC', message: disruption } as const
      const conditions = withCondition(pod.status?.conditions, condition, timeText(clock.now()))
      access.update('pods', { ...pod, status: { ...pod.status, phase: 'Failed', conditions } }, writer, { subresource: 'status' })
    }
    if (view.get('pods', namespace, name)?.metadata.uid !== uid) return
    access.remove('pods', namespace, name, writer, {
      gracePeriodSeconds: 0,
      ...(uid === undefined ? {} : { preconditions: { uid } }),
    })
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error
  }
}
