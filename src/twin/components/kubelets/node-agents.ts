// Ballast's agents of role readiness as simulated nodes run them: each asks the mirror of its own node, and writes what it heard as a
// condition of the node. Which pod is such an agent is read from what its container is started with.
import type { Condition, Node, Pod } from '#kube/objects/objects.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { Writer } from '../../access.ts'
import type { ComponentContext } from '../component.ts'
import { isReady, timeText, withCondition } from '../workloads/pod-state.ts'
import { mirrorAmong, mirrorOf, startsRole } from './image-mirrors.ts'

const conditionType = 'ballast.dev/MirrorReady'
/** From a change on the node to the next question: agents ask every 10 s. */
const askMs = 5_000

export function startNodeAgents(context: ComponentContext): void {
  const { view, loop } = context
  const nodes = loop.queue('node-agents', name => report(context, name))
  view.each('pods', pod => {
    if (matters(pod)) nodes.add(pod.spec.nodeName ?? '')
  })
  view.on('pods', ({ type, object, previous }) => {
    const wasReady = previous !== undefined && isReady(previous)
    if (matters(object) && (type === 'DELETED' || wasReady !== isReady(object))) nodes.addAfter(object.spec.nodeName ?? '', askMs)
  })
}

/** Whether the pod is one that asks or one that is asked. */
function matters(pod: Pod): boolean {
  if (!pod.spec.nodeName) return false
  const { containers } = pod.spec
  return containers.some(container => startsRole(container, 'readiness')) || mirrorAmong(containers) !== undefined
}

function report(context: ComponentContext, name: string): void {
  const { view, access, clock } = context
  const node = view.get('nodes', undefined, name)
  const pods = view.podsOn(name)
  const agent = pods.find(pod => isReady(pod) && pod.spec.containers.some(container => startsRole(container, 'readiness')))
  if (node === undefined || agent === undefined) return
  const heard = pods.some(pod => mirrorOf(pod) !== undefined) ? serving : silent
  const conditions = withCondition(node.status?.conditions, heard, timeText(clock.now()))
  if (conditions === node.status?.conditions) return
  const changed: Node = { ...node, status: { ...node.status, conditions } }
  try {
    access.update('nodes', changed, writerOf(agent), { subresource: 'status' })
  } catch (error) {
    // Gone meanwhile. After a conflict the queue comes back to it.
    if (!isNotFound(error)) throw error
  }
}

const serving: Omit<Condition, 'lastTransitionTime'> = {
  type: conditionType,
  status: 'True',
  reason: 'Serving',
  message: 'Endpoint reports ready at http://NODE_IP:29997/readyz',
}
const silent: Omit<Condition, 'lastTransitionTime'> = {
  type: conditionType,
  status: 'False',
  reason: 'EndpointConnectionError',
  message: 'Failed to reach endpoint http://NODE_IP:29997/readyz',
}

function writerOf({ metadata, spec }: Pod): Writer {
  const { serviceAccountName = 'default' } = spec
  return { manager: 'ballast-readiness', user: `system:serviceaccount:${metadata.namespace}:${serviceAccountName}` }
}
