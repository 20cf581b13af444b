// Pods on nodes with NoExecute taints: deleted at once, or when the time their tolerations give them is over.
import type { Node, Pod, Taint } from '#kube/objects/objects.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { tolerates } from '#kube/objects/tolerations.ts'
import { secondsMs } from '#kube/time/duration.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EventSource } from '../event-recorder.ts'
import { isFinished, isTerminating, keyOf, splitKey, timeText, withCondition } from '../workloads/pod-state.ts'

const writer = controllerWriter('taint-eviction-controller')
const source: EventSource = { component: 'taint-eviction-controller', writer }

/** Milliseconds that the pod may stay, counted from the taints' own times; `undefined`: for ever. Negative values are over. */
export function toleratedMs(pod: Pod, taints: readonly Taint[], nowMs: number): number | undefined {
  const executing = taints.filter(taint => taint.effect === 'NoExecute')
  let least: number | undefined
  for (const taint of executing) {
    const tolerations = (pod.spec.tolerations ?? []).filter(toleration => tolerates(toleration, taint))
    if (tolerations.length === 0) return 0
    const addedMs = Date.parse(taint.timeAdded ?? '')
    const passedMs = Number.isNaN(addedMs) ? 0 : nowMs - addedMs
    for (const { tolerationSeconds } of tolerations) {
      if (tolerationSeconds === undefined) continue
      const left = Math.max(0, secondsMs(tolerationSeconds)) - passedMs
      if (least === undefined || left < least) least = left
    }
  }
  return least
}

export function startTaintEviction(context: ComponentContext): void {
  const { view, loop, clock } = context
  /** When a pod's time is over, by the loop's clock: a taint without a time counts from when it was seen. */
  const deadlines = new Map<string, { readonly uid: string; readonly atMs: number }>()
  const queue = loop.queue('taint-eviction', key => {
    const { namespace, name } = splitKey(key)
    const pod = view.get('pods', namespace, name)
    const node = pod?.spec.nodeName ? view.get('nodes', undefined, pod.spec.nodeName) : undefined
    const left =
      pod === undefined || node === undefined || isTerminating(pod) || isFinished(pod)
        ? undefined
        : toleratedMs(pod, node.spec?.taints ?? [], clock.now())
    if (pod === undefined || left === undefined) {
      deadlines.delete(key)
      return
    }
    const known = deadlines.get(key)
    const isKnown = known !== undefined && known.uid === pod.metadata.uid
    const atMs = isKnown ? Math.min(known.atMs, clock.elapsed() + left) : clock.elapsed() + left
    if (atMs > clock.elapsed()) {
      deadlines.set(key, { uid: pod.metadata.uid ?? '', atMs })
      queue.addAfter(key, atMs - clock.elapsed())
      return
    }
    deadlines.delete(key)
    evict(context, pod)
  })
  const look = (node: Node) => {
    for (const pod of view.podsOn(node.metadata.name)) queue.add(keyOf(pod))
  }
  view.on('nodes', ({ type, object, previous }) => {
    if (type !== 'DELETED' && hasNoExecute(object) !== hasNoExecute(previous)) look(object)
    else if (type === 'MODIFIED' && hasNoExecute(object) && object.spec?.taints !== previous?.spec?.taints) look(object)
  })
  view.on('pods', ({ type, object, previous }) => {
    if (type === 'DELETED' || !object.spec.nodeName) return
    const isNewHere = previous?.spec.nodeName !== object.spec.nodeName || previous.spec.tolerations !== object.spec.tolerations
    if (isNewHere && hasNoExecute(view.get('nodes', undefined, object.spec.nodeName))) queue.add(keyOf(object))
  })
  view.each('nodes', node => {
    if (hasNoExecute(node)) look(node)
  })
}

function hasNoExecute(node: Node | undefined): boolean {
  return node?.spec?.taints?.some(taint => taint.effect === 'NoExecute') === true
}

function evict({ access, view, events, clock }: ComponentContext, pod: Pod): void {
  const { namespace, name, uid } = pod.metadata
  events.record(pod, source, {
    type: 'Normal',
    reason: 'TaintManagerEviction',
    message: `Marking for deletion Pod ${keyOf(pod)}`,
  })
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByTaintManager',
    message: 'Taint manager: deleting due to NoExecute taint',
  } as const
  const conditions = withCondition(pod.status?.conditions, condition, timeText(clock.now()))
  try {
    access.update('pods', { ...pod, status: { ...pod.status, conditions } }, writer, { subresource: 'status' })
    if (view.get('pods', namespace, name)?.metadata.uid === uid)
      access.remove('pods', namespace, name, writer, uid === undefined ? {} : { preconditions: { uid } })
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error
  }
}
