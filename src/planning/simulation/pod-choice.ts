// Which pods an operation is about, and in which order they have their turn.

import type { PodState } from '#cluster/cluster-state.ts'
import { parseLabelSelector } from '#kube/objects/selector.ts'
import { isOfDaemonSet, isStatic } from './controllers.ts'
import type { OperationOf } from './scenario.ts'
import type { StepContext } from './step-context.ts'

type Choice = Pick<OperationOf<'evict'>, 'pods' | 'workload' | 'node' | 'namespaces' | 'labelSelector' | 'most' | 'order'>

/**
 * The chosen pods that are not finished. What several fields say holds together; DaemonSets' pods and static ones are meant only where
 * they are named. @throws InputError for names that are not there
 */
export function chosenPods(context: StepContext, choice: Choice): readonly PodState[] {
  const { state } = context.world
  const { pods, workload, labelSelector, namespaces } = choice
  const missing = pods?.find(key => !state.pods.has(key))
  if (missing !== undefined) context.refuse('pods', missing, 'a pod that is there, as NAMESPACE/POD')
  const nodes = choice.node === undefined ? undefined : new Set(context.nodes(choice.node))
  const uid = workload === undefined ? undefined : context.workload(workload).metadata.uid
  const selector = labelSelector === undefined ? undefined : parseLabelSelector(labelSelector)
  const named = pods?.flatMap(key => state.pods.get(key) ?? [])
  const candidates = named ?? (uid === undefined ? [...state.pods.values()] : state.podsOf(uid))
  const isWanted = (pod: PodState): boolean =>
    !pod.isFinished &&
    (named !== undefined || !(isOfDaemonSet(pod) || isStatic(pod))) &&
    (nodes === undefined || (pod.nodeName !== undefined && nodes.has(pod.nodeName))) &&
    (uid === undefined || pod.workload?.uid === uid) &&
    (namespaces === undefined || namespaces.include.length === 0 || namespaces.include.includes(pod.namespace)) &&
    namespaces?.exclude.includes(pod.namespace) !== true &&
    (selector?.ok !== true || selector.value.matches(pod.object.metadata.labels))
  const wanted = candidates.filter(isWanted)
  const ordered = named !== undefined && choice.order === 'name' ? wanted : wanted.toSorted(byOrder(choice.order))
  return choice.most === undefined ? ordered : ordered.slice(0, choice.most)
}

/** `memory`: most memory first, then most CPU; `cpu` the other way round; `priority`: least important first; then by name. */
function byOrder(order: Choice['order']): (a: PodState, b: PodState) => number {
  const falling = (resource: string) => (a: PodState, b: PodState) => (b.requests[resource] ?? 0) - (a.requests[resource] ?? 0)
  const byName = (a: PodState, b: PodState) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
  switch (order) {
    case 'name':
      return byName
    case 'memory':
      return (a, b) => falling('memory')(a, b) || falling('cpu')(a, b) || byName(a, b)
    case 'cpu':
      return (a, b) => falling('cpu')(a, b) || falling('memory')(a, b) || byName(a, b)
    case 'priority':
      return (a, b) => a.priority - b.priority || byName(a, b)
  }
}
